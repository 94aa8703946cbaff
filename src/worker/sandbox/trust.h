/*
 * trust: whom a listener believes what he says of a client (`trusted`): X-Forwarded-For,
 * Forwarded, a PROXY header.
 */
#ifndef BATON_WORKER_SANDBOX_TRUST_H
#define BATON_WORKER_SANDBOX_TRUST_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/nets.h"

struct conf;
struct conn;

void trust_start(const struct conf *conf);
void trust_stop(void);

/* The peers that this listener trusts; NULL: its file does not say. */
const struct nets *trust_of(uint32_t listener);

/* Is the connection's peer among them?  A system call, where there are any. */
bool trust_peer(const struct conn *c);

#endif
