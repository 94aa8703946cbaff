/* conn_place: the one list on which a connection stands, and who is let go of for others. */
#include "base/clock.h"
#include "base/log.h"
#include "wire/stats.h"
#include "worker/conn/conn_int.h"
#include "worker/core/self.h"
#include "worker/core/service.h"
#include "worker/core/turn.h"
#include "worker/core/waitgroup.h"

#define NEW_MS 1000 /* without a byte: may be let go of for the sake of others */

static struct {
	const struct conn_rules *rules;
	conn_place_let_go *let_go;
	struct conn_list opening; /* accepted in this loop turn */
	struct conn_list fresh;   /* may be let go of, the oldest first */
	struct conn_list idle;
	uint64_t nleaving; /* let go of for the sake of others, and still there */
} cp;

void
conn_place_leave(struct conn *c)
{
	switch ((enum conn_place)c->place) {
	case CONN_NOWHERE:
		return;
	case CONN_WAITS:
	case CONN_WAITS_AGAIN:
		turn_leave(c);
		c->event = 0;
		c->timed.excused = false;
		return;
	case CONN_OPENS:
		TAILQ_REMOVE(&cp.opening, c, here);
		c->timed.excused = false;
		break;
	case CONN_IS_NEW:
		TAILQ_REMOVE(&cp.fresh, c, here);
		break;
	case CONN_IS_IDLE:
		TAILQ_REMOVE(&cp.idle, c, here);
		break;
	}
	c->place = CONN_NOWHERE;
}

static void
take_place(struct conn *c, struct conn_list *list, enum conn_place place)
{
	AN(c->place == CONN_NOWHERE);
	c->place = (uint8_t)place;
	TAILQ_INSERT_TAIL(list, c, here);
}

void
conn_place_settle(struct conn *c)
{
	if (c->place != CONN_NOWHERE || c->life != CONN_LIVES ||
	    c->service->type->let_go == NULL)
		return;
	if (c->state == CONN_NEW) {
		take_place(c, &cp.fresh, CONN_IS_NEW);
	} else if (c->state == CONN_IDLE) {
		take_place(c, &cp.idle, CONN_IS_IDLE);
		cp.rules->rests();
	}
}

bool
conn_waits(const struct conn *c)
{
	return c->place == CONN_WAITS || c->place == CONN_WAITS_AGAIN;
}

void
conn_set_state(struct conn *c, enum conn_state state)
{
	if (c->state == state)
		return;
	AN(state != CONN_NEW);
	waitgroup_move(c->state, state);
	c->state = state;
	c->since_ms = clock_tick_ms();
	if (!conn_waits(c) && !c->is_opening)
		conn_place_leave(c);
	if (state == CONN_IDLE && !c->is_opening)
		conn_place_settle(c);
}

void
conn_place_open(struct conn *c)
{
	AN(c->is_opening && c->life != CONN_CLOSED);
	take_place(c, &cp.opening, CONN_OPENS);
	c->timed.excused = true;
}

struct conn *
conn_place_opening(void)
{
	return TAILQ_FIRST(&cp.opening);
}

/* --- making room --- */

/* Let go of c, unless it has just asked for something. */
static bool
leave_for_others(struct conn *c)
{
	conn_doing(c->id, c->listener);
	AN(c->life == CONN_LIVES && !c->makes_room);
	c->makes_room = true;
	cp.nleaving++;
	cp.let_go(c, "there is no room for others");
	conn_doing(0, 0);
	if (c->life == CONN_CLOSED)
		return true;
	if (c->life == CONN_LINGERS) {
		stats_add(self_page(), STATS_EVICTED, 1);
		return true;
	}
	c->makes_room = false;
	cp.nleaving--;
	return false;
}

/* Consider only connections that are on the list now, and have been in their state since
 * `before`. */
static size_t
let_go_of(struct conn_list *list, uint64_t before_ms, size_t n, conn_filter *may)
{
	struct conn *c, *next, *last = TAILQ_LAST(list, conn_list);
	size_t done = 0;

	for (c = TAILQ_FIRST(list); c != NULL && done < n; c = next) {
		next = c != last ? TAILQ_NEXT(c, here) : NULL;
		if (c->since_ms > before_ms)
			break;
		if (may(c))
			done += leave_for_others(c);
	}
	return done;
}

size_t
conn_make_room(size_t n, conn_filter *may)
{
	uint64_t now = clock_tick_ms();
	size_t done;

	if (n <= cp.nleaving)
		return 0;
	n -= cp.nleaving;
	done = let_go_of(&cp.idle, now, n, may);
	return done + let_go_of(&cp.fresh, now - NEW_MS, n - done, may);
}

void
conn_place_made_room(const struct conn *c)
{
	AN(!c->makes_room || cp.nleaving > 0);
	cp.nleaving -= c->makes_room;
}

void
conn_place_start(const struct conn_rules *rules, conn_place_let_go *let_go)
{
	cp.rules = rules;
	cp.let_go = let_go;
	cp.nleaving = 0;
	TAILQ_INIT(&cp.opening);
	TAILQ_INIT(&cp.fresh);
	TAILQ_INIT(&cp.idle);
}
