/*
 * flow: one direction of a pair of sockets: bytes from one socket to another.
 *
 * Little goes through a buffer of the worker; a stream that fills it goes through a
 * pipe, without being copied.  What the far side does not take waits in a pipe, and
 * nothing more is read until it has.  A pipe is borrowed only while it holds bytes.
 */
#ifndef BATON_SERVICE_FLOW_H
#define BATON_SERVICE_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct flow {
	int pipe[2]; /* -1: none borrowed */
	size_t held; /* bytes in the pipe */
	bool eof;    /* the near side has ended */
	bool shut;   /* and the far side has been told */
	bool broke;  /* the near side was reset */
	bool bulk;   /* through the pipe */
};

enum flow_result {
	FLOW_MORE,       /* wait until the near side is readable */
	FLOW_BLOCKED,    /* wait until the far side is writable */
	FLOW_DONE,       /* the end was passed on */
	FLOW_NEAR_BROKE, /* reset, or the like */
	FLOW_FAR_BROKE,
};

void flow_init(struct flow *f);

/* Close or give back the pipe. */
void flow_clear(struct flow *f);

/* Put n bytes in front of all that comes; only into an empty flow.  0, or -1: no
 * descriptors, or too many bytes. */
int flow_put(struct flow *f, const char *bytes, size_t n);

/* Move what can be moved, within a turn's share.  *in, *out: grow by the bytes read and
 * written. */
enum flow_result flow_pump(struct flow *f, int near, int far, uint64_t *in, uint64_t *out);

/* The pipes that are kept for re-use are closed: at the worker's end. */
void flow_free_pipes(void);

#endif
