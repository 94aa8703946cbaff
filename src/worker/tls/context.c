#include "worker/tls/context.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "tls/suite.h"
#include "worker/core/self.h"
#include "worker/tls/identity.h"
#include "worker/tls/tickets.h"
#include "worker/tls/wipe.h"

#define SECURE_HEAP   (256u * 1024)
#define SECURE_LEAST  16
#define NAME_SIZE     256 /* of a host, with its NUL */
#define TICKET_LIFE_S 86400

static struct {
	struct identity *identity; /* by index of conf.tls */
	const struct conf *conf;
	int owner_index, listen_index; /* SSL_set_ex_data */
	context_secret_fn *on_secret;
} cx;

bool
context_has(uint32_t listener)
{
	return cx.conf != NULL && cx.conf->listen[listener].ntls > 0;
}

SSL *
context_handshake(uint32_t listener, void *owner)
{
	const struct conf_listen *l = &cx.conf->listen[listener];
	SSL *ssl;

	AN(l->ntls > 0);
	ssl = SSL_new(cx.identity[l->tls_ix[0]].ctx);
	if (ssl == NULL || SSL_set_ex_data(ssl, cx.owner_index, owner) != 1 ||
	    SSL_set_ex_data(ssl, cx.listen_index, (void *)(uintptr_t)l) != 1)
		log_fatal("OpenSSL makes no handshake");
	return ssl;
}

/* --- what OpenSSL asks for --- */

static bool
is_for(const struct identity *id, const char *name, unsigned flags)
{
	for (size_t i = 0; i < id->ncertificate; i++)
		if (X509_check_host(id->certificate[i], name, 0, flags, NULL) == 1)
			return true;
	return false;
}

static const struct identity *
choose(const struct conf_listen *l, const char *name)
{
	static const unsigned flags[] = {X509_CHECK_FLAG_NO_WILDCARDS, 0};

	for (size_t f = 0; name != NULL && f < sizeof flags / sizeof *flags; f++)
		for (size_t i = 0; i < l->ntls; i++)
			if (is_for(&cx.identity[l->tls_ix[i]], name, flags[f]))
				return &cx.identity[l->tls_ix[i]];
	return NULL;
}

/* The name in a ClientHello (RFC 6066, 3): a list of one, of the type host_name.  False: none.
 */
static bool
read_name(SSL *ssl, char name[NAME_SIZE])
{
	const unsigned char *p;
	size_t n, len;

	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &p, &n) != 1 || n < 5)
		return false;
	len = (size_t)p[3] << 8 | p[4];
	if (p[2] != TLSEXT_NAMETYPE_host_name || len != n - 5 || len == 0 || len >= NAME_SIZE ||
	    memchr(p + 5, '\0', len) != NULL)
		return false;
	memcpy(name, p + 5, len);
	name[len] = '\0';
	return true;
}

/*
 * The exact name before a wildcard; the first section for all others.  Before a session is
 * looked at: one is resumed only in the section that it was made in, by whose rules its client
 * was asked for a certificate.
 */
static int
on_hello(SSL *ssl, int *alert, void *arg)
{
	const struct conf_listen *l = SSL_get_ex_data(ssl, cx.listen_index);
	const struct identity *id;
	char name[NAME_SIZE];

	(void)alert;
	(void)arg;
	id = read_name(ssl, name) ? choose(l, name) : NULL;
	if (id != NULL && id->ctx != SSL_get_SSL_CTX(ssl)) {
		SSL_set_SSL_CTX(ssl, id->ctx);
		SSL_set_verify(ssl, SSL_CTX_get_verify_mode(id->ctx), NULL);
		SSL_set_session_id_context(ssl, id->sid, sizeof id->sid);
	}
	return SSL_CLIENT_HELLO_SUCCESS;
}

/* The name was looked at. */
static int
on_name(SSL *ssl, int *alert, void *arg)
{
	(void)alert;
	(void)arg;
	return SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) != NULL
	           ? SSL_TLSEXT_ERR_OK
	           : SSL_TLSEXT_ERR_NOACK;
}

static bool
speaks_http(const struct conf_listen *l)
{
	const char *type = cx.conf->service[l->service_ix].type;

	return strcmp(type, "http") == 0 || strcmp(type, "admin") == 0;
}

/* Without a word from us a client goes on with what it spoke before there was ALPN. */
static int
on_protocols(SSL *ssl, const unsigned char **out, unsigned char *len, const unsigned char *in,
             unsigned inlen, void *arg)
{
	static const unsigned char ours[] = "\x08http/1.1";

	(void)arg;
	if (!speaks_http(SSL_get_ex_data(ssl, cx.listen_index)) ||
	    SSL_select_next_proto((unsigned char **)(uintptr_t)out, len, ours, sizeof ours - 1,
	                          in, inlen) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	return SSL_TLSEXT_ERR_OK;
}

static void
on_secret(const SSL *ssl, const char *line)
{
	if (cx.on_secret != NULL)
		cx.on_secret(SSL_get_ex_data(ssl, cx.owner_index), line);
}

void
context_on_secret(context_secret_fn *fn)
{
	cx.on_secret = fn;
}

/* --- a context --- */

static void
set_limits(SSL_CTX *ctx, const struct conf_tls *t)
{
	static const int verify[] = {[CONF_VERIFY_NO] = SSL_VERIFY_NONE,
	                             [CONF_VERIFY_OPTIONAL] = SSL_VERIFY_PEER,
	                             [CONF_VERIFY_REQUIRED] =
	                                 SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT};

	SSL_CTX_set_min_proto_version(ctx, t->min_version == CONF_TLS_1_3 ? TLS1_3_VERSION
	                                                                  : TLS1_2_VERSION);
	SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_cipher_list(ctx, tls_suites_1_2);
	SSL_CTX_set_dh_auto(ctx, 1);
	SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384");
	SSL_CTX_set_max_early_data(ctx, 0);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(ctx, TICKET_LIFE_S);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, tickets_on_one);
	SSL_CTX_set_keylog_callback(ctx, on_secret);
	SSL_CTX_set_client_hello_cb(ctx, on_hello, NULL);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_name);
	SSL_CTX_set_alpn_select_cb(ctx, on_protocols, NULL);
	SSL_CTX_set_verify(ctx, verify[t->verify], NULL);
}

void
context_start(const struct conf *conf, const int *files, struct conf_errors *errors)
{
	if (conf->ntls == 0)
		return;
	wipe_start();
	OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	if (!CRYPTO_secure_malloc_initialized())
		CRYPTO_secure_malloc_init(SECURE_HEAP, SECURE_LEAST);
	if (cx.owner_index == 0) {
		cx.owner_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
		cx.listen_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	}
	cx.conf = conf;
	cx.identity = mem_alloc(conf->ntls * sizeof *cx.identity);
	for (size_t i = 0; i < conf->ntls; i++) {
		struct identity *id = &cx.identity[i];

		id->ctx = SSL_CTX_new(TLS_server_method());
		if (id->ctx == NULL)
			log_fatal("OpenSSL makes no context");
		set_limits(id->ctx, &conf->tls[i]);
		identity_load(id, conf, i, files, errors);
		SSL_CTX_set_session_id_context(id->ctx, id->sid, sizeof id->sid);
		if (files != NULL)
			files += conf_tls_files(&conf->tls[i]);
	}
}

void
context_tell(void)
{
	for (size_t i = 0; cx.conf != NULL && i < cx.conf->ntls; i++)
		for (size_t k = 0; k < cx.identity[i].ncertificate; k++) {
			struct msg_certificate c = {.section = (uint32_t)i,
			                            .pair = (uint32_t)k};

			identity_tell(&cx.identity[i], k, &c);
			self_tell(MSG_CERTIFICATE, &c, sizeof c);
		}
}

void
context_stop(void)
{
	for (size_t i = 0; cx.conf != NULL && i < cx.conf->ntls; i++)
		identity_free(&cx.identity[i]);
	mem_free(&cx.identity);
	tickets_forget();
	cx.conf = NULL;
}
