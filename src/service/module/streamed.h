/*
 * streamed: the inside of a stream's connection, for the files that make it up: what all of
 * them need (streamed.c), what is written to it, from whatever thread (outbox.c), how it moves
 * to another worker (handoff.c), and above these its life and what it reads (stream.c).
 */
#ifndef BATON_SERVICE_MODULE_STREAMED_H
#define BATON_SERVICE_MODULE_STREAMED_H

#include <sys/queue.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "baton.h"
#include "service/http/unsent.h"
#include "service/module/served.h"
#include "worker/conn/conn.h"
#include "worker/core/service.h"
#include "worker/runtime/origin.h"

#define STREAM_READ_MAX 65536

/* One write of the module, or what is left of it. */
struct stream_chunk {
	STAILQ_ENTRY(stream_chunk) link;
	size_t from, n;
	char bytes[];
};

/* Of the client's bytes. */
enum stream_input {
	INPUT_OPEN,
	INPUT_ENDED, /* the client has ended its side */
	INPUT_TOLD,  /* and the module knows it */
};

/* Of what is written to it: under the lock. */
enum stream_outbox {
	OUTBOX_TAKES,
	OUTBOX_AWAY,  /* another worker is about to take the connection over, or has */
	OUTBOX_ENDED, /* nothing can be written any more */
};

struct baton_conn {
	struct conn *c; /* NULL: it is over */
	struct stream *stream;
	void *data;
	_Atomic unsigned holds;
	STAILQ_ENTRY(baton_conn) todo;
	enum stream_input input;
	bool queued;          /* is on that list */
	bool opened;          /* the module knows it */
	bool paused;          /* by the module */
	bool broken;          /* to be closed */
	bool again;           /* what is unread is to be shown again */
	bool blocked;         /* the socket took no more */
	bool wants;           /* the module says that it is busy */
	struct unsent unread; /* by the module */
	/* under the lock */
	STAILQ_HEAD(, stream_chunk) chunks;
	size_t unsent;
	enum stream_outbox outbox;
	bool refused;   /* a write, as there was no room */
	bool finishing; /* when all is sent */
	bool posted;    /* another thread has woken the loop */
};

/* Of a service, in this worker. */
struct stream {
	struct baton_service *service;
	struct timelist *idle, *send;
	struct event turn; /* works the list off */
	STAILQ_HEAD(, baton_conn) todo;
	unsigned ntodo;
	bool turning; /* it is being worked off */
	char buffer[STREAM_READ_MAX];
};

static inline struct stream *
stream_of(const struct conn *c)
{
	return c->service->data;
}

static inline const struct baton_module *
stream_module(const struct baton_conn *bc)
{
	return bc->stream->service->module;
}

/* Its module's code is about to be called; for origin_leave. */
struct origin stream_enter(const struct baton_conn *bc);

/* Another look at it, from the loop's top level. */
void stream_look_soon(struct baton_conn *bc);

/* One for c, with the loop's hold. */
struct baton_conn *stream_new_conn(struct conn *c);

#endif
