#include "worker/core/turn.h"

#include <sys/queue.h>

#include "base/log.h"
#include "base/mem.h"
#include "worker/conn/conn.h"

#define AHEAD_MAX 4 /* who comes new, for one who has had a share */

/* The connections of a listener. */
struct lane {
	TAILQ_ENTRY(lane) link; /* while somebody waits in it */
	struct conn_list fresh; /* who has had no share */
	struct conn_list again;
	unsigned ahead; /* of the former, served while some of the latter wait */
};

static struct {
	struct lane *lane; /* by listener */
	size_t nlane;
	TAILQ_HEAD(, lane) lanes; /* in which somebody waits, the next one first */
	size_t count;
} tn;

void
turn_start(size_t listeners)
{
	tn.lane = mem_alloc(listeners * sizeof *tn.lane);
	tn.nlane = listeners;
	tn.count = 0;
	TAILQ_INIT(&tn.lanes);
	for (size_t i = 0; i < listeners; i++) {
		TAILQ_INIT(&tn.lane[i].fresh);
		TAILQ_INIT(&tn.lane[i].again);
	}
}

void
turn_stop(void)
{
	AN(tn.count == 0);
	mem_free(&tn.lane);
}

static bool
is_empty(const struct lane *l)
{
	return TAILQ_EMPTY(&l->fresh) && TAILQ_EMPTY(&l->again);
}

void
turn_join(struct conn *c, bool again)
{
	struct lane *l = &tn.lane[c->listener];

	AN(c->place == CONN_NOWHERE && c->listener < tn.nlane);
	if (is_empty(l))
		TAILQ_INSERT_TAIL(&tn.lanes, l, link);
	c->place = again ? CONN_WAITS_AGAIN : CONN_WAITS;
	TAILQ_INSERT_TAIL(again ? &l->again : &l->fresh, c, here);
	tn.count++;
}

void
turn_leave(struct conn *c)
{
	struct lane *l = &tn.lane[c->listener];

	AN(c->place == CONN_WAITS || c->place == CONN_WAITS_AGAIN);
	AN(tn.count > 0);
	TAILQ_REMOVE(c->place == CONN_WAITS ? &l->fresh : &l->again, c, here);
	c->place = CONN_NOWHERE;
	tn.count--;
	if (is_empty(l))
		TAILQ_REMOVE(&tn.lanes, l, link);
}

static struct conn *
choose(struct lane *l)
{
	struct conn *fresh = TAILQ_FIRST(&l->fresh), *again = TAILQ_FIRST(&l->again);

	if (again == NULL || (fresh != NULL && l->ahead < AHEAD_MAX)) {
		l->ahead += again != NULL;
		return fresh;
	}
	l->ahead = 0;
	return again;
}

struct conn *
turn_next(bool *again)
{
	struct lane *l = TAILQ_FIRST(&tn.lanes);
	struct conn *c;

	if (l == NULL)
		return NULL;
	c = choose(l);
	*again = c->place == CONN_WAITS_AGAIN;
	TAILQ_REMOVE(&tn.lanes, l, link);
	TAILQ_INSERT_TAIL(&tn.lanes, l, link);
	turn_leave(c);
	return c;
}

size_t
turn_count(void)
{
	return tn.count;
}
