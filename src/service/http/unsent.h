/*
 * unsent: bytes that a socket has not taken yet.  A zeroed one is empty and owns nothing.
 */
#ifndef BATON_SERVICE_HTTP_UNSENT_H
#define BATON_SERVICE_HTTP_UNSENT_H

#include <sys/uio.h>

#include <stdbool.h>
#include <stddef.h>

struct unsent {
	char *p;
	size_t from, n, size; /* p[from..n) */
};

static inline bool
unsent_is_empty(const struct unsent *t)
{
	return t->from == t->n;
}

void unsent_add(struct unsent *t, const void *bytes, size_t n);

/* Add what of iov[0..n) is behind its first `sent` bytes. */
void unsent_keep(struct unsent *t, const struct iovec *iov, int n, size_t sent);

struct iovec unsent_rest(const struct unsent *t);

/* n bytes of it are sent.  When none is left the memory goes. */
void unsent_sent(struct unsent *t, size_t n);

/* Send what the socket takes; false: it will take no more. */
bool unsent_send(struct unsent *t, int fd);

void unsent_clear(struct unsent *t);

#endif
