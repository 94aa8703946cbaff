#include "worker/core/timelist.h"

#include <stdlib.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define MS_63(ms)  ((ms)&UINT64_MAX >> 1) /* what expires_ms holds */
#define SEARCH_MAX 64                     /* neighbours looked at for a place in the order */

struct timelist {
	TAILQ_HEAD(timed_list, timed) members; /* ordered by expires_ms */
	uint64_t limit_ms;
	timelist_expired *expired;
	struct event *timer;
	bool armed; /* for some time that is not later than the head's */
};

static void
arm(struct timelist *list, uint64_t now)
{
	struct timed *t = TAILQ_FIRST(&list->members);
	uint64_t ms;
	struct timeval tv;

	if (list->armed || t == NULL)
		return;
	ms = t->expires_ms > now ? t->expires_ms - now : 1;
	tv.tv_sec = (time_t)(ms / 1000);
	tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	event_add(list->timer, &tv);
	list->armed = true;
}

/* The timer was armed for a head that may have left since: look, and arm for
 * the present one.  A member that joins again in its callback goes to the end
 * with a later time, so the loop ends. */
static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct timelist *list = arg;
	uint64_t now = clock_tick_ms();
	struct timed *t;

	(void)fd;
	(void)what;
	while ((t = TAILQ_FIRST(&list->members)) != NULL && t->expires_ms <= now) {
		timelist_leave(t);
		if (t->excused)
			timelist_join(list, t);
		else
			list->expired(t);
	}
	list->armed = false;
	arm(list, now);
}

struct timelist *
timelist_new(struct event_base *base, uint64_t limit_ms, timelist_expired *expired)
{
	struct timelist *list = mem_alloc(sizeof *list);

	TAILQ_INIT(&list->members);
	list->limit_ms = limit_ms;
	list->expired = expired;
	list->timer = event_new(base, -1, 0, on_timer, list);
	if (list->timer == NULL)
		log_fatal("cannot make a timer");
	return list;
}

void
timelist_free(struct timelist **list)
{
	struct timed *t;

	if (*list == NULL)
		return;
	while ((t = TAILQ_FIRST(&(*list)->members)) != NULL)
		timelist_leave(t);
	event_free((*list)->timer);
	mem_free(list);
}

void
timelist_join(struct timelist *list, struct timed *t)
{
	uint64_t now;

	timelist_leave(t);
	if (list->limit_ms == 0)
		return;
	now = clock_tick_ms();
	AN(t->list == NULL);
	t->list = list;
	t->expires_ms = MS_63(now + list->limit_ms);
	TAILQ_INSERT_TAIL(&list->members, t, link);
	arm(list, now);
}

void
timelist_join_left(struct timelist *list, struct timed *t, uint64_t left_ms)
{
	uint64_t now = clock_tick_ms();
	int steps = SEARCH_MAX;
	struct timed *before;

	timelist_leave(t);
	if (list->limit_ms == 0)
		return;
	before = TAILQ_LAST(&list->members, timed_list);
	t->list = list;
	t->expires_ms = MS_63(now + (left_ms < list->limit_ms ? left_ms : list->limit_ms));
	while (before != NULL && before->expires_ms > t->expires_ms && steps-- > 0)
		before = TAILQ_PREV(before, timed_list, link);
	if (before != NULL) {
		if (t->expires_ms < before->expires_ms)
			t->expires_ms = before->expires_ms;
		TAILQ_INSERT_AFTER(&list->members, before, t, link);
		return;
	}
	TAILQ_INSERT_HEAD(&list->members, t, link);
	list->armed = false; /* perhaps it was for a later time */
	arm(list, now);
}

struct timed *
timelist_next(struct timelist *list)
{
	return TAILQ_FIRST(&list->members);
}

uint64_t
timelist_left(const struct timed *t)
{
	uint64_t now = clock_tick_ms();

	if (t->list == NULL)
		return UINT64_MAX;
	return t->expires_ms > now ? t->expires_ms - now : 0;
}

void
timelist_leave(struct timed *t)
{
	if (t->list == NULL)
		return;
	TAILQ_REMOVE(&t->list->members, t, link);
	t->list = NULL;
}
