/*
 * taker: the workers that may be handed connections, and what each of them was offered.
 */
#ifndef BATON_WORKER_HANDOFF_TAKER_H
#define BATON_WORKER_HANDOFF_TAKER_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/handoff.h"
#include "wire/msg.h"

struct chan;
struct conn;
struct timelist;

#define WINDOW       32          /* offers to one taker that are undecided */
#define LATE_MS      1000        /* a taker that decides nothing for so long is given up */
#define WINDOW_BYTES (64 * 1024) /* and their bytes: the channel has room for a CANCEL */

/* A connection on its way. */
struct offer {
	TAILQ_ENTRY(offer) link;
	uint64_t id;       /* never reused: an answer cannot be to another offer */
	struct conn *conn; /* NULL: it was cut meanwhile */
	enum handoff_state state;
	struct timelist *limit; /* that ran; NULL: none */
	uint64_t left_ms;
	size_t bytes;
};

/* What the orders to aim (MSG_SUCCESSORS) say of it. */
enum taker_aim {
	TAKER_NEW, /* it has come since the last order, which may name it yet */
	TAKER_AIMED,
	TAKER_LET_GO,
};

/* A worker that takes. */
struct taker {
	TAILQ_ENTRY(taker) link;
	uint64_t birth;
	uint32_t generation;
	struct chan *chan;
	unsigned version; /* of the records that it reads; 0: it has not said hello yet */
	enum taker_aim aim;
	bool replaced;     /* there is a newer pair with it */
	bool incompatible; /* we have no version of the record in common */
	bool recalling;    /* CANCEL is said, but not sent yet */
	bool silent;       /* was late, and has said nothing since: its channel must not fill */
	TAILQ_HEAD(, offer) offers;
	size_t n, bytes;
	uint64_t not_before_ms;
	uint64_t progress_ms; /* when it last decided something */
	uint64_t hello_by_ms; /* it is waited for so long, so that all get their share */
	uint64_t given;
	unsigned told; /* bits of refusals that are in the log already */
};

TAILQ_HEAD(takers, taker);

void takers_start(void);
struct takers *takers_all(void);

/* One more, which has until then to say hello; one of the same birth is replaced by it.  Its
 * channel is to be set. */
struct taker *taker_new(const struct msg_peer *pair, uint64_t hello_by_ms);

/* Its offers are forgotten, its channel goes with it. */
void taker_free(struct taker *t);

/* Nothing is handed to it any more, until an order aims at it again. */
void taker_let_go(struct taker *t);

/* Aim at the workers of these births, and at no others. */
void takers_aim(const uint64_t *birth, size_t n);

/* Free takers that nothing needs to be said to any more. */
void takers_forget_unaimed(void);

/* Of those with room the one that was given the fewest; NULL: none, or one that is aimed at may
 * say hello yet. */
struct taker *taker_find(void);

struct offer *taker_offer(struct taker *t, struct conn *c, size_t bytes);
void taker_forget_offer(struct taker *t, struct offer *o);

/* By its number; NULL. */
struct offer *taker_find_offer(const struct taker *t, uint64_t id);

/* The record of a connection for who reads that version: its length in buf, 0: not now. */
size_t taker_record(struct conn *c, unsigned version, struct handoff_record *r, char *buf,
                    size_t size);

/* 0; or -1 with errno: the channel is full, or it is too large. */
int taker_send(struct taker *t, const struct offer *o, const struct handoff_record *r,
               char *record);

/* Has it decided nothing of what it was offered for too long? */
bool taker_is_late(const struct taker *t, uint64_t now);

/* The newest of those that are aimed at, or that one. */
uint32_t takers_newest(uint32_t generation);

/* Does one that is aimed at read our records, or is none aimed at? */
bool takers_understand(void);

/* All that it was offered is called back.  why: for the log. */
void taker_cancel(struct taker *t, const char *why);

/* It has ended while it was offered: what is decided of it means nothing any more. */
void takers_forget_conn(const struct conn *c);

/* Once for each reason. */
void taker_log_refusal(struct taker *t, unsigned refusal);

#endif
