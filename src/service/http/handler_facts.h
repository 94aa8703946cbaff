/*
 * handler_facts: what a handler asks of a request, wherever that lies: with its connection, or
 * as a copy with a thread.
 */
#ifndef BATON_SERVICE_HTTP_HANDLER_FACTS_H
#define BATON_SERVICE_HTTP_HANDLER_FACTS_H

#include <stddef.h>

#include "service/head/request.h"
#include "service/http/route.h"

/* A text that was given out. */
struct asked_text {
	struct asked_text *next;
	char bytes[];
};

struct handler_facts {
	const struct request *request;
	const struct route_match *match;
	const char *head; /* the request's, of head_len bytes */
	size_t head_len;
	struct asked_text **texts; /* they live as long as the request */
};

/* As baton_request_path and so on. */
const char *handler_facts_method(const struct handler_facts *a);
const char *handler_facts_path(const struct handler_facts *a);
const char *handler_facts_var(const struct handler_facts *a, const char *name);
const char *handler_facts_segment(const struct handler_facts *a, const char *name);
const char *handler_facts_query(const struct handler_facts *a, const char *name);
const char *handler_facts_header(const struct handler_facts *a, const char *name);

/* The request is over: free what was given out. */
void handler_facts_free(struct asked_text **texts);

#endif
