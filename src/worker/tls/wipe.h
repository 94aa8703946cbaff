/*
 * wipe: OpenSSL's memory is cleansed when it is given back.  It leaves secrets of a connection
 * (of TLS 1.3), and of a session that it writes into a ticket, in what it frees.
 */
#ifndef BATON_WORKER_TLS_WIPE_H
#define BATON_WORKER_TLS_WIPE_H

/* Before OpenSSL is used at all.  Once; again does nothing. */
void wipe_start(void);

#endif
