/*
 * duplex: a client's connection and a socket of ours, and what one says the other hears,
 * until both have ended.
 *
 * Half a close and a reset are passed on.  A pair can move to another worker at any
 * moment, with what is between its two sockets.  It is a part of what its owner, a
 * service with `ready`, keeps for the connection; when it ends it closes the
 * connection, and the owner's `release` calls duplex_release.
 *
 * proxy is one pair a client; a tunnel through http becomes one.
 */
#ifndef BATON_SERVICE_DUPLEX_H
#define BATON_SERVICE_DUPLEX_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "service/flow.h"

struct conn;
struct handoff_record;
struct timelist;

/* What the pairs of a service share; outlives them. */
struct pair_home {
	struct event_base *base;
	struct timelist *idle; /* joined with conn's `timed`: its owner calls duplex_reset */
};

struct duplex {
	struct event ev; /* of the far socket */
	struct conn *conn;
	const struct pair_home *home;
	struct flow up, down; /* to the far side, to the client */
	int fd;               /* the far socket; -1 */
	short want;           /* what ev waits for */
};

/* What a pair is beside its sockets and pipes, as bytes for the owner's blob. */
#define DUPLEX_KEPT_MAX   (32 * 1024) /* bytes that wait in memory, each way */
#define DUPLEX_FROZEN_MAX (64 + 2 * DUPLEX_KEPT_MAX)

/*
 * Make a pair of c and fd, which is connected, does not block, and is the pair's from
 * here on.  Nothing is read, and it is not in the loop yet: bytes that are to go before
 * all others are put into p->up and p->down (flow_put), then duplex_go.
 */
void duplex_init(struct duplex *p, struct conn *c, const struct pair_home *home, int fd);

/* Into the loop, and move what can be moved: after duplex_init, duplex_thaw, or a rest that
 * came to nothing.  May close the connection, as may duplex_ready. */
void duplex_go(struct duplex *p);

/* For `ready`: the client's socket has EV_READ, EV_WRITE. */
void duplex_ready(struct duplex *p, short what);

/* Close the connection, so that both sides see a reset: its service has `far`.  why: a literal.
 */
void duplex_reset(struct duplex *p, const char *why);

/* For `far`: its far socket. */
int duplex_far(const struct duplex *p);

/* For `release`: give back all but the client's socket.  Does nothing on one that was never
 * initialised but is zeroed with fd -1. */
void duplex_release(struct duplex *p);

/* For `freeze`: add the descriptors, at most 5, to the record, and write the rest to buf
 * (DUPLEX_FROZEN_MAX bytes).  The length, or 0: too much waits in memory, and the pair offers
 * itself when less does. */
size_t duplex_freeze(const struct duplex *p, struct handoff_record *r, char *buf);

/* For `rest`: out of the loop. */
void duplex_rest(struct duplex *p);

/* For `thaw`: make a pair of c, of the record's descriptors from fd[1] on, and of the n bytes
 * that freeze wrote.  NULL, or why not: a literal; *p is untouched then. */
const char *duplex_thaw(struct duplex *p, struct conn *c, const struct pair_home *home,
                        const char *bytes, size_t n, struct handoff_record *r);

#endif
