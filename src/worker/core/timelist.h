/*
 * timelist: a time limit that many share.
 *
 * Everybody on a list has the same limit, so the list is ordered by time when
 * newcomers go to its end, and one timer, armed for the head, serves all.
 * Joining and leaving cost a few stores: no heap, no system call.
 */
#ifndef BATON_WORKER_CORE_TIMELIST_H
#define BATON_WORKER_CORE_TIMELIST_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct timelist;

/* Embed it in the object that has a time limit.  Zeroed: on no list. */
struct timed {
	TAILQ_ENTRY(timed) link;
	struct timelist *list;    /* NULL: on no list */
	uint64_t expires_ms : 63; /* clock_tick_ms */
	uint64_t excused : 1;     /* it waits for us: at its limit it begins anew */
};

#define timed_owner(t, type, member) ((type *)(void *)((char *)(t)-offsetof(type, member)))

/* Called from the loop with one that is over its limit; it has left the list. */
typedef void timelist_expired(struct timed *t);

/* A list with a limit in ms; 0: no limit, joining has no effect. */
struct timelist *timelist_new(struct event_base *base, uint64_t limit_ms,
                              timelist_expired *expired);
void timelist_free(struct timelist **list);

/* Start t's limit afresh on list, leaving whatever list it was on. */
void timelist_join(struct timelist *list, struct timed *t);

/* Join with so much of the limit left, at most all of it.  Where its neighbours on
 * the list are far from its time, it gets theirs, so that this costs no search. */
void timelist_join_left(struct timelist *list, struct timed *t, uint64_t left_ms);

/* How much of t's limit is left, in ms; UINT64_MAX on no list. */
uint64_t timelist_left(const struct timed *t);

/* Who is the next to reach its limit; NULL: nobody has one. */
struct timed *timelist_next(struct timelist *list);

/* t has no limit any more.  Allowed on no list. */
void timelist_leave(struct timed *t);

#endif
