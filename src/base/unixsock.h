/*
 * unixsock: unix sockets that stand at a path, and nowhere that a stranger's link leads to
 * (place.h).
 */
#ifndef BATON_BASE_UNIXSOCK_H
#define BATON_BASE_UNIXSOCK_H

#include <stdbool.h>

#include "base/place.h"

/*
 * A unix stream socket that listens at path with that mode; with a backlog below 0 it does
 * not listen yet.  It replaces nothing but a socket that nobody answers at.  The socket and
 * *own; or -1 with half a sentence in *why, and errno EADDRINUSE if it is that somebody
 * answers.
 */
int unixsock_listen(const char *path, mode_t mode, int backlog, struct place_id *own,
                    char **why);

/* Could it listen there?  0, and all is as it was; or -1, as unixsock_listen. */
int unixsock_try(const char *path, char **why);

/* Does another kind of thing stand there, or in the way to it?  0: no, or it is not to be seen,
 * or not there yet; or -1 with half a sentence in *why.  Nothing is made. */
int unixsock_obstacle(const char *path, char **why);

/* Put our own socket where nobody connects to it, and back; remove it from there.  0, or -1
 * with errno: EEXIST, another thing stands in its place. */
int unixsock_hide(const char *path, const struct place_id *own);
int unixsock_show(const char *path, const struct place_id *own);
bool unixsock_is_hidden(const char *path, const struct place_id *own);
void unixsock_remove_hidden(const char *path, const struct place_id *own);

/* Give our own socket at path another mode.  0; or -1 with half a sentence in *why, and
 * what stands there is as it was. */
int unixsock_chmod(const char *path, const struct place_id *own, mode_t mode, char **why);

#endif
