/*
 * access: the access logs of a worker's listeners.
 *
 * A listener has one or none.  A service whose type `logs_requests` writes a line per
 * request with access_request; of all others conn.c writes one when the connection ends
 * (not when another worker goes on with it).  Where no listener has one, nothing is
 * allocated, no thread runs and no clock is read.
 */
#ifndef BATON_WORKER_ACCESS_ACCESS_H
#define BATON_WORKER_ACCESS_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/handoff.h"
#include "worker/access/accessline.h"

struct conn;
struct event_base;
struct heritage;
struct msg;

/* What of a connection must be asked for while it is there. */
struct access_ends {
	char peer[HANDOFF_NAME_MAX];
	char upstream[HANDOFF_NAME_MAX]; /* "": none */
	char client[46];                 /* of whom a trusted peer tells; "": none */
	const char *fault;               /* NULL: none */
};

struct access_of; /* of a listener */

/* Of each listener, NULL: it has none; NULL itself: none has one. */
extern struct access_of **access_logs;

static inline bool
access_on(uint32_t listener)
{
	return access_logs != NULL && access_logs[listener] != NULL;
}

/* Takes over the descriptors of the heritage. */
void access_start(struct event_base *base, const struct heritage *h);

/* Writes what is collected. */
void access_stop(void);

/* MSG_ACCESS: other files from here on. */
void access_reopen(struct msg *m);

/* A connection begins here, on a listener with an access log. */
void access_open(struct conn *c);

/* It is connected to an upstream by fd; nothing where there is no access log. */
void access_upstream(struct conn *c, int fd);

/* The client, as named by a trusted peer; copied. */
void access_client(struct conn *c, const char *address);

/* Why it is not served, in words that last. */
void access_fault(struct conn *c, const char *why);

/* Its names go with it to another worker; they are its own until it is closed. */
void access_freeze(const struct conn *c, struct handoff_record *r);

/* It comes with the names that another worker knew it by; copied.  Those that are not told stay
 * as they are. */
void access_thaw(struct conn *c, const struct handoff_record *r);

/* It ends. */
void access_connection(const struct conn *c);

/* Write a line of a request: time, peer, listener and service are filled in. */
void access_request(const struct conn *c, struct accessline *line);

#endif
