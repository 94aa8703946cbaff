/*
 * policy: what is to be done, given how things stand.  Pure: no process, no
 * descriptor, no clock of its own.
 *
 * policy_next looks at a view of the facts and lists actions; the master
 * performs them and asks again until the list is empty, then waits for an event
 * or for the time that policy named.  It may be asked at any moment, any number
 * of times: an action whose effect shows in the facts is not asked for again.
 */
#ifndef BATON_MASTER_CORE_POLICY_H
#define BATON_MASTER_CORE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POLICY_BACKOFF_MIN_MS 1000  /* after the second death of a slot in a row */
#define POLICY_BACKOFF_MAX_MS 30000 /* doubling up to here */
#define POLICY_HEALTHY_MS     10000 /* a life this long forgets earlier deaths */
#define POLICY_KILL_GRACE_MS  250   /* a worker gets this much beyond its deadline */
#define POLICY_HALF_OPEN_MS   500   /* handshakes under way at a stop get this long */
#define POLICY_LOOK_MS        5     /* between looks at them */
#define POLICY_HANDOFF_MS     2000  /* a drain that hands off nothing so long makes room */
#define POLICY_ROOM_MS        15000 /* and any drain that is so old */
#define POLICY_NOW_MS         50    /* from `stop now` to SIGKILL */

_Static_assert(POLICY_HANDOFF_MS < POLICY_ROOM_MS, "a drain may go on handing off");
_Static_assert(POLICY_BACKOFF_MIN_MS < POLICY_BACKOFF_MAX_MS, "back-off grows");
_Static_assert(POLICY_NOW_MS < 100, "the second TERM ends baton in under 100 ms");

enum gen_state {
	GEN_STARTING, /* its workers are being born */
	GEN_ACTIVE,   /* accepts */
	GEN_PAUSED,   /* accepts no more, may again: its successor is on probation */
	GEN_DRAINING,
	GEN_FAILED, /* did not make it; draining or killed */
	GEN_GONE,
};

enum policy_stop {
	STOP_NO,
	STOP_LAME,   /* health says no, accepting goes on */
	STOP_FILTER, /* bare SYNs are dropped, open handshakes complete */
	STOP_DRAIN,  /* queues are swept, then everything drains */
	STOP_NOW,
};

struct policy_worker {
	uint32_t slot;
	bool ready;
	bool leaving;         /* was told to drain */
	bool cutting;         /* says that it closes what is left */
	bool stuck;           /* its loop stands still */
	bool killed;          /* SIGKILL is sent */
	uint64_t since_ms;    /* birth */
	uint64_t deadline_ms; /* of its drain */
};

struct policy_slot {
	uint32_t deaths;   /* in a row */
	uint64_t retry_ms; /* not before */
};

struct policy_gen {
	enum gen_state state;
	uint64_t since_ms; /* of the state */
	uint64_t moved_ms; /* when it was last seen to have handed something off */
	uint32_t want;     /* slots that should be taken */
	bool may_spawn;    /* its binary is the one that runs */
	bool died;         /* a worker of it died, or could not be born, in this state */
	bool told;         /* cut by max_generations already */
	bool kept;         /* it serves again if the stop that drains is called off */
	const struct policy_slot *slot; /* want of them */
	const struct policy_worker *worker;
	size_t nworkers;
};

struct policy_view {
	uint64_t now_ms;
	const struct policy_gen *gen; /* oldest first */
	size_t ngen;
	int changing; /* index of the generation under change; -1: none */
	bool has_old; /* there is one to go back to */
	bool waiting; /* a change has been checked and waits for room for its generation */
	uint64_t start_timeout_ms;
	uint64_t probation_ms;
	uint64_t cut_over_ms;
	uint32_t max_generations;
	enum policy_stop stop;
	uint64_t stop_since_ms; /* of the present phase of the stop */
	uint64_t lame_duck_ms;
	bool half_open; /* handshakes are under way where bare SYNs are dropped */
};

enum policy_verb {
	POLICY_SPAWN,        /* gen, slot */
	POLICY_PROMOTE,      /* gen: all are ready */
	POLICY_FAIL_DIED,    /* gen: died before the commit */
	POLICY_FAIL_TIMEOUT, /* gen: not ready in time */
	POLICY_COMMIT,       /* gen: probation is over */
	POLICY_LEAVE,        /* gen, worker: beyond the number wanted */
	POLICY_KILL,         /* gen, worker: beyond its deadline */
	POLICY_CUT,          /* gen: makes room under max_generations */
	POLICY_BEGIN,        /* there is room for a generation more */
	POLICY_ORDER,        /* gen: its workers are to be told that they drain */
	POLICY_RETIRE,       /* gen: its last worker is gone */
	POLICY_STOP_FILTER,
	POLICY_STOP_DRAIN,
	POLICY_EXIT,
};

struct policy_action {
	enum policy_verb verb;
	size_t gen;   /* index into the view */
	size_t index; /* slot, or worker */
};

#define POLICY_ACTIONS_MAX 64 /* a longer list goes on in the next call */

struct policy_plan {
	struct policy_action action[POLICY_ACTIONS_MAX];
	size_t n;
	uint64_t wake_ms; /* ask again by then; 0: no need */
};

void policy_next(const struct policy_view *view, struct policy_plan *plan);

/* The back-off after so many deaths in a row, in ms; 0: at once. */
uint64_t policy_backoff_ms(uint32_t deaths);

const char *policy_gen_name(enum gen_state state);

#endif
