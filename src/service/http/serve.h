/*
 * serve: what a worker can answer by itself: `respond`, one text for everything, and `root`,
 * files.
 */
#ifndef BATON_SERVICE_HTTP_SERVE_H
#define BATON_SERVICE_HTTP_SERVE_H

#include "service/http/responder.h"

struct http;

/* The text is made once per service (canned): serve_text_prepare, before the first request,
 * and undone by serve_text_free; h has its configuration. */
extern const struct responder serve_text;
void serve_text_prepare(struct http *h);
void serve_text_free(struct http *h);

/* Files, parts of them, and redirects; h has its root. */
extern const struct responder serve_files;

#endif
