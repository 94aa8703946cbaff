/*
 * fdstore: the service manager's descriptor store, in which what must outlive a crash of the
 * master is kept, each descriptor under a name of its own: "baton-socket-7".
 *
 * systemd hands it back to the process that it starts after a crash, and drops it when the
 * unit is stopped for good.  Everything here is nothing without a service manager.
 */
#ifndef BATON_MASTER_STATE_FDSTORE_H
#define BATON_MASTER_STATE_FDSTORE_H

#include <stdbool.h>
#include <stdint.h>

/* Take what the service manager has passed; once, before all else opens descriptors. */
void fdstore_begin(void);

/* Is there a service manager to keep things? */
bool fdstore_exists(void);

/* Keep fd, until fdstore_drop of the same name. */
void fdstore_put(const char *kind, uint64_t id, int fd);
void fdstore_drop(const char *kind, uint64_t id);

/* Wait until the service manager has what it was sent, for a moment at most. */
void fdstore_barrier(void);

/* Forget all of it: what was kept, and what came back. */
void fdstore_forget(void);

/* What came back: a look at the i-th of that name; and by its inode (fdlist), the caller's
 * from then on.  -1. */
int fdstore_find(const char *kind, uint64_t id, unsigned i);
int fdstore_claim_inode(uint64_t inode);

/* The i-th of a kind that came back and is nobody's yet, -1; and take it: it is the caller's,
 * and not kept any more. */
int fdstore_spare(const char *kind, unsigned i);
void fdstore_take(int fd);

/* What came back and was not claimed: logged, closed, and forgotten there, with all that has
 * its name; so before anything is put there under one of those names.  but: a kind that stays;
 * or NULL. */
void fdstore_refuse(const char *but);

/* The highest number that came back of a kind; 0: none. */
uint64_t fdstore_last(const char *kind);

/* What was passed and is not from the store: sockets of a unit, by their names.  False: there
 * is no i-th one. */
bool fdstore_passed(unsigned i, const char **name, int *fd);

#endif
