/*
 * identity: the files of one [tls] section, read into a context of OpenSSL's.
 */
#ifndef BATON_WORKER_TLS_IDENTITY_H
#define BATON_WORKER_TLS_IDENTITY_H

#include <stddef.h>

#include <openssl/types.h>

struct conf;
struct conf_errors;
struct msg_certificate;

struct identity {
	SSL_CTX *ctx;
	X509 **certificate; /* for their names */
	size_t ncertificate;
	unsigned char *staple; /* an answer of OCSP; NULL: none */
	size_t nstaple;
	unsigned char sid[32]; /* of its sessions: others can't be resumed */
};

/* Read the files of a section into id->ctx: from descriptors in the order of conf_tls_file, or
 * (NULL) by name.  Errors are added. */
void identity_load(struct identity *id, const struct conf *conf, size_t section,
                   const int *files, struct conf_errors *errors);

void identity_free(struct identity *id);

/* What is to be told of its i-th certificate. */
void identity_tell(const struct identity *id, size_t i, struct msg_certificate *to);

/* Why OpenSSL failed last, into buf, which is returned; what it had kept is forgotten. */
const char *identity_error(char *buf, unsigned size);

#endif
