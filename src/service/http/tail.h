/*
 * tail: bytes that a socket has not taken yet.  A zeroed one is empty and owns nothing.
 */
#ifndef BATON_SERVICE_HTTP_TAIL_H
#define BATON_SERVICE_HTTP_TAIL_H

#include <sys/uio.h>

#include <stdbool.h>
#include <stddef.h>

struct tail {
	char *p;
	size_t from, n, size; /* p[from..n) */
};

static inline bool
tail_is_empty(const struct tail *t)
{
	return t->from == t->n;
}

void tail_add(struct tail *t, const void *bytes, size_t n);

/* Add what of iov[0..n) is behind its first `sent` bytes. */
void tail_keep(struct tail *t, const struct iovec *iov, int n, size_t sent);

struct iovec tail_rest(const struct tail *t);

/* n bytes of it are sent.  When none is left the memory goes. */
void tail_sent(struct tail *t, size_t n);

/* Send what the socket takes; false: it will take no more. */
bool tail_send(struct tail *t, int fd);

void tail_clear(struct tail *t);

#endif
