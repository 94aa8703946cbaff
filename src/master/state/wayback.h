/*
 * wayback: how the image before this one is executed again, from a signal's handler if need
 * be.  Stands on nothing: all that a handler needs is prepared while all is well, as it can
 * allocate nothing.
 */
#ifndef BATON_MASTER_STATE_WAYBACK_H
#define BATON_MASTER_STATE_WAYBACK_H

#include <sys/types.h>

#include <stdbool.h>

#define WAYBACK_VARIABLE   "BATON_HANDOVER" /* ROLE:STATE:OLD:REASON */
#define WAYBACK_REASON_MAX 4000

struct wayback {
	bool armed;
	pid_t pid; /* ours: a forked child must not go back */
	int old;   /* the old executable; -1 */
	int state; /* the sealed memfd that this image was given; -1 */
	char **argv;
	char **envp;
	char entry[WAYBACK_REASON_MAX + 128]; /* "BATON_HANDOVER=back:12:-1:reason", in envp */
};

extern struct wayback wayback;

/* The environment with one entry more, which may be filled in later; malloc'd. */
char **wayback_environment(char *entry);

/* From here on every end of this process executes the old image; and no more. */
void wayback_arm(void);
void wayback_disarm(void);

/* In a forked child: drop all of this. */
void wayback_disown(void);

/* Execute it; number: behind the reason, unless 0.  Async-signal-safe.  Returns only when the
 * exec fails. */
void wayback_go(const char *reason, int number);

#endif
