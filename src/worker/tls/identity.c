#include "worker/tls/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "wire/msg.h"
#include "worker/core/self.h"

#define FILE_SIZE_MAX (1u << 20) /* of certificates, keys and answers of OCSP */

const char *
identity_error(char *buf, unsigned size)
{
	unsigned long error = ERR_peek_last_error();

	if (error == 0)
		strcpy(buf, "no reason given");
	else
		ERR_error_string_n(error, buf, size);
	if (error != 0 && ERR_reason_error_string(error) != NULL)
		strncpy(buf, ERR_reason_error_string(error), size - 1);
	buf[size - 1] = '\0';
	ERR_clear_error();
	return buf;
}

/* --- files --- */

struct blame {
	struct identity *id;
	const struct conf *conf;
	struct conf_errors *errors;
	size_t tls;
	const char *key;
	const char *path;
	int line;
};

static void
complain(const struct blame *b, const char *why)
{
	conf_error(b->errors, b->line, "[tls:%s]: %s %s: %s",
	           conf_word(b->conf->tls[b->tls].name).text, b->key, b->path, why);
}

static char *
read_file(const struct blame *b, int fd, size_t *n)
{
	char *text = mem_alloc(FILE_SIZE_MAX + 1);
	ssize_t got = 0;

	*n = 0;
	while (*n <= FILE_SIZE_MAX &&
	       (got = pread(fd, text + *n, FILE_SIZE_MAX + 1 - *n, (off_t)*n)) > 0)
		*n += (size_t)got;
	if (got < 0)
		complain(b, strerror(errno));
	else if (*n > FILE_SIZE_MAX)
		complain(b, "is larger than 1 MB");
	else
		return text;
	OPENSSL_cleanse(text, *n);
	free(text);
	return NULL;
}

/* Its bytes; NULL: an error was added. */
static char *
load(const struct blame *b, int fd, size_t *n)
{
	char *text;
	int own;

	if (fd >= 0)
		return read_file(b, fd, n);
	own = open(b->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (own < 0) {
		complain(b, strerror(errno));
		return NULL;
	}
	text = read_file(b, own, n);
	fd_close(&own);
	return text;
}

static void
forget(char *text, size_t n)
{
	OPENSSL_cleanse(text, n);
	free(text);
}

/* --- certificates and keys --- */

static int
no_password(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

/* No reason to serve nobody; once, of however many workers. */
static void
look_at_dates(const struct blame *b, const X509 *cert)
{
	bool expired = X509_cmp_current_time(X509_get0_notAfter(cert)) < 0;
	bool early = X509_cmp_current_time(X509_get0_notBefore(cert)) > 0;

	if ((expired || early) && (self.heritage == NULL || self_slot() == 0))
		log_warn("[tls:%s]: certificate %s %s", b->conf->tls[b->tls].name, b->path,
		         expired ? "has expired" : "is not valid yet");
}

static void
remember(struct identity *id, X509 *cert)
{
	id->certificate = mem_grow(id->certificate, id->ncertificate, sizeof(X509 *));
	X509_up_ref(cert);
	id->certificate[id->ncertificate++] = cert;
}

/* The chain behind it, as it stands in the file. */
static bool
use_chain(SSL_CTX *ctx, BIO *in)
{
	X509 *cert;

	while ((cert = PEM_read_bio_X509(in, NULL, no_password, NULL)) != NULL) {
		bool good = SSL_CTX_add1_chain_cert(ctx, cert) == 1;

		X509_free(cert);
		if (!good)
			return false;
	}
	ERR_clear_error(); /* the end of the file */
	return true;
}

static bool
use_certificate(const struct blame *b, SSL_CTX *ctx, char *text, size_t n)
{
	BIO *in = BIO_new_mem_buf(text, (int)n);
	X509 *cert = PEM_read_bio_X509_AUX(in, NULL, no_password, NULL);
	char why[128];
	bool good = false;

	if (cert == NULL)
		complain(b, "holds no certificate in PEM");
	else if (SSL_CTX_use_certificate(ctx, cert) != 1 || !use_chain(ctx, in))
		complain(b, identity_error(why, sizeof why));
	else
		good = true;
	if (good) {
		look_at_dates(b, cert);
		remember(b->id, cert);
	}
	X509_free(cert);
	BIO_free(in);
	ERR_clear_error();
	return good;
}

static bool
use_key(const struct blame *b, SSL_CTX *ctx, char *text, size_t n)
{
	BIO *in = BIO_new_mem_buf(text, (int)n);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(in, NULL, no_password, NULL);
	char why[128];
	bool good = false;

	if (key == NULL)
		complain(b, "holds no private key in PEM, or one with a password");
	else if (X509_check_private_key(SSL_CTX_get0_certificate(ctx), key) != 1)
		complain(b, "does not fit its certificate");
	else if (SSL_CTX_use_PrivateKey(ctx, key) != 1)
		complain(b, identity_error(why, sizeof why));
	else
		good = true;
	EVP_PKEY_free(key);
	BIO_free(in);
	ERR_clear_error();
	return good;
}

static void
use_pair(struct blame b, SSL_CTX *ctx, size_t i, const int *files)
{
	const struct conf_tls *t = &b.conf->tls[b.tls];
	char *text;
	size_t n;
	bool good;

	b.key = "certificate";
	b.path = t->certificate[i].text;
	b.line = t->certificate[i].line;
	text = load(&b, files != NULL ? files[2 * i] : -1, &n);
	if (text == NULL)
		return;
	good = use_certificate(&b, ctx, text, n);
	forget(text, n);
	b.key = "key";
	b.path = t->key[i].text;
	b.line = t->key[i].line;
	text = good ? load(&b, files != NULL ? files[2 * i + 1] : -1, &n) : NULL;
	if (text == NULL)
		return;
	use_key(&b, ctx, text, n);
	forget(text, n);
}

static void
use_client_ca(const struct blame *b, SSL_CTX *ctx, int fd, EVP_MD_CTX *sid)
{
	STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();
	size_t n;
	char *text = load(b, fd, &n);
	BIO *in;
	X509 *cert;
	int found = 0;

	if (text == NULL) {
		sk_X509_NAME_free(names);
		return;
	}
	EVP_DigestUpdate(sid, text, n);
	in = BIO_new_mem_buf(text, (int)n);
	while ((cert = PEM_read_bio_X509(in, NULL, no_password, NULL)) != NULL) {
		found += X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), cert);
		sk_X509_NAME_push(names, X509_NAME_dup(X509_get_subject_name(cert)));
		X509_free(cert);
	}
	if (found == 0)
		complain(b, "holds no certificate in PEM");
	SSL_CTX_set_client_CA_list(ctx, names);
	BIO_free(in);
	free(text);
	ERR_clear_error();
}

static int
on_staple(SSL *ssl, void *arg)
{
	const struct identity *id = arg;
	unsigned char *copy;

	if (id->staple == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	copy = OPENSSL_memdup(id->staple, id->nstaple);
	if (copy == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)id->nstaple); /* takes it */
	return SSL_TLSEXT_ERR_OK;
}

/* A session holds what is known of its client: it is good for no other section, and for none
 * that has asked otherwise. */
static void
begin_sid(EVP_MD_CTX *sid, const struct conf_tls *t)
{
	if (sid == NULL || EVP_DigestInit_ex(sid, EVP_sha256(), NULL) != 1)
		log_fatal("out of memory: a section of TLS");
	EVP_DigestUpdate(sid, t->name, strlen(t->name) + 1);
	EVP_DigestUpdate(sid, &t->verify, sizeof t->verify);
}

/* The files of a section are in the order of its pairs, then client_ca and staple. */
void
identity_load(struct identity *id, const struct conf *conf, size_t i, const int *files,
              struct conf_errors *errors)
{
	const struct conf_tls *t = &conf->tls[i];
	EVP_MD_CTX *sid = EVP_MD_CTX_new();
	struct blame b = {.id = id, .conf = conf, .errors = errors, .tls = i};
	size_t behind = 2 * t->ncertificate;

	AN(id->ctx != NULL);
	for (size_t k = 0; k < t->ncertificate && k < t->nkey; k++)
		use_pair(b, id->ctx, k, files);
	begin_sid(sid, t);
	if (t->client_ca != NULL) {
		b.key = "client_ca";
		b.path = t->client_ca;
		b.line = conf_line(conf, CONF_TLS, i, b.key);
		use_client_ca(&b, id->ctx, files != NULL ? files[behind] : -1, sid);
	}
	EVP_DigestFinal_ex(sid, id->sid, NULL);
	EVP_MD_CTX_free(sid);
	if (t->staple != NULL) {
		b.key = "staple";
		b.path = t->staple;
		b.line = conf_line(conf, CONF_TLS, i, b.key);
		id->staple = (unsigned char *)load(&b, files != NULL ? files[behind + 1] : -1,
		                                   &id->nstaple);
		SSL_CTX_set_tlsext_status_cb(id->ctx, on_staple);
		SSL_CTX_set_tlsext_status_arg(id->ctx, id);
	}
}

void
identity_free(struct identity *id)
{
	SSL_CTX_free(id->ctx);
	for (size_t i = 0; i < id->ncertificate; i++)
		X509_free(id->certificate[i]);
	free(id->certificate);
	free(id->staple);
}

/* --- for operators --- */

static int64_t
seconds_of(const ASN1_TIME *t)
{
	struct tm tm;

	return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static void
add_name(char *names, size_t size, const char *name, size_t n)
{
	size_t have = strlen(names), comma = have > 0 ? 2 : 0;

	if (have + comma + n + 1 > size)
		return;
	memcpy(names + have, ", ", comma);
	memcpy(names + have + comma, name, n);
	names[have + comma + n] = '\0';
}

static void
add_names(const X509 *cert, char *names, size_t size)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	char common[128];

	for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(all, i);

		if (name->type == GEN_DNS)
			add_name(names, size,
			         (const char *)ASN1_STRING_get0_data(name->d.dNSName),
			         (size_t)ASN1_STRING_length(name->d.dNSName));
	}
	GENERAL_NAMES_free(all);
	if (*names == '\0' &&
	    X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, common,
	                              sizeof common) > 0)
		add_name(names, size, common, strlen(common));
}

void
identity_tell(const struct identity *id, size_t i, struct msg_certificate *to)
{
	const X509 *cert = id->certificate[i];

	AN(i < id->ncertificate);
	to->not_before = seconds_of(X509_get0_notBefore(cert));
	to->not_after = seconds_of(X509_get0_notAfter(cert));
	add_names(cert, to->names, sizeof to->names);
}
