/*
 * asked: what a handler asks of a request, wherever that lies: with its connection, or as a
 * copy with a thread.
 */
#ifndef BATON_SERVICE_HTTP_ASKED_H
#define BATON_SERVICE_HTTP_ASKED_H

#include <stddef.h>

#include "service/http/request.h"
#include "service/http/route.h"

/* A text that was given out. */
struct asked_text {
	struct asked_text *next;
	char bytes[];
};

struct asked {
	const struct request *request;
	const struct route_match *match;
	const char *head; /* the request's, of head_len bytes */
	size_t head_len;
	struct asked_text **texts; /* they live as long as the request */
};

/* As baton_request_path and so on. */
const char *asked_method(const struct asked *a);
const char *asked_path(const struct asked *a);
const char *asked_var(const struct asked *a, const char *name);
const char *asked_segment(const struct asked *a, const char *name);
const char *asked_query(const struct asked *a, const char *name);
const char *asked_header(const struct asked *a, const char *name);

/* The request is over: free what was given out. */
void asked_free(struct asked_text **texts);

#endif
