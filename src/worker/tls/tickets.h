/*
 * tickets: the keys by which clients resume a session.  All workers have the same ones, which
 * the master makes; so a ticket is good at each of them, and after a reload.
 */
#ifndef BATON_WORKER_TLS_TICKETS_H
#define BATON_WORKER_TLS_TICKETS_H

#include <openssl/types.h>

struct msg_ticket;

/* From now on: the first one seals, all open; at most two.  With none there are no tickets. */
void tickets_use(const struct msg_ticket *ticket, unsigned n);
void tickets_forget(void);

/* For SSL_CTX_set_tlsext_ticket_key_evp_cb.  1: go on; 2: go on, and give it a new one; 0:
 * there is no such key; -1: an error. */
int tickets_on_one(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                   EVP_MAC_CTX *mac, int sealing);

#endif
