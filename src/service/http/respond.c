#include "service/http/respond.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "service/http/exchange.h"
#include "service/http/responder.h"
#include "service/http/response_head.h"
#include "worker/conn/conn.h"
#include "worker/core/self.h"

/* The clock of a second: time() does not enter the kernel. */
static void
update_date(struct http *h)
{
	time_t now = time(NULL);

	if (now == h->date_of)
		return;
	h->date_of = now;
	response_head_date(now, h->date);
	for (int i = 0; i < RESPONSE_HEAD_CONNECTIONS_N; i++)
		if (h->canned[i].date != NULL)
			memcpy(h->canned[i].date, h->date, RESPONSE_HEAD_DATE_LEN);
}

const char *
respond_date(struct http *h)
{
	update_date(h);
	return h->date;
}

/* The next request, sent ahead, that would be thrown away by a close. */
static bool
another_has_come(const struct exchange *x)
{
	if (x->from == x->to)
		return conn_has_input(x->conn);
	return head_length(x->in + x->from, x->to - x->from, 0) != 0;
}

enum response_head_connection
respond_connection(struct exchange *x)
{
	const struct responder *by = x->responder;

	if (by != NULL && by->amid_body != NULL && by->amid_body(x)) {
		x->close = true;
		x->last = false; /* the rest of the body still comes */
	}
	if (!x->close && (conn_ends_here(x->conn) || self_lame()) && !another_has_come(x))
		x->close =
		    true; /* who is told so now does not meet an end between two requests */
	if (x->close)
		return RESPONSE_HEAD_CLOSE;
	return x->request.http10 ? RESPONSE_HEAD_KEEP_ALIVE : RESPONSE_HEAD_KEEP;
}

/* For the access log, which tells what was sent without it. */
static void
count_head(struct exchange *x)
{
	const char *end;

	if (x->unlogged && x->out_len > 0 &&
	    (end = memmem(x->out, x->out_len, "\r\n\r\n", 4)) != NULL)
		x->heads_out += (uint64_t)(end + 4 - x->out);
}

void
respond_text(struct exchange *x, size_t len)
{
	x->out = x->text;
	x->out_len = len;
	count_head(x);
	x->more_len = 0;
	x->phase = PHASE_ANSWER;
}

void
respond_status(struct conn *c, struct exchange *x, int status)
{
	struct http *h = http_of(c);

	update_date(h);
	x->status = (uint16_t)status;
	respond_text(x, response_head_error(exchange_text(x), status, h->date,
	                                    respond_connection(x),
	                                    x->request.method == METHOD_HEAD));
}

void
respond_refuse(struct conn *c, struct exchange *x, int status)
{
	if (x->phase == PHASE_HEAD) {
		conn_count_request(c);
		memset(&x->request, 0, sizeof x->request);
		x->request.method = METHOD_GET;
	}
	x->close = true;
	x->last = false; /* the rest of a refused body may still come */
	timelist_leave(&x->total);
	respond_status(c, x, status);
}

void
respond_at_end(struct conn *c, struct exchange *x)
{
	size_t len;

	if (x->body_left > 0 || x->request.chunked || x->request.method != METHOD_OPTIONS) {
		respond_refuse(c, x, 501);
		return;
	}
	len = respond_head(c, x, 204);
	respond_text(x, response_head_end(x->text, len));
}

static void
answer_text(struct conn *c, struct exchange *x, int status, const char *text)
{
	size_t len = respond_head(c, x, status);

	len = response_head_header(
	    x->text, len, "Content-Type: text/plain\r\nContent-Length: %zu\r\n", strlen(text));
	respond_text(x, response_head_end(x->text, len));
	if (x->request.method == METHOD_HEAD)
		return;
	x->more = text;
	x->more_len = strlen(text);
}

size_t
respond_head(struct conn *c, struct exchange *x, int status)
{
	struct http *h = http_of(c);

	update_date(h);
	x->status = (uint16_t)status;
	return response_head_begin(exchange_text(x), status, h->date, respond_connection(x));
}

static bool
is_health(const struct http *h, const char *path)
{
	return h->conf->health != NULL && strcmp(path, h->conf->health + 1) == 0;
}

bool
respond_is_ours(const struct conn *c, const struct exchange *x)
{
	const struct http *h = http_of(c);
	char path[TARGET_MAX + 1];

	return h->conf->health != NULL &&
	       target_path(&x->request.target, path, sizeof path) == 0 && is_health(h, path);
}

bool
respond_health(struct conn *c, struct exchange *x, const char *path)
{
	bool down = self_lame() || self_stopping();

	if (!is_health(http_of(c), path))
		return false;
	answer_text(c, x, down ? 503 : 200, down ? "stopping\n" : "ok\n");
	return true;
}

void
respond_begin(struct conn *c, struct exchange *x)
{
	if (x->request.method == METHOD_OTHER)
		respond_refuse(c, x, 501);
	else if (x->body_left == 0 && !x->request.chunked)
		respond(c, x);
	else
		exchange_continue(x);
}

void
respond(struct conn *c, struct exchange *x)
{
	timelist_leave(&x->total);
	x->responder->answer(c, x);
}
