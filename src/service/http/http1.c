#include "service/http/http1.h"

#include <event2/event.h>

#include "base/clock.h"
#include "service/http/exchange.h"
#include "service/http/file.h"
#include "service/http/receive.h"
#include "service/http/respond.h"
#include "service/http/responder.h"
#include "wire/latency.h"
#include "worker/conn/conn.h"

#define LATER_MS     1000 /* a limit of a connection that is on its way is looked at again */
#define TURN_ANSWERS 8    /* or pieces of them, for one in a turn of the loop */
#define TURN_BYTES   (512 * 1024) /* of them, or */
#define TURN_US      2000

/* --- request after request --- */

/* Wait for more of the request.  Its first wait starts the limits afresh. */
static void
want_more(struct conn *c, struct exchange *x, struct timelist *limit, bool renew)
{
	bool first = x->total.list == NULL;

	if (x->phase == PHASE_HEAD)
		exchange_settle(x);
	if (renew || first || c->timed.list != limit)
		timelist_join(limit, &c->timed);
	if (first)
		timelist_join(http_of(c)->total, &x->total);
}

/* How long it took.  What has been sent ahead begins now. */
static void
record_latency(struct conn *c, struct exchange *x)
{
	struct latency *row = http_of(c)->latency;
	uint64_t now = clock_us();

	if (row != NULL)
		latency_record(row, now - x->began_us);
	x->began_us = now;
}

/* The answer is with the kernel.  False: the connection is finished. */
static bool
all_sent(struct conn *c, struct exchange *x)
{
	if (x->phase == PHASE_CONTINUE) {
		x->phase = x->behind;
		return true;
	}
	if (x->responder != NULL && x->responder->continues != NULL &&
	    x->responder->continues(x))
		return true;
	exchange_log(x);
	record_latency(c, x);
	file_close(&x->file);
	if (x->last && x->from == x->to) {
		conn_done(c, "answered"); /* nothing may follow: no need to wait for it */
		return false;
	}
	if (x->close) {
		conn_finish(c, "answered");
		return false;
	}
	exchange_next(x);
	return true;
}

/* Nothing is there but half an empty line, perhaps, which has a limit of its own. */
static void
keep_nothing(struct conn *c, struct exchange *x)
{
	if (x->from == x->to) {
		exchange_give_back(c);
		return;
	}
	exchange_settle(x);
	if (x->total.list == NULL)
		timelist_join(http_of(c)->half, &x->total);
}

/* One that was idle before stays as it is: it has the limit that it had. */
static void
go_idle(struct conn *c, struct exchange *x)
{
	if (c->state != CONN_BUSY) {
		keep_nothing(c, x);
		return;
	}
	if (conn_ends_here(c)) {
		conn_finish(c, "idle during the drain");
		return;
	}
	keep_nothing(c, x);
	conn_want_read(c);
	conn_set_state(c, CONN_IDLE);
	timelist_join(http_of(c)->idle, &c->timed);
}

/* The share of this turn that the connection has used. */
struct share {
	unsigned n;     /* answers, or pieces of them */
	uint64_t bytes; /* the connection's when it began */
	uint64_t until_us;
};

/* Has it more to do, and had its share?  The clock is read for who sends ahead only. */
static bool
has_had_share(const struct conn *c, const struct exchange *x, struct share *share)
{
	uint64_t now;

	if (x->phase == PHASE_HEAD ? x->from == x->to : x->phase != PHASE_ANSWER)
		return false;
	now = clock_us();
	if (share->n++ == 0)
		share->until_us = now + TURN_US;
	return share->n == TURN_ANSWERS || c->bytes_out - share->bytes >= TURN_BYTES ||
	       now >= share->until_us;
}

/* Nothing is waited for from the client meanwhile. */
static void
yield(struct conn *c)
{
	timelist_leave(&c->timed);
	conn_yield(c);
}

/* Everything that can be done with what is there, within a share. */
static void
process(struct conn *c, struct exchange *x)
{
	struct http *h = http_of(c);
	struct share share = {.bytes = c->bytes_out};

	for (;;) {
		if (x->phase == PHASE_HEAD && conn_moves(c))
			return; /* what is unread travels along */
		if (x->phase == PHASE_HEAD)
			receive_empty_lines(x);
		if (receive_is_nothing(x)) {
			go_idle(c, x);
			return;
		}
		if (x->phase == PHASE_HEAD && !receive_head(c, x)) {
			want_more(c, x, h->header, false);
			return;
		}
		if (x->phase == PHASE_BODY && !receive_body(c, x)) {
			want_more(c, x, h->body, true);
			return;
		}
		if (x->phase == PHASE_RESPONDER && x->responder->wait(c, x))
			return;
		if (x->phase < PHASE_CONTINUE)
			continue;
		exchange_count(x);
		switch (exchange_send(c, x)) {
		case SENT_ALL:
			if (!all_sent(c, x))
				return;
			conn_want_read(c);
			if (has_had_share(c, x, &share)) {
				yield(c);
				return;
			}
			break;
		case SENT_BLOCKED:
			exchange_detach(x);
			conn_want_write(c);
			timelist_join(h->send, &c->timed);
			return;
		case SENT_BROKEN:
			conn_close(c, "the answer could not be sent");
			return;
		}
	}
}

/* The peer's end amid a request is a fault like others: it may still listen. */
static void
ended(struct conn *c, struct exchange *x)
{
	if (x->phase == PHASE_RESPONDER) {
		x->responder->hung_up(c, x);
		return;
	}
	if (x->phase == PHASE_HEAD && x->from == x->to) {
		conn_done(c, "closed by the peer");
		return;
	}
	conn_set_state(c, CONN_BUSY);
	respond_refuse(c, x, 400);
	process(c, x);
}

/* Empty lines are no request: who sends nothing else is no busier by it than before, and has
 * no more time. */
static bool
begins_nothing(struct conn *c, struct exchange *x)
{
	receive_empty_lines(x);
	timelist_leave(&x->total);
	if (c->state == CONN_BUSY || !receive_is_nothing(x))
		return false;
	keep_nothing(c, x);
	return true;
}

static void too_late(struct conn *c);

static void
readable(struct conn *c)
{
	struct exchange *x = c->data != NULL ? c->data : exchange_borrow(c);
	bool begins = receive_is_nothing(x);
	ssize_t got = exchange_read(c, x);

	if (got == CONN_AGAIN) {
		if (c->state != CONN_BUSY)
			keep_nothing(c, x);
		return;
	}
	if (got == CONN_ERROR) {
		conn_close(c, "broken by the peer");
		return;
	}
	if (got == 0) {
		ended(c, x);
		return;
	}
	if (x->slow) {
		too_late(c);
		return;
	}
	if (begins && begins_nothing(c, x))
		return;
	if (begins)
		x->began_us = clock_us();
	conn_set_state(c, CONN_BUSY);
	process(c, x);
}

void
http1_go_on(struct conn *c)
{
	process(c, c->data);
}

/* --- the rest of a life --- */

void
http1_open(struct conn *c)
{
	timelist_join(http_of(c)->header, &c->timed);
}

void
http1_resume(struct conn *c)
{
	struct exchange *x = c->data;

	if (x != NULL && x->phase == PHASE_RESPONDER && x->responder->resume != NULL)
		x->responder->resume(c, x);
	else if (x != NULL)
		process(c, x);
}

void
http1_drain(struct conn *c)
{
	if (c->state != CONN_IDLE)
		return;
	readable(c); /* the last look: a request that is there already is served */
	if (c->life < CONN_LINGERS && c->state == CONN_IDLE && !conn_is_amid_record(c))
		conn_finish(c, "idle when the drain began");
}

/* Only half an empty line at its very beginning is a request that is late. */
static bool
said_nothing(const struct conn *c, const struct exchange *x)
{
	return x == NULL || (c->state == CONN_NEW && receive_is_nothing(x) && c->bytes_in > 1);
}

void
http1_let_go(struct conn *c, const char *why)
{
	uint64_t before = c->bytes_in;

	readable(c); /* the last look */
	if (c->life == CONN_LIVES && c->bytes_in == before)
		conn_finish(c, why);
}

static void
too_late(struct conn *c)
{
	struct exchange *x = c->data;

	if (x != NULL && x->phase == PHASE_RESPONDER) {
		x->responder->late(c, x);
		return;
	}
	if (said_nothing(c, x) || x->phase >= PHASE_CONTINUE) {
		conn_finish(c, "sent nothing in time");
		return;
	}
	conn_set_state(c, CONN_BUSY);
	respond_refuse(c, x, 408);
	process(c, x);
}

void
http1_late(struct timed *t)
{
	too_late(timed_owner(t, struct conn, timed));
}

/* One that is on its way is left alone: the other side has the limit, too; and one that
 * waits for us is not late. */
void
http1_total_late(struct timed *t)
{
	struct conn *c = timed_owner(t, struct exchange, total)->conn;

	if (conn_is_away(c) || conn_waits(c))
		timelist_join_left(http_of(c)->total, t, LATER_MS);
	else
		too_late(c);
}

void
http1_send_late(struct timed *t)
{
	conn_close(timed_owner(t, struct conn, timed), "did not take its answer in time");
}

/* With a last look: a request that has just come starts another limit. */
void
http1_idle_late(struct timed *t)
{
	struct conn *c = timed_owner(t, struct conn, timed);

	readable(c);
	if (c->life == CONN_LIVES && c->timed.list == NULL)
		conn_finish(c, "idle for too long");
}

/* One request with an upstream waits for both sides at a time. */
void
http1_ready(struct conn *c, short what)
{
	struct exchange *x = c->data;

	if (x != NULL && x->phase == PHASE_RESPONDER && x->responder->ready != NULL)
		x->responder->ready(c, x, what);
	else if (c->writing)
		http1_go_on(c);
	else
		readable(c);
}
