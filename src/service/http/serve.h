/*
 * serve: what a worker can answer by itself: `respond`, one text for everything, and `root`,
 * files.
 */
#ifndef BATON_SERVICE_HTTP_SERVE_H
#define BATON_SERVICE_HTTP_SERVE_H

#include "service/http/responder.h"

/* The text, which the framing keeps in its form. */
extern const struct responder serve_text;

/* Files, parts of them, and redirects; h has its root. */
extern const struct responder serve_files;

#endif
