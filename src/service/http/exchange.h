/*
 * exchange: one request and its answer, with the buffers they need.
 *
 * A connection borrows an exchange when the first byte of a request comes and
 * gives it back when it is idle again.  Here are the memory and the way out: what
 * `out`, `more`, `tail` and `file` name is sent in this order, as far as the socket takes
 * it.  What is read lies in in[from..to); requests that the client sent ahead
 * wait there.  Both buffers cost memory only when there is something in them: `in` grows
 * as bytes come, `text` is there while a head of ours is unsent.
 */
#ifndef BATON_SERVICE_HTTP_EXCHANGE_H
#define BATON_SERVICE_HTTP_EXCHANGE_H

#include <sys/queue.h>
#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <event2/event.h>
#include <event2/event_struct.h>
#include <time.h>

#include "baton.h"
#include "service/head/chunked.h"
#include "service/http/file.h"
#include "service/head/request.h"
#include "service/http/response_head.h"
#include "worker/conn/conn.h"
#include "worker/core/service.h"

/* One constant answer in three readings of Connection; the date is patched in. */
struct canned {
	char *text;
	size_t head, body; /* bytes of each; HEAD gets the first */
	char *date;        /* in text */
	time_t date_of;
};

struct handler;
struct events;
struct figures_row;
struct framing;
struct latency;
struct relay;
struct responder;
struct tunnels;
struct upstreams;

/* What all connections of one http service share in a worker. */
struct http {
	const struct conf_service *conf;
	const struct framing *framing;
	const struct responder *responder;
	struct canned canned[RESPONSE_HEAD_CONNECTIONS_N]; /* of `respond` */
	int root;                                          /* directory; -1: respond */
	struct event root_look;                            /* does its name still lead there? */
	const struct baton_route *routes;                  /* of a module; NULL: none */
	struct baton_service *owner;                       /* the module */
	struct baton_pool *pool;                           /* of connections to them */
	struct upstreams *upstreams;                       /* of a proxy; NULL: it is none */
	struct tunnels *tunnels;                           /* and these are its own, too */
	struct events *events;                             /* of an admin: its streams */
	struct latency *latency;       /* its row in the statistics; NULL: no room */
	struct figures_row *answers;   /* likewise */
	struct figures_row **answered; /* and those of listeners, by their index */
	struct timelist *answer;
	struct timelist *expect; /* an upstream is to say that it wants the body */
	struct baton_freelist relays;
	char *scratch; /* heads are written here */
	size_t scratch_size;
	uint64_t told_ms; /* the last fault in the log */
	bool told_of_tls; /* once */
	time_t date_of;   /* what `date` says */
	char date[RESPONSE_HEAD_DATE_LEN + 1];
	struct timelist *header, *body, *send, *total, *idle;
	struct timelist *half; /* an empty line that is not whole */
	SLIST_HEAD(, exchange) unused;
	size_t nunused;
};

enum phase {
	PHASE_HEAD,      /* read */
	PHASE_BODY,      /* read */
	PHASE_RESPONDER, /* with who answers it (responder.h) */
	PHASE_CONTINUE,  /* write: 100 */
	PHASE_ANSWER,    /* write */
};

struct exchange {
	SLIST_ENTRY(exchange) link;
	struct conn *conn;
	struct timed total; /* request_timeout, while the request is read; or half's */
	struct timed
	    *limit; /* of what it waits for: the connection's, which has one at a time */
	const struct framing *framing;
	enum phase phase;
	enum phase behind;                 /* PHASE_CONTINUE: the one that comes back */
	const struct responder *responder; /* NULL: there is no head yet */
	struct request request;
	struct chunked chunked;
	struct handler *handler; /* with a module: its side of the request; else NULL */
	struct relay *relay;     /* with an upstream: likewise */
	uint64_t began_us;  /* its first byte was read, or it was the turn of what had come */
	size_t head_len;    /* of the head, which ends at body_at */
	uint64_t body_left; /* of a body with a length */
	uint64_t rate_ms;   /* since when the body's bytes are counted; 0: they are not */
	uint64_t rate_bytes;
	bool slow;  /* they come at less than min_rate */
	bool close; /* after this answer */
	bool last;  /* the client said itself that it sends no more requests */
	/* for the access log; used where there is one */
	bool counted;       /* the answer is, by its class */
	bool unlogged;      /* there is one, and the line is not written yet */
	uint16_t status;    /* of the answer; 0: none yet */
	uint64_t in_before; /* the connection's bytes when it began */
	uint64_t out_before;
	uint64_t heads_out;   /* of its answer: all that is no body */
	const char *upstream; /* NULL: none */
	const char *fault;    /* of it, in words that last; NULL: none */
	/* what is unsent */
	const char *out;
	size_t out_len;
	const char *more; /* after out: the body, or a piece of it */
	size_t more_len;
	const char *tail; /* after more: what ends the piece */
	size_t tail_len;
	char size_line[24]; /* of a chunk */
	struct file file;   /* after that: file_left bytes from file_at */
	off_t file_at;
	uint64_t file_left;
	char *text; /* heads that are not canned: exchange_text; NULL: there is none */
	/* what is unread */
	size_t from, to; /* in[from..to) */
	size_t looked;   /* bytes after from that were searched for the end of the head */
	size_t body_at;  /* where the body began: what is before it, the answer needs */
	size_t size;     /* of in; at most max_header and some for a body */
	char *in;        /* the request's texts point into it */
};

static inline struct http *
http_of(const struct conn *c)
{
	return c->service->data;
}

/* Has a body, or what is left of it, to be read yet? */
static inline bool
exchange_has_body(const struct exchange *x)
{
	return x->body_left > 0 || x->request.chunked;
}

/* An exchange for a connection that has none. */
struct exchange *exchange_borrow(struct conn *c);

/* Give back the exchange of a connection, with its file and its limit, if it has one. */
void exchange_give_back(struct conn *c);

/* Free those that are given back. */
void exchange_free_unused(struct http *h);

/* Write the line of the access log, if there is one and it is not written yet. */
void exchange_log(struct exchange *x);

/* Before a byte of the answer is out: count it by its class, whether it comes to its end or
 * not; so whoever has it and asks finds it counted.  A second time is none. */
void exchange_count(struct exchange *x);

/* Forget the request that was answered; what is unread stays. */
void exchange_next(struct exchange *x);

/* Move the unread bytes to the start of their buffer. */
void exchange_shift(struct exchange *x);

/* The same before a wait for the rest of a head: there is no more memory than it needs. */
void exchange_settle(struct exchange *x);

/*
 * Bytes that may be read.  A body is thrown away as it comes, but the head must stay: the
 * answer needs its target.
 */
size_t exchange_room(const struct conn *c, struct exchange *x);

/* Read what there is, if there is room for it: as conn_read. */
ssize_t exchange_read(struct conn *c, struct exchange *x);

/* What another worker has read, into an exchange that is empty; false: it is too much. */
bool exchange_put(const struct conn *c, struct exchange *x, const char *bytes, size_t n);

/* The client waits for "100 Continue": PHASE_CONTINUE.  Only once, and not if it has sent
 * something of its body. */
void exchange_continue(struct exchange *x);

/* A part of that is sent. */
bool exchange_is_amid_continue(const struct exchange *x);

enum sent {
	SENT_ALL,     /* it is with the kernel */
	SENT_BLOCKED, /* try again when the socket is writable */
	SENT_BROKEN,  /* it never will be: the connection is to be closed */
};

/* Where a head is written: RESPONSE_HEAD_MAX bytes, until they are sent. */
char *exchange_text(struct exchange *x);

/* Send what is unsent. */
enum sent exchange_send(struct conn *c, struct exchange *x);

/*
 * Before a wait: the date of what is canned may be patched meanwhile, so its head
 * is copied.
 */
void exchange_detach(struct exchange *x);

#endif
