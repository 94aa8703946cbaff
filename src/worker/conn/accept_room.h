/*
 * accept_room: for how many connections a worker has room, and whose end makes some.
 */
#ifndef BATON_WORKER_CONN_ACCEPT_ROOM_H
#define BATON_WORKER_CONN_ACCEPT_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;

/* max_connections 0: what RLIMIT_NOFILE allows. */
void accept_room_start(uint64_t max_connections);

/* Look at RLIMIT_NOFILE again, beside so many listening sockets. */
void accept_find_limit(size_t nsockets);

/* Is there no room for one more client of that listener?  Those who may come by hand-off were
 * there first. */
bool accept_has_no_room(uint32_t listener);

/* Somebody waits at that listener: whose end would help is asked from now on. */
void accept_make_room_for(uint32_t listener);

/* As conn_filter: would its end leave room; and a descriptor? */
bool accept_makes_room(const struct conn *c);
bool accept_gives_descriptor(const struct conn *c);

#endif
