#include "worker/tls/shake.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/log.h"
#include "base/mem.h"
#include "tls/record.h"
#include "tls/state.h"
#include "worker/tls/context.h"
#include "worker/tls/facts.h"
#include "worker/tls/identity.h"

#define CALLS_MAX 64 /* records of a handshake; a chain of certificates has a few */

struct shake {
	SSL *ssl;
	BIO *in, *out;
	bool has_client, has_server; /* secrets */
	uint8_t client[TLS_HASH_MAX], server[TLS_HASH_MAX];
	size_t nsecret;
	uint8_t *last; /* what OpenSSL has written in the last call that wrote anything */
	size_t nlast;
	bool wrote; /* the last call of all has */
	unsigned calls;
	char why[128];
};

/* --- secrets --- */

static int
nibble(char c)
{
	return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

static size_t
read_hex(const char *text, uint8_t *out, size_t size)
{
	size_t n = strspn(text, "0123456789abcdefABCDEF") / 2;

	if (n > size)
		return 0;
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(nibble(text[2 * i]) << 4 | nibble(text[2 * i + 1]));
	return n;
}

/* LABEL CLIENT_RANDOM SECRET, in the form of NSS. */
static void
on_secret(void *owner, const char *line)
{
	static const char client[] = "CLIENT_TRAFFIC_SECRET_0 ";
	static const char server[] = "SERVER_TRAFFIC_SECRET_0 ";
	struct shake *s = owner;
	const char *secret = strrchr(line, ' ');

	if (secret == NULL)
		return;
	if (strncmp(line, client, sizeof client - 1) == 0) {
		s->nsecret = read_hex(secret + 1, s->client, sizeof s->client);
		s->has_client = true;
	} else if (strncmp(line, server, sizeof server - 1) == 0) {
		s->nsecret = read_hex(secret + 1, s->server, sizeof s->server);
		s->has_server = true;
	}
}

void
shake_start(void)
{
	context_on_secret(on_secret);
}

struct shake *
shake_new(uint32_t listener)
{
	struct shake *s = mem_alloc(sizeof *s);

	s->ssl = context_handshake(listener, s);
	s->in = BIO_new(BIO_s_mem());
	s->out = BIO_new(BIO_s_mem());
	if (s->in == NULL || s->out == NULL)
		log_fatal("out of memory: a handshake");
	BIO_set_mem_eof_return(s->in, -1);
	SSL_set_bio(s->ssl, s->in, s->out); /* takes both */
	SSL_set_accept_state(s->ssl);
	return s;
}

void
shake_free(struct shake **sp)
{
	struct shake *s = *sp;

	if (s == NULL)
		return;
	SSL_set_shutdown(s->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(s->ssl);
	mem_free(&s->last);
	OPENSSL_cleanse(s, sizeof *s);
	mem_free(sp);
}

const char *
shake_why(const struct shake *s)
{
	return s->why;
}

const uint8_t *
shake_out(const struct shake *s, size_t *n)
{
	*n = s->wrote ? s->nlast : 0;
	return s->last;
}

/* --- the switch --- */

static enum shake_result
fail(struct shake *s, const char *why)
{
	strncpy(s->why, why, sizeof s->why - 1);
	return SHAKE_FAILED;
}

/* Open what OpenSSL has sealed with the keys that we seal with from now on; their numbers begin
 * at 0.  The number of records, or -1. */
static int
prove(const struct shake *s, const struct tls_state *state, size_t from)
{
	struct tls_state proof = *state;
	uint8_t *copy = mem_alloc(s->nlast);
	int records = 0;

	proof.rx = state->tx;
	proof.rx.seq = 0;
	memcpy(copy, s->last, s->nlast);
	while (from < s->nlast && records >= 0) {
		size_t len = tls_record_length(copy + from, s->nlast - from), n;
		unsigned type;
		uint8_t *plain;
		bool good = len > 0 && len <= s->nlast - from &&
		            tls_open(&proof, copy + from, len, &type, &plain, &n) == 0 &&
		            type == TLS_HANDSHAKE;

		records = good ? records + 1 : -1;
		from += len;
	}
	tls_record_forget(&proof);
	OPENSSL_cleanse(&proof, sizeof proof);
	OPENSSL_cleanse(copy, s->nlast);
	free(copy);
	return records;
}

static bool
switch_1_3(struct shake *s, struct tls_state *state)
{
	int sealed;

	if (!s->has_client || !s->has_server || s->nsecret != state->suite->hash_len)
		return false;
	memcpy(state->rx.secret, s->client, s->nsecret);
	memcpy(state->tx.secret, s->server, s->nsecret);
	if (tls_half_derive(state->suite, &state->rx) < 0 ||
	    tls_half_derive(state->suite, &state->tx) < 0)
		return false;
	sealed = s->wrote ? prove(s, state, 0) : 0; /* tickets */
	state->tx.seq = (uint64_t)sealed;
	return sealed >= 0;
}

/* The Finished is the last record; its nonce was chosen by OpenSSL, and the next ones follow.
 */
static bool
switch_1_2(struct shake *s, struct tls_state *state)
{
	uint8_t master[48], client[32], server[32];
	size_t at = 0, len;
	bool good;

	good = SSL_SESSION_get_master_key(SSL_get_session(s->ssl), master, sizeof master) ==
	           sizeof master &&
	       SSL_get_client_random(s->ssl, client, sizeof client) == sizeof client &&
	       SSL_get_server_random(s->ssl, server, sizeof server) == sizeof server &&
	       tls_state_from_master(state, master, client, server) == 0;
	OPENSSL_cleanse(master, sizeof master);
	if (!good)
		return false;
	while ((len = tls_record_length(s->last + at, s->nlast - at)) > 0 &&
	       at + len < s->nlast)
		at += len;
	if (at + TLS_HEAD + 8 > s->nlast)
		return false;
	for (size_t i = 0; state->suite->prefix_len > 0 && i < 8; i++)
		state->tx.prefix = state->tx.prefix << 8 | s->last[at + TLS_HEAD + i];
	if (prove(s, state, at) != 1)
		return false;
	state->tx.prefix++;
	state->rx.seq = state->tx.seq = 1;
	return true;
}

static enum shake_result
finish(struct shake *s, struct tls_state *state)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(s->ssl);
	unsigned version = (unsigned)SSL_version(s->ssl);
	unsigned fragment = SSL_SESSION_get_max_fragment_length(SSL_get_session(s->ssl));

	memset(state, 0, sizeof *state);
	if (SSL_in_init(s->ssl) || BIO_pending(s->in) != 0 || SSL_has_pending(s->ssl))
		return fail(s, "it is over, and OpenSSL has bytes left");
	state->suite = tls_suite_find(version, SSL_CIPHER_get_protocol_id(cipher));
	if (state->suite == NULL)
		return fail(s, "it has agreed on a suite that is none of ours");
	state->max_plain = (uint16_t)(fragment > 0 ? 256u << fragment : TLS_PLAIN_MAX);
	if (!(version == TLS_1_3 ? switch_1_3 : switch_1_2)(s, state)) {
		OPENSSL_cleanse(state, sizeof *state);
		return fail(s, "its keys do not open what was sealed with them");
	}
	return SHAKE_DONE;
}

/* --- a step --- */

/* Keep what was written: the keys are proved by it. */
static void
keep_last(struct shake *s)
{
	char *p;
	long n = BIO_get_mem_data(s->out, &p);

	s->wrote = n > 0;
	if (n <= 0)
		return;
	mem_free(&s->last);
	s->last = mem_alloc((size_t)n);
	memcpy(s->last, p, (size_t)n);
	s->nlast = (size_t)n;
	(void)BIO_reset(s->out);
}

enum shake_result
shake_take(struct shake *s, const uint8_t *record, size_t n, struct tls_state *state)
{
	int result;

	if (++s->calls > CALLS_MAX)
		return fail(s, "it has more records than any handshake");
	if (BIO_write(s->in, record, (int)n) != (int)n)
		return fail(s, "out of memory");
	result = SSL_do_handshake(s->ssl);
	keep_last(s);
	if (result == 1)
		return finish(s, state);
	if (SSL_get_error(s->ssl, result) == SSL_ERROR_WANT_READ)
		return SHAKE_GOES_ON;
	identity_error(s->why, sizeof s->why);
	return SHAKE_FAILED;
}

bool
shake_resumed(const struct shake *s)
{
	return SSL_session_reused(s->ssl) == 1;
}

/* --- what was agreed on --- */

static size_t
subject_of(const X509 *cert, char *buf, size_t size)
{
	BIO *out = BIO_new(BIO_s_mem());
	char *p;
	long n;

	if (out == NULL)
		return 0;
	X509_NAME_print_ex(out, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253);
	n = BIO_get_mem_data(out, &p);
	if (n > (long)size)
		n = (long)size;
	if (n > 0)
		memcpy(buf, p, (size_t)n);
	BIO_free(out);
	return n > 0 ? (size_t)n : 0;
}

struct facts *
shake_facts(const struct shake *s)
{
	const char *name = SSL_get_servername(s->ssl, TLSEXT_NAMETYPE_host_name);
	X509 *cert = SSL_get0_peer_certificate(s->ssl);
	const unsigned char *protocol = NULL;
	unsigned nprotocol = 0, nfingerprint = 0;
	unsigned char fingerprint[EVP_MAX_MD_SIZE];
	char subject[FACTS_SUBJECT_MAX];
	struct facts f = {0};

	if (name != NULL)
		f.name = (struct handoff_bytes){name, strlen(name)};
	SSL_get0_alpn_selected(s->ssl, &protocol, &nprotocol);
	f.protocol = (struct handoff_bytes){(const char *)protocol, nprotocol};
	if (cert != NULL && SSL_get_verify_result(s->ssl) == X509_V_OK) {
		f.subject =
		    (struct handoff_bytes){subject, subject_of(cert, subject, sizeof subject)};
		if (X509_digest(cert, EVP_sha256(), fingerprint, &nfingerprint) == 1)
			f.fingerprint =
			    (struct handoff_bytes){(char *)fingerprint, nfingerprint};
	}
	return facts_copy(&f);
}
