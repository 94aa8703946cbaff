/*
 * method: the methods of requests that are known by name (RFC 9110, 9; WebDAV's and the like).
 * Pure.  Any other token is METHOD_OTHER: an upstream may know it.
 */
#ifndef BATON_SERVICE_HEAD_METHOD_H
#define BATON_SERVICE_HEAD_METHOD_H

#include <stdbool.h>
#include <stddef.h>

#define METHODS(X)                                                                             \
	X(GET, "GET")                                                                          \
	X(HEAD, "HEAD")                                                                        \
	X(POST, "POST")                                                                        \
	X(PUT, "PUT")                                                                          \
	X(DELETE, "DELETE")                                                                    \
	X(OPTIONS, "OPTIONS")                                                                  \
	X(PATCH, "PATCH")                                                                      \
	X(TRACE, "TRACE")                                                                      \
	X(CONNECT, "CONNECT")                                                                  \
	X(ACL, "ACL")                                                                          \
	X(BIND, "BIND")                                                                        \
	X(CHECKOUT, "CHECKOUT")                                                                \
	X(COPY, "COPY")                                                                        \
	X(LINK, "LINK")                                                                        \
	X(LOCK, "LOCK")                                                                        \
	X(MERGE, "MERGE")                                                                      \
	X(MKACTIVITY, "MKACTIVITY")                                                            \
	X(MKCALENDAR, "MKCALENDAR")                                                            \
	X(MKCOL, "MKCOL")                                                                      \
	X(MOVE, "MOVE")                                                                        \
	X(MSEARCH, "M-SEARCH")                                                                 \
	X(NOTIFY, "NOTIFY")                                                                    \
	X(PROPFIND, "PROPFIND")                                                                \
	X(PROPPATCH, "PROPPATCH")                                                              \
	X(PURGE, "PURGE")                                                                      \
	X(REBIND, "REBIND")                                                                    \
	X(REPORT, "REPORT")                                                                    \
	X(SEARCH, "SEARCH")                                                                    \
	X(SOURCE, "SOURCE")                                                                    \
	X(SUBSCRIBE, "SUBSCRIBE")                                                              \
	X(UNBIND, "UNBIND")                                                                    \
	X(UNLINK, "UNLINK")                                                                    \
	X(UNLOCK, "UNLOCK")                                                                    \
	X(UNSUBSCRIBE, "UNSUBSCRIBE")

enum method {
#define X(id, name) METHOD_##id,
	METHODS(X)
#undef X
	    METHOD_OTHER
};

/* n bytes, as they are written: case counts. */
enum method method_find(const char *name, size_t n);

/* Of a known one; "" of METHOD_OTHER. */
const char *method_name(enum method m);

/* May it be asked again when nobody knows what became of it (RFC 9110, 9.2.2)? */
bool method_is_idempotent(enum method method);

#endif
