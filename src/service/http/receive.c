#include "service/http/receive.h"

#include <stdint.h>
#include <string.h>

#include "base/log.h"
#include "conf/conf.h"
#include "service/head/chunked.h"
#include "service/http/exchange.h"
#include "service/head/request.h"
#include "service/http/respond.h"
#include "service/http/responder.h"
#include "service/http/serve.h"
#include "worker/conn/conn.h"
#include "worker/core/self.h"

/* It is longer than max_body. */
static void
refuse_body(struct conn *c, struct exchange *x)
{
	if (x->responder->too_long == NULL || !x->responder->too_long(x))
		respond_refuse(c, x, 413);
}

static bool
redirects(const struct conn *c)
{
	return self_conf()->listen[c->listener].redirect != NULL;
}

/* The head is whole: from here on a body may follow, or the answer. */
static void
begin_body(struct conn *c, struct exchange *x)
{
	conn_count_request(c);
	x->responder = redirects(c) ? &serve_redirect : http_of(c)->responder;
	x->close = x->last = !x->request.keep_alive;
	x->body_left = x->request.length;
	x->phase = PHASE_BODY;
	if (x->body_left > (uint64_t)http_of(c)->conf->max_body)
		refuse_body(c, x);
	else
		x->responder->begin(c, x);
}

void
receive_empty_lines(struct exchange *x)
{
	for (; x->to - x->from >= 2 && memcmp(x->in + x->from, "\r\n", 2) == 0; x->from += 2)
		x->looked = 0;
}

bool
receive_is_nothing(const struct exchange *x)
{
	return x->phase == PHASE_HEAD &&
	       (x->from == x->to || (x->to - x->from == 1 && x->in[x->from] == '\r'));
}

/* Looked at once: when there is enough of it. */
static bool
is_line_too_long(const char *bytes, size_t len, size_t looked)
{
	size_t max = TARGET_MAX + 64;

	return len > max && looked <= max && memchr(bytes, '\n', len) == NULL;
}

/* The first bytes of a TLS client: a record of a handshake. */
static bool
is_tls(const char *bytes, size_t len)
{
	return len >= 2 && bytes[0] == 0x16 && bytes[1] == 0x03;
}

static void
refuse_hopeless(struct conn *c, struct exchange *x, const char *at, size_t len)
{
	struct http *h = http_of(c);
	char peer[64];

	if (is_tls(at, len) && !h->told_of_tls) {
		conn_peer(c, peer, sizeof peer);
		log_warn("service %s: %s speaks TLS, and this port speaks plain HTTP",
		         h->conf->name, peer);
		h->told_of_tls = true;
	}
	respond_refuse(c, x, 400);
}

bool
receive_head(struct conn *c, struct exchange *x)
{
	size_t max = (size_t)http_of(c)->conf->max_header, len;
	const char *at;
	ptrdiff_t n;
	int status;

	at = x->in + x->from;
	len = x->to - x->from;
	n = head_length(at, len, x->looked);
	if (n == 0) {
		if (request_is_hopeless(at, len, x->looked))
			refuse_hopeless(c, x, at, len);
		else if ((status = request_judge_lines(at, len, x->looked)) != 0)
			respond_refuse(c, x, status);
		else if (len >= max)
			respond_refuse(c, x, request_too_long(at, len));
		else if (is_line_too_long(at, len, x->looked))
			respond_refuse(c, x, 414);
		x->looked = len;
		return x->phase == PHASE_ANSWER;
	}
	if (n > 0 && x->from + (size_t)n > max) {
		exchange_shift(x); /* a body needs room behind its head */
		at = x->in;
	}
	if (n > (ptrdiff_t)max)
		status = request_too_long(at, max);
	else
		status = n < 0 ? 400 : request_parse(at, (size_t)n, &x->request);
	if (status != 0) {
		respond_refuse(c, x, status);
		return true;
	}
	x->from += (size_t)n;
	x->body_at = x->from;
	x->head_len = (size_t)n;
	begin_body(c, x);
	return true;
}

/* A body with a length: what is behind it is the next request. */
static enum framing_taken
take_length(struct exchange *x, size_t most, char *to, struct framing_part *part)
{
	if (most > x->body_left)
		most = (size_t)x->body_left;
	if (to != NULL && to != x->in + x->from)
		memcpy(to, x->in + x->from, most);
	x->from += most;
	x->body_left -= most;
	part->n = most;
	return x->body_left == 0 ? FRAMING_WHOLE : FRAMING_MORE;
}

enum framing_taken
receive_take(struct exchange *x, size_t most, char *to, struct framing_part *part)
{
	const char *at = x->in + x->from;
	size_t used = 0;
	enum chunked_result r;

	*part = (struct framing_part){.n = 0};
	if (most > x->to - x->from)
		most = x->to - x->from;
	if (!x->request.chunked)
		return take_length(x, most, to, part);
	r = chunked_take(&x->chunked, at, most, &used, to, &part->n);
	x->from += used;
	part->trailers = at + used - x->chunked.trailed;
	part->ntrailers = x->chunked.trailed;
	if (r == CHUNKED_BAD)
		return FRAMING_BAD;
	if (x->chunked.total > (uint64_t)http_of(x->conn)->conf->max_body)
		return FRAMING_TOO_LONG;
	return r == CHUNKED_DONE ? FRAMING_WHOLE : FRAMING_MORE;
}

bool
receive_body(struct conn *c, struct exchange *x)
{
	bool wanted = x->responder->body != NULL;
	char *at = x->in + x->from;
	struct framing_part part;
	enum framing_taken taken = receive_take(x, SIZE_MAX, wanted ? at : NULL, &part);

	if (wanted && part.n > 0 && taken != FRAMING_TOO_LONG)
		x->responder->body(x, at, part.n);
	if (taken == FRAMING_BAD)
		respond_refuse(c, x, 400);
	else if (taken == FRAMING_TOO_LONG)
		refuse_body(c, x);
	else if (taken == FRAMING_WHOLE)
		respond(c, x);
	return x->phase != PHASE_BODY;
}
