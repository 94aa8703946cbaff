/*
 * listener_int: what the files of listener.h share: listener.c, acquire.c (how they come
 * about) and listener_state.c (how they cross an exec).
 */
#ifndef BATON_MASTER_LISTEN_LISTENER_INT_H
#define BATON_MASTER_LISTEN_LISTENER_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "master/listen/listener.h"

#define INHERITED "systemd:" /* begins the text of what the service manager has passed */

/* All of them, by TAILQ_NEXT; NULL. */
struct listener *listener_first(void);

/* By its identity; NULL.  lost: one whose path is lost, which is nobody's address any more. */
struct listener *listener_named(const char *text, bool lost);

/* Numbers are given after this one. */
void listener_set_last_id(uint32_t id);

/* One without sockets; and without a trace. */
struct listener *listener_make(const char *text, enum conf_addr_kind kind);
void listener_destroy(struct listener *l);

/* fd is the listener's from then on. */
void listener_add_socket(struct listener *l, int fd);

/* Another descriptor takes the place of one of its sockets, under another number. */
void listener_replace_socket(struct listener *l, size_t i, int fd);

/* Drop bare SYNs, or no more. */
void listener_filter_one(struct listener *l, bool on);

/* Bind again what a listener of that identity with port 0 was bound to; -1. */
int listener_bind_last_port(const char *id);

/* Is fd a socket that listens? */
bool listener_is_listening(int fd);

/* And where the listener says?  A worker that shut it may have bound it elsewhere; and
 * listen(2) of one that was shut chooses another port. */
bool listener_is_as_told(const struct listener *l, int fd);

#endif
