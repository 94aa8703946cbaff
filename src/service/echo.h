/*
 * echo: every byte goes back to where it came from.  The smallest service, and
 * the one to read first.
 *
 * Bytes are never dropped while the peer takes them: what does not fit into the
 * socket waits in a borrowed buffer, and until it is gone nothing is read.  The
 * peer may close its half early; it still gets everything.
 */
#ifndef BATON_SERVICE_ECHO_H
#define BATON_SERVICE_ECHO_H

struct service_type;

extern const struct service_type echo_service;

#endif
