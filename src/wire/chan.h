/*
 * chan: one end of a SOCK_SEQPACKET pair on a libevent loop.
 *
 * Messages go out in order; what the socket does not take now is queued.  What
 * comes in passes msg_check; anything wrong is dropped, and logged now and then.  The end of
 * the peer is told once, as a NULL message, and is the death notice that both
 * sides live by.
 *
 * A peer may be in hostile hands: its descriptors are closed so that no close waits, and
 * chan_guard bounds what it may do to us.
 */
#ifndef BATON_WIRE_CHAN_H
#define BATON_WIRE_CHAN_H

#include <sys/uio.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/msg.h"

struct chan;
struct event_base;

/* m is NULL when the peer is gone; the channel is then still to be freed.  The
 * callback may free the channel. */
typedef void chan_fn(struct chan *ch, struct msg *m, void *arg);

/* A pair of connected ends, close-on-exec and non-blocking.  0 or -1, errno. */
int chan_pair(int end[2]);

/* Take over fd.  Never fails. */
struct chan *chan_new(struct event_base *base, int fd, chan_fn *fn, void *arg);

/* The peer has done what none does: pass descriptors, speak nonsense, not listen.  what: a
 * literal.  From then on nothing of it is read; what it passed is held until chan_free, which
 * is to come after its end. */
typedef void chan_breach_fn(struct chan *ch, const char *what, void *arg);

/* For an end that takes no descriptors: fn is told, once, of such a peer. */
void chan_guard(struct chan *ch, chan_breach_fn *fn);

/* Is there time to log another fault of this peer?  Not more than one line a second. */
bool chan_may_log(struct chan *ch);

/* Close the descriptor and drop what was queued. */
void chan_free(struct chan **ch);

int chan_fd(const struct chan *ch);

/* Somebody has the other end. */
bool chan_is_alive(const struct chan *ch);

/*
 * Send a message; descriptors stay the caller's.  0, or -1 with errno when it
 * could be neither sent nor queued (EMFILE while a copy of a descriptor had to
 * be kept, EMSGSIZE); a dead peer is not an error here, the callback tells it.
 */
int chan_send(struct chan *ch, enum msg_type type, uint64_t birth, const void *body, size_t len,
              const struct msg_fds *fds);

/* Send it now or not at all: -1 with errno, EAGAIN when the peer has to read first.
 * For what must not be on its way when the caller thinks better of it. */
int chan_try_send(struct chan *ch, enum msg_type type, uint64_t birth, const struct iovec *body,
                  size_t nbody, const struct msg_fds *fds);

/* Nothing waits to be sent. */
bool chan_idle(const struct chan *ch);

/* Close an end of a channel that nobody reads any more, with what its peer has put into it: no
 * process waits in a close for that, whoever has another copy.  *fd becomes -1. */
void chan_discard(int *fd);

/* Deliver what the peer had sent before it died, until the end or nothing; at most
 * CHAN_REST_MAX messages. */
#define CHAN_REST_MAX 4096
void chan_read_rest(struct chan *ch);

/* Wait until all that is queued is sent, at most ms; before an exec or exit. */
void chan_flush(struct chan *ch, int ms);

#endif
