/*
 * told: what modules are told of a connection.
 */
#ifndef BATON_SERVICE_TOLD_H
#define BATON_SERVICE_TOLD_H

#include <stdbool.h>

struct baton_tls;
struct conn;

/* Of its TLS: as baton_conn_tls.  c NULL: it is gone. */
bool told_tls(const struct conn *c, struct baton_tls *tls);

#endif
