/*
 * handoff: how a live connection goes from one worker to another.  Pure: the
 * record that travels, and the two halves of the transaction as step functions.
 *
 *	giver                           taker
 *	HERE  -- PREPARE(record, fds) -->
 *	SENT                            counted, HELD: not watched yet
 *	      <-- ACK, or NACK ----------
 *	close its copy, GONE
 *	      -- RELEASE --------------->
 *	                                LIVE
 *
 * One reader at any time: the giver stops reading before it sends, and the taker
 * does not start before it knows that the giver will not go on.  It knows that by
 * RELEASE, or by the end of the channel, which the giver never closes itself while
 * something is SENT.  A giver that takes a connection back says CANCEL first.
 *
 * A record is a head and fields of tag, length and bytes.  handoff_decode is the
 * one door: it accepts what is whole, of a known version, with each field once and
 * of its size, and the number of descriptors that it names; or says why not.
 */
#ifndef BATON_WIRE_HANDOFF_H
#define BATON_WIRE_HANDOFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is written, and the oldest that is still read and can be written.  A test
 * builds neighbours of this version. */
#ifndef HANDOFF_VERSION
#	define HANDOFF_VERSION 3
#endif
#ifndef HANDOFF_VERSION_OLDEST
#	define HANDOFF_VERSION_OLDEST 1
#endif

#define HANDOFF_RECORD_MAX (128u * 1024)
#define HANDOFF_FDS_MAX    8
#define HANDOFF_NAME_MAX   64         /* of a peer, with its port */
#define HANDOFF_TLS_MAX    256        /* of its `tls` */
#define HANDOFF_NO_LIMIT   UINT64_MAX /* left_ms: it may stay as long as it likes */

_Static_assert(HANDOFF_VERSION_OLDEST <= HANDOFF_VERSION, "the newest is not the oldest");

/* Bytes that belong to somebody else. */
struct handoff_bytes {
	const char *p;
	size_t n;
};

struct handoff_record {
	struct handoff_bytes service;  /* the type's name */
	struct handoff_bytes listener; /* its name; its number may be another now */
	uint64_t state;                /* 0 NEW, 1 IDLE, 2 BUSY */
	uint64_t age_ms;
	uint64_t state_ms; /* in this state */
	uint64_t left_ms;  /* of the time limit that runs */
	uint64_t bytes_in, bytes_out;
	uint64_t requests;
	uint64_t nfd;                /* descriptors that come with it */
	uint64_t blob_version;       /* of the service's own part */
	struct handoff_bytes unread; /* taken from the socket, not yet looked at */
	struct handoff_bytes unsent; /* to be written before anything else */
	struct handoff_bytes blob;
	/* For the access log: what can't be asked for where the other side has gone. */
	struct handoff_bytes peer, client, upstream;
	/* Where TLS is spoken: its state, and bytes that are between the socket and the
	 * service; then what was agreed on (worker/tls/facts.h). */
	struct handoff_bytes tls;
	struct handoff_bytes tls_in;    /* come, and not opened yet */
	struct handoff_bytes tls_plain; /* opened, and not read yet: behind `unread` */
	struct handoff_bytes tls_out;   /* sealed, and not sent yet: in front of `unsent` */
	struct handoff_bytes tls_name, tls_protocol, tls_subject, tls_fingerprint;
	int fd[HANDOFF_FDS_MAX]; /* beside the record, not in it: the client's socket first */
};

/* Write r in the form of version.  The length, or 0: it does not fit, or has what that version
 * cannot go on without and does not know. */
size_t handoff_encode(const struct handoff_record *r, unsigned version, void *buf, size_t size);

/*
 * Read len bytes that came with nfd descriptors.  *r then points into bytes.
 * Returns NULL, or the reason why the record is refused: a literal.
 */
const char *handoff_decode(const void *bytes, size_t len, size_t nfd, struct handoff_record *r);

/* Why a taker refuses: travels as a number that never changes. */
enum handoff_refusal {
	HANDOFF_LATER = 1,   /* no room now, or leaving itself: it may be offered again */
	HANDOFF_BAD_RECORD,  /* of another version, or damaged */
	HANDOFF_NO_LISTENER, /* the new configuration has none of that name */
	HANDOFF_OTHER_TYPE,  /* its service speaks something else now */
	HANDOFF_UNWANTED,    /* `handoff = no` there */
	HANDOFF_SERVICE,     /* the service cannot go on from it */
	HANDOFF_OTHER_TLS, /* its listener speaks TLS now, or speaks it no longer, or otherwise
	                    */
	HANDOFF_REFUSALS_N
};

/* As a reason for batonctl and the log: a literal. */
const char *handoff_refusal_text(unsigned refusal);

enum handoff_state {
	HANDOFF_HERE,   /* giver: serves it */
	HANDOFF_SENT,   /* giver: out of its loop, undecided */
	HANDOFF_CALLED, /* giver: CANCEL is said, and cannot be unsaid, but not sent yet */
	HANDOFF_STAYS,  /* giver: refused for good, serves it to its end */
	HANDOFF_GONE,   /* giver: the other's */
	HANDOFF_NONE,   /* taker: knows nothing of it */
	HANDOFF_HELD,   /* taker: counted, not watched */
	HANDOFF_LIVE,   /* taker: serves it */
};

enum handoff_event {
	HANDOFF_OFFER,  /* giver: PREPARE is on its way */
	HANDOFF_ACK,    /* giver */
	HANDOFF_NACK,   /* giver: LATER */
	HANDOFF_NEVER,  /* giver: any other refusal */
	HANDOFF_CALL,   /* giver: late, or called off; CANCEL waits to be sent */
	HANDOFF_RECALL, /* giver: CANCEL is with the kernel */
	HANDOFF_END,    /* either: the other is gone, after the last it had said */
	HANDOFF_ACCEPT, /* taker: a PREPARE that is good */
	HANDOFF_RELEASE,
	HANDOFF_CANCEL,
};

enum handoff_action {
	HANDOFF_IGNORE,    /* of a life before */
	HANDOFF_WAIT,      /* nothing to do until the next event */
	HANDOFF_LET_GO,    /* giver: close its copy, then RELEASE */
	HANDOFF_TAKE_BACK, /* giver: into its loop again */
	HANDOFF_KEEP,      /* giver: the same, and never offer it again */
	HANDOFF_COUNT,     /* taker: count it, then ACK */
	HANDOFF_START,     /* taker: into its loop */
	HANDOFF_DROP,      /* taker: close its copy, uncount it */
};

/* Does the giver in that slot of so many give to the taker with that number of so many?  Of
 * more takers than givers each giver has several, else several givers have one. */
bool handoff_gives_to(uint32_t giver, uint32_t givers, uint32_t taker, uint32_t takers);

/* One step of a connection's transaction; *state moves on. */
enum handoff_action handoff_step(enum handoff_state *state, enum handoff_event event);

#endif
