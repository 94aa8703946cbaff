#include "service/http/respond.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "service/http/answer.h"
#include "service/http/call.h"
#include "service/http/exchange.h"
#include "service/http/file.h"
#include "service/http/range.h"
#include "worker/conn.h"
#include "worker/self.h"

static void
can(struct http *h, enum answer_connection c)
{
	struct canned *a = &h->canned[c];
	size_t body = strlen(h->conf->respond) + 1;

	a->text = mem_alloc(ANSWER_HEAD_MAX + body);
	a->len = answer_begin(a->text, 200, h->date, c);
	a->len = answer_header(a->text, a->len,
	                       "Content-Type: text/plain\r\nContent-Length: %zu\r\n", body);
	a->head = answer_end(a->text, a->len);
	memcpy(a->text + a->head, h->conf->respond, body - 1);
	a->text[a->head + body - 1] = '\n';
	a->len = a->head + body;
	a->date = strstr(a->text, h->date);
}

/* The clock of a second: time() does not enter the kernel. */
static void
update_date(struct http *h)
{
	time_t now = time(NULL);

	if (now == h->date_of)
		return;
	h->date_of = now;
	answer_date(now, h->date);
	for (int i = 0; i < ANSWER_CONNECTIONS_N; i++)
		if (h->canned[i].date != NULL)
			memcpy(h->canned[i].date, h->date, ANSWER_DATE_LEN);
}

const char *
respond_date(struct http *h)
{
	update_date(h);
	return h->date;
}

void
respond_prepare(struct http *h)
{
	update_date(h);
	for (enum answer_connection c = 0; c < ANSWER_CONNECTIONS_N && h->conf->respond != NULL;
	     c++)
		can(h, c);
}

void
respond_free(struct http *h)
{
	for (int i = 0; i < ANSWER_CONNECTIONS_N; i++)
		free(h->canned[i].text);
}

/* --- the kinds of answers --- */

/* The next request, sent ahead, that would be thrown away by a close. */
static bool
another_has_come(const struct exchange *x)
{
	if (x->from == x->to)
		return conn_has_input(x->conn);
	return request_head_length(x->in + x->from, x->to - x->from, 0) != 0;
}

enum answer_connection
respond_connection(struct exchange *x)
{
	if (x->call != NULL && call_is_amid_body(x)) {
		x->close = true;
		x->last = false; /* the rest of the body still comes */
	}
	if (!x->close && (conn_ends_here(x->conn) || self_lame()) && !another_has_come(x))
		x->close =
		    true; /* who is told so now does not meet an end between two requests */
	if (x->close)
		return ANSWER_CLOSE;
	return x->request.http10 ? ANSWER_KEEP_ALIVE : ANSWER_KEEP;
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
	respond_text(x, answer_error(exchange_text(x), status, h->date, respond_connection(x),
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
	respond_text(x, answer_end(x->text, len));
}

static void
answer_canned(struct conn *c, struct exchange *x)
{
	struct http *h = http_of(c);
	const struct canned *a = &h->canned[respond_connection(x)];

	update_date(h);
	x->status = 200;
	x->out = a->text;
	x->out_len = x->request.method == METHOD_HEAD ? a->head : a->len;
	x->heads_out += a->head;
	x->more_len = 0;
	x->phase = PHASE_ANSWER;
}

static void
answer_text(struct conn *c, struct exchange *x, int status, const char *text)
{
	size_t len = respond_head(c, x, status);

	len = answer_header(x->text, len, "Content-Type: text/plain\r\nContent-Length: %zu\r\n",
	                    strlen(text));
	respond_text(x, answer_end(x->text, len));
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
	return answer_begin(exchange_text(x), status, h->date, respond_connection(x));
}

/* Where a directory's name lacks its slash: the same target with one.  Of several
 * slashes at its start one is left, as "//name" would lead to another host. */
static void
answer_moved(struct conn *c, struct exchange *x)
{
	struct request_text t = x->request.target;
	size_t path = 0, len;

	for (; t.n > 1 && t.p[0] == '/' && t.p[1] == '/'; t.n--)
		t.p++;
	while (path < t.n && t.p[path] != '?' && t.p[path] != '#')
		path++;
	len = respond_head(c, x, 301);
	len = answer_header(x->text, len, "Location: %.*s/%.*s\r\nContent-Length: 0\r\n",
	                    (int)path, t.p, (int)(t.n - path), t.p + path);
	respond_text(x, answer_end(x->text, len));
}

static void
send_part(struct exchange *x, uint64_t first, uint64_t n)
{
	if (x->request.method == METHOD_HEAD)
		return;
	x->file_at = (off_t)first;
	x->file_left = n;
}

static void
answer_file(struct conn *c, struct exchange *x)
{
	struct file *f = &x->file;
	uint64_t first = 0, last = f->size - 1, n = f->size;
	enum range_result range = RANGE_WHOLE;
	char modified[ANSWER_DATE_LEN + 1];
	int status = range_precondition(&x->request, f->etag, f->modified);
	size_t len;

	if (status == 0 && x->request.method == METHOD_GET &&
	    range_allowed(&x->request, f->etag, f->modified))
		range = range_parse(&x->request.range, f->size, &first, &last);
	if (status == 0)
		status = range == RANGE_PART ? 206 : range == RANGE_UNSATISFIABLE ? 416 : 200;
	answer_date(f->modified, modified);
	len = respond_head(c, x, status);
	len = answer_header(x->text, len,
	                    "ETag: %s\r\nLast-Modified: %s\r\nAccept-Ranges: bytes\r\n",
	                    f->etag, modified);
	if (status == 200 || status == 206) {
		if (range == RANGE_PART) {
			n = last - first + 1;
			len = answer_header(x->text, len,
			                    "Content-Range: bytes %llu-%llu/%llu\r\n",
			                    (unsigned long long)first, (unsigned long long)last,
			                    (unsigned long long)f->size);
		}
		len =
		    answer_header(x->text, len, "Content-Type: %s\r\nContent-Length: %llu\r\n",
		                  f->type, (unsigned long long)n);
		send_part(x, first, n);
	} else if (status == 416) {
		len = answer_header(x->text, len,
		                    "Content-Range: bytes */%llu\r\n"
		                    "Content-Length: 0\r\n",
		                    (unsigned long long)f->size);
	} else if (status != 304) {
		len = answer_header(x->text, len, "Content-Length: 0\r\n");
	}
	respond_text(x, answer_end(x->text, len));
}

/* status: what request_path made of the path. */
static void
answer_from_root(struct conn *c, struct exchange *x, int status, const char *path)
{
	struct http *h = http_of(c);

	if (x->request.method != METHOD_GET && x->request.method != METHOD_HEAD)
		status = 405;
	if (status == 0)
		status = file_open(h->root, path, h->conf->index, &x->file);
	if (status == 0)
		answer_file(c, x);
	else if (status == 301)
		answer_moved(c, x);
	else
		respond_status(c, x, status);
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
	char path[REQUEST_TARGET_MAX + 1];

	return h->conf->health != NULL &&
	       request_path(&x->request.target, path, sizeof path) == 0 && is_health(h, path);
}

bool
respond_takes_no_body(const struct conn *c, const struct exchange *x)
{
	return http_of(c)->root >= 0 && x->request.method != METHOD_GET &&
	       x->request.method != METHOD_HEAD && !respond_is_ours(c, x);
}

void
respond(struct conn *c, struct exchange *x)
{
	struct http *h = http_of(c);
	char path[REQUEST_TARGET_MAX + 1];
	int status;

	timelist_leave(&x->total);
	if (h->root < 0 && h->conf->health == NULL && h->routes == NULL) {
		answer_canned(c, x);
		return;
	}
	if (h->routes != NULL && x->request.target.n == 1 && *x->request.target.p == '*') {
		call_route(c, x); /* of the whole server: no path */
		return;
	}
	status = request_path(&x->request.target, path, sizeof path);
	if (status == 0 && is_health(h, path)) {
		bool down = self_lame() || self_stopping();

		answer_text(c, x, down ? 503 : 200, down ? "stopping\n" : "ok\n");
	} else if (h->routes != NULL && status == 0) {
		call_route(c, x);
	} else if (h->routes != NULL) {
		respond_status(c, x, status);
	} else if (h->root < 0) {
		answer_canned(c, x);
	} else {
		answer_from_root(c, x, status, path);
	}
}
