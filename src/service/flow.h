/*
 * flow: one direction of a pair of sockets: bytes from one socket to another.
 *
 * Little goes through a buffer of the worker; a stream that fills it goes through a
 * pipe, without being copied.  What the far side does not take waits, in memory or in
 * the pipe, and nothing more is read until it has.  A pipe is borrowed only while it
 * holds bytes, and none is needed: without descriptors a stream is copied.
 */
#ifndef BATON_SERVICE_FLOW_H
#define BATON_SERVICE_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;

/* Bytes in memory. */
struct flow_kept {
	size_t n, sent;
	char bytes[];
};

struct flow {
	struct flow_kept *kept; /* what waits in memory; NULL: nothing */
	size_t held;            /* what waits in the pipe; never both */
	int pipe[2];            /* -1: none borrowed */
	bool eof;               /* the near side has ended */
	bool shut;              /* and the far side has been told */
	bool broke;             /* the near side was reset */
	bool bulk;              /* through the pipe */
};

/* A socket, of the client's connection or of our own to an upstream. */
struct flow_end {
	int fd;
	struct conn *conn; /* NULL: our own */
};

enum flow_result {
	FLOW_MORE,       /* wait until the near side is readable */
	FLOW_BLOCKED,    /* wait until the far side is writable */
	FLOW_DONE,       /* the end was passed on */
	FLOW_NEAR_BROKE, /* reset, or the like */
	FLOW_FAR_BROKE,
};

void flow_init(struct flow *f);

/* Close or give back the pipe, and forget what waits. */
void flow_clear(struct flow *f);

/* Put n bytes in front of all that comes; only once, and only into a flow in which nothing
 * waits. */
void flow_put(struct flow *f, const char *bytes, size_t n);

/* The bytes that wait in memory; *n is set. */
const char *flow_kept(const struct flow *f, size_t *n);

/* Does something wait until the far side takes it? */
bool flow_waits(const struct flow *f);

/* Move what can be moved, within a turn's share.  *in, *out: grow by the bytes read and
 * written. */
enum flow_result flow_pump(struct flow *f, const struct flow_end *near,
                           const struct flow_end *far, uint64_t *in, uint64_t *out);

/* The pipes that are kept for re-use are closed: at the worker's end. */
void flow_free_pipes(void);

#endif
