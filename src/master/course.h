/*
 * course: how long each step of the change under way takes, and when it began; what the
 * history is told at its end.
 *
 * The steps follow each other; one that is never reached has no time.  In an upgrade the
 * exec is a part of the start.  An image that goes back by itself says nothing of its own
 * steps: then the start lasts to the end.
 */
#ifndef BATON_MASTER_COURSE_H
#define BATON_MASTER_COURSE_H

#include <jansson.h>

#include <stdint.h>

enum course_step {
	COURSE_CHECK, /* the preflight */
	COURSE_ROOM,  /* waiting for an old generation to go */
	COURSE_START, /* the workers, until all are ready */
	COURSE_PROBATION,
	COURSE_N,
};

/* A change begins, with this step. */
void course_begin(enum course_step step);

/* The next one. */
void course_step(enum course_step step);

/* ms since it began. */
uint64_t course_took(void);

/* It has ended: into the history.  by: an array of askers, taken over; generation: that
 * serves because of it, 0. */
void course_end(const char *what, const char *outcome, const char *reason, json_t *by,
                uint32_t generation);

/* Something without steps that took took_ms until now, the same way. */
void course_event(const char *what, const char *outcome, const char *reason, json_t *by,
                  uint64_t took_ms);

/* since_ms: of the beginning, for who reads only that. */
uint64_t course_since(void);
json_t *course_save(void);

/* NULL: it was saved by a version that did not measure. */
void course_restore(uint64_t since_ms, const json_t *j);

#endif
