/*
 * record: records of TLS, sealed and opened in memory (RFC 8446, 5; RFC 5246, 6.2 with
 * RFC 5288 and 7905), and what the protocol still says after a handshake: KeyUpdate, alerts, a
 * wish to renegotiate.  Pure: no socket.
 *
 * One context per cipher and direction serves all connections of the process; a key is loaded
 * when another connection was there last.  One thread.
 */
#ifndef BATON_TLS_RECORD_H
#define BATON_TLS_RECORD_H

#include <sys/uio.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tls/state.h"

#define TLS_HEAD       5
#define TLS_SEALED_MAX (TLS_PLAIN_MAX + 256) /* RFC 8446, 5.2; of TLS 1.2 we take no more */
#define TLS_RECORD_MAX (TLS_HEAD + TLS_SEALED_MAX)
#define TLS_MORE_MAX   (TLS_HEAD + 8 + 1 + TLS_TAG) /* that a record has beside its data */
#define TLS_SAYS_MAX   (2 * (TLS_MORE_MAX + 5))     /* what tls_say writes */

enum tls_type { TLS_CCS = 20, TLS_ALERT = 21, TLS_HANDSHAKE = 22, TLS_DATA = 23 };

enum tls_alert {
	TLS_CLOSE_NOTIFY = 0,
	TLS_UNEXPECTED_MESSAGE = 10,
	TLS_BAD_RECORD_MAC = 20,
	TLS_RECORD_OVERFLOW = 22,
	TLS_ILLEGAL_PARAMETER = 47,
	TLS_DECODE_ERROR = 50,
	TLS_INTERNAL_ERROR = 80,
	TLS_USER_CANCELED = 90,
	TLS_NO_RENEGOTIATION = 100
};

/* Where what is to be sealed comes from. */
struct tls_source {
	const struct iovec *iov;
	int n;     /* parts that are left */
	size_t at; /* in the first of them */
};

/* The bytes that are left of it. */
size_t tls_source_left(const struct tls_source *s);

/*
 * Seal the next n bytes of the source, at most TLS_PLAIN_MAX, to one record at out, which has
 * room for n + TLS_MORE_MAX bytes.  The record's length; 0: the key has sealed as many as it
 * may (TLS 1.2), or there is no memory: the connection cannot go on.
 */
size_t tls_seal(struct tls_state *s, enum tls_type type, struct tls_source *source, size_t n,
                uint8_t *out);

/*
 * Say what is owed to the peer before any data: a KeyUpdate, which renews our key, too, or
 * that there is no renegotiation.  out has room for TLS_SAYS_MAX.  Its length, 0: nothing is
 * owed; -1: the connection cannot go on.
 */
ptrdiff_t tls_say(struct tls_state *s, uint8_t *out);

/* An alert, the last that is sealed here; out has room for TLS_MORE_MAX + 2.  Its length. */
size_t tls_seal_alert(struct tls_state *s, enum tls_alert alert, uint8_t *out);

/* The length of the record that begins at p, with its head; 0: n bytes don't tell it yet. */
size_t tls_record_length(const uint8_t *p, size_t n);

/* Open a whole record, len bytes, in place.  0: *type, *plain and *n are set, the plaintext
 * lies within the record; else the alert that ends the connection. */
int tls_open(struct tls_state *s, uint8_t *record, size_t len, unsigned *type, uint8_t **plain,
             size_t *n);

enum tls_result {
	TLS_GOT_PART,    /* the record is not whole yet */
	TLS_GOT_DATA,    /* *plain and *n */
	TLS_GOT_NOTHING, /* it was for us; something may be owed now */
	TLS_GOT_END,     /* the peer has said all */
	TLS_GOT_ALERT,   /* the peer gives up: *n is its reason */
	TLS_GOT_WRONG    /* the connection has to end: *n is the alert */
};

/*
 * Take the record at p, of which n bytes are there, as it comes from a peer.  *used: its
 * length, also if it is wrong; 0 of a part.
 */
enum tls_result tls_take(struct tls_state *s, uint8_t *p, size_t have, size_t *used,
                         uint8_t **plain, size_t *n);

/* The connection is gone: its keys are left in no context. */
void tls_record_forget(const struct tls_state *s);

/* At the end of the process: the contexts, with the keys in them. */
void tls_record_stop(void);

#endif
