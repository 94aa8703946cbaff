/*
 * rewrite: the heads that a reverse proxy passes on.  Pure.
 *
 * What belongs to one connection only stays behind (RFC 9110, 7.6.1); the framing of the
 * body is told afresh, from what was parsed; who asked is told as the service's
 * `forwarded` says.  Heads were checked by request_parse or upstream_head_parse before.
 */
#ifndef BATON_SERVICE_HTTP_REWRITE_H
#define BATON_SERVICE_HTTP_REWRITE_H

#include <stdbool.h>
#include <stddef.h>

#include "service/head/request.h"
#include "service/http/response_head.h"
#include "service/head/upstream_head.h"

enum rewrite_forwarded {
	REWRITE_NO,
	REWRITE_X_FORWARDED, /* X-Forwarded-For, -Proto, -Host */
	REWRITE_FORWARDED,   /* Forwarded (RFC 7239) */
	REWRITE_BOTH,
};

struct rewrite_rules {
	enum rewrite_forwarded forwarded;
	bool secure;            /* the client speaks TLS */
	bool tells_certificate; /* of the client, and nobody else does: subject and fingerprint
	                         */
	struct request_text subject;     /* n 0: it has shown none */
	struct request_text fingerprint; /* its bytes */
	bool trusted;         /* what clients say of that kind is kept, and added to */
	const char *host;     /* instead of the client's; NULL: the client's */
	const char *own_host; /* the upstream's, of a client that named none */
	const char *peer;     /* the client's address without a port; "": it has none */
	bool upgrade;         /* ask on for the other protocol */
	bool expect;          /* the body follows when it says so: Expect: 100-continue */
	bool via;             /* say who has passed it on (RFC 9110, 7.6.3) */
};

/* How an answer goes on to a client. */
struct rewrite_answer {
	enum response_head_connection connection;
	bool chunked; /* its body is chunked there */
	bool via;
	const char *date; /* of an answer that has none; NULL: it stays without */
};

/* The most that a head grows by, beside the lengths of host and peer. */
#define REWRITE_GROWTH 2048

/*
 * The request's head for an upstream into out.  Its length, or 0 when it is more than size, or
 * when Connection has too many lines to know what it names.
 */
size_t rewrite_request(const struct rewrite_rules *rules, const char *head, size_t len,
                       const struct request *r, char *out, size_t size);

/* The answer's head for a client; one before the answer (1xx), too.  Its length, or 0. */
size_t rewrite_reply(const struct rewrite_answer *rules, const char *head, size_t len,
                     const struct upstream_head *r, char *out, size_t size);

/*
 * The trailers of a body, without the empty line behind them, in place: those that frame, route
 * or say who asks are left out (RFC 9110, 6.5.1).  Their length, or -1: they are no fields, or
 * more than REQUEST_FIELDS_MAX.
 */
ptrdiff_t rewrite_trailers(char *bytes, size_t len, bool answer);

#endif
