/*
 * greeting: the PROXY header, versions 1 and 2, read and written.  Pure.
 *
 * It stands in front of a connection's bytes and says who the client of the one
 * before us is.  The form is that of HAProxy's proxy-protocol.txt.
 */
#ifndef BATON_SERVICE_PROXY_GREETING_H
#define BATON_SERVICE_PROXY_GREETING_H

#include <sys/socket.h>

#include <stdbool.h>
#include <stddef.h>

#define GREETING_MAX 552 /* of what is read: version 2 with addresses and some TLVs */
#define GREETING_OUT 108 /* of what is written */

/* Two ends of a TCP connection; family AF_UNSPEC when they are not known. */
struct greeting {
	struct sockaddr_storage from, to;
};

/*
 * Look at the first len bytes, from their start each time: they are few.  > 0: the header has
 * so many bytes, and *g is filled; 0: more are needed; -1: this is no PROXY header, or one that
 * is too long.
 */
int greeting_read(const void *bytes, size_t len, struct greeting *g);

/* Write a header of version 1 or 2 to buf (GREETING_OUT bytes).  The length. */
size_t greeting_write(const struct greeting *g, int version, char *buf);

#endif
