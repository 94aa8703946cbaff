/*
 * peer: who is at the other end of a socket, for logs.
 */
#ifndef BATON_WORKER_CORE_PEER_H
#define BATON_WORKER_CORE_PEER_H

#include <stddef.h>

/* ADDRESS:PORT, [ADDRESS]:PORT, "unix", or "gone"; into buf, which is returned. */
const char *peer_name(int fd, char *buf, size_t len);

#endif
