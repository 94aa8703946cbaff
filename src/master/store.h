/*
 * store: the service manager's descriptor store, in which what must outlive a crash of the
 * master is kept, each descriptor under a name of its own: "baton-socket-7".
 *
 * systemd hands it back to the process that it starts after a crash, and drops it when the
 * unit is stopped for good.  Everything here is nothing without a service manager.
 */
#ifndef BATON_MASTER_STORE_H
#define BATON_MASTER_STORE_H

#include <stdbool.h>
#include <stdint.h>

/* Take what the service manager has passed; once, before all else opens descriptors. */
void store_begin(void);

/* Is there a service manager to keep things? */
bool store_exists(void);

/* Keep fd, until store_drop of the same name. */
void store_put(const char *kind, uint64_t id, int fd);
void store_drop(const char *kind, uint64_t id);

/* Wait until the service manager has what it was sent, for a moment at most. */
void store_barrier(void);

/* Forget all of it: what was kept, and what came back. */
void store_forget(void);

/* What came back: a look at the i-th of that name; and by its inode (fdlist), the caller's
 * from then on.  -1. */
int store_find(const char *kind, uint64_t id, unsigned i);
int store_claim_inode(uint64_t inode);

/* The i-th of a kind that came back and is nobody's yet, -1; and take it: it is the caller's,
 * and not kept any more. */
int store_spare(const char *kind, unsigned i);
void store_take(int fd);

/* What came back and was not claimed: logged, closed, and forgotten there, with all that has its
 * name; so before anything is put there under one of those names.  but: a kind that stays; or
 * NULL. */
void store_refuse(const char *but);

/* The highest number that came back of a kind; 0: none. */
uint64_t store_last(const char *kind);

/* What was passed and is not from the store: sockets of a unit, by their names.  False: there
 * is no i-th one. */
bool store_passed(unsigned i, const char **name, int *fd);

#endif
