/*
 * proxyheader: the PROXY header, versions 1 and 2, read and written.  Pure.
 *
 * It stands in front of a connection's bytes and says who the client of the one
 * before us is.  The form is that of HAProxy's proxy-protocol.txt.
 */
#ifndef BATON_SERVICE_PROXYHEADER_H
#define BATON_SERVICE_PROXYHEADER_H

#include <sys/socket.h>

#include <stdbool.h>
#include <stddef.h>

#define PROXYHEADER_MAX                                                                        \
	107                 /* of what is to be kept of a header until it tells its addresses  \
	                     */
#define PROXYHEADER_OUT 108 /* of what is written */

/* Two ends of a TCP connection; family AF_UNSPEC when they are not known. */
struct proxyheader {
	struct sockaddr_storage from, to;
};

/*
 * Look at the first len bytes, from their start each time: they are few.  > 0: *g is filled,
 * and the header has so many bytes, which may be more than len (of version 2, up to 65551):
 * what follows is TLVs, to be skipped.  0: more are needed.  PROXYHEADER_NONE: this is no PROXY
 * header; PROXYHEADER_BROKEN: it is a bad one.
 */
#define PROXYHEADER_NONE   (-1)
#define PROXYHEADER_BROKEN (-2)
int proxyheader_read(const void *bytes, size_t len, struct proxyheader *g);

/* Write a header of version 1 or 2 to buf (PROXYHEADER_OUT bytes).  The length. */
size_t proxyheader_write(const struct proxyheader *g, int version, char *buf);

#endif
