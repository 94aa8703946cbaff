#include "service/http/exchange.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/http/client.h"
#include "service/http/framing.h"
#include "service/http/responder.h"
#include "wire/figures.h"
#include "worker/access/access.h"
#include "worker/conn/conn.h"
#include "worker/sandbox/trust.h"

#define UNUSED_MAX 128          /* exchanges kept for re-use, per service */
#define IN_FIRST   2048         /* bytes of `in`: enough for most heads, and kept for re-use */
#define BODY_ROOM  4096         /* a body is read behind its head, at least so much at a time */
#define RATE_MS    10000        /* over which min_rate is meant */
#define TEXTS_MAX  16           /* kept for re-use */
#define TURN       (512 * 1024) /* sent at a time: a fast client does not hog the loop */

_Static_assert(IN_FIRST <= BODY_ROOM, "there is always room for the first bytes");

/* Of all services together. */
static struct {
	char *text[TEXTS_MAX];
	size_t n;
} spare;

/* --- the access log --- */

static void
log_begin(struct exchange *x)
{
	x->unlogged = true;
	x->in_before = x->conn->bytes_in - (x->to - x->from);
	x->out_before = x->conn->bytes_out;
}

static struct accessline_text
header(const struct exchange *x, const char *name)
{
	struct request_text t =
	    request_header(x->in + x->body_at - x->head_len, x->head_len, name);

	return (struct accessline_text){t.p, t.n};
}

/* As one tells who is trusted; into text. */
static const char *
told_client(const struct exchange *x, char *text)
{
	const char *head = x->in + x->body_at - x->head_len;
	struct net_addr addr;

	if (x->request.target.p == NULL || !trust_peer(x->conn) ||
	    !client_address(head, x->head_len, trust_of(x->conn->listener), &addr))
		return NULL;
	net_addr_text(&addr, text);
	return text;
}

/* Without a request only the answer is known. */
static void
describe(const struct exchange *x, struct accessline *line)
{
	if (x->request.target.p == NULL)
		return;
	line->method =
	    (struct accessline_text){x->request.method_name.p, x->request.method_name.n};
	line->target = (struct accessline_text){x->request.target.p, x->request.target.n};
	line->version = x->request.http10 ? "HTTP/1.0" : "HTTP/1.1";
	line->referer = header(x, "Referer");
	line->agent = header(x, "User-Agent");
}

void
exchange_log(struct exchange *x)
{
	const struct conn *c = x->conn;
	struct accessline line = {.status = x->status,
	                          .upstream = x->upstream,
	                          .fault = x->fault,
	                          .bytes_in = c->bytes_in - x->in_before};

	char client[INET6_ADDRSTRLEN];

	if (!x->unlogged || x->phase == PHASE_HEAD)
		return;
	describe(x, &line);
	if (line.target.p != NULL)
		line.bytes_in -= x->to - x->from; /* the next request's */
	line.bytes_out = c->bytes_out - x->out_before;
	line.body_out = line.bytes_out > x->heads_out ? line.bytes_out - x->heads_out : 0;
	line.client = told_client(x, client);
	line.us = clock_us() - x->began_us;
	access_request(c, &line);
	x->unlogged = false;
}

/* --- borrowing --- */

void
exchange_count(struct exchange *x)
{
	const struct http *h = http_of(x->conn);

	if (x->status == 0 || x->counted)
		return;
	figures_answer(h->answers, x->status);
	figures_answer(h->answered[x->conn->listener], x->status);
	x->counted = true;
}

void
exchange_next(struct exchange *x)
{
	x->phase = PHASE_HEAD;
	x->status = 0;
	x->counted = false;
	x->responder = NULL;
	x->looked = 0;
	x->body_left = 0;
	x->out_len = x->more_len = x->tail_len = 0;
	x->file_left = 0;
	x->close = x->last = false;
	x->rate_ms = 0;
	x->slow = false;
	memset(&x->chunked, 0, sizeof x->chunked);
	x->upstream = x->fault = NULL;
	x->heads_out = 0;
	x->unlogged = false;
	if (access_on(x->conn->listener))
		log_begin(x);
}

struct exchange *
exchange_borrow(struct conn *c)
{
	struct http *h = http_of(c);
	struct exchange *x = SLIST_FIRST(&h->unused);

	if (x != NULL) {
		SLIST_REMOVE_HEAD(&h->unused, link);
		h->nunused--;
	} else {
		x = mem_alloc(sizeof *x);
		x->file.fd = -1;
	}
	if (x->in == NULL) {
		x->in = mem_realloc(NULL, IN_FIRST); /* not zeroed */
		x->size = IN_FIRST;
	}
	x->conn = c;
	x->limit = &c->timed;
	x->framing = h->framing;
	x->from = x->to = 0;
	exchange_next(x);
	c->data = x;
	return x;
}

static void
free_text(struct exchange *x)
{
	if (x->text == NULL)
		return;
	if (spare.n < TEXTS_MAX)
		spare.text[spare.n++] = x->text;
	else
		free(x->text);
	x->text = NULL;
}

static void
free_exchange(struct exchange *x)
{
	free(x->in);
	free(x);
}

void
exchange_give_back(struct conn *c)
{
	struct http *h = http_of(c);
	struct exchange *x = c->data;

	if (x == NULL)
		return;
	c->data = NULL;
	exchange_log(x);
	if (x->responder != NULL && x->responder->gone != NULL)
		x->responder->gone(x);
	x->responder = NULL;
	timelist_leave(&x->total);
	file_close(&x->file);
	free_text(x);
	if (h->nunused >= UNUSED_MAX) {
		free_exchange(x);
		return;
	}
	if (x->size > IN_FIRST)
		mem_free(&x->in);
	SLIST_INSERT_HEAD(&h->unused, x, link);
	h->nunused++;
}

void
exchange_free_unused(struct http *h)
{
	struct exchange *x;

	while ((x = SLIST_FIRST(&h->unused)) != NULL) {
		SLIST_REMOVE_HEAD(&h->unused, link);
		free_exchange(x);
	}
	while (spare.n > 0)
		free(spare.text[--spare.n]);
}

/* --- the buffer of what is read --- */

static size_t
max_size(const struct conn *c)
{
	return (size_t)http_of(c)->conf->max_header + BODY_ROOM;
}

/* Move the pointers into the buffer along. */
static void
resize(struct exchange *x, size_t size)
{
	char *in = mem_realloc(NULL, size);

	memcpy(in, x->in, x->to);
	if (x->phase != PHASE_HEAD)
		request_move(&x->request, x->in, in);
	if (x->responder != NULL && x->responder->moved != NULL)
		x->responder->moved(x, in);
	free(x->in);
	x->in = in;
	x->size = size;
}

/* By doubling, up to the most that is allowed. */
static void
grow(const struct conn *c, struct exchange *x)
{
	size_t max = max_size(c);

	resize(x, x->size < max / 2 ? 2 * x->size : max);
}

void
exchange_shift(struct exchange *x)
{
	memmove(x->in, x->in + x->from, x->to - x->from);
	x->to -= x->from;
	x->from = 0;
}

void
exchange_settle(struct exchange *x)
{
	if (x->from > 0)
		exchange_shift(x);
	if (x->size > IN_FIRST && x->to <= IN_FIRST / 2)
		resize(x, IN_FIRST);
}

size_t
exchange_room(const struct conn *c, struct exchange *x)
{
	if (x->from == x->to)
		x->from = x->to = x->phase == PHASE_HEAD ? 0 : x->body_at;
	return max_size(c) - x->to;
}

/* Bytes of a body have come: its pauses are counted from here, and how fast it comes. */
static void
body_came(struct conn *c, struct exchange *x, size_t n)
{
	struct http *h = http_of(c);
	uint64_t now = clock_tick_ms(), since;

	if (x->total.list == h->total)
		timelist_join(h->total, &x->total);
	if (h->conf->min_rate == 0)
		return;
	if (x->rate_ms == 0) {
		x->rate_ms = now;
		x->rate_bytes = 0;
	}
	x->rate_bytes += n;
	since = now - x->rate_ms;
	if (since < RATE_MS)
		return;
	x->slow = x->rate_bytes * 1000 / since < (uint64_t)h->conf->min_rate;
	x->rate_ms = now;
	x->rate_bytes = 0;
}

/* A full buffer may mean that more is waiting: grow it and read on. */
ssize_t
exchange_read(struct conn *c, struct exchange *x)
{
	ssize_t n, all = 0;
	size_t room;

	while (exchange_room(c, x) > 0) {
		if (x->to == x->size)
			grow(c, x);
		room = x->size - x->to;
		n = conn_read(c, x->in + x->to, room);
		if (n <= 0 && all == 0)
			return n;
		if (n <= 0)
			break; /* it will say so again */
		x->to += (size_t)n;
		all += n;
		if ((size_t)n < room)
			break;
	}
	if (all > 0 && (x->phase == PHASE_BODY || x->phase == PHASE_RESPONDER))
		body_came(c, x, (size_t)all);
	return all;
}

bool
exchange_put(const struct conn *c, struct exchange *x, const char *bytes, size_t n)
{
	if (n > max_size(c))
		return false;
	while (n > x->size)
		grow(c, x);
	memcpy(x->in, bytes, n);
	x->to = n;
	return true;
}

/* --- sending --- */

void
exchange_continue(struct exchange *x)
{
	const struct request_text *text = x->framing->go_ahead();
	bool expected = x->request.expects_continue;

	x->request.expects_continue = false;
	if (!expected || x->from < x->to || x->request.http10)
		return;
	x->out = text->p;
	x->out_len = text->n;
	x->heads_out += x->out_len;
	x->behind = x->phase;
	x->phase = PHASE_CONTINUE;
}

bool
exchange_is_amid_continue(const struct exchange *x)
{
	return x->phase == PHASE_CONTINUE && x->out_len > 0 &&
	       x->out_len < x->framing->go_ahead()->n;
}

char *
exchange_text(struct exchange *x)
{
	if (x->text == NULL)
		x->text =
		    spare.n > 0 ? spare.text[--spare.n] : mem_realloc(NULL, RESPONSE_HEAD_MAX);
	return x->text;
}

/* Merge unsent parts that are adjacent in memory. */
static int
gather(const struct exchange *x, struct iovec iov[3])
{
	const struct iovec part[3] = {{(void *)(uintptr_t)x->out, x->out_len},
	                              {(void *)(uintptr_t)x->more, x->more_len},
	                              {(void *)(uintptr_t)x->tail, x->tail_len}};
	int n = 0;

	for (int i = 0; i < 3; i++) {
		if (part[i].iov_len == 0)
			continue;
		if (n > 0 &&
		    (char *)iov[n - 1].iov_base + iov[n - 1].iov_len == part[i].iov_base)
			iov[n - 1].iov_len += part[i].iov_len;
		else
			iov[n++] = part[i];
	}
	return n;
}

/* n bytes of it are sent: what is left. */
static size_t
taken(const char **text, size_t *len, size_t n)
{
	size_t part = n < *len ? n : *len;

	if (part > 0) { /* else there may be none, and no pointer to it */
		*text += part;
		*len -= part;
	}
	return n - part;
}

static enum sent
send_text(struct conn *c, struct exchange *x)
{
	struct iovec iov[3];
	size_t sent = 0;
	int n;

	while ((n = gather(x, iov)) > 0) {
		ssize_t w = conn_write(c, iov, n, x->file_left > 0);
		size_t rest;

		if (w < 0)
			return w == CONN_AGAIN ? SENT_BLOCKED : SENT_BROKEN;
		rest = taken(&x->out, &x->out_len, (size_t)w);
		rest = taken(&x->more, &x->more_len, rest);
		rest = taken(&x->tail, &x->tail_len, rest);
		AN(rest == 0);
		sent += (size_t)w;
		if (sent >= TURN && x->out_len + x->more_len + x->tail_len > 0)
			return SENT_BLOCKED; /* writable at once, but others first */
	}
	return SENT_ALL;
}

/* A file that has shrunk cannot keep the promised length: the connection is cut. */
static enum sent
send_file(struct conn *c, struct exchange *x)
{
	size_t quota = TURN;

	while (x->file_left > 0) {
		size_t n = x->file_left < quota ? (size_t)x->file_left : quota;
		ssize_t w;

		if (n == 0)
			return SENT_BLOCKED; /* writable at once, but others first */
		w = conn_sendfile(c, x->file.fd, &x->file_at, n);
		if (w == CONN_AGAIN)
			return SENT_BLOCKED;
		if (w <= 0)
			return SENT_BROKEN;
		x->file_left -= (uint64_t)w;
		quota -= (size_t)w;
	}
	return SENT_ALL;
}

enum sent
exchange_send(struct conn *c, struct exchange *x)
{
	enum sent s = send_text(c, x);

	if (s == SENT_ALL)
		free_text(x);
	return s == SENT_ALL && x->file_left > 0 ? send_file(c, x) : s;
}

static bool
is_in_text(const struct exchange *x)
{
	return x->text != NULL && x->out >= x->text && x->out < x->text + RESPONSE_HEAD_MAX;
}

void
exchange_detach(struct exchange *x)
{
	const char *out = x->out;

	if (x->out_len == 0 || x->handler != NULL || is_in_text(x)) /* it has its own pieces */
		return;
	AN(x->out_len <= RESPONSE_HEAD_MAX);
	x->out = memcpy(exchange_text(x), out, x->out_len);
}
