/*
 * slot: the birth, the orders and the death of workers.
 *
 * A worker is the process in a slot of a generation.  Every report carries its
 * birth number; a process is only signalled while it is our unreaped child.
 */
#ifndef BATON_MASTER_WORKERS_SLOT_H
#define BATON_MASTER_WORKERS_SLOT_H

#include <sys/queue.h>
#include <sys/types.h>

#include <jansson.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/msg.h"

struct generation;
struct stats_page;

struct worker {
	TAILQ_ENTRY(worker) link; /* in the generation, oldest first */
	struct generation *gen;
	uint64_t birth;
	uint32_t slot;
	pid_t pid;
	struct chan *chan;   /* NULL: ended */
	struct logpipe *log; /* its lines come this way; NULL: it has the log itself */
	struct stats_page *page;
	bool ready;
	bool leaving; /* was told to drain; will not be missed */
	bool killed;
	uint64_t since_ms;
	uint64_t deadline_ms;
	uint32_t *held; /* ids of the sockets it accepts on or sweeps */
	size_t nheld;
	uint32_t *had; /* ids of all that it was ever given */
	size_t nhad;
	uint32_t had_up_to; /* and, by images before, of any up to this one */
	bool unsure;        /* what it holds is not known: say it again */
	uint64_t *aims;     /* births of the workers that it hands connections to */
	size_t naims;
	bool successors_unsure; /* they are not known: say it again */
	uint64_t beat;          /* heartbeat_ms, as last seen */
	uint32_t silent;        /* looks since then */
	bool stuck;             /* too many */
	uint32_t credit;        /* messages that it may still say unasked (slot.c) */
	uint64_t credit_ms;
	uint32_t lines;       /* of lists that it was asked for */
	uint64_t silenced_ms; /* its channel has ended; 0: it has not */
	bool barred;          /* gets no socket that others share (mend.c) */
	bool lied; /* its page, or its channel, said what no worker says: it is replaced */
	int pidfd; /* of one that is no child of ours: a master before was its parent; -1 */
	struct event *gone;
	char *last_words;
};

TAILQ_HEAD(worker_list, worker);

/* Whom an event (base/event.h) is about; and what else it tells. */
#define SLOT_WHO(w)                                                                            \
	EVENT_NUMBER("GENERATION", (w)->gen->id), EVENT_NUMBER("SLOT", (w)->slot),             \
	    EVENT_NUMBER("BIRTH", (w)->birth), EVENT_NUMBER("WORKER_PID", (uint64_t)(w)->pid)
#define SLOT_FIELDS(w)          EVENT_FIELDS(SLOT_WHO(w))
#define SLOT_FIELDS_AND(w, ...) EVENT_FIELDS(SLOT_WHO(w), __VA_ARGS__)

/* What others make of it: dispatch.c. */
struct slot_rules {
	/* It has said this, and said no more than it may.  True: facts have changed. */
	bool (*heard)(struct worker *w, const struct msg *m);

	/* It has ended, and is missed. */
	void (*died)(struct worker *w, uint64_t lived_ms, const char *cause);

	/* Nobody knows it any more, from the return on. */
	void (*gone)(struct worker *w);
};

/* Before the first is born. */
void slot_use(const struct slot_rules *rules);

/* Fork a worker into a slot.  NULL with *cause; nothing is left behind then. */
struct worker *slot_spawn(struct generation *gen, uint32_t slot, char **cause);

/* Drain: idempotent.  flags: MSG_DRAIN_*. */
void slot_drain(struct worker *w, uint64_t deadline_ms, uint32_t flags);

/* A drain is called off. */
void slot_resume(struct worker *w);

/* Close everything at once and leave. */
void slot_cut(struct worker *w);

/* why: for the log. */
void slot_kill(struct worker *w, const char *why);

/* It did or said what no worker does: it is in other hands, or broken, and is replaced.  why: a
 * phrase for the log; only the first one is told. */
void slot_distrust(struct worker *w, const char *why);

/* What speaks against it at this look: a literal; NULL: nothing. */
const char *slot_doubt(struct worker *w);

/* Ask for a list, unless it does not even read what it was told before. */
void slot_ask(struct worker *w, const struct msg_list *order, size_t len);

/* Send an order without a body worth a name. */
void slot_tell(struct worker *w, enum msg_type type, const void *body, size_t len);

/* It is about to be given a socket; may it have it, now or still? */
void slot_gets(struct worker *w, uint32_t id);
bool slot_had(const struct worker *w, uint32_t id);

/* May accept: ready and not leaving. */
bool slot_able(const struct worker *w);

/* For the next image: descriptors go to fds.  And back; NULL: not alive any more. */
struct fdlist;
json_t *slot_save(const struct worker *w, struct fdlist *fds);
struct worker *slot_restore(struct generation *gen, const json_t *j);

/* What it says: READY; LEAVING (asked to go by a signal: a successor takes the slot while it
 * drains); SWEPT; FAILED. */
void slot_became_ready(struct worker *w);
void slot_wants_to_leave(struct worker *w);
void slot_swept(struct worker *w);
void slot_take_last_words(struct worker *w, const struct msg *m);

/* Its process has ended, with that status of waitpid. */
void slot_buried(struct worker *w, int status);

/* Forget a worker whose process is gone, or is given up at our exit. */
void slot_free(struct worker *w);

#endif
