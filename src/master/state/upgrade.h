/*
 * upgrade: this process becomes another program, and back.
 *
 * The state goes to a sealed memfd as tagged, versioned records: each part of
 * the master saves and restores its own.  Exactly the descriptors that the
 * records name lose close-on-exec, and the new binary is executed in place: the
 * pid, the children and the cgroup stay.  The old executable is kept open; until
 * the commit every fatal path of the new image executes it again with the same
 * state, from a signal handler if need be.
 */
#ifndef BATON_MASTER_STATE_UPGRADE_H
#define BATON_MASTER_STATE_UPGRADE_H

#include <stdbool.h>
#include <stdint.h>

enum upgrade_role {
	UPGRADE_NONE, /* a start like any other */
	UPGRADE_UP,   /* executed by an older image: take over */
	UPGRADE_BACK, /* executed again: the other image has failed */
};

/*
 * First thing in main, with signals blocked: what is this process?  In the role
 * UP the way back is armed from here on.
 */
enum upgrade_role upgrade_begin(char **argv);

/* The answer of upgrade_begin. */
enum upgrade_role upgrade_role(void);

/* A sealed memfd with the state as it is now; -1 with *cause. */
int upgrade_make_state(char **cause);

/* Execute binary in place.  Returns only on failure, -1 with *cause; then all is
 * as before.  limit_ms: the new image has so long until its commit. */
int upgrade_exec(const char *binary, uint64_t limit_ms, char **cause);

/* Read the state that this image was given, and close every descriptor that it
 * does not name; before anything else opens one.  0 or -1 with *cause. */
int upgrade_read(char **cause);

/* Take it over.  0 or -1 with *cause. */
int upgrade_restore(char **cause);

/* The commit is not reached yet: the end of this process is the way back. */
bool upgrade_armed(void);

/* Is the state behind fd one that this binary can take over?  For preflight. */
int upgrade_try_state(int fd, char **cause);

/* Why the other image failed, in the role BACK; owned by upgrade. */
const char *upgrade_reason(void);

/* There is an older executable to go back to. */
bool upgrade_has_old(void);

/* The number of that image. */
uint32_t upgrade_old_image(void);

/* The commit has so long from now, by the new configuration's limits. */
void upgrade_limit(uint64_t ms);

/* Execute the old binary again, with the state as it is now.  Returns only when
 * that fails. */
void upgrade_back(const char *reason);

/* The change is committed: the emergency exits are closed; upgrade_back still
 * works until upgrade_forget_old. */
void upgrade_commit(void);

/* The generations of the old executable are gone. */
void upgrade_forget_old(void);

#endif
