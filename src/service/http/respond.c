#include "service/http/respond.h"

#include <stdarg.h>
#include <string.h>

#include "base/log.h"
#include "service/http/exchange.h"
#include "service/http/framing.h"
#include "service/http/responder.h"
#include "service/http/response_head.h"
#include "worker/conn/conn.h"
#include "worker/core/self.h"

/* The clock of a second: time() does not enter the kernel. */
const char *
respond_date(struct http *h)
{
	time_t now = time(NULL);

	if (now == h->date_of)
		return h->date;
	h->date_of = now;
	response_head_date(now, h->date);
	return h->date;
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

/* len bytes of x->text are the answer, or its head. */
static void
send_text(struct exchange *x, size_t len)
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
	(void)c;
	x->status = (uint16_t)status;
	send_text(x, x->framing->error(x, status));
}

/* --- heads --- */

size_t
respond_head(struct exchange *x, int status, enum framing_body body)
{
	x->status = (uint16_t)status;
	return x->framing->begin(x, status, body);
}

size_t
respond_field(const struct exchange *x, size_t len, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	len = response_head_vheader(x->text, len, fmt, ap);
	va_end(ap);
	return len;
}

void
respond_end(struct exchange *x, size_t len, enum framing_body body, uint64_t n)
{
	send_text(x, x->framing->end(x, len, body, n));
}

void
respond_body(struct exchange *x, const char *bytes, size_t n)
{
	if (x->request.method == METHOD_HEAD)
		return;
	x->more = bytes;
	x->more_len = n;
}

bool
respond_copy(struct exchange *x, const void *bytes, size_t n)
{
	char *to = x->text + x->out_len;

	AN(x->out == x->text);
	if (n > RESPONSE_HEAD_MAX - x->out_len)
		return false;
	memcpy(to, bytes, n);
	respond_body(x, to, n);
	return true;
}

/* --- answers --- */

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
	len = respond_head(x, 204, FRAMING_NO_BODY);
	respond_end(x, len, FRAMING_NO_BODY, 0);
}

static void
answer_text(struct exchange *x, int status, const char *text)
{
	size_t len = respond_head(x, status, FRAMING_LENGTH);

	len = respond_field(x, len, "Content-Type: text/plain\r\n");
	respond_end(x, len, FRAMING_LENGTH, strlen(text));
	respond_body(x, text, strlen(text));
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
	answer_text(x, down ? 503 : 200, down ? "stopping\n" : "ok\n");
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
