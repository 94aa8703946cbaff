#include "service/module/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "baton.h"
#include "service/module/handoff.h"
#include "service/module/outbox.h"
#include "service/module/served.h"
#include "service/module/streamed.h"
#include "service/told.h"
#include "worker/conn/conn.h"
#include "worker/core/pace.h"
#include "worker/core/self.h"
#include "worker/core/service.h"
#include "worker/runtime/loop.h"
#include "worker/runtime/origin.h"

static void
call_module(struct baton_conn *bc, void (*fn)(struct baton_conn *bc))
{
	struct origin before = stream_enter(bc);

	fn(bc);
	origin_leave(before);
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
	conn_hear(c, bc->blocked || (!bc->paused && bc->input == INPUT_OPEN));
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

static size_t
unread(const struct baton_conn *bc)
{
	return unsent_rest(&bc->unread).iov_len;
}

/* Show the module n bytes; how many it has used up. */
static size_t
show(struct baton_conn *bc, char *bytes, size_t n)
{
	struct origin before = stream_enter(bc);
	size_t used = stream_module(bc)->data(bc, bytes, n);

	origin_leave(before);
	if (used > n)
		log_panic("module '%s' used %zu bytes of %zu", stream_module(bc)->name, used,
		          n);
	return used;
}

static void
show_unread(struct baton_conn *bc)
{
	struct iovec rest = unsent_rest(&bc->unread);

	unsent_sent(&bc->unread, show(bc, rest.iov_base, rest.iov_len));
}

/* n bytes have come, in the buffer.  Of what was left before nothing is copied again, however
 * few bytes come at a time. */
static void
show_new(struct baton_conn *bc, char *bytes, size_t n)
{
	size_t used;

	if (unread(bc) > 0) {
		unsent_add(&bc->unread, bytes, n);
		show_unread(bc);
		return;
	}
	used = show(bc, bytes, n);
	if (used < n)
		unsent_add(&bc->unread, bytes + used, n - used);
}

static void
tell_end(struct baton_conn *bc)
{
	AN(bc->input == INPUT_ENDED);
	bc->input = INPUT_TOLD;
	if (stream_module(bc)->end != NULL)
		call_module(bc, stream_module(bc)->end);
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

	if (bc->paused || bc->input != INPUT_OPEN || bc->broken) {
		set_interest(bc);
		return;
	}
	n = conn_read(c, st->buffer, max - unread(bc));
	if (n == CONN_AGAIN)
		return;
	if (n == CONN_ERROR) {
		conn_close(c, "broken by the peer");
		return;
	}
	timelist_join(st->idle, &c->timed);
	if (n > 0) {
		conn_set_state(c, bc->wants ? CONN_BUSY : CONN_IDLE);
		show_new(bc, st->buffer, (size_t)n);
	} else {
		bc->input = INPUT_ENDED;
		tell_end(bc);
	}
	stream_look_soon(bc);
}

static void
show_again(struct baton_conn *bc)
{
	bc->again = false;
	if (bc->paused)
		return;
	if (unread(bc) > 0)
		show_unread(bc);
	if (bc->input == INPUT_ENDED)
		tell_end(bc);
}

void
baton_conn_pause(struct baton_conn *conn)
{
	ON_LOOP();
	conn->paused = true;
	stream_look_soon(conn);
}

void
baton_conn_resume(struct baton_conn *conn)
{
	ON_LOOP();
	if (!conn->paused)
		return;
	conn->paused = false;
	conn->again = true;
	stream_look_soon(conn);
}

void
baton_conn_busy(struct baton_conn *conn, bool busy)
{
	ON_LOOP();
	conn->wants = busy;
	stream_look_soon(conn);
}

/* --- one look at a connection, from the loop's top level --- */

static void
work(struct baton_conn *bc)
{
	struct conn *c = bc->c;
	bool was_blocked = bc->blocked;
	uint64_t before = c->bytes_out;

	if (bc->again)
		show_again(bc);
	if (unread(bc) == (size_t)c->service->conf->max_unread && !bc->paused)
		bc->broken = true;
	if (bc->broken) {
		conn_close(c, "closed by its module");
		return;
	}
	switch (outbox_flush(bc)) {
	case OUTBOX_BROKEN:
		conn_close(c, "broken by the peer");
		return;
	case OUTBOX_BLOCKED:
		bc->blocked = true;
		break;
	case OUTBOX_EMPTY:
		bc->blocked = false;
		break;
	}
	if (!bc->blocked && outbox_is_finishing(bc)) {
		conn_finish(c, "finished by its module");
		return;
	}
	if (bc->blocked != was_blocked || (bc->blocked && c->bytes_out > before))
		start_limit(bc);
	set_state(bc);
	set_interest(bc);
	if (c->life != CONN_LIVES)
		return;
	was_blocked |= outbox_was_refused(bc);
	if (was_blocked && !bc->blocked && stream_module(bc)->flushed != NULL)
		call_module(bc, stream_module(bc)->flushed);
	if (!bc->queued)
		conn_moves(c);
}

static bool
is_away(const struct conn *c)
{
	return conn_is_away(c);
}

/* Serve the connections that are ready, as far as the time goes.  Newcomers get the loop's
 * next turn (by a timer: an event made active here would run before anything else). */
static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct timeval now = {0};
	uint64_t start_us = clock_us();
	struct stream *st = arg;
	struct baton_conn *bc;

	(void)fd;
	(void)what;
	st->turning = true;
	for (unsigned n = st->ntodo; n > 0 && st->ntodo > 0; n--) {
		bc = STAILQ_FIRST(&st->todo);
		STAILQ_REMOVE_HEAD(&st->todo, todo);
		st->ntodo--;
		bc->queued = false;
		if (bc->c != NULL && !is_away(bc->c) && bc->c->life != CONN_LINGERS)
			work(bc);
		if (pace_is_enough(start_us))
			break;
	}
	st->turning = false;
	if (st->ntodo > 0)
		event_add(&st->turn, &now);
}

static void
writable(struct conn *c)
{
	struct baton_conn *bc = c->data;

	work(bc);
}

/* --- life --- */

static void
opened(struct conn *c)
{
	struct baton_conn *bc = stream_new_conn(c);

	bc->opened = true;
	timelist_join(bc->stream->idle, &c->timed);
	if (stream_module(bc)->open != NULL)
		call_module(bc, stream_module(bc)->open);
}

static void
release(struct conn *c)
{
	struct baton_conn *bc = c->data;
	struct origin before;

	if (bc == NULL)
		return;
	before = stream_enter(bc);
	if (bc->opened && stream_module(bc)->close != NULL)
		stream_module(bc)->close(bc, c->elsewhere);
	origin_leave(before);
	if (bc->queued) {
		STAILQ_REMOVE(&bc->stream->todo, bc, baton_conn, todo);
		bc->stream->ntodo--;
	}
	bc->queued = false;
	bc->c = NULL;
	outbox_end(bc, c->elsewhere);
	unsent_clear(&bc->unread);
	outbox_drop(bc);
}

/* Serve what has come already. */
static void
last_look(struct conn *c, struct baton_conn *bc)
{
	readable(c);
	if (c->life < CONN_LINGERS)
		baton_conn_finish(bc);
}

static void
drain(struct conn *c)
{
	struct baton_conn *bc = c->data;

	if (stream_module(bc)->drain != NULL)
		call_module(bc, stream_module(bc)->drain);
	else if (self_stopping() && !bc->wants)
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

static void
rest(struct conn *c)
{
	outbox_rest(c->data);
}

static void
resume(struct conn *c)
{
	outbox_resume(c->data);
	stream_look_soon(c->data);
}

/* --- start and stop --- */

static void
stop(struct service *service)
{
	struct stream *st = service->data;

	event_del(&st->turn);
	timelist_free(&st->idle);
	timelist_free(&st->send);
	served_stop(st->service);
	free(st);
}

/* A module may say that it is busy for as long as it likes; then the limit of an answer
 * is what it is measured by. */
static uint64_t
patience(const struct conn *c)
{
	const struct conf_service *conf = c->service->conf;

	return (uint64_t)(conf->idle_timeout > conf->send_timeout ? conf->idle_timeout
	                                                          : conf->send_timeout);
}

#define COMMON                                                                                 \
	.name = "module", .stop = stop, .open = opened, .readable = readable,                  \
	.writable = writable, .drain = drain, .patience = patience, .release = release

/* One that can move, and one that cannot. */
static const struct service_type moving_type = {
    COMMON, .freeze = module_freeze, .thaw = module_thaw, .resume = resume, .rest = rest};
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

void
baton_conn_close(struct baton_conn *conn)
{
	ON_LOOP();
	conn->broken = true;
	stream_look_soon(conn);
}

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
	snprintf(buf, len, "gone");
	return buf;
}

bool
baton_conn_tls(const struct baton_conn *conn, struct baton_tls *tls)
{
	return told_tls(conn->c, tls);
}

bool
baton_conn_leaves(const struct baton_conn *conn)
{
	return conn->c != NULL && self_draining() && !conn_ends_here(conn->c);
}
