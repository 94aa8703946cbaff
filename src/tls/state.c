#include "tls/state.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#define FORM 1 /* of the bytes; never changes its meaning */

enum flag { OWE_UPDATE = 1, CLOSED_IN = 2, CLOSED_OUT = 4, OWE_NO = 8, FLAGS = 15 };

/* Fetched once: a search for it in each call costs more than a hash. */
static const EVP_MD *
hash_of(const struct tls_suite *suite)
{
	static EVP_MD *sha256, *sha384;

	if (sha256 == NULL)
		sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
	if (sha384 == NULL)
		sha384 = EVP_MD_fetch(NULL, "SHA2-384", NULL);
	return suite->hash_len == 48 ? sha384 : sha256;
}

/*
 * HKDF-Expand-Label with an empty context (RFC 8446, 7.1).  No output is longer than the hash,
 * so one block is all of it.
 */
static int
expand(const struct tls_suite *suite, const uint8_t *secret, const char *label, uint8_t *out,
       size_t n)
{
	uint8_t info[32], block[EVP_MAX_MD_SIZE];
	size_t len = strlen(label), at = 0;
	bool good;

	info[at++] = 0;
	info[at++] = (uint8_t)n;
	info[at++] = (uint8_t)(6 + len);
	memcpy(info + at, "tls13 ", 6);
	memcpy(info + at + 6, label, len);
	at += 6 + len;
	info[at++] = 0;
	info[at++] = 1; /* of HKDF-Expand: the block's number */
	good = n <= suite->hash_len &&
	       HMAC(hash_of(suite), secret, suite->hash_len, info, at, block, NULL) != NULL;
	if (good)
		memcpy(out, block, n);
	OPENSSL_cleanse(block, sizeof block);
	return good ? 0 : -1;
}

int
tls_half_derive(const struct tls_suite *suite, struct tls_half *half)
{
	half->serial = 0;
	if (expand(suite, half->secret, "key", half->key, suite->key_len) < 0)
		return -1;
	return expand(suite, half->secret, "iv", half->iv, TLS_IV);
}

int
tls_half_update(const struct tls_suite *suite, struct tls_half *half)
{
	uint8_t next[TLS_HASH_MAX];
	int result = expand(suite, half->secret, "traffic upd", next, suite->hash_len);

	if (result == 0) {
		memcpy(half->secret, next, suite->hash_len);
		half->seq = 0;
		half->epoch++;
		result = tls_half_derive(suite, half);
	}
	OPENSSL_cleanse(next, sizeof next);
	return result;
}

static int
key_block(const struct tls_suite *suite, const uint8_t *master, const uint8_t *client,
          const uint8_t *server, uint8_t *out, size_t n)
{
	static char label[] = "key expansion";
	char digest[8];
	uint8_t seed[sizeof label - 1 + 64];
	OSSL_PARAM params[4];
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
	EVP_KDF_CTX *ctx = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
	int good;

	memcpy(digest, suite->hash_len == 48 ? "SHA384" : "SHA256", 7);
	memcpy(seed, label, sizeof label - 1);
	memcpy(seed + sizeof label - 1, server, 32);
	memcpy(seed + sizeof label - 1 + 32, client, 32);
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
	params[1] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET,
	                                              (void *)(uintptr_t)master, 48);
	params[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, seed, sizeof seed);
	params[3] = OSSL_PARAM_construct_end();
	good = ctx != NULL && EVP_KDF_derive(ctx, out, n, params) > 0;
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return good ? 0 : -1;
}

int
tls_state_from_master(struct tls_state *s, const uint8_t *master, const uint8_t *client,
                      const uint8_t *server)
{
	uint8_t block[2 * (TLS_KEY_MAX + TLS_IV)];
	size_t key = s->suite->key_len, iv = s->suite->prefix_len > 0 ? 4 : TLS_IV;
	int result = key_block(s->suite, master, client, server, block, 2 * (key + iv));

	if (result == 0) {
		memcpy(s->rx.key, block, key);
		memcpy(s->tx.key, block + key, key);
		memcpy(s->rx.iv, block + 2 * key, iv);
		memcpy(s->tx.iv, block + 2 * key + iv, iv);
	}
	OPENSSL_cleanse(block, sizeof block);
	return result;
}

/* --- as bytes, big endian --- */

static uint8_t *
put(uint8_t *p, uint64_t value, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(value >> (8 * (n - 1 - i)));
	return p + n;
}

static uint8_t *
put_bytes(uint8_t *p, const void *bytes, size_t n)
{
	memcpy(p, bytes, n);
	return p + n;
}

static uint8_t *
put_half(uint8_t *p, const struct tls_suite *suite, const struct tls_half *half)
{
	p = put_bytes(p, half->secret, suite->hash_len);
	p = put_bytes(p, half->key, suite->key_len);
	p = put_bytes(p, half->iv, TLS_IV);
	p = put(p, half->seq, 8);
	p = put(p, half->prefix, 8);
	return put(p, half->epoch, 4);
}

_Static_assert(1 + 6 + 3 + 1 + TLS_MESSAGE_MAX +
                       2 * (TLS_HASH_MAX + TLS_KEY_MAX + TLS_IV + 20) <=
                   TLS_STATE_MAX,
               "the largest state fits");

size_t
tls_state_write(const struct tls_state *s, uint8_t *buf)
{
	unsigned flags = (s->owe_update ? OWE_UPDATE : 0u) | (s->closed_in ? CLOSED_IN : 0u) |
	                 (s->closed_out ? CLOSED_OUT : 0u) | (s->owe_no ? OWE_NO : 0u);
	uint8_t *p = buf;

	p = put(p, FORM, 1);
	p = put(p, s->suite->version, 2);
	p = put(p, s->suite->id, 2);
	p = put(p, s->max_plain, 2);
	p = put(p, flags, 1);
	p = put(p, s->empties, 1);
	p = put(p, s->updates, 1);
	p = put(p, s->nmessage, 1);
	p = put_bytes(p, s->message, TLS_MESSAGE_MAX);
	p = put_half(p, s->suite, &s->rx);
	p = put_half(p, s->suite, &s->tx);
	return (size_t)(p - buf);
}

struct in {
	const uint8_t *p, *end;
	bool ended;
};

static const uint8_t *
take_bytes(struct in *in, size_t n)
{
	static const uint8_t nothing[TLS_STATE_MAX];
	const uint8_t *p = in->p;

	if ((size_t)(in->end - in->p) < n) {
		in->ended = true;
		return nothing;
	}
	in->p += n;
	return p;
}

static uint64_t
take(struct in *in, size_t n)
{
	const uint8_t *p = take_bytes(in, n);
	uint64_t value = 0;

	for (size_t i = 0; i < n; i++)
		value = value << 8 | p[i];
	return value;
}

static void
take_half(struct in *in, const struct tls_suite *suite, struct tls_half *half)
{
	memcpy(half->secret, take_bytes(in, suite->hash_len), suite->hash_len);
	memcpy(half->key, take_bytes(in, suite->key_len), suite->key_len);
	memcpy(half->iv, take_bytes(in, TLS_IV), TLS_IV);
	half->seq = take(in, 8);
	half->prefix = take(in, 8);
	half->epoch = (uint32_t)take(in, 4);
}

const char *
tls_state_read(struct tls_state *s, const void *bytes, size_t n)
{
	struct in in = {.p = bytes, .end = (const uint8_t *)bytes + n};
	unsigned version, id, flags;

	memset(s, 0, sizeof *s);
	if (take(&in, 1) != FORM)
		return "its TLS state is of a form that this one does not read";
	version = (unsigned)take(&in, 2);
	id = (unsigned)take(&in, 2);
	s->suite = tls_suite_find(version, id);
	if (s->suite == NULL)
		return "its cipher suite is none of ours";
	s->max_plain = (uint16_t)take(&in, 2);
	flags = (unsigned)take(&in, 1);
	s->owe_update = flags & OWE_UPDATE;
	s->closed_in = flags & CLOSED_IN;
	s->closed_out = flags & CLOSED_OUT;
	s->owe_no = flags & OWE_NO;
	s->empties = (uint8_t)take(&in, 1);
	s->updates = (uint8_t)take(&in, 1);
	s->nmessage = (uint8_t)take(&in, 1);
	memcpy(s->message, take_bytes(&in, TLS_MESSAGE_MAX), TLS_MESSAGE_MAX);
	take_half(&in, s->suite, &s->rx);
	take_half(&in, s->suite, &s->tx);
	if (in.ended || in.p != in.end || (flags & ~(unsigned)FLAGS) != 0 ||
	    s->nmessage > TLS_MESSAGE_MAX || s->empties > TLS_IDLE_MAX ||
	    s->updates > TLS_IDLE_MAX || s->max_plain < TLS_PLAIN_LEAST ||
	    s->max_plain > TLS_PLAIN_MAX)
		return "its TLS state is damaged";
	return NULL;
}
