#include "tls/record.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/fault.h"

#define AAD_MAX 13

/* RFC 8446, 5.5: 2^24.5 records with one key of AES-GCM; we renew it before. */
#define SEALS_MAX (UINT64_C(1) << 24)

#define KEY_UPDATE   24
#define CLIENT_HELLO 1
#define WARNING      1
#define FATAL        2

enum direction { SEAL, OPEN };

/* The cipher of each kind and direction, and whose key it has. */
static struct {
	EVP_CIPHER_CTX *ctx;
	uint64_t serial;
} ciphers[TLS_CIPHERS_N][2];

static uint64_t last_serial;

static const EVP_CIPHER *
cipher_of(enum tls_cipher cipher)
{
	static EVP_CIPHER *fetched[TLS_CIPHERS_N];
	static const char *const names[] = {"AES-128-GCM", "AES-256-GCM", "ChaCha20-Poly1305"};

	if (fetched[cipher] == NULL)
		fetched[cipher] = EVP_CIPHER_fetch(NULL, names[cipher], NULL);
	return fetched[cipher];
}

static EVP_CIPHER_CTX *
new_context(const struct tls_suite *suite, enum direction direction)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (ctx != NULL && EVP_CipherInit_ex(ctx, cipher_of(suite->cipher), NULL, NULL, NULL,
	                                     direction == SEAL) > 0)
		return ctx;
	EVP_CIPHER_CTX_free(ctx);
	return NULL;
}

/* With the half's key and this nonce; NULL: no memory. */
static EVP_CIPHER_CTX *
prepare(const struct tls_suite *suite, struct tls_half *half, enum direction direction,
        const uint8_t *nonce)
{
	bool same;

	if (ciphers[suite->cipher][direction].ctx == NULL)
		ciphers[suite->cipher][direction].ctx = new_context(suite, direction);
	if (ciphers[suite->cipher][direction].ctx == NULL)
		return NULL;
	if (half->serial == 0)
		half->serial = ++last_serial;
	same = ciphers[suite->cipher][direction].serial == half->serial;
	ciphers[suite->cipher][direction].serial = half->serial;
	if (EVP_CipherInit_ex(ciphers[suite->cipher][direction].ctx, NULL, NULL,
	                      same ? NULL : half->key, nonce, direction == SEAL) <= 0)
		return NULL;
	return ciphers[suite->cipher][direction].ctx;
}

static void
forget(const struct tls_suite *suite, enum direction direction, uint64_t serial)
{
	if (serial == 0 || ciphers[suite->cipher][direction].serial != serial)
		return;
	EVP_CIPHER_CTX_free(ciphers[suite->cipher][direction].ctx);
	ciphers[suite->cipher][direction].ctx = NULL;
	ciphers[suite->cipher][direction].serial = 0;
}

void
tls_record_forget(const struct tls_state *s)
{
	if (s->suite == NULL)
		return;
	forget(s->suite, SEAL, s->tx.serial);
	forget(s->suite, OPEN, s->rx.serial);
}

void
tls_record_stop(void)
{
	for (int i = 0; i < TLS_CIPHERS_N; i++)
		for (int k = SEAL; k <= OPEN; k++) {
			EVP_CIPHER_CTX_free(ciphers[i][k].ctx);
			ciphers[i][k].ctx = NULL;
			ciphers[i][k].serial = 0;
		}
}

/* --- what both directions have in common --- */

static void
put64(uint8_t *p, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t)(value >> (56 - 8 * i));
}

static void
put16(uint8_t *p, size_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

/* The salt and the explicit part, or the number laid over the iv. */
static void
make_nonce(const struct tls_suite *suite, const struct tls_half *half, const uint8_t *prefix,
           uint8_t nonce[TLS_IV])
{
	uint8_t seq[8];

	memcpy(nonce, half->iv, TLS_IV);
	if (suite->prefix_len > 0) {
		memcpy(nonce + 4, prefix, 8);
		return;
	}
	put64(seq, half->seq);
	for (int i = 0; i < 8; i++)
		nonce[4 + i] ^= seq[i];
}

/* What is authenticated beside the data: of TLS 1.3 the head as it is on the wire. */
static int
make_aad(const struct tls_suite *suite, const struct tls_half *half, const uint8_t *head,
         size_t n, uint8_t aad[AAD_MAX])
{
	if (suite->version == TLS_1_3) {
		memcpy(aad, head, TLS_HEAD);
		return TLS_HEAD;
	}
	put64(aad, half->seq);
	memcpy(aad + 8, head, 3);
	put16(aad + 11, n);
	return AAD_MAX;
}

/* --- sealing --- */

size_t
tls_source_left(const struct tls_source *s)
{
	size_t n = 0;

	for (int i = 0; i < s->n; i++)
		n += s->iov[i].iov_len;
	return n - s->at;
}

static bool
seal_bytes(EVP_CIPHER_CTX *ctx, const void *bytes, size_t n, uint8_t **out)
{
	int len;

	if (EVP_EncryptUpdate(ctx, *out, &len, bytes, (int)n) <= 0)
		return false;
	*out += len;
	return true;
}

static bool
seal_source(EVP_CIPHER_CTX *ctx, struct tls_source *s, size_t n, uint8_t **out)
{
	while (n > 0) {
		size_t left, part;

		while (s->at == s->iov->iov_len) {
			s->iov++;
			s->n--;
			s->at = 0;
		}
		left = s->iov->iov_len - s->at;
		part = left < n ? left : n;
		if (!seal_bytes(ctx, (const char *)s->iov->iov_base + s->at, part, out))
			return false;
		s->at += part;
		n -= part;
	}
	return true;
}

static size_t
write_head(const struct tls_suite *suite, unsigned type, size_t n, uint8_t *out)
{
	bool hidden = suite->version == TLS_1_3;

	out[0] = hidden ? TLS_DATA : (uint8_t)type;
	put16(out + 1, TLS_1_2);
	n += suite->prefix_len + (size_t)hidden + TLS_TAG;
	put16(out + 3, n);
	return TLS_HEAD + n;
}

/* For a test: this key has sealed this number. */
static void
note(const struct tls_state *s)
{
	uint8_t line[16];

	memcpy(line, s->tx.key, 8);
	put64(line + 8, s->tx.seq);
	LEDGER(line, sizeof line);
}

size_t
tls_seal(struct tls_state *s, enum tls_type type, struct tls_source *source, size_t n,
         uint8_t *out)
{
	const struct tls_suite *suite = s->suite;
	uint8_t nonce[TLS_IV], aad[AAD_MAX], *p = out + TLS_HEAD + suite->prefix_len;
	uint8_t inner = (uint8_t)type;
	size_t len = write_head(suite, type, n, out);
	int unused, naad = make_aad(suite, &s->tx, out, n, aad);
	EVP_CIPHER_CTX *ctx;

	if (suite->version == TLS_1_2 && s->tx.seq >= SEALS_MAX)
		return 0;
	if (suite->prefix_len > 0)
		put64(out + TLS_HEAD, s->tx.prefix);
	make_nonce(suite, &s->tx, out + TLS_HEAD, nonce);
	ctx = prepare(suite, &s->tx, SEAL, nonce);
	if (ctx == NULL || EVP_EncryptUpdate(ctx, NULL, &unused, aad, naad) <= 0 ||
	    !seal_source(ctx, source, n, &p) ||
	    (suite->version == TLS_1_3 && !seal_bytes(ctx, &inner, 1, &p)) ||
	    EVP_EncryptFinal_ex(ctx, p, &unused) <= 0 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TLS_TAG, p) <= 0)
		return 0;
	note(s);
	s->tx.seq++;
	s->tx.prefix++;
	return len;
}

static size_t
seal_message(struct tls_state *s, enum tls_type type, const uint8_t *bytes, size_t n,
             uint8_t *out)
{
	struct iovec iov = {(void *)(uintptr_t)bytes, n};

	return tls_seal(s, type, &(struct tls_source){.iov = &iov, .n = 1}, n, out);
}

ptrdiff_t
tls_say(struct tls_state *s, uint8_t *out)
{
	static const uint8_t update[] = {KEY_UPDATE, 0, 0, 1, 0};
	static const uint8_t no[] = {WARNING, TLS_NO_RENEGOTIATION};
	size_t n = 0, len;

	if (s->owe_no) {
		n = seal_message(s, TLS_ALERT, no, sizeof no, out);
		if (n == 0)
			return -1;
		s->owe_no = false;
	}
	if (s->suite->version == TLS_1_2 || (!s->owe_update && s->tx.seq < SEALS_MAX))
		return (ptrdiff_t)n;
	len = seal_message(s, TLS_HANDSHAKE, update, sizeof update, out + n);
	forget(s->suite, SEAL, s->tx.serial);
	if (len == 0 || tls_half_update(s->suite, &s->tx) < 0)
		return -1;
	s->owe_update = false;
	return (ptrdiff_t)(n + len);
}

size_t
tls_seal_alert(struct tls_state *s, enum tls_alert alert, uint8_t *out)
{
	uint8_t bytes[] = {alert == TLS_CLOSE_NOTIFY ? WARNING : FATAL, (uint8_t)alert};

	s->closed_out = true;
	return seal_message(s, TLS_ALERT, bytes, sizeof bytes, out);
}

/* --- opening --- */

size_t
tls_record_length(const uint8_t *p, size_t n)
{
	return n < TLS_HEAD ? 0 : TLS_HEAD + ((size_t)p[3] << 8 | p[4]);
}

static bool
decrypt(struct tls_state *s, const uint8_t *head, uint8_t *p, size_t n)
{
	uint8_t nonce[TLS_IV], aad[AAD_MAX];
	int unused, naad = make_aad(s->suite, &s->rx, head, n, aad);
	EVP_CIPHER_CTX *ctx;

	make_nonce(s->suite, &s->rx, head + TLS_HEAD, nonce);
	ctx = prepare(s->suite, &s->rx, OPEN, nonce);
	return ctx != NULL && EVP_DecryptUpdate(ctx, NULL, &unused, aad, naad) > 0 &&
	       EVP_DecryptUpdate(ctx, p, &unused, p, (int)n) > 0 &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TLS_TAG, p + n) > 0 &&
	       EVP_DecryptFinal_ex(ctx, p + n, &unused) > 0;
}

/* The type stands behind the data and before the padding (RFC 8446, 5.4). */
static int
find_type(const uint8_t *p, size_t *n, unsigned *type)
{
	size_t i = *n;

	while (i > 0 && p[i - 1] == 0)
		i--;
	if (i == 0)
		return TLS_UNEXPECTED_MESSAGE;
	*type = p[i - 1];
	*n = i - 1;
	return 0;
}

int
tls_open(struct tls_state *s, uint8_t *record, size_t len, unsigned *type, uint8_t **plain,
         size_t *n)
{
	const struct tls_suite *suite = s->suite;
	size_t less = TLS_HEAD + suite->prefix_len + TLS_TAG;

	if (len > TLS_RECORD_MAX)
		return TLS_RECORD_OVERFLOW;
	if (record[1] != TLS_1_2 >> 8 || record[2] != (TLS_1_2 & 0xff))
		return TLS_DECODE_ERROR;
	if (suite->version == TLS_1_3 && record[0] != TLS_DATA)
		return TLS_UNEXPECTED_MESSAGE;
	if (len < less + (suite->version == TLS_1_3))
		return TLS_BAD_RECORD_MAC;
	*type = record[0];
	*plain = record + TLS_HEAD + suite->prefix_len;
	*n = len - less;
	if (s->rx.seq == UINT64_MAX || !decrypt(s, record, *plain, *n))
		return TLS_BAD_RECORD_MAC;
	s->rx.seq++;
	if (*n > TLS_PLAIN_MAX + (suite->version == TLS_1_3))
		return TLS_RECORD_OVERFLOW;
	return suite->version == TLS_1_3 ? find_type(*plain, n, type) : 0;
}

/* --- what a peer says after the handshake --- */

static int
update(struct tls_state *s, unsigned wanted)
{
	if (wanted > 1)
		return TLS_ILLEGAL_PARAMETER;
	if (++s->updates > TLS_IDLE_MAX)
		return TLS_UNEXPECTED_MESSAGE;
	s->owe_update |= wanted == 1;
	forget(s->suite, OPEN, s->rx.serial);
	return tls_half_update(s->suite, &s->rx) < 0 ? TLS_INTERNAL_ERROR : 0;
}

/* A KeyUpdate, perhaps in pieces, is all that a client may say; it ends its record, as the next
 * one has another key. */
static int
take_message(struct tls_state *s, const uint8_t *p, size_t n)
{
	static const uint8_t begins[] = {KEY_UPDATE, 0, 0, 1};

	if (n == 0 || n > TLS_MESSAGE_MAX - (size_t)s->nmessage)
		return TLS_UNEXPECTED_MESSAGE;
	memcpy(s->message + s->nmessage, p, n);
	s->nmessage += (uint8_t)n;
	n = s->nmessage < sizeof begins ? s->nmessage : sizeof begins;
	if (memcmp(s->message, begins, n) != 0)
		return TLS_UNEXPECTED_MESSAGE;
	if (s->nmessage < TLS_MESSAGE_MAX)
		return ++s->empties > TLS_IDLE_MAX ? TLS_UNEXPECTED_MESSAGE : 0;
	s->nmessage = 0;
	return update(s, s->message[TLS_MESSAGE_MAX - 1]);
}

/* A ClientHello within TLS 1.2 (RFC 5246, 7.2.2: it may be refused with a warning). */
static int
take_hello(struct tls_state *s, const uint8_t *p, size_t n)
{
	if (n < 4 || p[0] != CLIENT_HELLO || ((size_t)p[1] << 16 | p[2] << 8 | p[3]) != n - 4)
		return TLS_UNEXPECTED_MESSAGE;
	s->owe_no = true;
	return ++s->empties > TLS_IDLE_MAX ? TLS_NO_RENEGOTIATION : 0;
}

static enum tls_result
wrong(size_t *n, int alert)
{
	*n = (size_t)alert;
	return TLS_GOT_WRONG;
}

static enum tls_result
take_alert(struct tls_state *s, const uint8_t *p, size_t *n)
{
	if (*n != 2)
		return wrong(n, TLS_DECODE_ERROR);
	if (p[1] == TLS_CLOSE_NOTIFY) {
		s->closed_in = true;
		return TLS_GOT_END;
	}
	*n = p[1];
	if (p[1] != TLS_USER_CANCELED && (s->suite->version == TLS_1_3 || p[0] != WARNING))
		return TLS_GOT_ALERT;
	return ++s->empties > TLS_IDLE_MAX ? wrong(n, TLS_UNEXPECTED_MESSAGE) : TLS_GOT_NOTHING;
}

static enum tls_result
take_data(struct tls_state *s, size_t *n)
{
	if (*n == 0)
		return ++s->empties > TLS_IDLE_MAX ? wrong(n, TLS_UNEXPECTED_MESSAGE)
		                                   : TLS_GOT_NOTHING;
	s->empties = s->updates = 0;
	return TLS_GOT_DATA;
}

enum tls_result
tls_take(struct tls_state *s, uint8_t *p, size_t have, size_t *used, uint8_t **plain, size_t *n)
{
	size_t len = tls_record_length(p, have);
	unsigned type;
	int alert;

	*used = len;
	if (len > TLS_RECORD_MAX)
		return wrong(n, TLS_RECORD_OVERFLOW);
	if (len == 0 || have < len) {
		*used = 0;
		return TLS_GOT_PART;
	}
	alert = tls_open(s, p, len, &type, plain, n);
	if (alert == 0 && s->nmessage > 0 && type != TLS_HANDSHAKE)
		alert = TLS_UNEXPECTED_MESSAGE;
	if (alert == 0 && type == TLS_DATA)
		return take_data(s, n);
	if (alert == 0 && type == TLS_ALERT)
		return take_alert(s, *plain, n);
	if (alert == 0 && type == TLS_HANDSHAKE)
		alert = s->suite->version == TLS_1_3 ? take_message(s, *plain, *n)
		                                     : take_hello(s, *plain, *n);
	else if (alert == 0)
		alert = TLS_UNEXPECTED_MESSAGE;
	return alert != 0 ? wrong(n, alert) : TLS_GOT_NOTHING;
}
