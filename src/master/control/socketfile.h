/*
 * socketfile: the control socket in the file system: bound to a temporary name and
 * renamed, moved when a configuration names another path, and removed while it is
 * still our own.  control.c speaks on it.
 */
#ifndef BATON_MASTER_CONTROL_SOCKETFILE_H
#define BATON_MASTER_CONTROL_SOCKETFILE_H

#include <event2/event.h>

#include <jansson.h>

#include "base/place.h"

/* Listen at path (NULL: the default place); acceptable is called when somebody comes.
 * 0 or -1 with *cause. */
int socketfile_start(const char *path, event_callback_fn acceptable, char **cause);

/* The same with a socket that listens at path already; fd is taken over. */
void socketfile_take(int fd, const char *path, const struct place_id *own,
                     event_callback_fn acceptable);

/* It can't be had now: another try with each socketfile_move. */
void socketfile_miss(const char *path, event_callback_fn acceptable);

/* Before a reload: could it move to path?  0, or -1 with *cause. */
int socketfile_try(const char *path, char **cause);

/* After a reload: move when the path is another, or somebody has removed ours.  0, or -1 with
 * *cause and all stays. */
int socketfile_move(const char *path, char **cause);

/* A sentence, appended to list, if somebody has removed it or put another thing in its place.
 */
void socketfile_warn(json_t *list);

/* Unlink the path while it is still our own socket. */
void socketfile_unlink(void);

/* Unlink it and close. */
void socketfile_stop(void);

/* For the next image. */
const char *socketfile_path(void);
int socketfile_fd(void);
struct place_id socketfile_own(void);

#endif
