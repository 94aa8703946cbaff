#include "service/module/outbox.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "baton.h"
#include "service/module/streamed.h"
#include "worker/conn/conn.h"
#include "worker/runtime/loop.h"

#define IOV_MAX_N  64
#define TURN_BYTES (512 * 1024) /* of a fast client, in one turn of the loop: others first */

/* One for all connections: it is held for a few instructions. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* --- holds --- */

static void
free_chunks(struct baton_conn *bc)
{
	struct stream_chunk *k;

	while ((k = STAILQ_FIRST(&bc->chunks)) != NULL) {
		STAILQ_REMOVE_HEAD(&bc->chunks, link);
		free(k);
	}
	bc->unsent = 0;
}

struct baton_conn *
baton_conn_hold(struct baton_conn *conn)
{
	atomic_fetch_add(&conn->holds, 1);
	return conn;
}

unsigned
outbox_drop(struct baton_conn *bc)
{
	unsigned left = atomic_fetch_sub(&bc->holds, 1) - 1;

	if (left == 0)
		free(bc);
	return left;
}

/* A drain may have waited for this: the connection can move now. */
static void
on_dropped(void *arg)
{
	struct baton_conn *bc = arg;

	if (outbox_drop(bc) > 0 && bc->c != NULL)
		conn_moves(bc->c);
}

/* The loop gives it back, as only the loop knows what else there is to do then. */
void
baton_conn_drop(struct baton_conn *conn)
{
	baton_post(on_dropped, conn);
}

static void
on_posted(void *arg)
{
	struct baton_conn *bc = arg;

	pthread_mutex_lock(&lock);
	bc->posted = false;
	pthread_mutex_unlock(&lock);
	stream_look_soon(bc);
	outbox_drop(bc);
}

/* From whatever thread. */
static void
wake(struct baton_conn *bc)
{
	bool post;

	if (loop_is_mine()) {
		stream_look_soon(bc);
		return;
	}
	pthread_mutex_lock(&lock);
	post = !bc->posted;
	bc->posted = true;
	pthread_mutex_unlock(&lock);
	if (!post)
		return;
	baton_conn_hold(bc);
	baton_post(on_posted, bc);
}

/* --- writing --- */

/* With the lock. */
static int
may_write(struct baton_conn *bc, size_t n)
{
	size_t max = (size_t)bc->stream->service->service->conf->max_unsent;

	if (bc->outbox == OUTBOX_AWAY)
		return BATON_MOVING;
	if (bc->outbox == OUTBOX_ENDED || bc->finishing)
		return BATON_CLOSED;
	if (bc->unsent == 0 || bc->unsent + n <= max)
		return 0;
	bc->refused = true;
	return BATON_FULL;
}

int
baton_conn_write(struct baton_conn *conn, const void *bytes, size_t n)
{
	struct stream_chunk *k;
	int status;

	if (n == 0)
		return 0;
	k = mem_alloc(sizeof *k + n);
	k->n = n;
	memcpy(k->bytes, bytes, n);
	pthread_mutex_lock(&lock);
	status = may_write(conn, n);
	if (status == 0) {
		STAILQ_INSERT_TAIL(&conn->chunks, k, link);
		conn->unsent += n;
	}
	pthread_mutex_unlock(&lock);
	if (status == 0)
		wake(conn);
	else
		free(k);
	return status;
}

size_t
baton_conn_unsent(struct baton_conn *conn)
{
	size_t n;

	pthread_mutex_lock(&lock);
	n = conn->unsent;
	pthread_mutex_unlock(&lock);
	return n;
}

void
baton_conn_finish(struct baton_conn *conn)
{
	pthread_mutex_lock(&lock);
	conn->finishing = true;
	pthread_mutex_unlock(&lock);
	wake(conn);
}

/* The first chunks; they stay where they are, as only the loop takes them away. */
static int
gather(struct baton_conn *bc, struct iovec *iov)
{
	struct stream_chunk *k;
	int n = 0;

	pthread_mutex_lock(&lock);
	STAILQ_FOREACH (k, &bc->chunks, link) {
		if (n == IOV_MAX_N)
			break;
		iov[n++] = (struct iovec){k->bytes + k->from, k->n - k->from};
	}
	pthread_mutex_unlock(&lock);
	return n;
}

static void
sent(struct baton_conn *bc, size_t n)
{
	pthread_mutex_lock(&lock);
	bc->unsent -= n;
	while (n > 0) {
		struct stream_chunk *k = STAILQ_FIRST(&bc->chunks);
		size_t part = n < k->n - k->from ? n : k->n - k->from;

		k->from += part;
		n -= part;
		if (k->from < k->n)
			break;
		STAILQ_REMOVE_HEAD(&bc->chunks, link);
		free(k);
	}
	pthread_mutex_unlock(&lock);
}

enum outbox_sent
outbox_flush(struct baton_conn *bc)
{
	struct iovec iov[IOV_MAX_N];
	uint64_t before = bc->c->bytes_out;
	int n;

	while ((n = gather(bc, iov)) > 0) {
		size_t all = 0;
		ssize_t w = conn_write(bc->c, iov, n, false);

		for (int i = 0; i < n; i++)
			all += iov[i].iov_len;
		if (w == CONN_ERROR)
			return OUTBOX_BROKEN;
		if (w > 0)
			sent(bc, (size_t)w);
		if (w < 0 || (size_t)w < all)
			return OUTBOX_BLOCKED;
		if (bc->c->bytes_out - before >= TURN_BYTES)
			return bc->unsent > 0 ? OUTBOX_BLOCKED : OUTBOX_EMPTY;
	}
	return OUTBOX_EMPTY;
}

bool
outbox_was_refused(struct baton_conn *bc)
{
	bool refused;

	pthread_mutex_lock(&lock);
	refused = bc->refused && bc->unsent == 0;
	if (refused)
		bc->refused = false;
	pthread_mutex_unlock(&lock);
	return refused;
}

bool
outbox_is_finishing(struct baton_conn *bc)
{
	bool finishing;

	pthread_mutex_lock(&lock);
	finishing = bc->finishing;
	pthread_mutex_unlock(&lock);
	return finishing;
}

void
outbox_put(struct baton_conn *bc, const char *bytes, size_t n)
{
	struct stream_chunk *k = mem_alloc(sizeof *k + n);

	k->n = bc->unsent = n;
	memcpy(k->bytes, bytes, n);
	STAILQ_INSERT_TAIL(&bc->chunks, k, link);
}

void
outbox_copy(const struct baton_conn *bc, char *to)
{
	struct stream_chunk *k;

	STAILQ_FOREACH (k, &bc->chunks, link) {
		memcpy(to, k->bytes + k->from, k->n - k->from);
		to += k->n - k->from;
	}
}

static void
enter(struct baton_conn *bc, enum stream_outbox state)
{
	pthread_mutex_lock(&lock);
	AN(bc->outbox != OUTBOX_ENDED);
	bc->outbox = state;
	pthread_mutex_unlock(&lock);
}

void
outbox_rest(struct baton_conn *bc)
{
	enter(bc, OUTBOX_AWAY);
}

void
outbox_resume(struct baton_conn *bc)
{
	enter(bc, OUTBOX_TAKES);
}

void
outbox_end(struct baton_conn *bc, bool moved)
{
	enter(bc, moved ? OUTBOX_AWAY : OUTBOX_ENDED);
	pthread_mutex_lock(&lock);
	free_chunks(bc);
	pthread_mutex_unlock(&lock);
}
