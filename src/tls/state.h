/*
 * state: all that a live TLS connection is, once its handshake is over: two directions with
 * their keys and numbers.  Pure.  It travels in a hand-off (tls_state_write, tls_state_read).
 *
 * A number is used once: whoever holds the state seals, and nobody else.
 */
#ifndef BATON_TLS_STATE_H
#define BATON_TLS_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tls/suite.h"

#define TLS_PLAIN_MAX   16384 /* of a record (RFC 8446, 5.1) */
#define TLS_PLAIN_LEAST 512   /* that a client may ask for instead (RFC 6066, 4) */
#define TLS_IDLE_MAX    32    /* records, and KeyUpdates, without data between them */
#define TLS_MESSAGE_MAX 5     /* of a message whose rest is still to come: a KeyUpdate's */

/* One direction. */
struct tls_half {
	uint64_t seq;    /* of the next record */
	uint64_t prefix; /* TLS 1.2 with GCM: the explicit part of the next nonce */
	uint64_t serial; /* of the key, in this process; 0: it was not used here yet */
	uint32_t epoch;  /* how often the key was updated */
	uint8_t secret[TLS_HASH_MAX]; /* TLS 1.3: what the next key comes from */
	uint8_t key[TLS_KEY_MAX];
	uint8_t iv[TLS_IV]; /* with GCM of TLS 1.2 4 bytes count */
};

struct tls_state {
	const struct tls_suite *suite;
	uint16_t max_plain; /* that we put into a record */
	bool owe_update;    /* the peer wants us to update our key (RFC 8446, 4.6.3) */
	bool owe_no;        /* it wants to renegotiate, and is told no */
	bool closed_in;     /* its close_notify has come */
	bool closed_out;    /* ours is sealed */
	uint8_t empties;    /* records without data in a row */
	uint8_t updates;    /* KeyUpdates without data between them */
	uint8_t nmessage;
	uint8_t message[TLS_MESSAGE_MAX];
	struct tls_half rx, tx;
};

/* TLS 1.3: key and iv of a half, from its secret, which is set.  0, or -1: out of memory. */
int tls_half_derive(const struct tls_suite *suite, struct tls_half *half);

/* And the secret after it, with its key (RFC 8446, 7.2). */
int tls_half_update(const struct tls_suite *suite, struct tls_half *half);

/*
 * TLS 1.2: both halves from the master secret (48 bytes) and the two randoms of the handshake
 * (32 bytes each), seen by a server: it reads what the client writes (RFC 5246, 6.3).
 */
int tls_state_from_master(struct tls_state *s, const uint8_t *master, const uint8_t *client,
                          const uint8_t *server);

#define TLS_STATE_MAX 256

/* As bytes: at most TLS_STATE_MAX.  The length. */
size_t tls_state_write(const struct tls_state *s, uint8_t *buf);

/* NULL, or why they are none: a literal; *s is to be cleansed in any case. */
const char *tls_state_read(struct tls_state *s, const void *bytes, size_t n);

#endif
