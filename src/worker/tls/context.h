/*
 * context: who a worker is to the clients of TLS: for each [tls] section the certificates and
 * keys, read once from descriptors that the master has opened.  OpenSSL's own objects.
 */
#ifndef BATON_WORKER_TLS_CONTEXT_H
#define BATON_WORKER_TLS_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/types.h>

struct conf;
struct conf_errors;

/*
 * Read what the configuration names.  files: as heritage's `tls`, or NULL: opened by name
 * (`baton --check`).  Errors are added; descriptors stay open.  Called before the worker is
 * locked in, as OpenSSL reads what it needs here.
 */
void context_start(const struct conf *conf, const int *files, struct conf_errors *errors);
void context_stop(void);

/* Tell the master of each certificate. */
void context_tell(void);

/* Does that listener speak TLS? */
bool context_has(uint32_t listener);

/* A handshake with a client of that listener, which is OpenSSL's object and the caller's to
 * free; owner is told its secrets. */
SSL *context_handshake(uint32_t listener, void *owner);

/* A line of OpenSSL's key log, for the owner of a handshake. */
typedef void context_secret_fn(void *owner, const char *line);
void context_on_secret(context_secret_fn *fn);

#endif
