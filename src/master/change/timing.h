/*
 * timing: how long each step of the change under way takes, and when it began; what the
 * history is told at its end.
 *
 * The steps follow each other; one that is never reached has no time.  In an upgrade the
 * exec is a part of the start.  An image that goes back by itself says nothing of its own
 * steps: then the start lasts to the end.
 */
#ifndef BATON_MASTER_CHANGE_TIMING_H
#define BATON_MASTER_CHANGE_TIMING_H

#include <jansson.h>

#include <stdint.h>

enum timing_step {
	TIMING_CHECK, /* the preflight */
	TIMING_ROOM,  /* waiting for an old generation to go */
	TIMING_START, /* the workers, until all are ready */
	TIMING_PROBATION,
	TIMING_N,
};

/* A change begins, with this step. */
void timing_begin(enum timing_step step);

/* The next one. */
void timing_step(enum timing_step step);

/* ms since it began. */
uint64_t timing_took(void);

/* It has ended: into the history.  by: an array of askers, taken over; generation: that
 * serves because of it, 0. */
void timing_end(const char *what, const char *outcome, const char *reason, json_t *by,
                uint32_t generation);

/* Something without steps that took took_ms until now, the same way. */
void timing_event(const char *what, const char *outcome, const char *reason, json_t *by,
                  uint64_t took_ms);

/* since_ms: of the beginning, for who reads only that. */
uint64_t timing_since(void);
json_t *timing_save(void);

/* NULL: it was saved by a version that did not measure. */
void timing_restore(uint64_t since_ms, const json_t *j);

#endif
