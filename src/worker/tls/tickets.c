#include "worker/tls/tickets.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include "wire/msg.h"

static struct {
	struct msg_ticket ticket[MSG_TICKETS_MAX];
	unsigned ntickets;
} tk;

/* Fetched once. */
static const EVP_CIPHER *
aes(void)
{
	static EVP_CIPHER *cbc;

	if (cbc == NULL)
		cbc = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	return cbc;
}

static int
begin_ticket(const struct msg_ticket *key, unsigned char *iv, EVP_CIPHER_CTX *cipher,
             EVP_MAC_CTX *mac, int sealing)
{
	static char digest[] = "SHA256";
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)key->mac,
	                                      sizeof key->mac),
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
	    OSSL_PARAM_construct_end()};

	return EVP_CIPHER_CTX_reset(cipher) == 1 && EVP_MAC_CTX_set_params(mac, params) == 1 &&
	               EVP_CipherInit_ex(cipher, aes(), NULL, key->cipher, iv, sealing) == 1
	           ? 1
	           : -1;
}

int
tickets_on_one(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
               EVP_MAC_CTX *mac, int sealing)
{
	(void)ssl;
	if (sealing && tk.ntickets == 0)
		return 0;
	if (sealing) {
		if (RAND_bytes(iv, 16) != 1)
			return -1;
		memcpy(name, tk.ticket[0].name, sizeof tk.ticket[0].name);
		return begin_ticket(&tk.ticket[0], iv, cipher, mac, 1);
	}
	for (unsigned i = 0; i < tk.ntickets; i++) {
		if (memcmp(name, tk.ticket[i].name, sizeof tk.ticket[i].name) != 0)
			continue;
		if (begin_ticket(&tk.ticket[i], iv, cipher, mac, 0) != 1)
			return -1;
		/* One of TLS 1.3 is used once. */
		return i > 0 || SSL_version(ssl) == TLS1_3_VERSION ? 2 : 1;
	}
	return 0;
}

void
tickets_use(const struct msg_ticket *ticket, unsigned n)
{
	tk.ntickets = n < MSG_TICKETS_MAX ? n : MSG_TICKETS_MAX;
	if (tk.ntickets > 0)
		memcpy(tk.ticket, ticket, tk.ntickets * sizeof *ticket);
}

void
tickets_forget(void)
{
	OPENSSL_cleanse(&tk, sizeof tk);
}
