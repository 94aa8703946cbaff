/* conn_list: all connections of the worker, and the memory of those that have been. */
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/log.h"
#include "base/mem.h"
#include "worker/conn/conn_int.h"
#include "worker/core/self.h"

#define FREE_MAX 256 /* connections kept for re-use */

static struct {
	struct conn_list all;
	struct conn_list dead; /* closed in this loop turn */
	struct conn_list unused;
	size_t nunused;
	uint64_t last_id;
	struct event bury; /* frees the dead from the top level */
	LIST_HEAD(, conn_walk) walks;
} cl;

static void
on_bury(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c;

	(void)fd;
	(void)what;
	(void)arg;
	while ((c = TAILQ_FIRST(&cl.dead)) != NULL) {
		TAILQ_REMOVE(&cl.dead, c, all);
		if (cl.nunused < FREE_MAX) {
			TAILQ_INSERT_HEAD(&cl.unused, c, all);
			cl.nunused++;
		} else {
			free(c);
		}
	}
}

/* --- one of them --- */

static struct conn *
allocate(void)
{
	struct conn *c = TAILQ_FIRST(&cl.unused);

	if (c == NULL)
		return mem_alloc(sizeof *c);
	TAILQ_REMOVE(&cl.unused, c, all);
	cl.nunused--;
	memset(c, 0, sizeof *c);
	return c;
}

struct conn *
conn_new(int fd, uint32_t listener, event_callback_fn on_event)
{
	struct conn *c = allocate();

	AN(c->life == CONN_LIVES && c->place == CONN_NOWHERE);
	c->fd = fd;
	c->id = ++cl.last_id;
	c->listener = listener;
	c->service = self_service(listener);
	TAILQ_INSERT_TAIL(&cl.all, c, all);
	c->wants = EV_READ;
	event_assign(&c->ev, self_base(), fd, EV_READ | EV_PERSIST, on_event, c);
	return c;
}

/* The states that may follow each state. */
static bool
may_become(enum conn_life from, enum conn_life to)
{
	switch (from) {
	case CONN_LIVES:
		return to != CONN_LIVES;
	case CONN_HELD:
	case CONN_MOVES:
		return to == CONN_LIVES || to == CONN_CLOSED;
	case CONN_LINGERS:
		return to == CONN_CLOSED;
	case CONN_CLOSED:
		break;
	}
	return false;
}

void
conn_enter(struct conn *c, enum conn_life life)
{
	AN(may_become((enum conn_life)c->life, life));
	AN(life != CONN_HELD || c->opened_ms == 0); /* it is so from its birth here */
	c->life = (uint8_t)life;
}

/* It leaves the list. */
static void
step_walks(const struct conn *c)
{
	struct conn_walk *walk;

	LIST_FOREACH (walk, &cl.walks, link)
		if (walk->next == c)
			walk->next = TAILQ_NEXT(c, all);
}

void
conn_bury(struct conn *c)
{
	AN(c->life == CONN_CLOSED && c->place == CONN_NOWHERE && c->fd < 0);
	step_walks(c);
	TAILQ_REMOVE(&cl.all, c, all);
	if (TAILQ_EMPTY(&cl.dead))
		event_active(&cl.bury, EV_TIMEOUT, 0);
	TAILQ_INSERT_TAIL(&cl.dead, c, all);
}

/* --- all of them --- */

struct conn_list *
conn_all(void)
{
	return &cl.all;
}

void
conn_walk_begin(struct conn_walk *walk)
{
	walk->next = TAILQ_FIRST(&cl.all);
	walk->last = cl.last_id;
	LIST_INSERT_HEAD(&cl.walks, walk, link);
}

/* The list is in the order of ids, as each newcomer has the next one. */
struct conn *
conn_walk_next(struct conn_walk *walk)
{
	struct conn *c = walk->next;

	if (c == NULL || c->id > walk->last)
		return NULL;
	walk->next = TAILQ_NEXT(c, all);
	return c;
}

void
conn_walk_end(struct conn_walk *walk)
{
	LIST_REMOVE(walk, link);
}

void
conn_list_start(void)
{
	TAILQ_INIT(&cl.all);
	TAILQ_INIT(&cl.dead);
	TAILQ_INIT(&cl.unused);
	LIST_INIT(&cl.walks);
	evtimer_assign(&cl.bury, self_base(), on_bury, NULL);
}

void
conn_list_stop(void)
{
	struct conn *c;

	AN(TAILQ_EMPTY(&cl.all));
	on_bury(-1, 0, NULL);
	event_del(&cl.bury);
	while ((c = TAILQ_FIRST(&cl.unused)) != NULL) {
		TAILQ_REMOVE(&cl.unused, c, all);
		free(c);
	}
	cl.nunused = 0;
}
