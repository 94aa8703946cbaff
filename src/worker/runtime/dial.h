/*
 * dial: connect to a target that is given by name.  The name is resolved in a thread;
 * its addresses are tried in turn, IPv6 and IPv4 alternating, each with a head start of
 * HEAD_START_MS before the next, and the first that is there wins.
 */
#ifndef BATON_WORKER_RUNTIME_DIAL_H
#define BATON_WORKER_RUNTIME_DIAL_H

#include <sys/socket.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dial;

/* fd: connected, the callee's; or -1 with a status of baton.h and why, in words that last.  The
 * dial is gone then. */
typedef void dial_fn(void *arg, int fd, int status, const char *why);

/* "host:port", "[::1]:port", "unix:/path", "unix:@name"? */
bool dial_target_is_good(const char *target);

/* fn is called once, from the loop, not from within. */
struct dial *dial_start(const char *target, uint64_t timeout_ms, dial_fn *fn, void *arg);

/* Without calling fn; *d becomes NULL. */
void dial_cancel(struct dial **d);

struct dial_addr {
	struct sockaddr_storage sa;
	socklen_t len;
};

/* Put them in the order of trying: families alternate, the first one's goes first. */
void dial_order(struct dial_addr *addr, size_t n);

#endif
