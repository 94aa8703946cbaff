#include "service/echo.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "wire/handoff.h"
#include "worker/conn/conn.h"
#include "worker/core/self.h"

#define READ_MAX 65536

/* Per worker. */
struct echo {
	struct timelist *idle;
	char buffer[READ_MAX]; /* what is said back at once needs no other */
};

/* What the client has not taken yet; a connection has it only then. */
struct unsent {
	size_t from, to;
	char bytes[];
};

static struct echo *
echo_of(const struct conn *c)
{
	return c->service->data;
}

/* An orderly end would tell a client that did not take its bytes that it has all. */
static void
on_idle(struct timed *t)
{
	struct conn *c = timed_owner(t, struct conn, timed);

	if (c->state == CONN_BUSY)
		conn_close(c, "did not take its bytes in time");
	else
		conn_finish(c, "idle for too long");
}

static int
start(struct service *service, char **cause)
{
	struct echo *e = mem_alloc(sizeof *e);

	(void)cause;
	e->idle = timelist_new(service->base, (uint64_t)service->conf->idle_timeout, on_idle);
	service->data = e;
	return 0;
}

static void
stop(struct service *service)
{
	struct echo *e = service->data;

	timelist_free(&e->idle);
	free(e);
}

static void
keep(struct conn *c, const char *bytes, size_t n)
{
	struct unsent *u = mem_alloc(sizeof *u + n);

	memcpy(u->bytes, bytes, n);
	u->to = n;
	c->data = u;
	conn_set_state(c, CONN_BUSY);
	conn_want_write(c);
}

/* Say n bytes back.  False: the connection is closed, or the rest is kept. */
static bool
say(struct conn *c, const char *bytes, size_t n)
{
	struct iovec iov = {(void *)(uintptr_t)bytes, n};
	ssize_t w = conn_write(c, &iov, 1, false);

	if (w == CONN_ERROR) {
		conn_close(c, "broken by the peer");
		return false;
	}
	if (w == CONN_AGAIN)
		w = 0;
	if ((size_t)w == n)
		return true;
	keep(c, bytes + w, n - (size_t)w);
	return false;
}

static void
readable(struct conn *c)
{
	struct echo *e = echo_of(c);
	ssize_t n = conn_read(c, e->buffer, sizeof e->buffer);

	if (n == CONN_AGAIN)
		return;
	if (n == CONN_ERROR) {
		conn_close(c, "broken by the peer");
		return;
	}
	if (n == 0) {
		conn_done(c, "closed by the peer"); /* nothing is unsent while we read */
		return;
	}
	timelist_join(e->idle, &c->timed);
	if (say(c, e->buffer, (size_t)n))
		conn_set_state(c, CONN_IDLE);
}

/*
 * A stream has no end of its own: while somebody serves on it may stay until the
 * deadline.  At a stop: one last look, what has come is said back, then the end.
 */
static void
drain(struct conn *c)
{
	if (c->state != CONN_IDLE || !self_stopping())
		return;
	readable(c);
	if (c->life < CONN_LINGERS && c->state == CONN_IDLE && !conn_is_amid_record(c))
		conn_finish(c, "idle when the drain began");
}

static void
writable(struct conn *c)
{
	struct unsent *u = c->data;
	struct iovec iov = {u->bytes + u->from, u->to - u->from};
	ssize_t w = conn_write(c, &iov, 1, false);

	if (w == CONN_ERROR) {
		conn_close(c, "broken by the peer");
		return;
	}
	if (w > 0)
		timelist_join(echo_of(c)->idle, &c->timed);
	u->from += w > 0 ? (size_t)w : 0;
	if (u->from < u->to)
		return;
	mem_free(&c->data);
	conn_want_read(c);
	conn_set_state(c, CONN_IDLE);
	drain(c);
}

static void
opened(struct conn *c)
{
	timelist_join(echo_of(c)->idle, &c->timed);
}

/* Between two callbacks all there is to a stream is what is unsent. */
static bool
freeze(struct conn *c, struct handoff_record *r)
{
	const struct unsent *u = c->data;

	if (u != NULL)
		r->unsent = (struct handoff_bytes){u->bytes + u->from, u->to - u->from};
	return true;
}

static const char *
thaw(struct conn *c, struct handoff_record *r)
{
	if (r->unread.n > 0 || (r->unsent.n > 0) != (c->state == CONN_BUSY))
		return "its state is not one of an echo";
	timelist_join(echo_of(c)->idle, &c->timed);
	if (r->unsent.n > 0)
		keep(c, r->unsent.p, r->unsent.n);
	return NULL;
}

/* Wait for whatever can move next. */
static void
resume(struct conn *c)
{
	(void)c;
}

static void
release(struct conn *c)
{
	mem_free(&c->data);
}

static uint64_t
patience(const struct conn *c)
{
	return (uint64_t)c->service->conf->idle_timeout;
}

const struct service_type echo_service = {
    .name = "echo",
    .start = start,
    .stop = stop,
    .open = opened,
    .readable = readable,
    .writable = writable,
    .drain = drain,
    .freeze = freeze,
    .thaw = thaw,
    .resume = resume,
    .patience = patience,
    .release = release,
};
