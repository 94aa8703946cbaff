/*
 * serve: what a worker can answer by itself: `respond`, one text for everything, `root`, files,
 * and `redirect`.
 */
#ifndef BATON_SERVICE_HTTP_SERVE_H
#define BATON_SERVICE_HTTP_SERVE_H

#include "service/http/responder.h"

/* The text, which the framing keeps in its form. */
extern const struct responder serve_text;

/* Files, parts of them, and redirects; h has its root. */
extern const struct responder serve_files;

/* All that is asked at a listener with `redirect`, but health checks, is elsewhere: at the same
 * host, by https. */
extern const struct responder serve_redirect;

#endif
