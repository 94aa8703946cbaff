#include "service/echo.h"

#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "worker/conn.h"
#include "worker/service.h"

#define CHUNK      16384 /* bytes that are read at a time */
#define HELD_MAX   64    /* buffers kept for re-use */
#define LAST_READS 64    /* of a last look: 1 MB, then a peer that goes on is left */
#define GRACE_MS   1000  /* a drain waits so long for a first byte */

/* Bytes that did not fit into a socket: what c->data points to. */
struct held {
	SLIST_ENTRY(held) unused;
	size_t off, len; /* of bytes: the part that is unsent */
	char bytes[CHUNK];
};

/* What service->data points to. */
struct echo {
	struct timelist *idle;
	struct timelist *grace;
};

static SLIST_HEAD(, held) unused = SLIST_HEAD_INITIALIZER(unused);
static size_t nunused;

static struct held *
borrow(void)
{
	struct held *h = SLIST_FIRST(&unused);

	if (h == NULL)
		return mem_alloc(sizeof *h);
	SLIST_REMOVE_HEAD(&unused, unused);
	nunused--;
	return h;
}

static void
echo_release(struct conn *c)
{
	struct held *h = c->data;

	if (h == NULL)
		return;
	c->data = NULL;
	if (nunused == HELD_MAX) {
		free(h);
		return;
	}
	SLIST_INSERT_HEAD(&unused, h, unused);
	nunused++;
}

static void
stay(struct conn *c, enum conn_state state)
{
	const struct echo *e = c->service->data;

	conn_set_state(c, state);
	timelist_join(e->idle, &c->timed);
}

static void
hold(struct conn *c, const char *bytes, size_t len)
{
	struct held *h = borrow();

	memcpy(h->bytes, bytes, len);
	h->off = 0;
	h->len = len;
	c->data = h;
	conn_want_write(c);
	stay(c, CONN_BUSY);
}

/* Send back; false when the connection waits for room or is closed. */
static bool
give_back(struct conn *c, const char *bytes, size_t len)
{
	struct iovec iov = {(void *)(uintptr_t)bytes, len};
	ssize_t n = conn_write(c, &iov, 1, false);

	if (n == CONN_ERROR) {
		conn_close(c, "broken by the peer");
		return false;
	}
	if (n == (ssize_t)len) {
		stay(c, CONN_IDLE);
		return true;
	}
	n = n < 0 ? 0 : n;
	hold(c, bytes + n, len - (size_t)n);
	return false;
}

/* Read once and send it back; false when there is nothing more to be done now:
 * no bytes, no room, no connection. */
static bool
turn_around(struct conn *c)
{
	static char bytes[CHUNK];
	ssize_t n = conn_read(c, bytes, sizeof bytes);

	if (n > 0)
		return give_back(c, bytes, (size_t)n);
	if (n == 0)
		conn_finish(c, "closed by the peer");
	else if (n == CONN_ERROR)
		conn_close(c, "broken by the peer");
	return false;
}

static bool
settled(const struct conn *c)
{
	return c->closed || c->lingering || c->data != NULL;
}

/* Echo what is there already.  A connection that is blocked comes here again
 * when there is room. */
static void
last_look(struct conn *c)
{
	for (int i = 0; i < LAST_READS; i++)
		if (!turn_around(c))
			break;
	if (!settled(c))
		conn_finish(c, "drained");
}

static void
echo_readable(struct conn *c)
{
	if (worker_draining())
		last_look(c);
	else
		turn_around(c);
}

static void
echo_writable(struct conn *c)
{
	struct held *h = c->data;
	struct iovec iov = {h->bytes + h->off, h->len - h->off};
	ssize_t n = conn_write(c, &iov, 1, false);

	if (n == CONN_ERROR) {
		conn_close(c, "broken by the peer");
		return;
	}
	if (n > 0)
		h->off += (size_t)n;
	if (h->off < h->len) {
		if (n > 0)
			stay(c, CONN_BUSY);
		return;
	}
	echo_release(c);
	conn_want_read(c);
	stay(c, CONN_IDLE);
	if (worker_draining())
		last_look(c);
}

static void
echo_open(struct conn *c)
{
	const struct echo *e = c->service->data;

	timelist_join(worker_draining() ? e->grace : e->idle, &c->timed);
}

/* A new connection has a moment for its first bytes; they are on their way. */
static void
echo_drain(struct conn *c)
{
	const struct echo *e = c->service->data;

	if (c->state == CONN_IDLE)
		last_look(c);
	else if (c->state == CONN_NEW)
		timelist_join(e->grace, &c->timed);
}

static void
on_grace(struct timed *t)
{
	struct conn *c = timed_owner(t, struct conn, timed);

	if (worker_draining())
		last_look(c);
	else
		echo_open(c);
}

static void
on_idle(struct timed *t)
{
	struct conn *c = timed_owner(t, struct conn, timed);

	if (c->data != NULL)
		conn_close(c, "takes in nothing");
	else if (!turn_around(c) && !settled(c))
		conn_finish(c, "idle for too long");
}

static int
echo_start(struct service *service, char **cause)
{
	struct echo *e = mem_alloc(sizeof *e);

	(void)cause;
	e->idle =
	    timelist_new(service->base, (uint64_t)service->conf->idle_timeout, on_idle);
	e->grace = timelist_new(service->base, GRACE_MS, on_grace);
	service->data = e;
	return 0;
}

static void
echo_stop(struct service *service)
{
	struct echo *e = service->data;
	struct held *h;

	timelist_free(&e->idle);
	timelist_free(&e->grace);
	mem_free(&service->data);
	while ((h = SLIST_FIRST(&unused)) != NULL) {
		SLIST_REMOVE_HEAD(&unused, unused);
		free(h);
	}
	nunused = 0;
}

const struct service_type echo_service = {
    .name = "echo",
    .start = echo_start,
    .stop = echo_stop,
    .open = echo_open,
    .readable = echo_readable,
    .writable = echo_writable,
    .drain = echo_drain,
    .release = echo_release,
};
