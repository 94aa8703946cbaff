#include "worker/handoff/give.h"

#include <sys/queue.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/clock.h"
#include "base/event.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "wire/chan.h"
#include "wire/handoff.h"
#include "wire/stats.h"
#include "worker/conn/conn.h"
#include "worker/core/self.h"
#include "worker/core/service.h"
#include "worker/handoff/taker.h"

#define PER_TURN 32  /* offers in one loop turn */
#define AGAIN_MS 50  /* after a refusal for now, or a full channel; for a hello */
#define FLUSH_MS 100 /* our last words at the end */

_Static_assert(AGAIN_MS < LATE_MS, "a taker that is busy is not late");

static struct {
	bool begun;          /* the drain has a successor */
	bool on;             /* and nothing speaks against handing off */
	bool again;          /* look at all connections once more */
	struct conn *next;   /* to be looked at */
	uint32_t generation; /* the newest that we were aimed at */
	struct event pump;
	struct event tick;
} gv;

/* --- which --- */

/* Is it to move, as far as we know? */
static bool
is_to_move(const struct conn *c)
{
	const struct conf *conf = self_conf();

	return gv.on && conf->drain.handoff && conf->listen[c->listener].handoff && !c->stays &&
	       c->life != CONN_LINGERS && c->service->type->freeze != NULL;
}

bool
conn_ends_here(const struct conn *c)
{
	return self_draining() && !is_to_move(c);
}

static void
schedule(uint64_t ms)
{
	struct timeval tv = {.tv_usec = (suseconds_t)(ms * 1000)};

	if (!evtimer_pending(&gv.tick, NULL))
		event_add(&gv.tick, &tv);
}

/* --- offering --- */

static void
count_moving(int64_t n)
{
	self_page()->moving += (uint64_t)n;
}

enum offered { OFFERED, NOT_NOW, UNABLE, NO_TAKER };

/* Nothing has changed unless OFFERED is returned. */
static enum offered
offer_to(struct taker *t, struct conn *c, const struct handoff_record *r, char *record,
         size_t bytes)
{
	struct offer *o;

	if (t->n > 0 && t->bytes + bytes > WINDOW_BYTES)
		return NO_TAKER; /* a large one goes alone */
	o = taker_offer(t, c, bytes);
	FAULT("give-prepare");
	if (taker_send(t, o, r, record) < 0) {
		bool too_large = errno == EMSGSIZE;

		taker_forget_offer(t, o);
		if (too_large)
			return UNABLE;
		t->not_before_ms = clock_ms() + AGAIN_MS;
		schedule(AGAIN_MS);
		return NO_TAKER;
	}
	handoff_step(&o->state, HANDOFF_OFFER);
	conn_rest(c); /* nothing is read between freeze and here: one thread */
	timelist_leave(&c->timed);
	conn_enter(c, CONN_MOVES);
	c->shared = true;
	t->given++;
	count_moving(1);
	schedule(AGAIN_MS);
	FAULT("give-prepared");
	return OFFERED;
}

/* A record may hold keys: nothing of it stays behind. */
static enum offered
offer(struct conn *c)
{
	static char record[HANDOFF_RECORD_MAX];
	struct taker *t = taker_find();
	struct handoff_record r;
	enum offered result = UNABLE;
	size_t bytes;

	AN(c->life == CONN_LIVES && !c->is_opening);
	if (t == NULL)
		return NO_TAKER;
	bytes = taker_record(c, t->version, &r, record, sizeof record);
	if (bytes > 0)
		result = offer_to(t, c, &r, record, bytes);
	explicit_bzero(record, bytes);
	if (r.tls.n > 0)
		explicit_bzero((void *)(uintptr_t)r.tls.p, r.tls.n);
	return result;
}

static bool
may_offer(const struct conn *c)
{
	return c->life == CONN_LIVES && !c->is_opening && is_to_move(c);
}

bool
conn_moves(struct conn *c)
{
	enum offered result;

	if (!gv.on || !may_offer(c))
		return false;
	result = offer(c);
	gv.again |= result == NO_TAKER;
	return result == OFFERED;
}

static void
wake(void)
{
	static const struct timeval next_turn;

	/* Not event_active: that would run once more in this turn. */
	if (gv.on && !TAILQ_EMPTY(takers_all()))
		event_add(&gv.pump, &next_turn);
}

/* Go on where the last turn ended.  Who cannot move now comes by itself when it can, or
 * wants the whole list looked at again. */
static void
on_pump(evutil_socket_t fd, short what, void *arg)
{
	int n = 0;

	(void)fd;
	(void)what;
	(void)arg;
	if (gv.next == NULL && gv.again) {
		gv.again = false;
		gv.next = TAILQ_FIRST(conn_all());
	}
	while (gv.on && gv.next != NULL) {
		struct conn *c = gv.next;
		enum offered result = may_offer(c) ? offer(c) : NOT_NOW;

		if (result == NO_TAKER)
			return;
		if (result == UNABLE)
			c->refusal = HANDOFF_SERVICE;
		gv.next = TAILQ_NEXT(c, all);
		if (result == OFFERED && ++n == PER_TURN)
			break;
	}
	if (gv.next != NULL || gv.again)
		wake();
}

void
give_look(void)
{
	gv.again = true;
	wake();
}

/* --- deciding --- */

static void
go_on(struct conn *c)
{
	conn_go_on(c);
	if (c->life != CONN_CLOSED && c->life != CONN_MOVES && conn_ends_here(c))
		conn_drain(c);
}

/* It is ours again, as it was. */
static void
take_back(const struct offer *o)
{
	struct conn *c = o->conn;

	conn_enter(c, CONN_LIVES);
	gv.again = true;
	count_moving(-1);
	if (o->limit != NULL)
		timelist_join_left(o->limit, &c->timed, o->left_ms);
}

static void
let_go(struct offer *o)
{
	struct conn *c = o->conn;

	AN(c->life == CONN_MOVES);
	FAULT("give-acked");
	o->conn = NULL;
	conn_enter(c, CONN_LIVES);
	count_moving(-1);
	conn_let_go(c);
	FAULT("give-closed");
}

/* Unless it is ignored the offer is freed. */
static enum handoff_action
step(struct taker *t, struct offer *o, enum handoff_event event, unsigned refusal)
{
	enum handoff_action action = handoff_step(&o->state, event);
	struct conn *c = o->conn;

	if (action == HANDOFF_IGNORE)
		return action;
	if (c != NULL && action == HANDOFF_LET_GO)
		let_go(o);
	else if (c != NULL)
		take_back(o);
	taker_forget_offer(t, o);
	if (c == NULL || action == HANDOFF_LET_GO)
		return action;
	c->refusal = (uint8_t)refusal;
	c->stays |= action == HANDOFF_KEEP;
	go_on(c);
	return action;
}

static void
take_all_back(struct taker *t, enum handoff_event event)
{
	struct offer *o;

	t->recalling = false;
	while ((o = TAILQ_FIRST(&t->offers)) != NULL)
		step(t, o, event, 0);
}

/* The connections are ours only when the taker cannot miss our word: as long as it
 * is not with the kernel, they rest. */
static void
recall(struct taker *t, const char *why)
{
	if (t->n > 0 && !t->recalling)
		taker_cancel(t, why);
	if (chan_idle(t->chan))
		take_all_back(t, HANDOFF_RECALL);
	else
		schedule(AGAIN_MS);
}

static void
on_nack(struct taker *t, const struct msg_nack *nack)
{
	struct offer *o = taker_find_offer(t, nack->id);
	bool later = nack->refusal == HANDOFF_LATER;

	taker_log_refusal(t, nack->refusal);
	if (later) {
		t->not_before_ms = clock_ms() + AGAIN_MS;
		schedule(AGAIN_MS);
	}
	if (o != NULL)
		step(t, o, later ? HANDOFF_NACK : HANDOFF_NEVER, nack->refusal);
}

static void
on_ack(struct taker *t, const uint64_t *id, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct offer *o = taker_find_offer(t, id[i]);

		/* Else it was called back meanwhile, and the taker will learn so. */
		if (o == NULL || step(t, o, HANDOFF_ACK, 0) != HANDOFF_LET_GO)
			continue;
		chan_send(t->chan, MSG_RELEASE, self_birth(), &id[i], sizeof id[i], NULL);
		FAULT("give-released");
	}
}

/* When no taker reads our records, the connections end here. */
static void
consider(void)
{
	bool was_on = gv.on;

	gv.on = gv.begun && takers_understand();
	if (was_on && !gv.on)
		conn_drain_all();
}

static void
on_hello(struct taker *t, const struct msg_hello *hello)
{
	t->version = hello->newest < HANDOFF_VERSION ? hello->newest : HANDOFF_VERSION;
	t->incompatible = t->version < HANDOFF_VERSION_OLDEST || t->version < hello->oldest;
	if (!t->incompatible)
		return;
	log_warn(
	    "worker birth %llu reads records of versions %u to %u, which this one does not "
	    "write: nothing is handed to it",
	    (unsigned long long)t->birth, hello->oldest, hello->newest);
	consider();
}

static void
on_message(struct chan *ch, struct msg *m, void *arg)
{
	struct taker *t = arg;

	(void)ch;
	if (m == NULL) {
		taker_let_go(t);
		take_all_back(t, HANDOFF_END);
		taker_free(t);
		wake();
		return;
	}
	t->progress_ms = clock_ms();
	t->silent = false;
	switch (m->type) {
	case MSG_HELLO:
		on_hello(t, m->data);
		break;
	case MSG_ACK:
		on_ack(t, m->data, m->len / sizeof(uint64_t));
		break;
	case MSG_NACK:
		on_nack(t, m->data);
		break;
	default:
		if (chan_may_log(t->chan))
			log_warn("message '%s' is not for a giver; dropped", msg_name(m->type));
	}
	wake();
}

/* --- orders --- */

void
give_pair(const struct msg_peer *pair, int fd)
{
	struct taker *t = taker_new(pair, clock_ms() + AGAIN_MS);

	t->chan = chan_new(self_base(), fd, on_message, t);
}
/* Another taker may accept what the last one refused for good. */
static void
forget_refusals(void)
{
	struct conn *c;

	TAILQ_FOREACH (c, conn_all(), all) {
		c->stays = false;
		c->refusal = 0;
	}
	gv.again = true;
}

static void
ask_a_new_generation(void)
{
	uint32_t newest = takers_newest(gv.generation);

	if (newest > gv.generation && gv.generation != 0)
		forget_refusals();
	gv.generation = newest;
}

void
give_aim(const uint64_t *birth, size_t n)
{
	takers_aim(birth, n);
	ask_a_new_generation();
	consider();
	takers_forget_unaimed();
	wake();
	schedule(AGAIN_MS);
}

void
give_begin(void)
{
	gv.begun = true;
	consider();
	give_look();
}

void
give_end(void)
{
	struct taker *t, *next;

	gv.begun = gv.on = false;
	for (t = TAILQ_FIRST(takers_all()); t != NULL; t = next) {
		next = TAILQ_NEXT(t, link);
		taker_let_go(t);
		recall(t, "the hand-off is called off");
	}
	takers_forget_unaimed();
}

void
give_call_off(void)
{
	give_end();
	forget_refusals();
	gv.generation = 0;
}

void
give_ended(struct conn *c)
{
	if (gv.next == c)
		gv.next = TAILQ_NEXT(c, all);
	if (c->life != CONN_MOVES)
		return;
	conn_enter(c, CONN_LIVES);
	count_moving(-1);
	takers_forget_conn(c);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct taker *t, *next;
	uint64_t now = clock_ms();
	bool again = false;

	(void)fd;
	(void)what;
	(void)arg;
	for (t = TAILQ_FIRST(takers_all()); t != NULL; t = next) {
		next = TAILQ_NEXT(t, link);
		if (taker_is_late(t, now) || t->recalling) {
			t->silent |= taker_is_late(t, now);
			recall(t, "it does not answer");
		}
		again |= t->n > 0 || t->not_before_ms > now;
	}
	takers_forget_unaimed();
	wake();
	if (again)
		schedule(AGAIN_MS);
}

void
give_start(void)
{
	takers_start();
	evtimer_assign(&gv.pump, self_base(), on_pump, NULL);
	evtimer_assign(&gv.tick, self_base(), on_tick, NULL);
}

void
give_stop(void)
{
	struct taker *t;

	while ((t = TAILQ_FIRST(takers_all())) != NULL) {
		chan_flush(t->chan, FLUSH_MS);
		taker_free(t);
	}
	event_del(&gv.pump);
	event_del(&gv.tick);
}
