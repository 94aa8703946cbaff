/*
 * relay_own: what the files of relay.h share: relay.c (a relay's life, and whom it asks), ask.c
 * (the request's way up), pass.c (the answer's way down).
 */
#ifndef BATON_SERVICE_HTTP_RELAY_OWN_H
#define BATON_SERVICE_HTTP_RELAY_OWN_H

#include <sys/uio.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "service/http/chunked.h"
#include "service/http/reply.h"
#include "service/http/tail.h"
#include "worker/timelist.h"

struct baton_link;
struct exchange;
struct upstream;
struct want;

/* What of the answer is there. */
enum relay_state {
	CONNECTING,
	ASKING, /* nothing, or a part of its head */
	ANSWERING,
	ANSWERED,
};

struct relay {
	struct exchange *x;
	struct timed timed; /* answer_timeout */
	enum relay_state state;
	struct upstream *upstream;
	struct baton_link *link;
	struct want *want; /* CONNECTING */
	uint64_t tried;
	unsigned attempts; /* how many were asked, or dialled */
	bool upgrade;   /* another protocol is asked for */
	bool expects;   /* the client waits for 100 before it sends its body */
	bool begun;     /* the answer is, with the client */
	bool passed;    /* a part of the body is on its way to the upstream */
	bool read_all;  /* the whole request has come */
	bool deaf;      /* the upstream takes no more of it */
	bool wrapped;   /* the answer is put into chunks */
	bool unwrapped; /* or taken out of them */
	bool late;      /* the last connect took too long */
	bool surplus;   /* the upstream has sent more than its answer */
	struct tail up, down;
	struct tail trailers; /* of the request's body, while they come */
	struct tail ends;     /* the answer's trailers, likewise */
	struct tail head;     /* the answer's, while it is a part */
	unsigned early;       /* heads of the kind 1xx that came before it */
	struct reply reply;
	struct chunked chunked;
	uint64_t left;
};

/* What goes out in one write: head, a chunk (size, bytes, end), and the end of all of them
 * (size, trailers, empty line). */
#define PIECES 7

struct piece {
	struct iovec iov[PIECES];
	int n;
	char size[24];
};

/* Bytes that follow; and as a chunk; and the end of all chunks, with n bytes of trailers. */
void piece_add(struct piece *p, const void *bytes, size_t n);
void piece_add_chunk(struct piece *p, const char *bytes, size_t n);
void piece_add_end(struct piece *p, const char *trailers, size_t n);

/* Answer in the upstream's name, if that is still possible; why: a literal, for the log. */
void relay_give_up(struct relay *r, int status, const char *why);

/* The upstream has failed before it answered: another attempt, or that status.  stale: its
 * connection had been used before. */
void relay_failed(struct relay *r, int status, const char *why, bool stale);

/* All of the answer is with the kernel. */
void relay_finish(struct relay *r);

/* A limit runs for whoever has to act. */
void relay_start_limits(struct relay *r);

/* The link's turn. */
void relay_on_link(void *arg, short what);

/* ask.c: the request's head, and what is there of its body; what waits; what has been read
 * meanwhile. */
void relay_ask(struct relay *r, struct baton_link *link);
void relay_flush_up(struct relay *r);
void relay_go_on(struct relay *r);

/* pass.c: what has come of the answer; what waits; the client's body may come. */
void relay_read_answer(struct relay *r);
void relay_flush_down(struct relay *r);
void relay_continue(struct relay *r);

#endif
