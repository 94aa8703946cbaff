/*
 * facts: what a handshake has agreed on beside keys, for logs, services and upstreams.
 */
#ifndef BATON_WORKER_TLS_FACTS_H
#define BATON_WORKER_TLS_FACTS_H

#include "wire/handoff.h"

#define FACTS_SUBJECT_MAX     512
#define FACTS_FINGERPRINT_MAX 32

/* Each is of length 0 where there is none. */
struct facts {
	struct handoff_bytes name;        /* that was asked for (SNI) */
	struct handoff_bytes protocol;    /* ALPN */
	struct handoff_bytes subject;     /* of the client's certificate, as RFC 2253 has it */
	struct handoff_bytes fingerprint; /* of it: SHA-256, 32 bytes */
};

/* A copy of its own in one piece, for free(3); NULL: there is nothing in it. */
struct facts *facts_copy(const struct facts *f);

#endif
