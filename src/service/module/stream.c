#include "service/module/stream.h"

#include <sys/queue.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "baton.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/module/module.h"
#include "wire/handoff.h"
#include "worker/conn.h"
#include "worker/runtime.h"
#include "worker/service.h"

#define READ_MAX  65536
#define IOV_MAX_N 64
#define BLOB_ROOM 4096 /* of a record, for all but unread, unsent and the module's blob */

/* One write of the module, or what is left of it. */
struct chunk {
	STAILQ_ENTRY(chunk) link;
	size_t from, n;
	char bytes[];
};

struct baton_conn {
	struct conn *c; /* NULL: it is over */
	struct stream *stream;
	void *data;
	_Atomic unsigned holds;
	STAILQ_ENTRY(baton_conn) todo;
	bool queued;  /* is on that list */
	bool opened;  /* the module knows it */
	bool paused;  /* by the module */
	bool ended;   /* the client has ended its side */
	bool told;    /* the module knows that */
	bool broken;  /* to be closed */
	bool again;   /* what is unread is to be shown again */
	bool blocked; /* the socket took no more */
	bool wants;   /* the module says that it is busy */
	char *unread;
	size_t nunread;
	/* under the lock */
	STAILQ_HEAD(, chunk) chunks;
	size_t unsent;
	bool gone;      /* nothing can be written any more */
	bool finishing; /* when all is sent */
	bool posted;    /* another thread has woken the loop */
};

/* Of a service, in this worker. */
struct stream {
	struct baton_service *service;
	struct timelist *idle, *send;
	struct event turn; /* works the list off */
	STAILQ_HEAD(, baton_conn) todo;
	char buffer[READ_MAX];
};

/* What travels before the module's blob. */
struct envelope {
	char module[32];
	uint32_t version;
	uint32_t ended;
	uint32_t finishing;
	uint32_t wants;
};

#define ENVELOPE_VERSION 1

/* One for all connections: it is held for a few instructions. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static const struct baton_module *
module_of(const struct baton_conn *bc)
{
	return bc->stream->service->module;
}

static struct stream *
stream_of(const struct conn *c)
{
	return c->service->data;
}

/* --- holds --- */

static void
free_chunks(struct baton_conn *bc)
{
	struct chunk *k;

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

static unsigned
drop(struct baton_conn *bc)
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

	if (drop(bc) > 0 && bc->c != NULL)
		conn_moves(bc->c);
}

/* The loop gives it back, as only the loop knows what else there is to do then. */
void
baton_conn_drop(struct baton_conn *conn)
{
	baton_post(on_dropped, conn);
}

/* --- the list of what is to be done --- */

static void
look_soon(struct baton_conn *bc)
{
	struct stream *st = bc->stream;

	if (bc->queued || bc->c == NULL)
		return;
	if (STAILQ_EMPTY(&st->todo))
		event_active(&st->turn, EV_TIMEOUT, 0);
	STAILQ_INSERT_TAIL(&st->todo, bc, todo);
	bc->queued = true;
}

static void
on_posted(void *arg)
{
	struct baton_conn *bc = arg;

	pthread_mutex_lock(&lock);
	bc->posted = false;
	pthread_mutex_unlock(&lock);
	look_soon(bc);
	drop(bc);
}

/* From whatever thread. */
static void
wake(struct baton_conn *bc)
{
	bool post;

	if (runtime_on_loop()) {
		look_soon(bc);
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

static bool
is_away(const struct conn *c)
{
	return c->moving || c->held;
}

/* With the lock. */
static int
may_write(const struct baton_conn *bc, size_t n)
{
	size_t max = (size_t)bc->stream->service->service->conf->max_unsent;

	if (bc->gone || bc->finishing)
		return BATON_CLOSED;
	return bc->unsent > 0 && bc->unsent + n > max ? BATON_FULL : 0;
}

int
baton_conn_write(struct baton_conn *conn, const void *bytes, size_t n)
{
	struct chunk *k;
	int status;

	if (runtime_on_loop() && conn->c != NULL && conn->c->moving)
		return BATON_MOVING;
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

void
baton_conn_close(struct baton_conn *conn)
{
	conn->broken = true;
	look_soon(conn);
}

/* The first chunks; they stay where they are, as only the loop takes them away. */
static int
gather(struct baton_conn *bc, struct iovec *iov)
{
	struct chunk *k;
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
		struct chunk *k = STAILQ_FIRST(&bc->chunks);
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

enum flushed { FLUSHED, BLOCKED, BROKEN };

static enum flushed
flush(struct baton_conn *bc)
{
	struct iovec iov[IOV_MAX_N];
	int n;

	while ((n = gather(bc, iov)) > 0) {
		size_t all = 0;
		ssize_t w = conn_write(bc->c, iov, n, false);

		for (int i = 0; i < n; i++)
			all += iov[i].iov_len;
		if (w == CONN_ERROR)
			return BROKEN;
		if (w > 0)
			sent(bc, (size_t)w);
		if (w < 0 || (size_t)w < all)
			return BLOCKED;
	}
	return FLUSHED;
}

/* --- what the loop watches for --- */

static void
set_interest(struct baton_conn *bc)
{
	struct conn *c = bc->c;

	if (bc->blocked)
		conn_want_write(c);
	else
		conn_want_read(c);
	if (!bc->blocked && (bc->paused || bc->ended))
		conn_unwatch(c);
	else if (!c->watched && !c->is_opening)
		conn_watch(c);
}

static void
set_state(struct baton_conn *bc)
{
	struct conn *c = bc->c;

	if (bc->blocked || bc->wants)
		conn_set_state(c, CONN_BUSY);
	else if (c->state != CONN_NEW)
		conn_set_state(c, CONN_IDLE);
}

static void
start_limit(struct baton_conn *bc)
{
	struct stream *st = bc->stream;

	timelist_join(bc->blocked ? st->send : st->idle, &bc->c->timed);
}

/* --- reading --- */

static void
keep_unread(struct baton_conn *bc, const char *bytes, size_t n)
{
	char *kept = NULL;

	if (n > 0) {
		kept = mem_alloc(n);
		memcpy(kept, bytes, n);
	}
	free(bc->unread);
	bc->unread = kept;
	bc->nunread = n;
}

/* Show the module what there is: what was left, and n bytes behind it, in buffer. */
static void
show(struct baton_conn *bc, char *bytes, size_t n)
{
	size_t used = module_of(bc)->data(bc, bytes, n);

	if (used > n)
		log_panic("module '%s' used %zu bytes of %zu", module_of(bc)->name, used, n);
	if (used < n || bc->nunread > 0)
		keep_unread(bc, bytes + used, n - used);
}

static void
tell_end(struct baton_conn *bc)
{
	bc->told = true;
	if (module_of(bc)->end != NULL)
		module_of(bc)->end(bc);
	else
		baton_conn_finish(bc);
}

static void
readable(struct conn *c)
{
	struct baton_conn *bc = c->data;
	struct stream *st = bc->stream;
	size_t max = (size_t)c->service->conf->max_unread;
	ssize_t n;

	if (bc->paused || bc->ended || bc->broken) {
		set_interest(bc);
		return;
	}
	if (bc->nunread > 0)
		memcpy(st->buffer, bc->unread, bc->nunread);
	n = conn_read(c, st->buffer + bc->nunread, max - bc->nunread);
	if (n == CONN_AGAIN)
		return;
	if (n == CONN_ERROR) {
		conn_close(c, "broken by the peer");
		return;
	}
	timelist_join(st->idle, &c->timed);
	if (n > 0) {
		conn_set_state(c, bc->wants ? CONN_BUSY : CONN_IDLE);
		show(bc, st->buffer, bc->nunread + (size_t)n);
	} else {
		bc->ended = true;
		tell_end(bc);
	}
	look_soon(bc);
}

static void
show_again(struct baton_conn *bc)
{
	struct stream *st = bc->stream;

	bc->again = false;
	if (bc->paused)
		return;
	if (bc->nunread > 0) {
		memcpy(st->buffer, bc->unread, bc->nunread);
		show(bc, st->buffer, bc->nunread);
	}
	if (bc->ended && !bc->told)
		tell_end(bc);
}

void
baton_conn_pause(struct baton_conn *conn)
{
	conn->paused = true;
	look_soon(conn);
}

void
baton_conn_resume(struct baton_conn *conn)
{
	if (!conn->paused)
		return;
	conn->paused = false;
	conn->again = true;
	look_soon(conn);
}

void
baton_conn_busy(struct baton_conn *conn, bool busy)
{
	conn->wants = busy;
	look_soon(conn);
}

/* --- one look at a connection, from the loop's top level --- */

static bool
is_finishing(struct baton_conn *bc)
{
	bool finishing;

	pthread_mutex_lock(&lock);
	finishing = bc->finishing;
	pthread_mutex_unlock(&lock);
	return finishing;
}

static void
work(struct baton_conn *bc)
{
	struct conn *c = bc->c;
	bool was_blocked = bc->blocked;

	if (bc->again)
		show_again(bc);
	if (bc->nunread == (size_t)c->service->conf->max_unread && !bc->paused)
		bc->broken = true;
	if (bc->broken) {
		conn_close(c, "closed by its module");
		return;
	}
	switch (flush(bc)) {
	case BROKEN:
		conn_close(c, "broken by the peer");
		return;
	case BLOCKED:
		bc->blocked = true;
		break;
	case FLUSHED:
		bc->blocked = false;
		break;
	}
	if (!bc->blocked && is_finishing(bc)) {
		conn_finish(c, "finished by its module");
		return;
	}
	if (bc->blocked != was_blocked || bc->blocked)
		start_limit(bc);
	set_state(bc);
	set_interest(bc);
	if (c->closed)
		return;
	if (was_blocked && !bc->blocked && module_of(bc)->flushed != NULL)
		module_of(bc)->flushed(bc);
	if (!bc->queued)
		conn_moves(c);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct stream *st = arg;
	struct baton_conn *bc;

	(void)fd;
	(void)what;
	while ((bc = STAILQ_FIRST(&st->todo)) != NULL) {
		STAILQ_REMOVE_HEAD(&st->todo, todo);
		bc->queued = false;
		if (bc->c != NULL && !is_away(bc->c) && !bc->c->lingering)
			work(bc);
	}
}

static void
writable(struct conn *c)
{
	struct baton_conn *bc = c->data;

	work(bc);
}

/* --- life --- */

static struct baton_conn *
new_conn(struct conn *c)
{
	struct baton_conn *bc = mem_alloc(sizeof *bc);

	bc->c = c;
	bc->stream = stream_of(c);
	bc->holds = 1;
	STAILQ_INIT(&bc->chunks);
	c->data = bc;
	return bc;
}

static void
opened(struct conn *c)
{
	struct baton_conn *bc = new_conn(c);

	bc->opened = true;
	timelist_join(bc->stream->idle, &c->timed);
	if (module_of(bc)->open != NULL)
		module_of(bc)->open(bc);
}

static void
release(struct conn *c)
{
	struct baton_conn *bc = c->data;

	if (bc == NULL)
		return;
	if (bc->opened && module_of(bc)->close != NULL)
		module_of(bc)->close(bc, c->elsewhere);
	if (bc->queued)
		STAILQ_REMOVE(&bc->stream->todo, bc, baton_conn, todo);
	bc->queued = false;
	bc->c = NULL;
	pthread_mutex_lock(&lock);
	bc->gone = true;
	free_chunks(bc);
	pthread_mutex_unlock(&lock);
	keep_unread(bc, NULL, 0);
	drop(bc);
}

/* What has come already is seen to. */
static void
last_look(struct conn *c, struct baton_conn *bc)
{
	readable(c);
	if (!c->closed && !c->lingering)
		baton_conn_finish(bc);
}

static void
drain(struct conn *c)
{
	struct baton_conn *bc = c->data;

	if (module_of(bc)->drain != NULL)
		module_of(bc)->drain(bc);
	else if (worker_stopping() && !bc->wants)
		last_look(c, bc);
}

static void
on_idle(struct timed *t)
{
	conn_finish(timed_owner(t, struct conn, timed), "idle for too long");
}

static void
on_send(struct timed *t)
{
	conn_close(timed_owner(t, struct conn, timed), "did not take its bytes in time");
}

/* --- hand-off --- */

/* All that is unsent, in one piece; false: too much for a record. */
static bool
copy_unsent(struct baton_conn *bc, struct handoff_record *r, size_t room)
{
	static char all[HANDOFF_RECORD_MAX];
	struct chunk *k;
	size_t n = 0;

	if (bc->unsent > room)
		return false;
	STAILQ_FOREACH (k, &bc->chunks, link) {
		memcpy(all + n, k->bytes + k->from, k->n - k->from);
		n += k->n - k->from;
	}
	r->unsent = (struct handoff_bytes){all, n};
	return true;
}

static bool
freeze(struct conn *c, struct handoff_record *r)
{
	static char blob[HANDOFF_RECORD_MAX];
	struct baton_conn *bc = c->data;
	struct baton_blob b = {0};
	struct envelope e = {0};
	size_t room = HANDOFF_RECORD_MAX - BLOB_ROOM - bc->nunread;

	if (atomic_load(&bc->holds) > 1 || bc->broken || !module_of(bc)->freeze(bc, &b))
		return false;
	if (b.n > room - sizeof e)
		return false;
	strncpy(e.module, module_of(bc)->name, sizeof e.module - 1);
	e.version = b.version;
	e.ended = bc->ended;
	e.finishing = bc->finishing;
	e.wants = bc->wants;
	memcpy(blob, &e, sizeof e);
	if (b.n > 0)
		memcpy(blob + sizeof e, b.bytes, b.n);
	r->blob = (struct handoff_bytes){blob, sizeof e + b.n};
	r->blob_version = ENVELOPE_VERSION;
	r->unread = (struct handoff_bytes){bc->unread, bc->nunread};
	return copy_unsent(bc, r, room - sizeof e - b.n);
}

static const char *
thaw_module(struct baton_conn *bc, const struct envelope *e, const struct handoff_record *r)
{
	struct baton_blob b = {
	    .version = e->version, .bytes = r->blob.p + sizeof *e, .n = r->blob.n - sizeof *e};

	if (module_of(bc)->thaw(bc, &b) != 0)
		return "its module cannot go on from its state";
	bc->opened = true;
	return NULL;
}

static const char *
thaw(struct conn *c, struct handoff_record *r)
{
	struct baton_conn *bc = new_conn(c);
	struct envelope e;
	struct chunk *k;

	if (r->blob_version != ENVELOPE_VERSION || r->blob.n < sizeof e)
		return "its state is not one of a module";
	memcpy(&e, r->blob.p, sizeof e);
	if (strncmp(e.module, module_of(bc)->name, sizeof e.module) != 0)
		return "it belongs to another module";
	if (r->unread.n > (size_t)c->service->conf->max_unread)
		return "more of it is unread than max_unread allows here";
	keep_unread(bc, r->unread.p, r->unread.n);
	bc->again = true;
	bc->ended = e.ended != 0;
	bc->finishing = e.finishing != 0;
	bc->wants = e.wants != 0;
	timelist_join(r->unsent.n > 0 ? bc->stream->send : bc->stream->idle, &c->timed);
	if (r->unsent.n > 0) {
		k = mem_alloc(sizeof *k + r->unsent.n);
		k->n = bc->unsent = r->unsent.n;
		memcpy(k->bytes, r->unsent.p, k->n);
		STAILQ_INSERT_TAIL(&bc->chunks, k, link);
	}
	return thaw_module(bc, &e, r);
}

static void
resume(struct conn *c)
{
	look_soon(c->data);
}

/* --- start and stop --- */

static void
stop(struct service *service)
{
	struct stream *st = service->data;

	event_del(&st->turn);
	timelist_free(&st->idle);
	timelist_free(&st->send);
	module_stop(st->service);
	free(st);
}

#define COMMON                                                                                 \
	.name = "module", .stop = stop, .open = opened, .readable = readable,                  \
	.writable = writable, .drain = drain, .release = release

/* One that can move, and one that cannot. */
static const struct service_type moving_type = {COMMON, .freeze = freeze, .thaw = thaw,
                                                .resume = resume};
static const struct service_type staying_type = {COMMON};

void
stream_start(struct baton_service *s)
{
	struct stream *st = mem_alloc(sizeof *st);
	const struct conf_service *conf = s->service->conf;
	struct event_base *base = s->service->base;

	st->service = s;
	STAILQ_INIT(&st->todo);
	evtimer_assign(&st->turn, base, on_turn, st);
	st->idle = timelist_new(base, (uint64_t)conf->idle_timeout, on_idle);
	st->send = timelist_new(base, (uint64_t)conf->send_timeout, on_send);
	s->service->type = s->module->freeze != NULL ? &moving_type : &staying_type;
	s->service->data = st;
}

/* --- baton.h --- */

struct baton_service *
baton_conn_service(const struct baton_conn *conn)
{
	return conn->stream->service;
}

void
baton_conn_set_data(struct baton_conn *conn, void *data)
{
	conn->data = data;
}

void *
baton_conn_data(const struct baton_conn *conn)
{
	return conn->data;
}

const char *
baton_conn_peer(const struct baton_conn *conn, char *buf, size_t len)
{
	if (conn->c != NULL)
		return conn_peer(conn->c, buf, len);
	strncpy(buf, "gone", len);
	return buf;
}

bool
baton_conn_leaves(const struct baton_conn *conn)
{
	return conn->c != NULL && worker_draining() && !conn_ends_here(conn->c);
}
