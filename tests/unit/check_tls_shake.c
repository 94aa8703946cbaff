/* shake: handshakes with OpenSSL's own client, in memory; and live sessions that go on with the
 * keys and numbers that were found, thawed anew every few records. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "tls/record.h"
#include "tls/state.h"
#include "wire/msg.h"
#include "worker/tls/context.h"
#include "worker/tls/facts.h"
#include "worker/tls/shake.h"
#include "worker/tls/tickets.h"
#include "worker/tls/wipe.h"

static char dir[] = "/tmp/baton-shake-XXXXXX";
static struct conf *conf;
static const struct msg_ticket keys[2] = {{.name = "one"}, {.name = "two"}};

/* --- a server's files --- */

static void
write_pem(const char *name, EVP_PKEY *key, X509 *cert)
{
	char *path = mem_printf("%s/%s", dir, name);
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	if (cert != NULL)
		PEM_write_X509(f, cert);
	else
		PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	free(path);
}

static void
make_pair(const char *name, const char *host, EVP_PKEY *key)
{
	X509 *cert = X509_new();
	char *file = mem_printf("%s.pem", name), *alt = mem_printf("DNS:%s", host);
	X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, alt);

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -60);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
	                           (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	X509_add_ext(cert, names, -1);
	X509_EXTENSION_free(names);
	ck_assert_int_gt(X509_sign(cert, key, EVP_sha256()), 0);
	write_pem(file, NULL, cert);
	free(file);
	file = mem_printf("%s.key", name);
	write_pem(file, key, NULL);
	free(file);
	free(alt);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void
set_up(void)
{
	struct conf_errors errors = {0};
	char *text;

	log_open("/dev/null", LOGL_ERROR, LOGF_TEXT, NULL);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	make_pair("ec", "example.test", EVP_EC_gen("P-256"));
	make_pair("rsa", "example.test", EVP_RSA_gen(2048));
	make_pair("wild", "*.example.test", EVP_EC_gen("P-256"));
	make_pair("client", "client.test", EVP_EC_gen("P-256"));
	text = mem_printf("[listen:a]\naddress = 127.0.0.1:0\nservice = a\ntls = both, wild\n"
	                  "[listen:b]\naddress = 127.0.0.1:0\nservice = e\ntls = asks\n"
	                  "[service:a]\ntype = http\nrespond = x\n[service:e]\ntype = echo\n"
	                  "[tls:both]\ncertificate = %s/ec.pem\nkey = %s/ec.key\n"
	                  "certificate = %s/rsa.pem\nkey = %s/rsa.key\n"
	                  "[tls:wild]\ncertificate = %s/wild.pem\nkey = %s/wild.key\n"
	                  "[tls:asks]\ncertificate = %s/ec.pem\nkey = %s/ec.key\n"
	                  "client_ca = %s/client.pem\nverify = optional\n",
	                  dir, dir, dir, dir, dir, dir, dir, dir, dir);
	conf = conf_parse("server.ini", text, strlen(text), &errors);
	ck_assert_ptr_nonnull(conf);
	shake_start();
	context_start(conf, NULL, &errors);
	ck_assert_msg(errors.n == 0, "%s", errors.n > 0 ? conf_errors_join(&errors) : "");
	tickets_use(keys, 1);
	free(text);
}

static void
tear_down(void)
{
	char *command = mem_printf("rm -r %s", dir);

	context_stop();
	conf_free(&conf);
	ck_assert_int_eq(system(command), 0);
	free(command);
	memcpy(dir + sizeof dir - 7, "XXXXXX", 6);
}

/* --- a client --- */

struct client {
	SSL *ssl;
	BIO *in, *out; /* to it, and from it */
	SSL_SESSION *session;
};

struct wish {
	unsigned version;
	const char *suites; /* of TLS 1.2, and of 1.3 */
	const char *host;
	unsigned char fragment; /* TLSEXT_max_fragment_length_... */
	const char *certificate;
	SSL_SESSION *resumes;
	uint32_t listener;
};

static int
on_session(SSL *ssl, SSL_SESSION *session)
{
	struct client *c = SSL_get_app_data(ssl);

	SSL_SESSION_free(c->session);
	c->session = session;
	return 1;
}

static void
use_file(SSL_CTX *ctx, const char *name)
{
	char *cert = mem_printf("%s/%s.pem", dir, name),
	     *key = mem_printf("%s/%s.key", dir, name);

	ck_assert_int_eq(SSL_CTX_use_certificate_file(ctx, cert, SSL_FILETYPE_PEM), 1);
	ck_assert_int_eq(SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM), 1);
	free(cert);
	free(key);
}

static void
client_new(struct client *c, const struct wish *wish)
{
	static const unsigned char http[] = "\x02h2\x08http/1.1";
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	memset(c, 0, sizeof *c);
	SSL_CTX_set_min_proto_version(ctx, (int)wish->version);
	SSL_CTX_set_max_proto_version(ctx, (int)wish->version);
	if (wish->suites != NULL && wish->version == TLS_1_3)
		ck_assert_int_eq(SSL_CTX_set_ciphersuites(ctx, wish->suites), 1);
	else if (wish->suites != NULL)
		ck_assert_int_eq(SSL_CTX_set_cipher_list(ctx, wish->suites), 1);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT);
	SSL_CTX_sess_set_new_cb(ctx, on_session);
	SSL_CTX_set_alpn_protos(ctx, http, sizeof http - 1);
	if (wish->fragment != 0)
		SSL_CTX_set_tlsext_max_fragment_length(ctx, wish->fragment);
	if (wish->certificate != NULL)
		use_file(ctx, wish->certificate);
	c->ssl = SSL_new(ctx);
	SSL_CTX_free(ctx);
	SSL_set_app_data(c->ssl, c);
	c->in = BIO_new(BIO_s_mem());
	c->out = BIO_new(BIO_s_mem());
	BIO_set_mem_eof_return(c->in, -1);
	SSL_set_bio(c->ssl, c->in, c->out);
	SSL_set_connect_state(c->ssl);
	if (wish->host != NULL)
		SSL_set_tlsext_host_name(c->ssl, wish->host);
	if (wish->resumes != NULL)
		SSL_set_session(c->ssl, wish->resumes);
}

static void
client_free(struct client *c)
{
	SSL_SESSION_free(c->session);
	SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(c->ssl);
}

/* What the client has written, at the end of what is in buf already. */
static size_t
written(struct client *c, uint8_t *buf, size_t have, size_t size)
{
	int n = BIO_read(c->out, buf + have, (int)(size - have));

	return have + (size_t)(n > 0 ? n : 0);
}

/* Until the server is done.  The bytes that the client had sent too early are in rest. */
static enum shake_result
handshake(struct client *c, const struct wish *wish, struct tls_state *state, uint8_t *rest,
          size_t *nrest, struct facts **facts)
{
	struct shake *s = shake_new(wish->listener);
	enum shake_result result = SHAKE_GOES_ON;
	static uint8_t buf[65536];
	size_t have = 0;

	for (int turn = 0; turn < 20 && result == SHAKE_GOES_ON; turn++) {
		size_t at = 0, len, n;

		SSL_do_handshake(c->ssl);
		if (SSL_is_init_finished(c->ssl) && wish->version == TLS_1_3)
			ck_assert_int_eq(SSL_write(c->ssl, "early", 5), 5);
		have = written(c, buf, have, sizeof buf);
		while (result == SHAKE_GOES_ON &&
		       (len = tls_record_length(buf + at, have - at)) > 0 && len <= have - at) {
			const uint8_t *out;

			result = shake_take(s, buf + at, len, state);
			at += len;
			out = shake_out(s, &n);
			BIO_write(c->in, out, (int)n);
		}
		memmove(buf, buf + at, have - at);
		have -= at;
	}
	*nrest = have;
	memcpy(rest, buf, have);
	if (result == SHAKE_DONE && facts != NULL)
		*facts = shake_facts(s);
	if (result == SHAKE_FAILED)
		ck_assert_uint_gt(strlen(shake_why(s)), 0);
	shake_free(&s);
	return result;
}

/* --- live sessions --- */

static void
thaw(struct tls_state *s)
{
	uint8_t buf[TLS_STATE_MAX];
	struct tls_state back;

	ck_assert_ptr_null(tls_state_read(&back, buf, tls_state_write(s, buf)));
	*s = back;
}

static void
send_down(struct client *c, struct tls_state *s, size_t size)
{
	static uint8_t text[100000], got[100000], out[TLS_RECORD_MAX];
	struct iovec iov = {text, size};
	struct tls_source source = {.iov = &iov, .n = 1};
	size_t done = 0;
	ptrdiff_t said = tls_say(s, out);

	ck_assert_int_ge(said, 0);
	BIO_write(c->in, out, (int)said);
	RAND_bytes(text, (int)size);
	while (tls_source_left(&source) > 0) {
		size_t left = tls_source_left(&source);
		size_t n = tls_seal(s, TLS_DATA, &source,
		                    left < s->max_plain ? left : s->max_plain, out);

		ck_assert_uint_gt(n, 0);
		BIO_write(c->in, out, (int)n);
	}
	while (done < size) {
		int n = SSL_read(c->ssl, got + done, (int)(size - done));

		ck_assert_int_gt(n, 0);
		done += (size_t)n;
	}
	ck_assert_mem_eq(text, got, size);
}

static void
send_up(struct client *c, struct tls_state *s, size_t size, uint8_t *buf, size_t have)
{
	static uint8_t text[100000];
	size_t at = 0, done = 0, used, n;
	uint8_t *plain;

	RAND_bytes(text, (int)size);
	ck_assert_int_eq(SSL_write(c->ssl, text, (int)size), (int)size);
	have = written(c, buf, have, 200000);
	while (at < have) {
		enum tls_result r = tls_take(s, buf + at, have - at, &used, &plain, &n);

		ck_assert(r == TLS_GOT_DATA || r == TLS_GOT_NOTHING);
		if (r == TLS_GOT_DATA) {
			ck_assert_mem_eq(plain, text + done, n);
			done += n;
		}
		at += used;
	}
	ck_assert_uint_eq(done, size);
}

static void
live(struct client *c, struct tls_state *s, unsigned rounds)
{
	static uint8_t buf[200000];
	static const size_t sizes[] = {1, 100, 5000, TLS_PLAIN_MAX, 20000, 60000};

	for (unsigned i = 0; i < rounds; i++) {
		send_down(c, s, sizes[i % 6]);
		thaw(s);
		if (i % 5 == 4 && s->suite->version == TLS_1_3)
			SSL_key_update(c->ssl, i % 2 ? SSL_KEY_UPDATE_REQUESTED
			                             : SSL_KEY_UPDATE_NOT_REQUESTED);
		send_up(c, s, sizes[(i + 3) % 6], buf, 0);
		thaw(s);
	}
}

/* The first words of a client of TLS 1.3 came with its Finished. */
static void
take_early(struct tls_state *s, uint8_t *rest, size_t nrest)
{
	size_t used, n;
	uint8_t *plain;

	if (s->suite->version == TLS_1_2) {
		ck_assert_uint_eq(nrest, 0);
		return;
	}
	ck_assert_int_eq(tls_take(s, rest, nrest, &used, &plain, &n), TLS_GOT_DATA);
	ck_assert_mem_eq(plain, "early", 5);
}

static const struct {
	unsigned version, id;
	const char *name;
} suites[] = {{TLS_1_3, 0x1301, "TLS_AES_128_GCM_SHA256"},
              {TLS_1_3, 0x1302, "TLS_AES_256_GCM_SHA384"},
              {TLS_1_3, 0x1303, "TLS_CHACHA20_POLY1305_SHA256"},
              {TLS_1_2, 0xc02b, "ECDHE-ECDSA-AES128-GCM-SHA256"},
              {TLS_1_2, 0xc02f, "ECDHE-RSA-AES128-GCM-SHA256"},
              {TLS_1_2, 0xc02c, "ECDHE-ECDSA-AES256-GCM-SHA384"},
              {TLS_1_2, 0xc030, "ECDHE-RSA-AES256-GCM-SHA384"},
              {TLS_1_2, 0xcca9, "ECDHE-ECDSA-CHACHA20-POLY1305"},
              {TLS_1_2, 0xcca8, "ECDHE-RSA-CHACHA20-POLY1305"},
              {TLS_1_2, 0x009e, "DHE-RSA-AES128-GCM-SHA256"},
              {TLS_1_2, 0x009f, "DHE-RSA-AES256-GCM-SHA384"},
              {TLS_1_2, 0xccaa, "DHE-RSA-CHACHA20-POLY1305"}};

#define SUITES_N ((int)(sizeof suites / sizeof *suites))

/* Each suite, and each fragment length, new and resumed. */
START_TEST(each_suite_lives_on)
{
	static uint8_t rest[65536];

	for (unsigned char fragment = 0; fragment <= 4; fragment++) {
		struct wish wish = {.version = suites[_i].version,
		                    .suites = suites[_i].name,
		                    .fragment = fragment};
		struct client c, again;
		struct tls_state s;
		size_t n;

		client_new(&c, &wish);
		ck_assert_int_eq(handshake(&c, &wish, &s, rest, &n, NULL), SHAKE_DONE);
		ck_assert_uint_eq(s.suite->id, suites[_i].id);
		ck_assert_uint_eq(s.max_plain, fragment > 0 ? 256u << fragment : TLS_PLAIN_MAX);
		take_early(&s, rest, n);
		live(&c, &s, 20);
		ck_assert_int_eq(SSL_session_reused(c.ssl), 0);
		wish.resumes = c.session;
		ck_assert_ptr_nonnull(c.session);
		client_new(&again, &wish);
		ck_assert_int_eq(handshake(&again, &wish, &s, rest, &n, NULL), SHAKE_DONE);
		take_early(&s, rest, n);
		live(&again, &s, 20);
		ck_assert_int_eq(SSL_session_reused(again.ssl), 1);
		client_free(&again);
		client_free(&c);
	}
}
END_TEST

static int
resumes(SSL_SESSION *session, unsigned version)
{
	static uint8_t rest[65536];
	struct wish wish = {.version = version, .resumes = session};
	struct client c;
	struct tls_state s;
	size_t n;
	int did;

	client_new(&c, &wish);
	ck_assert_int_eq(handshake(&c, &wish, &s, rest, &n, NULL), SHAKE_DONE);
	take_early(&s, rest, n);
	live(&c, &s, 1);
	did = SSL_session_reused(c.ssl);
	client_free(&c);
	return did;
}

START_TEST(tickets_outlive_one_rotation)
{
	static uint8_t rest[65536];
	const struct msg_ticket rotated[2] = {{.name = "new"}, keys[0]},
	                    strange[2] = {{.name = "x"}};
	struct wish wish = {.version = _i == 0 ? TLS_1_2 : TLS_1_3};
	struct client c;
	struct tls_state s;
	size_t n;

	client_new(&c, &wish);
	ck_assert_int_eq(handshake(&c, &wish, &s, rest, &n, NULL), SHAKE_DONE);
	take_early(&s, rest, n);
	live(&c, &s, 1);
	tickets_use(rotated, 2);
	ck_assert_int_eq(resumes(c.session, wish.version), 1);
	tickets_use(strange, 1);
	ck_assert_int_eq(resumes(c.session, wish.version), 0);
	client_free(&c);
	tickets_use(NULL, 0);
	client_new(&c,
	           &wish); /* without keys there are no tickets, and all else is as it was */
	ck_assert_int_eq(handshake(&c, &wish, &s, rest, &n, NULL), SHAKE_DONE);
	take_early(&s, rest, n);
	live(&c, &s, 5);
	client_free(&c);
}
END_TEST

/* --- who is shown, and what is told --- */

static const char *
shown(const char *host, struct facts **facts)
{
	static uint8_t rest[65536];
	static char name[64];
	struct wish wish = {.version = TLS_1_3, .host = host};
	struct client c;
	struct tls_state s;
	size_t n;

	client_new(&c, &wish);
	ck_assert_int_eq(handshake(&c, &wish, &s, rest, &n, facts), SHAKE_DONE);
	X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(c.ssl)),
	                          NID_commonName, name, sizeof name);
	client_free(&c);
	return name;
}

START_TEST(the_name_asked_for_chooses)
{
	struct facts *f = NULL;

	ck_assert_str_eq(shown("example.test", NULL), "ec");
	ck_assert_str_eq(shown("www.example.test", &f), "wild");
	ck_assert_str_eq(shown("other.test", NULL), "ec");
	ck_assert_str_eq(shown(NULL, NULL), "ec");
	ck_assert_uint_eq(f->name.n, 16);
	ck_assert_mem_eq(f->name.p, "www.example.test", 16);
	ck_assert_uint_eq(f->protocol.n, 8);
	ck_assert_mem_eq(f->protocol.p, "http/1.1", 8);
	ck_assert_uint_eq(f->subject.n, 0);
	free(f);
}
END_TEST

START_TEST(a_client_may_show_itself)
{
	static const char *const who[] = {"client", NULL, "rsa"};
	static uint8_t rest[65536];
	struct wish wish = {.version = _i == 0 ? TLS_1_2 : TLS_1_3, .listener = 1};

	for (int i = 0; i < 3; i++) {
		struct facts *f = NULL;
		struct client c;
		struct tls_state s;
		size_t n;
		enum shake_result result;

		wish.certificate = who[i];
		client_new(&c, &wish);
		result = handshake(&c, &wish, &s, rest, &n, &f);
		ck_assert_int_eq(result, i < 2 ? SHAKE_DONE : SHAKE_FAILED);
		if (i == 0) {
			ck_assert_ptr_nonnull(f);
			ck_assert_uint_eq(f->subject.n, 9);
			ck_assert_mem_eq(f->subject.p, "CN=client", 9);
			ck_assert_uint_eq(f->fingerprint.n, 32);
			ck_assert_uint_eq(f->protocol.n, 0); /* an echo has none */
		} else {
			ck_assert_ptr_null(f);
		}
		free(f);
		client_free(&c);
	}
}
END_TEST

/* --- what is refused --- */

START_TEST(what_is_old_is_refused)
{
	static const char *const old[] = {"AES128-SHA", "ECDHE-RSA-AES128-SHA256",
	                                  "AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-SHA"};
	static uint8_t rest[65536];
	struct tls_state s;
	struct client c;
	size_t n;

	for (size_t i = 0; i < sizeof old / sizeof *old; i++) {
		struct wish wish = {.version = TLS_1_2, .suites = old[i]};

		client_new(&c, &wish);
		ck_assert_int_eq(handshake(&c, &wish, &s, rest, &n, NULL), SHAKE_FAILED);
		client_free(&c);
	}
	for (unsigned version = 0x0301; version <= 0x0302; version++) {
		struct wish wish = {.version = version, .suites = "ALL:@SECLEVEL=0"};

		client_new(&c, &wish);
		ck_assert_int_eq(handshake(&c, &wish, &s, rest, &n, NULL), SHAKE_FAILED);
		client_free(&c);
	}
}
END_TEST

START_TEST(garbage_fails_with_a_reason)
{
	uint8_t record[64] = {TLS_HANDSHAKE, 3, 1, 0, 40};

	for (int i = 0; i < 200; i++) {
		struct shake *s = shake_new(0);
		struct tls_state state;

		RAND_bytes(record + 5, 40);
		if (i % 2 == 0)
			memcpy(record + 5, "\1\0\0\x24\3\3", 6);
		ck_assert_int_ne(shake_take(s, record, 45, &state), SHAKE_DONE);
		shake_free(&s);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tls shake");
	TCase *t = tcase_create("shake");
	SRunner *r;
	int failed;

	wipe_start();
	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_loop_test(t, each_suite_lives_on, 0, SUITES_N);
	tcase_add_loop_test(t, tickets_outlive_one_rotation, 0, 2);
	tcase_add_test(t, the_name_asked_for_chooses);
	tcase_add_loop_test(t, a_client_may_show_itself, 0, 2);
	tcase_add_test(t, what_is_old_is_refused);
	tcase_add_test(t, garbage_fails_with_a_reason);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
