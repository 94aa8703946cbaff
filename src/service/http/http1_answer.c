/* http1_answer: the heads and bodies of answers, as HTTP/1 has them (RFC 9112). */
#include <sys/socket.h>

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "service/head/upstream_head.h"
#include "service/http/exchange.h"
#include "service/http/http1.h"
#include "service/http/piece.h"
#include "service/http/receive.h"
#include "service/http/respond.h"
#include "service/http/responder.h"
#include "service/http/response_head.h"
#include "service/http/rewrite.h"
#include "worker/conn/conn.h"
#include "worker/core/self.h"

/* --- Connection --- */

/* The next request, sent ahead, that would be thrown away by a close. */
static bool
another_has_come(const struct exchange *x)
{
	if (x->from == x->to)
		return conn_has_input(x->conn);
	return head_length(x->in + x->from, x->to - x->from, 0) != 0;
}

/* How Connection reads in the answer that begins now; closes, where it says so. */
static enum response_head_connection
connection(struct exchange *x)
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

/* To a client of HTTP/1.0 a body in pieces ends with the connection. */
static enum response_head_connection
connection_for(struct exchange *x, enum framing_body body)
{
	if (body == FRAMING_PIECES && x->request.http10)
		x->close = true;
	return connection(x);
}

/* --- Strict-Transport-Security --- */

static int64_t
hsts_of(const struct exchange *x)
{
	const struct conn *c = x->conn;

	return c->tls != NULL ? self_conf()->listen[c->listener].hsts : 0;
}

/* Put it at the end of the whole head that len bytes begin with; in clear it means nothing
 * (RFC 6797, 7.2).  The new length. */
static size_t
put_hsts(const struct exchange *x, char *bytes, size_t len, size_t size)
{
	char line[64], *end;
	size_t n;

	if (hsts_of(x) == 0 || (end = memmem(bytes, len, "\r\n\r\n", 4)) == NULL)
		return len;
	n = (size_t)snprintf(line, sizeof line, "Strict-Transport-Security: max-age=%lld\r\n",
	                     (long long)(hsts_of(x) / 1000));
	if (n > size - len)
		return len;
	end += 2;
	memmove(end + n, end, len - (size_t)(end - bytes));
	memcpy(end, line, n);
	return len + n;
}

/* --- of our own --- */

static size_t
begin(struct exchange *x, int status, enum framing_body body)
{
	return response_head_begin(exchange_text(x), status, respond_date(http_of(x->conn)),
	                           connection_for(x, body));
}

static size_t
end(struct exchange *x, size_t len, enum framing_body body, uint64_t n)
{
	if (body == FRAMING_LENGTH)
		len = response_head_header(x->text, len, "Content-Length: %llu\r\n",
		                           (unsigned long long)n);
	else if (body == FRAMING_PIECES && !x->request.http10)
		len = response_head_header(x->text, len, "Transfer-Encoding: chunked\r\n");
	return put_hsts(x, x->text, response_head_end(x->text, len), RESPONSE_HEAD_MAX);
}

static size_t
error(struct exchange *x, int status)
{
	size_t len =
	    response_head_error(exchange_text(x), status, respond_date(http_of(x->conn)),
	                        connection(x), x->request.method == METHOD_HEAD);

	return put_hsts(x, x->text, len, RESPONSE_HEAD_MAX);
}

static void
piece(struct exchange *x, const char *bytes, size_t n)
{
	if (!x->request.http10) {
		x->out_len = (size_t)snprintf(x->size_line, sizeof x->size_line, "%zx\r\n", n);
		x->out = x->size_line;
		x->tail = "\r\n";
		x->tail_len = 2;
	}
	x->more = bytes;
	x->more_len = n;
	x->phase = PHASE_ANSWER;
}

static void
last(struct exchange *x)
{
	if (!x->request.http10) {
		x->out = "0\r\n\r\n";
		x->out_len = 5;
	}
	x->phase = PHASE_ANSWER;
}

/* --- `respond` --- */

static void
can(struct http *h, enum response_head_connection c)
{
	struct canned *a = &h->canned[c];
	size_t body = strlen(h->conf->respond) + 1;

	a->body = body;
	a->text = mem_alloc(RESPONSE_HEAD_MAX + body);
	a->head = response_head_begin(a->text, 200, h->date, c);
	a->head = response_head_header(
	    a->text, a->head, "Content-Type: text/plain\r\nContent-Length: %zu\r\n", body);
	a->head = response_head_end(a->text, a->head);
	memcpy(a->text + a->head, h->conf->respond, body - 1);
	a->text[a->head + body - 1] = '\n';
	a->date = strstr(a->text, h->date);
	a->date_of = h->date_of;
}

static void
prepare(struct http *h)
{
	respond_date(h);
	for (enum response_head_connection c = 0;
	     c < RESPONSE_HEAD_CONNECTIONS_N && h->conf->respond != NULL; c++)
		can(h, c);
}

static void
forget(struct http *h)
{
	for (int i = 0; i < RESPONSE_HEAD_CONNECTIONS_N; i++)
		free(h->canned[i].text);
}

static void
constant(struct exchange *x)
{
	struct http *h = http_of(x->conn);
	struct canned *a = &h->canned[connection(x)];

	respond_date(h);
	if (a->date_of != h->date_of) {
		memcpy(a->date, h->date, RESPONSE_HEAD_DATE_LEN);
		a->date_of = h->date_of;
	}
	x->out = a->text;
	x->out_len = a->head;
	if (hsts_of(x) > 0) {
		x->out = memcpy(exchange_text(x), a->text, a->head);
		x->out_len = put_hsts(x, x->text, a->head, RESPONSE_HEAD_MAX);
	}
	x->heads_out += x->out_len;
	x->more = a->text + a->head;
	x->more_len = x->request.method == METHOD_HEAD ? 0 : a->body;
}

/* --- of upstreams --- */

static size_t
pass_head(struct exchange *x, const char *head, size_t len, const struct upstream_head *r,
          enum framing_body body)
{
	struct http *h = http_of(x->conn);
	struct rewrite_answer rules = {.connection = RESPONSE_HEAD_KEEP};
	size_t n;

	if (r->status >= 200) {
		rules.via = h->conf->via;
		rules.date = respond_date(h);
		rules.connection = connection_for(x, body);
		rules.chunked = body == FRAMING_PIECES && !x->request.http10;
	}
	n = rewrite_reply(&rules, head, len, r, h->scratch, h->scratch_size);
	if (n == 0 || r->status < 200 ||
	    request_header(head, len, "Strict-Transport-Security").p != NULL)
		return n;
	return put_hsts(x, h->scratch, n, h->scratch_size);
}

static bool
passes_chunks(const struct exchange *x)
{
	return !x->request.http10;
}

static void
pass_piece(const struct exchange *x, struct piece *p, const char *bytes, size_t n)
{
	if (x->request.http10)
		piece_add(p, bytes, n);
	else
		piece_add_chunk(p, bytes, n);
}

static void
pass_last(const struct exchange *x, struct piece *p, const char *trailers, size_t n)
{
	if (!x->request.http10)
		piece_add_end(p, trailers, n);
}

static const struct request_text *
go_ahead(void)
{
	static const struct request_text text = {"HTTP/1.1 100 Continue\r\n\r\n", 25};

	return &text;
}

/* --- the connection, which has one request at a time --- */

static ssize_t
write_now(struct exchange *x, const struct iovec *iov, int n)
{
	return conn_write(x->conn, iov, n, false);
}

static void
hear(struct exchange *x, bool more)
{
	conn_hear(x->conn, more);
}

static void
want(struct exchange *x, short events)
{
	conn_want(x->conn, events);
}

static void
give_back(struct exchange *x)
{
	conn_want_read(x->conn);
}

static void
close_it(struct exchange *x, const char *why)
{
	conn_close(x->conn, why);
}

static void
cut(struct exchange *x, const char *why)
{
	conn_cut(x->conn, why);
}

/* Where the end of the connection is the answer's, it is reset. */
static void
break_off(struct exchange *x, const char *why)
{
	static const struct linger hard = {.l_onoff = 1};

	if (x->request.http10)
		setsockopt(x->conn->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	conn_close(x->conn, why);
}

const struct framing http1_framing = {
    .go_on = http1_go_on,
    .take = receive_take,
    .hear = hear,
    .go_ahead = go_ahead,
    .begin = begin,
    .end = end,
    .error = error,
    .constant = constant,
    .prepare = prepare,
    .forget = forget,
    .piece = piece,
    .last = last,
    .pass_head = pass_head,
    .passes_chunks = passes_chunks,
    .pass_piece = pass_piece,
    .pass_last = pass_last,
    .write = write_now,
    .want = want,
    .give_back = give_back,
    .close = close_it,
    .break_off = break_off,
    .cut = cut,
};
