/*
 * state: what a master knows, as tagged, versioned records, for the one that comes after
 * it: another image of the same process, or another process.  Each part of the master
 * saves and restores its own.  Descriptors stand there as fdlist names them.
 */
#ifndef BATON_MASTER_STATE_STATE_H
#define BATON_MASTER_STATE_STATE_H

#include <jansson.h>

#include <stdbool.h>
#include <stddef.h>

struct fdlist;

/* A part of the master: how it ends, and what of it goes to the next image.  Tags never change.
 */
struct part {
	const char *tag;
	void (*stop)(void);                  /* NULL: nothing is to be done */
	json_t *(*save)(struct fdlist *fds); /* NULL: a text in it is not UTF-8 */
	int (*restore)(const json_t *j, char **cause);
	bool late; /* restored after those that are not: it waits for an answer of theirs */
};

/* Those that there are, ended by one without a tag; before anything else here. */
void state_use(const struct part *parts);

/* All of it, as it is now; the descriptors go to fds.  NULL: a text in it is not UTF-8. */
json_t *state_collect(struct fdlist *fds);

/* Into a sealed memfd; -1 with *cause. */
int state_seal(const json_t *state, char **cause);

/* Of bytes (NULL: there are none), and from a descriptor; the caller's.  NULL with *cause: it
 * is not one that this version reads. */
json_t *state_parse(const char *text, size_t len, char **cause);
json_t *state_read(int fd, char **cause);

/* Is every record there?  0 or -1 with *cause. */
int state_check(const json_t *state, char **cause);

/* The body of the record with that tag; NULL.  The state's. */
json_t *state_record(const json_t *state, const char *tag);

/* Add to fds every descriptor that j names anywhere. */
void state_claim(const json_t *j, struct fdlist *fds);

/* The master itself, its listeners and generations, what it remembers; and then those who
 * wait for an answer.  0 or -1 with *cause. */
int state_restore(const json_t *state, char **cause);
int state_restore_requests(const json_t *state, char **cause);

#endif
