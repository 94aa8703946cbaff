#include <string.h>

#include "service/http/exchange.h"
#include "service/http/file.h"
#include "service/http/framing.h"
#include "service/http/range.h"
#include "service/http/respond.h"
#include "service/http/response_head.h"
#include "service/http/serve.h"
#include "worker/conn/conn.h"

/* Where a directory's name lacks its slash: the same target with one.  Of several
 * slashes at its start one is left, as "//name" would lead to another host. */
static void
answer_moved(struct exchange *x)
{
	struct request_text t = x->request.target;
	size_t path = 0, len;

	for (; t.n > 1 && t.p[0] == '/' && t.p[1] == '/'; t.n--)
		t.p++;
	while (path < t.n && t.p[path] != '?' && t.p[path] != '#')
		path++;
	len = respond_head(x, 301, FRAMING_LENGTH);
	len = respond_field(x, len, "Location: %.*s/%.*s\r\n", (int)path, t.p,
	                    (int)(t.n - path), t.p + path);
	respond_end(x, len, FRAMING_LENGTH, 0);
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
answer_file(struct exchange *x)
{
	struct file *f = &x->file;
	uint64_t first = 0, last = f->size - 1, n = 0;
	enum framing_body body;
	enum range_result range = RANGE_WHOLE;
	char modified[RESPONSE_HEAD_DATE_LEN + 1];
	int status = range_precondition(&x->request, f->etag, f->modified);
	size_t len;

	if (status == 0 && x->request.method == METHOD_GET &&
	    range_allowed(&x->request, f->etag, f->modified))
		range = range_parse(&x->request.range, f->size, &first, &last);
	if (status == 0)
		status = range == RANGE_PART ? 206 : range == RANGE_UNSATISFIABLE ? 416 : 200;
	body = status == 304 ? FRAMING_NO_BODY : FRAMING_LENGTH;
	response_head_date(f->modified, modified);
	len = respond_head(x, status, body);
	len = respond_field(x, len, "ETag: %s\r\nLast-Modified: %s\r\nAccept-Ranges: bytes\r\n",
	                    f->etag, modified);
	if (range == RANGE_PART)
		len = respond_field(x, len, "Content-Range: bytes %llu-%llu/%llu\r\n",
		                    (unsigned long long)first, (unsigned long long)last,
		                    (unsigned long long)f->size);
	else if (status == 416)
		len = respond_field(x, len, "Content-Range: bytes */%llu\r\n",
		                    (unsigned long long)f->size);
	if (status == 200 || status == 206) {
		n = range == RANGE_PART ? last - first + 1 : f->size;
		len = respond_field(x, len, "Content-Type: %s\r\n", f->type);
		send_part(x, first, n);
	}
	respond_end(x, len, body, n);
}

static void
answer(struct conn *c, struct exchange *x)
{
	struct http *h = http_of(c);
	char path[TARGET_MAX + 1];
	int status = target_path(&x->request.target, path, sizeof path);

	if (status == 0 && respond_health(c, x, path))
		return;
	if (x->request.method != METHOD_GET && x->request.method != METHOD_HEAD)
		status = 405;
	if (status == 0)
		status = file_open(h->root, path, h->conf->index, &x->file);
	if (status == 0)
		answer_file(x);
	else if (status == 301)
		answer_moved(x);
	else
		respond_status(c, x, status);
}

/* It will be 405, whatever its body is: that is said before it comes. */
static void
begin(struct conn *c, struct exchange *x)
{
	bool asks = x->request.expects_continue && (x->body_left > 0 || x->request.chunked);
	enum method method = x->request.method;

	if (asks && method != METHOD_GET && method != METHOD_HEAD && method != METHOD_OTHER &&
	    !respond_is_ours(c, x))
		respond_refuse(c, x, 405);
	else
		respond_begin(c, x);
}

const struct responder serve_files = {.begin = begin, .answer = answer};
