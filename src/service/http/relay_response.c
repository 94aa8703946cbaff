/* pass: the answer's way to the client. */
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "service/http/exchange.h"
#include "service/http/framing.h"
#include "service/http/relay_int.h"
#include "service/http/respond.h"
#include "service/http/rewrite.h"
#include "service/http/tunnel.h"
#include "service/upstream/upstream.h"
#include "worker/conn/conn.h"
#include "worker/runtime/pool.h"

#define READ_MAX  65536 /* of an answer, per turn */
#define EARLY_MAX 100   /* heads of the kind 1xx before it */

static const char too_long[] =
    "its answer's head grows too long, or has too many lines of Connection";

static const struct verdict broken = {.kind = BROKEN, .why = "the answer could not be sent"};
static const struct verdict finished = {.kind = FINISHED};

static char buf[READ_MAX];

static void
failed(struct relay *r, const char *why)
{
	relay_judge(r, (struct verdict){.kind = FAILED, .status = 502, .why = why});
}

static void
give_up(struct relay *r, const char *why)
{
	relay_judge(r, (struct verdict){.kind = GIVEN_UP, .status = 502, .why = why});
}

static void
send_down(struct relay *r, struct piece *p)
{
	struct exchange *x = r->x;
	bool waits = !unsent_is_empty(&r->down); /* heads before the answer */
	ssize_t n = p->n > 0 && !waits ? x->framing->write(x, p->iov, p->n) : 0;

	if (n == CONN_ERROR) {
		relay_judge(r, broken);
		return;
	}
	unsent_keep(&r->down, p->iov, p->n, n > 0 ? (size_t)n : 0);
	if (!unsent_is_empty(&r->down)) {
		timelist_join(http_of(x->conn)->send, x->limit);
		timelist_leave(&r->timed); /* it is the client who is slow */
	} else if (r->state == ANSWERED) {
		relay_judge(r, finished);
	}
}

void
relay_flush_down(struct relay *r)
{
	struct exchange *x = r->x;
	struct iovec iov = unsent_rest(&r->down);
	ssize_t n = x->framing->write(x, &iov, 1);

	if (n == CONN_ERROR) {
		relay_judge(r, broken);
		return;
	}
	if (n > 0) {
		unsent_sent(&r->down, (size_t)n);
		timelist_join(http_of(x->conn)->send, x->limit);
	}
	if (!unsent_is_empty(&r->down))
		return;
	if (r->state == ANSWERED) {
		relay_judge(r, finished);
		return;
	}
	timelist_leave(x->limit);
	relay_start_limits(r);
}

/* All of them are there, and the empty line behind them.  False: they are no fields. */
static bool
pass_trailers(struct relay *r, struct piece *p)
{
	ptrdiff_t n = rewrite_trailers(r->ends.p, r->ends.n - 2, true);

	if (n < 0)
		return false;
	piece_add(p, r->ends.p, (size_t)n);
	piece_add(p, "\r\n", 2);
	return true;
}

/* A chunk's bytes go as they are, but to a client that does not know them.  False: they are
 * none. */
static bool
pass_chunks(struct relay *r, char *bytes, size_t n, struct piece *p)
{
	const struct framing *framing = r->x->framing;
	size_t used = 0, kept = 0;
	enum chunked_result result =
	    chunked_take(&r->chunked, bytes, n, &used, r->unwrapped ? bytes : NULL, &kept);

	if (r->chunked.trailed > 0 && !r->unwrapped)
		unsent_add(&r->ends, bytes + used - r->chunked.trailed, r->chunked.trailed);
	if (r->unwrapped)
		framing->pass_piece(r->x, p, bytes, kept);
	else
		piece_add(p, bytes, used - r->chunked.trailed);
	r->surplus = used < n;
	if (result != CHUNKED_DONE)
		return result == CHUNKED_MORE;
	r->state = ANSWERED;
	if (!r->unwrapped)
		return pass_trailers(r, p);
	framing->pass_last(r->x, p, NULL, 0);
	return true;
}

/* False: the answer is broken. */
static bool
pass_body(struct relay *r, char *bytes, size_t n, struct piece *p)
{
	size_t m = n;

	switch (r->reply.body) {
	case UPSTREAM_BODY_CHUNKED:
		return n == 0 || pass_chunks(r, bytes, n, p);
	case UPSTREAM_BODY_TO_CLOSE:
		if (n > 0)
			r->x->framing->pass_piece(r->x, p, bytes, n);
		return true;
	case UPSTREAM_BODY_LENGTH:
	case UPSTREAM_BODY_NONE:
		break;
	}
	if (m > r->left)
		m = (size_t)r->left;
	piece_add(p, bytes, m);
	r->left -= m;
	r->surplus = m < n;
	if (r->left == 0)
		r->state = ANSWERED;
	return true;
}

/* It was answered, and a limit of ours is in the way: the upstream is not to blame, and another
 * one would say the same. */
static void
refuse_answer(struct relay *r, const char *why)
{
	upstream_good(r->upstream);
	give_up(r, why);
}

/* The final answer begins: its head, and what is there of its body. */
static void
begin_answer(struct relay *r, const char *head, size_t len, char *rest, size_t n)
{
	struct exchange *x = r->x;
	struct piece p = {.n = 0};
	bool chunked = r->reply.body == UPSTREAM_BODY_CHUNKED;
	enum framing_body body = chunked || r->reply.body == UPSTREAM_BODY_TO_CLOSE
	                             ? FRAMING_PIECES
	                             : FRAMING_LENGTH;

	r->unwrapped = chunked && !x->framing->passes_chunks(x);
	if (!r->read_all)
		x->close = true; /* whether the rest of the request comes, who knows */
	piece_add(&p, http_of(x->conn)->scratch,
	          x->framing->pass_head(x, head, len, &r->reply, body));
	x->heads_out += p.n > 0 ? p.iov[0].iov_len : 0;
	if (p.n == 0) {
		refuse_answer(r, too_long);
		return;
	}
	r->state = ANSWERING;
	r->expects = false; /* it has its answer */
	r->left = r->reply.body == UPSTREAM_BODY_LENGTH ? r->reply.length : 0;
	if (!pass_body(r, rest, n, &p)) { /* and no byte of it is out */
		upstream_bad(r->upstream, false);
		give_up(r, "its chunks are none");
		return;
	}
	upstream_good(r->upstream);
	r->begun = true;
	x->status = (uint16_t)r->reply.status;
	exchange_count(x);
	relay_start_limits(r);
	send_down(r, &p);
}

/* 101: from here on the bytes mean nothing to us. */
static void
begin_tunnel(struct relay *r, const char *head, size_t len, const char *rest, size_t n)
{
	struct exchange *x = r->x;
	struct conn *c = x->conn;
	struct http *h = http_of(c);
	struct iovec early = unsent_rest(&r->down);
	struct tunnel_bytes down[TUNNEL_FIRST] = {
	    {early.iov_base, early.iov_len}, {h->scratch, 0}, {rest, n}};
	struct tunnel_bytes up = {x->in + x->from, x->to - x->from};
	int fd;

	down[1].n = x->framing->pass_head(x, head, len, &r->reply, FRAMING_NO_BODY);
	if (down[1].n == 0) {
		refuse_answer(r, too_long);
		return;
	}
	x->status = 101;
	exchange_count(x);
	x->heads_out += down[1].n;
	upstream_good(r->upstream);
	fd = link_steal(r->link);
	r->link = NULL;
	r->tunnel = tunnel_begin(c, fd, &up, down);
	relay_judge(r, (struct verdict){.kind = TUNNELED});
}

void
relay_continue(struct relay *r)
{
	const struct request_text *text = r->x->framing->go_ahead();
	struct piece p = {.n = 0};

	r->expects = false;
	piece_add(&p, text->p, text->n);
	r->x->heads_out += text->n;
	relay_start_limits(r);
	send_down(r, &p);
}

/* One before the answer (1xx).  100 means something to who expects it only; how many there may
 * be is counted (EARLY_MAX). */
static void
pass_early(struct relay *r, const char *head, size_t len)
{
	struct exchange *x = r->x;
	struct piece p = {.n = 0};

	if (r->reply.status == 100) {
		if (r->expects)
			relay_continue(r);
		return;
	}
	if (!r->expects)
		relay_start_limits(r); /* it is a sign of life (RFC 2518, 10.1) */
	if (x->request.http10)
		return;
	piece_add(&p, http_of(x->conn)->scratch,
	          x->framing->pass_head(x, head, len, &r->reply, FRAMING_NO_BODY));
	x->heads_out += p.n > 0 ? p.iov[0].iov_len : 0;
	send_down(r, &p);
}

/* A whole head.  False: it was one before the answer (1xx), and more may follow. */
static bool
take_head(struct relay *r, const char *head, size_t len, char *rest, size_t n)
{
	struct exchange *x = r->x;
	const char *wrong =
	    upstream_head_parse(head, len, x->request.method == METHOD_HEAD, &r->reply);

	if (wrong == NULL && r->reply.status == 101 && !r->upgrade)
		wrong = "another protocol than was asked for";
	if (wrong != NULL) {
		if (r->reply.too_much)
			refuse_answer(r, wrong);
		else
			failed(r, wrong);
		return true;
	}
	if (r->reply.status == 101) {
		begin_tunnel(r, head, len, rest, n);
		return true;
	}
	if (r->reply.status >= 200) {
		begin_answer(r, head, len, rest, n);
		return true;
	}
	pass_early(r, head, len);
	return !relay_goes_on(r);
}

/* The same, of lines that end as they like. */
static bool
take_any_head(struct relay *r, const char *head, size_t len, char *rest, size_t n)
{
	char *mended = upstream_head_mend(head, &len);
	bool final = take_head(r, mended != NULL ? mended : head, len, rest, n);

	free(mended);
	return final;
}

/* Is this no beginning of an answer? */
static bool
is_garbage(const char *bytes, size_t n)
{
	return memcmp(bytes, "HTTP/1.", n < 7 ? n : 7) != 0;
}

/* Heads until one is final.  bytes are writable, and stay where they are while they are used;
 * of the first head so many were searched for its end.  How many at their end are a part of a
 * head. */
static size_t
take_heads(struct relay *r, char *bytes, size_t n, size_t searched)
{
	size_t max = (size_t)http_of(r->x->conn)->conf->max_header;
	size_t len;

	while (n > 0 && relay_goes_on(r) && r->state == ASKING) {
		len = upstream_head_length(bytes, n, searched);
		if (is_garbage(bytes, n)) {
			failed(r, "its answer is not HTTP's");
			return 0;
		}
		if (len > max || (len == 0 && n >= max)) {
			refuse_answer(r, "its answer's head is longer than max_header");
			return 0;
		}
		if (len == 0)
			return n;
		if (take_any_head(r, bytes, len, bytes + len, n - len))
			return 0;
		bytes += len;
		n -= len;
		searched = 0;
		if (++r->early > EARLY_MAX) {
			failed(r, "too many heads (1xx) before its answer");
			return 0;
		}
	}
	return 0;
}

/* Behind the part of a head that is there already: it was searched, and is not copied again
 * for each piece that comes. */
static void
take_more_of_head(struct relay *r, size_t n)
{
	size_t searched = r->head.n, left;
	struct unsent whole;

	unsent_add(&r->head, buf, n);
	whole = r->head;
	r->head = (struct unsent){NULL, 0, 0, 0};
	left = take_heads(r, whole.p, whole.n, searched);
	if (left > 0 && left == whole.n) {
		r->head = whole;
		return;
	}
	if (left > 0)
		unsent_add(&r->head, whole.p + whole.n - left, left);
	unsent_clear(&whole);
}

static void
take_answer(struct relay *r, size_t n)
{
	struct piece p = {.n = 0};
	size_t left;

	if (r->state == ASKING && r->head.n > 0) {
		take_more_of_head(r, n);
	} else if (r->state == ASKING) {
		left = take_heads(r, buf, n, 0);
		if (left > 0)
			unsent_add(&r->head, buf + n - left, left);
	} else if (pass_body(r, buf, n, &p)) {
		relay_start_limits(r);
		send_down(r, &p);
	} else {
		give_up(r, "its chunks are none");
	}
}

/* The upstream has closed; error: an errno, or 0. */
static void
ended(struct relay *r, int error)
{
	struct piece p = {.n = 0};

	if (r->state == ASKING) {
		const char *why =
		    error != 0 ? strerrordesc_np(error) : "it closed without an answer";

		relay_judge(
		    r, (struct verdict){.kind = FAILED,
		                        .status = 502,
		                        .why = why,
		                        .stale = baton_link_reused(r->link) && r->head.n == 0});
	} else if (r->reply.body == UPSTREAM_BODY_TO_CLOSE && error == 0) {
		r->state = ANSWERED;
		r->x->framing->pass_last(r->x, &p, NULL, 0);
		send_down(r, &p);
	} else {
		upstream_bad(r->upstream, false);
		give_up(r, "it closed amid its answer");
	}
}

void
relay_read_answer(struct relay *r)
{
	ssize_t n = recv(baton_link_fd(r->link), buf, sizeof buf, MSG_DONTWAIT);

	if (n > 0)
		take_answer(r, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		ended(r, n < 0 ? errno : 0);
}
