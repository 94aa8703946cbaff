/*
 * suite: the cipher suites that a live connection may have: those of TLS 1.3, and of TLS 1.2
 * those with forward secrecy and authenticated encryption.
 */
#ifndef BATON_TLS_SUITE_H
#define BATON_TLS_SUITE_H

#include <stddef.h>
#include <stdint.h>

#define TLS_1_2 0x0303
#define TLS_1_3 0x0304

enum tls_cipher { TLS_AES_128_GCM, TLS_AES_256_GCM, TLS_CHACHA20_POLY1305, TLS_CIPHERS_N };

#define TLS_KEY_MAX  32
#define TLS_HASH_MAX 48
#define TLS_IV       12
#define TLS_TAG      16

struct tls_suite {
	uint16_t id; /* as on the wire */
	uint16_t version;
	enum tls_cipher cipher;
	uint8_t key_len;
	uint8_t hash_len;   /* 32: SHA-256; 48: SHA-384 */
	uint8_t prefix_len; /* of the nonce that stands in front of each record (RFC 5288, 3) */
	const char *name;   /* as IANA has it */
};

/* NULL: it is none of ours, or not of that version. */
const struct tls_suite *tls_suite_find(unsigned version, unsigned id);

/* The n-th of all; NULL: there are no more. */
const struct tls_suite *tls_suite_at(size_t n);

/* "TLSv1.3", "TLSv1.2". */
const char *tls_version_name(unsigned version);

/* For SSL_CTX_set_cipher_list: those of TLS 1.2, the quick and strong first. */
extern const char tls_suites_1_2[];

#endif
