/*
 * change_int: what the files of change.h share: change_begin.c (from a request to the birth of
 * the new generation's workers, and the end of what is refused), change.c (its promotion and
 * commit, or the way back), change_state.c (how it crosses an exec, and what is told of it).
 */
#ifndef BATON_MASTER_CHANGE_CHANGE_INT_H
#define BATON_MASTER_CHANGE_CHANGE_INT_H

#include <stddef.h>

#include "master/change/change.h"

struct preflight;

#define UPGRADE_MARGIN_MS 2000 /* the alarm of an upgrade, beyond what it may take */

enum change_phase {
	PHASE_IDLE,
	PHASE_PREFLIGHT,
	PHASE_ROOM, /* waiting for an old generation to go */
	PHASE_STARTING,
	PHASE_PROBATION,
};

struct change {
	enum change_phase phase;
	enum change_kind kind;
	struct generation *gen; /* the new one */
	struct generation *old; /* the one to go back to */
	char *binary;           /* of an upgrade */
	char *text;             /* the bytes that were checked */
	size_t len;
	struct preflight *preflight;
	enum change_kind next_kind;
	char *next_binary;
};

extern struct change change_run; /* the one under way, or none */

/* From the phases that may be before it; anything else is a fault of ours. */
void change_enter(enum change_phase phase);

/* "start", "reload" or "upgrade", of the one under way. */
const char *change_kind_name(void);

/* Bind what is new, then ask for the workers.  conf is owned from here on.  -1: nothing has
 * changed. */
int change_begin_generation(struct conf *conf, char **cause);

/* Nothing is under way any more; the new generation belongs to others. */
void change_clear(void);

/* The one that was asked for meanwhile, if there is one. */
void change_start_next(void);

/* Not done: everybody learns why, and the state before goes on.  outcome: "refused", or
 * "rolled_back". */
void change_end_badly(const char *outcome, const char *reason);
void change_refuse(const char *reason);

#endif
