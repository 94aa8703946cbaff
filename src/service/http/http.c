#include "service/http/http.h"

#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <http_parser.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/http/answer.h"
#include "service/http/chunked.h"
#include "service/http/file.h"
#include "service/http/range.h"
#include "service/http/request.h"
#include "wire/handoff.h"
#include "worker/conn.h"

#define UNUSED_MAX   128  /* exchanges kept for re-use, per service */
#define BODY_ROOM    4096 /* a body is read behind its head, at least so much at a time */
#define SENDFILE_MAX (512 * 1024) /* per turn: a fast client does not hog the loop */

/* One constant answer in three readings of Connection; the date is patched in. */
struct canned {
	char *text;
	size_t head; /* bytes of the head: all that HEAD gets */
	size_t len;
	char *date; /* in text */
};

struct http {
	const struct conf_service *conf;
	struct canned canned[ANSWER_CONNECTIONS_N]; /* of `respond` */
	int root;                                   /* directory; -1: respond */
	time_t date_of;                             /* what `date` says */
	char date[ANSWER_DATE_LEN + 1];
	struct timelist *header, *body, *send, *total, *idle;
	SLIST_HEAD(, exchange) unused;
	size_t nunused;
};

enum phase { HEAD, BODY, CONTINUE, ANSWER }; /* read, read, write, write */

/* A request and its answer; borrowed while the connection is busy. */
struct exchange {
	SLIST_ENTRY(exchange) link;
	struct conn *conn;
	struct timed total; /* request_timeout, while the request is read */
	enum phase phase;
	struct request request;
	struct chunked chunked;
	uint64_t body_left; /* of a body with a length */
	bool close;         /* after this answer */
	bool last;          /* the client said itself that it sends no more requests */
	/* what is unsent */
	const char *out;
	size_t out_len;
	const char *more; /* after out */
	size_t more_len;
	struct file file; /* after that: file_left bytes from file_at */
	off_t file_at;
	uint64_t file_left;
	char text[ANSWER_HEAD_MAX]; /* heads that are not canned */
	/* what is unread */
	size_t from, to; /* in[from..to) */
	size_t looked;   /* bytes after from that were searched for the end of the head */
	size_t body_at;  /* where the body began: what is before it, the answer needs */
	char in[];       /* max_header + BODY_ROOM bytes */
};

static struct http *
http_of(const struct conn *c)
{
	return c->service->data;
}

/* --- start and stop --- */

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

static void on_header_late(struct timed *t);
static void on_body_late(struct timed *t);
static void on_send_late(struct timed *t);
static void on_total_late(struct timed *t);
static void on_idle_late(struct timed *t);

static int
check(const struct conf_service *conf, char **cause)
{
	int root;

	if (conf->root == NULL)
		return 0;
	root = file_open_root(conf->root, cause);
	if (root < 0)
		return -1;
	fd_close(&root);
	return 0;
}

static int
start(struct service *service, char **cause)
{
	const struct conf_service *conf = service->conf;
	struct http *h;
	int root = -1;

	if (conf->root != NULL && (root = file_open_root(conf->root, cause)) < 0)
		return -1;
	h = mem_alloc(sizeof *h);
	h->conf = conf;
	h->root = root;
	update_date(h);
	for (enum answer_connection c = 0; c < ANSWER_CONNECTIONS_N && root < 0; c++)
		can(h, c);
	h->header = timelist_new(service->base, (uint64_t)conf->header_timeout, on_header_late);
	h->body = timelist_new(service->base, (uint64_t)conf->body_timeout, on_body_late);
	h->send = timelist_new(service->base, (uint64_t)conf->send_timeout, on_send_late);
	h->total = timelist_new(service->base, (uint64_t)conf->request_timeout, on_total_late);
	h->idle = timelist_new(service->base, (uint64_t)conf->idle_timeout, on_idle_late);
	SLIST_INIT(&h->unused);
	service->data = h;
	return 0;
}

static void
stop(struct service *service)
{
	struct http *h = service->data;
	struct exchange *x;

	while ((x = SLIST_FIRST(&h->unused)) != NULL) {
		SLIST_REMOVE_HEAD(&h->unused, link);
		free(x);
	}
	for (int i = 0; i < ANSWER_CONNECTIONS_N; i++)
		free(h->canned[i].text);
	timelist_free(&h->header);
	timelist_free(&h->body);
	timelist_free(&h->send);
	timelist_free(&h->total);
	timelist_free(&h->idle);
	fd_close(&h->root);
	free(h);
}

/* --- borrowing --- */

static void
next_request(struct exchange *x)
{
	x->phase = HEAD;
	x->looked = 0;
	x->body_left = 0;
	x->out_len = x->more_len = 0;
	x->file_left = 0;
	x->close = x->last = false;
	memset(&x->chunked, 0, sizeof x->chunked);
}

static size_t
in_size(const struct conn *c)
{
	return (size_t)http_of(c)->conf->max_header + BODY_ROOM;
}

static struct exchange *
borrow(struct conn *c)
{
	struct http *h = http_of(c);
	struct exchange *x = SLIST_FIRST(&h->unused);

	if (x != NULL) {
		SLIST_REMOVE_HEAD(&h->unused, link);
		h->nunused--;
	} else {
		x = mem_alloc(sizeof *x + in_size(c));
		x->file.fd = -1;
	}
	x->conn = c;
	x->from = x->to = 0;
	next_request(x);
	c->data = x;
	return x;
}

static void
give_back(struct conn *c)
{
	struct http *h = http_of(c);
	struct exchange *x = c->data;

	if (x == NULL)
		return;
	c->data = NULL;
	timelist_leave(&x->total);
	file_close(&x->file);
	if (h->nunused >= UNUSED_MAX) {
		free(x);
		return;
	}
	SLIST_INSERT_HEAD(&h->unused, x, link);
	h->nunused++;
}

/* --- sending --- */

enum sent { SENT, BLOCKED, BROKEN };

static enum sent
send_text(struct conn *c, struct exchange *x)
{
	while (x->out_len + x->more_len > 0) {
		struct iovec iov[2] = {{(void *)(uintptr_t)x->out, x->out_len},
		                       {(void *)(uintptr_t)x->more, x->more_len}};
		int first = x->out_len == 0, n = 1 + (x->more_len > 0 && !first);
		ssize_t w = conn_write(c, iov + first, n, x->file_left > 0);
		size_t taken;

		if (w < 0)
			return w == CONN_AGAIN ? BLOCKED : BROKEN;
		taken = (size_t)w < x->out_len ? (size_t)w : x->out_len;
		x->out += taken;
		x->out_len -= taken;
		x->more += (size_t)w - taken;
		x->more_len -= (size_t)w - taken;
	}
	return SENT;
}

/* A file that has shrunk cannot keep the promised length: the connection is cut. */
static enum sent
send_file(struct conn *c, struct exchange *x)
{
	size_t quota = SENDFILE_MAX;

	while (x->file_left > 0) {
		size_t n = x->file_left < quota ? (size_t)x->file_left : quota;
		ssize_t w;

		if (n == 0)
			return BLOCKED; /* writable at once, but others first */
		w = conn_sendfile(c, x->file.fd, &x->file_at, n);
		if (w == CONN_AGAIN)
			return BLOCKED;
		if (w <= 0)
			return BROKEN;
		x->file_left -= (uint64_t)w;
		quota -= (size_t)w;
	}
	return SENT;
}

static enum sent
send_out(struct conn *c, struct exchange *x)
{
	enum sent s = send_text(c, x);

	return s == SENT && x->file_left > 0 ? send_file(c, x) : s;
}

/* The date of what is canned may be patched while it waits: the head is copied. */
static void
detach(struct exchange *x)
{
	size_t n = x->out_len < sizeof x->text ? x->out_len : sizeof x->text;

	if (n == 0 || (x->out >= x->text && x->out < x->text + sizeof x->text))
		return;
	memcpy(x->text, x->out, n);
	x->more = x->out + n; /* of what is not in text, out is all */
	x->more_len = x->out_len - n;
	x->out = x->text;
	x->out_len = n;
}

/* --- answers --- */

static enum answer_connection
connection(struct exchange *x)
{
	if (conn_ends_here(x->conn))
		x->close = true;
	if (x->close)
		return ANSWER_CLOSE;
	return x->request.http10 ? ANSWER_KEEP_ALIVE : ANSWER_KEEP;
}

static void
set_text(struct exchange *x, size_t len)
{
	x->out = x->text;
	x->out_len = len;
	x->more_len = 0;
	x->phase = ANSWER;
}

static void
answer_status(struct conn *c, struct exchange *x, int status)
{
	struct http *h = http_of(c);

	update_date(h);
	set_text(x, answer_error(x->text, status, h->date, connection(x),
	                         x->request.method == HTTP_HEAD));
}

/* A fault after which the bytes that follow mean nothing any more. */
static void
refuse(struct conn *c, struct exchange *x, int status)
{
	if (x->phase == HEAD) {
		conn_count_request(c);
		memset(&x->request, 0, sizeof x->request);
		x->request.method = HTTP_GET;
	}
	x->close = true;
	x->last = false; /* the rest of a refused body may still come */
	timelist_leave(&x->total);
	answer_status(c, x, status);
}

static void
answer_canned(struct conn *c, struct exchange *x)
{
	struct http *h = http_of(c);
	const struct canned *a = &h->canned[connection(x)];

	update_date(h);
	x->out = a->text;
	x->out_len = x->request.method == HTTP_HEAD ? a->head : a->len;
	x->more_len = 0;
	x->phase = ANSWER;
}

static void
answer_text(struct conn *c, struct exchange *x, int status, const char *text)
{
	struct http *h = http_of(c);
	size_t len;

	update_date(h);
	len = answer_begin(x->text, status, h->date, connection(x));
	len = answer_header(x->text, len, "Content-Type: text/plain\r\nContent-Length: %zu\r\n",
	                    strlen(text));
	set_text(x, answer_end(x->text, len));
	if (x->request.method == HTTP_HEAD)
		return;
	x->more = text;
	x->more_len = strlen(text);
}

/* Where a directory's name lacks its slash: the same target with one.  Of several
 * slashes at its start one is left, as "//name" would lead to another host. */
static void
answer_moved(struct conn *c, struct exchange *x)
{
	struct http *h = http_of(c);
	struct request_text t = x->request.target;
	size_t path = 0, len;

	for (; t.n > 1 && t.p[0] == '/' && t.p[1] == '/'; t.n--)
		t.p++;
	while (path < t.n && t.p[path] != '?' && t.p[path] != '#')
		path++;
	update_date(h);
	len = answer_begin(x->text, 301, h->date, connection(x));
	len = answer_header(x->text, len, "Location: %.*s/%.*s\r\nContent-Length: 0\r\n",
	                    (int)path, t.p, (int)(t.n - path), t.p + path);
	set_text(x, answer_end(x->text, len));
}

static void
send_part(struct exchange *x, uint64_t first, uint64_t n)
{
	if (x->request.method == HTTP_HEAD)
		return;
	x->file_at = (off_t)first;
	x->file_left = n;
}

static void
answer_file(struct conn *c, struct exchange *x)
{
	struct http *h = http_of(c);
	struct file *f = &x->file;
	uint64_t first = 0, last = f->size - 1, n = f->size;
	enum range_result range = RANGE_WHOLE;
	char modified[ANSWER_DATE_LEN + 1];
	int status = range_precondition(&x->request, f->etag, f->modified);
	size_t len;

	if (status == 0 && x->request.method == HTTP_GET &&
	    range_allowed(&x->request, f->etag, f->modified))
		range = range_parse(&x->request.range, f->size, &first, &last);
	if (status == 0)
		status = range == RANGE_PART ? 206 : range == RANGE_UNSATISFIABLE ? 416 : 200;
	update_date(h);
	answer_date(f->modified, modified);
	len = answer_begin(x->text, status, h->date, connection(x));
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
	set_text(x, answer_end(x->text, len));
}

/* status: what request_path made of the path. */
static void
answer_from_root(struct conn *c, struct exchange *x, int status, const char *path)
{
	struct http *h = http_of(c);

	if (x->request.method != HTTP_GET && x->request.method != HTTP_HEAD)
		status = 405;
	if (status == 0)
		status = file_open(h->root, path, h->conf->index, &x->file);
	if (status == 0)
		answer_file(c, x);
	else if (status == 301)
		answer_moved(c, x);
	else
		answer_status(c, x, status);
}

static bool
is_health(const struct http *h, const char *path)
{
	return h->conf->health != NULL && strcmp(path, h->conf->health + 1) == 0;
}

static void
answer(struct conn *c, struct exchange *x)
{
	struct http *h = http_of(c);
	char path[REQUEST_TARGET_MAX + 1];
	int status;

	timelist_leave(&x->total);
	if (h->root < 0 && h->conf->health == NULL) {
		answer_canned(c, x);
		return;
	}
	status = request_path(&x->request.target, path, sizeof path);
	if (status == 0 && is_health(h, path)) {
		bool down = worker_lame() || worker_draining();

		answer_text(c, x, down ? 503 : 200, down ? "stopping\n" : "ok\n");
	} else if (h->root < 0) {
		answer_canned(c, x);
	} else {
		answer_from_root(c, x, status, path);
	}
}

/* --- reading --- */

/* What is unread moves to the start of its buffer. */
static void
shift(struct exchange *x)
{
	memmove(x->in, x->in + x->from, x->to - x->from);
	x->to -= x->from;
	x->from = 0;
}

/* Wait for more of the request.  Its first wait starts the limits afresh. */
static void
want_more(struct conn *c, struct exchange *x, struct timelist *limit, bool renew)
{
	bool first = x->total.list == NULL;

	if (x->from > 0 && x->phase == HEAD)
		shift(x);
	if (renew || first || c->timed.list != limit)
		timelist_join(limit, &c->timed);
	if (first)
		timelist_join(http_of(c)->total, &x->total);
}

static void
continue_100(struct exchange *x)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (!x->request.expects_continue || x->from < x->to || x->request.http10)
		return;
	x->out = text;
	x->out_len = sizeof text - 1;
	x->phase = CONTINUE;
}

/* The head is whole: from here on a body may follow, or the answer. */
static void
begin_body(struct conn *c, struct exchange *x)
{
	uint64_t max = (uint64_t)http_of(c)->conf->max_body;

	conn_count_request(c);
	x->close = x->last = !x->request.keep_alive;
	x->body_left = x->request.length;
	x->phase = BODY;
	if (x->body_left > max) {
		refuse(c, x, 413);
		return;
	}
	if (x->body_left == 0 && !x->request.chunked)
		answer(c, x);
	else
		continue_100(x);
}

static void
skip_empty_lines(struct exchange *x)
{
	for (; x->to - x->from >= 2 && memcmp(x->in + x->from, "\r\n", 2) == 0; x->from += 2)
		x->looked = 0;
}

/* False: more bytes are needed. */
static bool
read_head(struct conn *c, struct exchange *x)
{
	size_t max = (size_t)http_of(c)->conf->max_header, len;
	const char *at;
	ptrdiff_t n;
	int status;

	at = x->in + x->from;
	len = x->to - x->from;
	n = request_head_length(at, len, x->looked);
	if (n == 0) {
		x->looked = len;
		if (len >= max)
			refuse(c, x, request_too_long(at, len));
		else if (len > REQUEST_TARGET_MAX + 64 && memchr(at, '\n', len) == NULL)
			refuse(c, x, 414);
		return x->phase == ANSWER;
	}
	if (n > 0 && x->from + (size_t)n > max) {
		shift(x); /* behind the head BODY_ROOM bytes must be left */
		at = x->in;
	}
	if (n > (ptrdiff_t)max)
		status = request_too_long(at, max);
	else
		status = n < 0 ? 400 : request_parse(at, (size_t)n, &x->request);
	if (status != 0) {
		refuse(c, x, status);
		return true;
	}
	x->from += (size_t)n;
	x->body_at = x->from;
	begin_body(c, x);
	return true;
}

static bool
read_chunked(struct conn *c, struct exchange *x)
{
	size_t used = 0;
	enum chunked_result r =
	    chunked_feed(&x->chunked, x->in + x->from, x->to - x->from, &used);

	x->from += used;
	if (r == CHUNKED_BAD)
		refuse(c, x, 400);
	else if (x->chunked.total > (uint64_t)http_of(c)->conf->max_body)
		refuse(c, x, 413);
	else if (r == CHUNKED_DONE)
		answer(c, x);
	return x->phase == ANSWER;
}

static bool
read_body(struct conn *c, struct exchange *x)
{
	size_t n = x->to - x->from;

	if (x->request.chunked)
		return read_chunked(c, x);
	if (n > x->body_left)
		n = (size_t)x->body_left;
	x->from += n;
	x->body_left -= n;
	if (x->body_left > 0)
		return false;
	answer(c, x);
	return true;
}

/* What was to be sent is with the kernel.  False: the connection is finished. */
static bool
all_sent(struct conn *c, struct exchange *x)
{
	if (x->phase == CONTINUE) {
		x->phase = BODY;
		return true;
	}
	file_close(&x->file);
	if (x->last && x->from == x->to) {
		conn_close(c, "answered"); /* nothing may follow: no need to wait for it */
		return false;
	}
	if (x->close) {
		conn_finish(c, "answered");
		return false;
	}
	next_request(x);
	return true;
}

static void
go_idle(struct conn *c)
{
	if (conn_ends_here(c)) {
		conn_finish(c, "idle during the drain");
		return;
	}
	give_back(c);
	conn_want_read(c);
	conn_set_state(c, CONN_IDLE);
	timelist_join(http_of(c)->idle, &c->timed);
}

/* Everything that can be done with what is there. */
static void
process(struct conn *c, struct exchange *x)
{
	struct http *h = http_of(c);

	for (;;) {
		if (x->phase == HEAD && conn_moves(c))
			return; /* between two requests: what is unread travels along */
		if (x->phase == HEAD)
			skip_empty_lines(x);
		if (x->phase == HEAD && x->from == x->to) {
			go_idle(c);
			return;
		}
		if (x->phase == HEAD && !read_head(c, x)) {
			want_more(c, x, h->header, false);
			return;
		}
		if (x->phase == BODY && !read_body(c, x)) {
			want_more(c, x, h->body, true);
			return;
		}
		if (x->phase < CONTINUE)
			continue;
		switch (send_out(c, x)) {
		case SENT:
			if (!all_sent(c, x))
				return;
			conn_want_read(c);
			break;
		case BLOCKED:
			detach(x);
			conn_want_write(c);
			timelist_join(h->send, &c->timed);
			return;
		case BROKEN:
			conn_close(c, "the answer could not be sent");
			return;
		}
	}
}

/* Room to read into.  A body is thrown away as it comes, but the head must stay:
 * the answer needs its target. */
static size_t
room(const struct conn *c, struct exchange *x)
{
	if (x->from == x->to)
		x->from = x->to = x->phase == BODY ? x->body_at : 0;
	return in_size(c) - x->to;
}

/* The peer's end amid a request is a fault like others: it may still listen. */
static void
ended(struct conn *c, struct exchange *x)
{
	if (x->phase == HEAD && x->from == x->to) {
		conn_close(c, "closed by the peer");
		return;
	}
	refuse(c, x, 400);
	process(c, x);
}

static void
readable(struct conn *c)
{
	struct exchange *x = c->data != NULL ? c->data : borrow(c);
	size_t n = room(c, x);
	ssize_t got = conn_read(c, x->in + x->to, n);

	if (got == CONN_AGAIN) {
		if (c->state != CONN_BUSY)
			give_back(c);
		return;
	}
	if (got == CONN_ERROR) {
		conn_close(c, "broken by the peer");
		return;
	}
	if (got == 0) {
		ended(c, x);
		return;
	}
	x->to += (size_t)got;
	conn_set_state(c, CONN_BUSY);
	process(c, x);
}

static void
writable(struct conn *c)
{
	process(c, c->data);
}

/* --- the rest of a life --- */

static void
opened(struct conn *c)
{
	timelist_join(http_of(c)->header, &c->timed);
}

/* What an exchange that has not left its head consists of. */
struct frozen {
	uint64_t left_ms; /* of request_timeout */
};

/* Between two requests, or in the first bytes of one.  The limit of a request that
 * is not there yet does not run. */
static bool
freeze(struct conn *c, struct handoff_record *r)
{
	static struct frozen frozen;
	const struct exchange *x = c->data;

	r->blob_version = 1;
	if (x == NULL)
		return true;
	if (x->phase != HEAD)
		return false;
	if (c->state == CONN_BUSY && x->from == x->to)
		r->state = CONN_IDLE;
	if (c->timed.list != http_of(c)->header) /* it was of what is done */
		r->left_ms = HANDOFF_NO_LIMIT;
	frozen.left_ms = timelist_left(&x->total);
	r->unread = (struct handoff_bytes){x->in + x->from, x->to - x->from};
	r->blob = (struct handoff_bytes){(const char *)&frozen, sizeof frozen};
	return true;
}

static const char *
thaw(struct conn *c, const struct handoff_record *r)
{
	struct http *h = http_of(c);
	struct frozen frozen = {.left_ms = UINT64_MAX};
	struct exchange *x;

	if (r->blob_version != 1 || r->unsent.n > 0 || r->blob.n > sizeof frozen)
		return "its state is not one of this http";
	if (r->unread.n > in_size(c))
		return "what it has sent already is larger than max_header allows here";
	timelist_join(c->state == CONN_IDLE ? h->idle : h->header, &c->timed);
	if (r->unread.n == 0)
		return NULL;
	memcpy(&frozen, r->blob.p, r->blob.n);
	x = borrow(c);
	memcpy(x->in, r->unread.p, r->unread.n);
	x->to = r->unread.n;
	timelist_join_left(h->total, &x->total, frozen.left_ms);
	return NULL;
}

static void
resume(struct conn *c)
{
	if (c->data != NULL)
		process(c, c->data);
}

static void
drain(struct conn *c)
{
	if (c->state != CONN_IDLE)
		return;
	readable(c); /* the last look: a request that is there already is served */
	if (!c->closed && !c->lingering && c->state == CONN_IDLE)
		conn_finish(c, "idle when the drain began");
}

static void
too_late(struct conn *c)
{
	struct exchange *x = c->data;

	if (x == NULL || x->phase >= CONTINUE) {
		conn_finish(c, "sent nothing in time");
		return;
	}
	refuse(c, x, 408);
	process(c, x);
}

static void
on_header_late(struct timed *t)
{
	too_late(timed_owner(t, struct conn, timed));
}

static void
on_body_late(struct timed *t)
{
	too_late(timed_owner(t, struct conn, timed));
}

/* A connection that is on its way is left alone: the other side has the limit, too. */
static void
on_total_late(struct timed *t)
{
	struct conn *c = timed_owner(t, struct exchange, total)->conn;

	if (c->moving || c->held)
		timelist_join(http_of(c)->total, t);
	else
		too_late(c);
}

static void
on_send_late(struct timed *t)
{
	conn_close(timed_owner(t, struct conn, timed), "did not take its answer in time");
}

/* With a last look: a request that has just come starts another limit. */
static void
on_idle_late(struct timed *t)
{
	struct conn *c = timed_owner(t, struct conn, timed);

	readable(c);
	if (!c->closed && c->timed.list == NULL)
		conn_finish(c, "idle for too long");
}

const struct service_type http_service = {
    .name = "http",
    .check = check,
    .start = start,
    .stop = stop,
    .open = opened,
    .readable = readable,
    .writable = writable,
    .drain = drain,
    .freeze = freeze,
    .thaw = thaw,
    .resume = resume,
    .release = give_back,
};
