/*
 * conn: a connection, from accept's return to the close of its descriptor.
 *
 * A connection has one struct event, registered once for reading.  Only when
 * an answer does not fit into the socket is it turned to writing; then it is
 * not read from, which is the backpressure.  conn_close is the only destructor;
 * the memory is freed from the loop's top level, so a callback may close its
 * connection and return.
 */
#ifndef BATON_WORKER_CONN_CONN_H
#define BATON_WORKER_CONN_CONN_H

#include <sys/queue.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include <stdbool.h>
#include <stdint.h>

#include "worker/core/timelist.h"

struct access_ends;
struct service;
struct transport;

/* The kinds that the waitgroup counts separately. */
enum conn_state {
	CONN_NEW,  /* no byte yet, or none that begins a request */
	CONN_IDLE, /* between requests; nothing unsent */
	CONN_BUSY, /* must finish */
};

enum conn_life {
	CONN_LIVES,
	CONN_HELD,    /* taken from another worker that has not let go of it yet */
	CONN_MOVES,   /* offered to another worker: not read from until it is decided */
	CONN_LINGERS, /* half-closed by us, read to the end */
	CONN_CLOSED,  /* waits to be freed */
};

/* The list that it is on, of those on which it can be on one only. */
enum conn_place {
	CONN_NOWHERE,
	CONN_OPENS, /* accepted in this loop turn */
	CONN_WAITS, /* for its turn (worker/core/turn.h), with an event or its first look */
	CONN_WAITS_AGAIN, /* the same, as it has asked for it (conn_yield) */
	CONN_IS_NEW,      /* no byte yet, and it may be let go of */
	CONN_IS_IDLE,     /* may be let go of: the longest idle first */
};

struct conn {
	struct event ev;
	TAILQ_ENTRY(conn) all;  /* every connection of the worker, oldest first */
	TAILQ_ENTRY(conn) here; /* on the list of its place */
	struct timed timed;     /* the limit of its present phase */
	uint64_t id;            /* never reused in this worker */
	uint64_t opened_ms;     /* clock_tick_ms at accept */
	uint64_t since_ms;      /* of the present state */
	uint64_t bytes_in;
	uint64_t bytes_out;
	uint64_t from_birth; /* the worker that has handed it over; 0: accepted here */
	uint64_t seen_ms;    /* overdue.c: since when no more than `seen` bytes have moved */
	uint32_t seen;       /* of both directions, their low bits */
	uint32_t from_generation;
	struct service *service;
	void *data;               /* the service's own; NULL while it needs none */
	const char *why;          /* why it ends; set by conn_finish and conn_close */
	struct access_ends *ends; /* NULL where there is no access log */
	struct transport *tls;    /* NULL where its listener speaks in clear */
	uint32_t requests;
	uint32_t listener; /* into conf.listen */
	int fd;
	uint8_t state;       /* enum conn_state */
	uint8_t place;       /* enum conn_place */
	uint8_t event;       /* EV_READ, EV_WRITE: what has come while it waits */
	uint8_t refusal;     /* enum handoff_refusal, for the log and batonctl */
	uint8_t silent;      /* who did not answer at the last look: vanish.c */
	uint8_t life;        /* enum conn_life */
	uint8_t wants;       /* EV_READ, EV_WRITE: what its service waits for */
	bool writing;        /* turned to writing */
	bool watched;        /* the loop knows it */
	bool is_opening;     /* it had no first look yet */
	bool deaf : 1;       /* conn_hear */
	bool shared : 1;     /* another process may have a copy of the descriptor */
	bool elsewhere : 1;  /* ends here only: another worker goes on with it */
	bool stays : 1;      /* is not to be offered again: it ends here */
	bool makes_room : 1; /* ends for others' sake: its linger is short */
};

TAILQ_HEAD(conn_list, conn);

/* Does its service know of it?  Not before its handshake is over. */
bool conn_is_met(const struct conn *c);

/* Is it undecided whose it is, so that nothing may be done with it? */
static inline bool
conn_is_away(const struct conn *c)
{
	return c->life == CONN_HELD || c->life == CONN_MOVES;
}

/* results of conn_read and conn_write below 0 */
#define CONN_AGAIN (-1) /* would block: wait for the next callback */
#define CONN_ERROR (-2) /* the connection is broken: close it */

/*
 * Read at most len bytes.  > 0: that many; 0: end of file; CONN_AGAIN;
 * CONN_ERROR.  Counts bytes_in.  Does not change the state.
 */
ssize_t conn_read(struct conn *c, void *buf, size_t len);

/* Write once.  >= 0: that many bytes, perhaps fewer than asked; CONN_AGAIN;
 * CONN_ERROR.  Counts bytes_out.  more: more follows at once (MSG_MORE). */
ssize_t conn_write(struct conn *c, const struct iovec *iov, int n, bool more);

/* The two without counting, for who counts itself (conn_account). */
ssize_t conn_take(struct conn *c, void *buf, size_t len);
ssize_t conn_put(struct conn *c, const struct iovec *iov, int n, bool more);

/* Nothing more is to be written: half-close it, behind what is on its way.  0, or -1: it is
 * broken. */
int conn_shut(struct conn *c);

/* sendfile(2) likewise; *offset moves on. */
ssize_t conn_sendfile(struct conn *c, int file, off_t *offset, size_t len);

/* Wait for writability (then the service's `writable` is called and `readable`
 * is not), or for readability again. */
void conn_want_write(struct conn *c);
void conn_want_read(struct conn *c);

/* Nothing more is to be told of until it is heard again: neither bytes nor room for them. */
void conn_hear(struct conn *c, bool more);

/* For a service with `ready`: wait for EV_READ, EV_WRITE, both, or nothing. */
void conn_want(struct conn *c, short events);

/*
 * Of a service with `resume`: it has had its share of this turn of the loop and is not done.
 * When the others had theirs `resume` is called; until then what comes is not told.
 */
void conn_yield(struct conn *c);

/* Does it wait for its turn, so that what it has sent is not seen to yet? */
bool conn_waits(const struct conn *c);

/* Before what the service itself has in the loop for it: is there time for it in this turn?
 * If not, its turn comes, with `resume`; return. */
bool conn_has_turn(struct conn *c);

/* Count bytes that the service has moved itself. */
void conn_account(struct conn *c, uint64_t in, uint64_t out);

/* Is there something to read?  A look at the socket. */
bool conn_has_input(const struct conn *c);

/* Has a part of a record come (TLS), so that something is on its way that can't be read yet? */
bool conn_is_amid_record(const struct conn *c);

/* Tell the waitgroup.  NEW can be left and never entered again. */
void conn_set_state(struct conn *c, enum conn_state state);

/* A request was received: counts it for the connection and the worker. */
void conn_count_request(struct conn *c);

/* Close at once.  The service's `release` is called; c is not to be used after
 * the callback returns.  why: a literal, for the log and for batonctl. */
void conn_close(struct conn *c, const char *why);

/* The same with a reset, of the socket that the connection leads on to, too (`far`). */
void conn_abort(struct conn *c, const char *why);

/* The same of a client that nobody served, with a reset: it shall not think that all was
 * said.  Counted as refused. */
void conn_refuse(struct conn *c, const char *why);

/*
 * Close in order: nothing more will be written.  Half-closes, reads and throws
 * away until the peer closes too or the linger limit passes, then closes: an
 * answer on its way is not destroyed by a reset.  `release` is called at once.
 */
void conn_finish(struct conn *c, const char *why);

/* Close where all is said on both sides: at once, or as conn_finish where the peer's transport
 * still has a word to say (close_notify, RFC 8446, 6.1). */
void conn_done(struct conn *c, const char *why);

/* The same of a connection. */
const char *conn_peer(const struct conn *c, char *buf, size_t len);

const char *conn_state_name(enum conn_state state);

/* From here on: for worker/ only. */

/* The observer of all connections. */
struct conn_rules {
	void (*took)(uint32_t listener);         /* one is there */
	void (*ends)(struct conn *c);            /* it is about to end */
	void (*ended)(uint32_t listener);        /* it has */
	void (*rests)(void);                     /* one has become idle, and may make room */
	void (*may_move)(void);                  /* while the worker drains: one might now */
	bool (*ends_here)(const struct conn *c); /* nobody will take it */
};

/* It is that from now on: asserts that it can become that. */
void conn_enter(struct conn *c, enum conn_life life);

void conn_start(struct event_base *base, const struct conn_rules *rules);
void conn_stop(void);

/* Take over what accept returned: counted from here on. */
void conn_open(int fd, uint32_t listener);

/* Every connection that is not closed, oldest first. */
struct conn_list *conn_all(void);

/* A walk over all there are now, in pieces between which they may come and go. */
struct conn_walk {
	LIST_ENTRY(conn_walk) link;
	struct conn *next;
	uint64_t last; /* those with a later id are not met */
};

void conn_walk_begin(struct conn_walk *walk);

/* The next one, oldest first; NULL: that was all.  Still to be ended then. */
struct conn *conn_walk_next(struct conn_walk *walk);

void conn_walk_end(struct conn_walk *walk);

/* Close by force; counted as cut and logged with its reason. */
void conn_cut(struct conn *c, const char *why);

/* The worker drains: let services finish what can be finished and does not move. */
void conn_drain_all(void);

/* One of them. */
void conn_drain(struct conn *c);

/* Out of the loop, as it is on its way: it has no turn, whatever it waits for, and its service
 * rests, too. */
void conn_rest(struct conn *c);

/* It has come back, or is ours from now on. */
void conn_go_on(struct conn *c);

/*
 * Let go, in order, of those that nobody needs: the longest idle first, then those that
 * have sent nothing for a while.  At most n are on their way out at a time; which of them
 * help is for may to say.  Returns how many have just begun to leave.
 */
typedef bool conn_filter(const struct conn *c);
size_t conn_make_room(size_t n, conn_filter *may);

/* Another worker's from here on: the descriptor is closed, the peer notices nothing. */
void conn_let_go(struct conn *c);

struct handoff_record;

/* What its transport and its service have for the record (service.h).  False: not now. */
bool conn_freeze(struct conn *c, struct handoff_record *r);

/* The same from the record of one that was adopted: NULL, or why not: a literal. */
const char *conn_thaw(struct conn *c, struct handoff_record *r);

/*
 * A connection that another worker offers: counted from here on, `held`, and not in
 * the loop.  fd is taken over.  conn_drop undoes it, and leaves it to the other.
 */
struct conn *conn_adopt(int fd, uint32_t listener, const struct handoff_record *r);
void conn_drop(struct conn *c);

#endif
