/*
 * relay_int: what the files of relay.h share: relay.c (a relay's life, and whom it asks),
 * relay_request.c (the request's way up), relay_response.c (the answer's way down).  The last
 * two take steps, and say what came of each (verdict), upon which relay.c acts: nothing ends
 * below it.
 */
#ifndef BATON_SERVICE_HTTP_RELAY_INT_H
#define BATON_SERVICE_HTTP_RELAY_INT_H

#include <sys/uio.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "service/head/chunked.h"
#include "service/http/piece.h"
#include "service/http/unsent.h"
#include "service/head/upstream_head.h"
#include "worker/core/timelist.h"

struct baton_link;
struct exchange;
struct duplex;
struct upstream;
struct want;

/* How much of the answer has come. */
enum relay_state {
	CONNECTING,
	ASKING, /* nothing, or a part of its head */
	ANSWERING,
	ANSWERED,
};

/* The result of a step. */
enum verdict_kind {
	GOES_ON,
	FINISHED, /* all of the answer is with the kernel */
	FAILED,   /* the upstream has, before it answered: another attempt, or that status */
	GIVEN_UP, /* with that status, in the upstream's name, if that is still possible */
	BROKEN,   /* the client's connection is of no more use */
	TUNNELED, /* it is a tunnel by now */
	SLOW,     /* the client's body comes too slowly */
};

struct verdict {
	enum verdict_kind kind;
	int status;
	const char *why; /* a literal, for the log */
	bool stale;      /* FAILED: its connection had been used before */
};

/* Somebody waits for a link; he may be gone when it comes. */
struct want {
	struct relay *relay;
	struct baton_ctx *ctx;
};

struct relay {
	struct exchange *x;
	struct verdict verdict; /* of the last step, until it is acted upon */
	struct duplex *tunnel;  /* TUNNELED */
	struct timed timed;     /* answer_timeout */
	enum relay_state state;
	struct upstream *upstream;
	struct baton_link *link;
	struct want *want; /* CONNECTING */
	uint64_t tried;
	unsigned attempts; /* how many were asked, or dialled */
	bool upgrade;      /* another protocol is asked for */
	bool expects;      /* the client waits for 100 before it sends its body */
	bool begun;        /* the answer is, with the client */
	bool passed;       /* a part of the body is on its way to the upstream */
	bool read_all;     /* the whole request has come */
	bool deaf;         /* the upstream takes no more of it */
	bool unwrapped;    /* the answer is taken out of its chunks */
	bool late;         /* the last connect took too long */
	bool surplus;      /* the upstream has sent more than its answer */
	struct unsent up, down;
	struct unsent trailers; /* of the request's body, while they come */
	struct unsent ends;     /* the answer's trailers, likewise */
	struct unsent head;     /* the answer's, while it is a part */
	unsigned early;         /* heads of the kind 1xx that came before it */
	struct upstream_head reply;
	struct chunked chunked;
	uint64_t left;
};

/* One verdict for a step: what comes after it does nothing more. */
static inline void
relay_judge(struct relay *r, struct verdict v)
{
	AN(r->verdict.kind == GOES_ON && v.kind != GOES_ON);
	r->verdict = v;
}

static inline bool
relay_goes_on(const struct relay *r)
{
	return r->verdict.kind == GOES_ON;
}

/* A limit runs for whoever has to act. */
void relay_start_limits(struct relay *r);

/* relay_request.c: the request's head, and what is there of its body; what waits; what has been
 * read meanwhile. */
void relay_ask(struct relay *r);
void relay_flush_up(struct relay *r);
void relay_go_on(struct relay *r);

/* relay_response.c: what has come of the answer; what waits; the client's body may come. */
void relay_read_answer(struct relay *r);
void relay_flush_down(struct relay *r);
void relay_continue(struct relay *r);

/* --- relay_end.c --- */

/* After each of them has failed for a reason of its own. */
extern const char relay_no_other[];

/* The upstream's connection goes back, or goes. */
void relay_leave_upstream(struct relay *r, bool reusable);

/* The exchange has no relay any more, and r is freed. */
void relay_leave(struct exchange *x);

/* Why an attempt has failed: for the log, and for the request's line. */
void relay_tell(struct relay *r, const char *why);

/* Answer in the upstream's name, if that is still possible; else the client is cut off. */
void relay_give_up(struct relay *r, int status, const char *why);

#endif
