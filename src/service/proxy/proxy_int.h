/*
 * proxy_int: what the files of proxy.h share: proxy.c (a client's life, and the way to an
 * upstream), handoff.c (how it begins, and moves).
 */
#ifndef BATON_SERVICE_PROXY_PROXY_INT_H
#define BATON_SERVICE_PROXY_PROXY_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "service/duplex.h"
#include "service/proxyheader.h"
#include "service/proxy/source.h"
#include "service/upstream/connect.h"
#include "worker/conn/conn.h"
#include "worker/core/service.h"

struct handoff_record;

/* Per worker and service. */
struct proxy {
	const struct conf_service *conf;
	struct pair_home home;
	struct upstreams *upstreams;
	struct sources *sources; /* NULL: they are not counted */
	struct timelist *connect;
	uint64_t clients;
	uint64_t logged_ms;
};

/* On the way to an upstream. */
struct dialing {
	struct connecting way; /* zeroed: not begun */
	struct proxyheader client;
	bool greets; /* its PROXY header is to come */
	size_t nbegun;
	size_t rest; /* of its PROXY header, which is not kept */
	char begun[PROXYHEADER_MAX];
};

struct client {
	struct dialing *dialing;   /* NULL: connected */
	struct source *source;     /* NULL: not counted */
	struct upstream *upstream; /* held; NULL: not connected, or not known any more */
	struct duplex pair;
};

static inline struct proxy *
proxy_of(const struct conn *c)
{
	return c->service->data;
}

/* For a connection that has none; the connection owns it. */
struct client *proxy_new_client(struct conn *c);

/* As struct service_type has them. */
bool proxy_freeze(struct conn *c, struct handoff_record *r);
void proxy_rest(struct conn *c);
const char *proxy_thaw(struct conn *c, struct handoff_record *r);
void proxy_resume(struct conn *c);

#endif
