/*
 * service: what a listener speaks.  A type is one const table of functions; an
 * instance is made per [service:NAME] in every worker.
 *
 * All functions run in the worker's one thread, on its loop, and must not block.
 * A connection starts NEW, registered for reading.  The service moves it with
 * conn_set_state, and may close or finish it in any callback; after that it
 * returns and touches it no more.
 *
 * This is the file to read first.
 */
#ifndef BATON_WORKER_CORE_SERVICE_H
#define BATON_WORKER_CORE_SERVICE_H

#include <stdbool.h>

#include "conf/conf.h"

struct conn;
struct event_base;
struct handoff_record;
struct service;

/* The rights that a service needs beside its connections (worker/sandbox/sandbox.h). */
enum service_needs {
	SERVICE_OPENS_FILES = 1, /* to read them, beneath a directory that it holds */
	SERVICE_CONNECTS = 2,    /* to upstreams, with names looked up in threads */
	SERVICE_IS_FREE = 4      /* a module's handlers: files, sockets, threads */
};

struct service_type {
	const char *name; /* the value of `type =` */

	/* From its start to its end: bits of enum service_needs.  Optional: none. */
	unsigned (*needs)(const struct conf_service *conf);

	/* The service writes its own lines to an access log (worker/access/access.h), one per
	 * request; of any other there is one per connection. */
	bool logs_requests;

	/* Is what the section names good, as this process sees it?  Called in `baton --check`,
	 * where nothing may be changed, and only if eyes.h has seen its files. */
	void (*examine)(const struct conf *conf, const struct conf_service *service,
	                struct conf_errors *errors);

	/* Start-up in the worker, after privileges are dropped and before READY.
	 * Sets service->data, and may set another type of the same name.  0, or -1 with *cause:
	 * the generation has failed. */
	int (*start)(struct service *service, char **cause);

	/* The worker leaves; no connection is left. */
	void (*stop)(struct service *service);

	/* A connection was accepted.  Optional: `readable` follows in any case, at the
	 * end of the loop turn, and may find nothing yet. */
	void (*open)(struct conn *c);

	/* Bytes, or end of file, or an error can be read. */
	void (*readable)(struct conn *c);

	/* After conn_want_write: there is room. */
	void (*writable)(struct conn *c);

	/* Instead of these two, for a service that waits for both at a time (conn_want):
	 * EV_READ, EV_WRITE.  The first look comes as EV_READ. */
	void (*ready)(struct conn *c, short what);

	/*
	 * The worker has begun to drain, and this connection ends here
	 * (conn_ends_here).  Called for one that is not lingering, perhaps more than
	 * once: finish it (conn_finish) if nothing would be lost, else let it end
	 * after what it is busy with.
	 */
	void (*drain)(struct conn *c);

	/*
	 * The worker has no room for others, and this one is IDLE, or NEW for a while: finish
	 * it after a last look, unless that finds something to do.  Optional: such a
	 * connection is never ended for the sake of others.
	 */
	void (*let_go)(struct conn *c, const char *why);

	/*
	 * Hand-off to another worker: all of these, or none.
	 *
	 * freeze: can another process go on from here?  If so, set state, unread,
	 * unsent, blob and blob_version of the record, add descriptors that belong to
	 * the connection to fd[1..] and nfd, and return true.  Changes nothing.
	 *
	 * rest: it is on its way.  Optional, for what the service itself has in the
	 * loop: out of it.  The connection is left alone until it is decided; then it
	 * is released, or resumed.
	 *
	 * thaw: the same in the other process, before the connection is ours: set
	 * c->data, take descriptors (by setting them to -1), start limits
	 * (timelist_join; what was left of the running one is seen to), no reading or
	 * writing, nothing into the loop.  NULL, or why not: a literal; release is
	 * called then, and must leave the peers of its descriptors untouched (no
	 * shutdown), as it must whenever another worker goes on with them.
	 *
	 * resume: go on, after a thaw or after a rest that came to nothing; and after a
	 * conn_yield.
	 */
	bool (*freeze)(struct conn *c, struct handoff_record *r);
	void (*rest)(struct conn *c);
	const char *(*thaw)(struct conn *c, struct handoff_record *r);
	void (*resume)(struct conn *c);

	/*
	 * Optional, ms: for how long a BUSY connection may go without a byte in either
	 * direction before one of the service's own limits ends it; 0: without limit.  One
	 * that stays for twice as long is told of as overdue (batonctl status).
	 */
	uint64_t (*patience)(const struct conn *c);

	/* Optional: the socket that the connection leads on to, for as long as it lives (-1:
	 * none). */
	int (*far)(const struct conn *c);

	/* The connection ends or is another's: give back c->data.  conn closes the
	 * descriptor. */
	void (*release)(struct conn *c);
};

struct service {
	const struct service_type *type;
	const struct conf_service *conf;
	struct event_base *base; /* for timers and lists */
	void *data;
};

/* The types that there are, ended by NULL: once, before anything else here; kept. */
void service_types_use(const struct service_type *const *table);

/* By name; NULL: there is none. */
const struct service_type *service_type_find(const char *name);

/* This one ends, after what it is busy with: nobody will take it. */
bool conn_ends_here(const struct conn *c);

/* Where freeze would say yes: hand it off now, if there is somebody to take it.  True:
 * it is out of our hands; return at once. */
bool conn_moves(struct conn *c);

#endif
