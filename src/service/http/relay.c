#include "service/http/relay.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <http_parser.h>

#include "baton.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "service/http/exchange.h"
#include "service/http/http.h"
#include "service/http/reply.h"
#include "service/http/respond.h"
#include "service/http/rewrite.h"
#include "service/http/tail.h"
#include "service/http/tunnel.h"
#include "service/http/upstream.h"
#include "worker/conn.h"
#include "worker/ctx.h"
#include "worker/pool.h"
#include "worker/runtime.h"

#define LOG_EVERY_MS 1000
#define READ_MAX     65536 /* of an answer, per turn */
#define THREADS      2     /* to look up names, unless a module wants more */
#define LOOKUPS      256
#define RELAYS_KEPT  256
#define PIECES       4 /* of a body, in one write: size, bytes, end, last */

/* What of the answer is there. */
enum state {
	CONNECTING,
	ASKING, /* nothing, or a part of its head */
	ANSWERING,
	ANSWERED,
};

/* Somebody waits for a link; he may be gone when it comes. */
struct want {
	struct relay *relay;
	struct baton_ctx *ctx;
};

struct relay {
	struct exchange *x;
	struct timed timed; /* answer_timeout */
	enum state state;
	struct upstream *upstream;
	struct baton_link *link;
	struct want *want; /* CONNECTING */
	uint64_t tried;
	bool upgrade;   /* another protocol is asked for */
	bool begun;     /* the answer is, with the client */
	bool passed;    /* a part of the body is on its way to the upstream */
	bool read_all;  /* the whole request has come */
	bool deaf;      /* the upstream takes no more of it */
	bool wrapped;   /* the answer is put into chunks */
	bool unwrapped; /* or taken out of them */
	bool late;      /* the last connect took too long */
	bool surplus;   /* the upstream has sent more than its answer */
	struct tail up, down;
	struct tail head; /* the answer's, while it is a part */
	struct reply reply;
	struct chunked chunked;
	uint64_t left;
};

/* Chunks are put around these bytes. */
struct piece {
	struct iovec iov[PIECES];
	int n;
	char size[24];
};

static char buf[READ_MAX];

/* --- start and stop --- */

static void on_answer_late(struct timed *t);

void
relay_start(struct http *h, struct event_base *base)
{
	struct runtime_limits limits = {.threads = THREADS, .queue = LOOKUPS};

	runtime_start(base, &limits);
	h->upstreams = upstreams_new(h->conf);
	h->answer = timelist_new(base, (uint64_t)h->conf->answer_timeout, on_answer_late);
	h->scratch_size = (size_t)h->conf->max_header + REWRITE_GROWTH + REQUEST_TARGET_MAX;
	h->scratch = mem_alloc(h->scratch_size);
	h->relays = (struct baton_freelist){.size = sizeof(struct relay), .max = RELAYS_KEPT};
	tunnel_start(h, base);
}

void
relay_stop(struct http *h)
{
	upstreams_free(&h->upstreams);
	timelist_free(&h->answer);
	mem_free(&h->scratch);
	baton_freelist_empty(&h->relays);
	tunnel_stop(h);
}

/* --- the end --- */

/* The upstream's connection goes back, or goes. */
static void
leave_upstream(struct relay *r, bool reusable)
{
	if (r->want != NULL) {
		r->want->relay = NULL;
		baton_ctx_cancel(r->want->ctx, BATON_CLOSED);
		r->want = NULL;
	}
	timelist_leave(&r->timed);
	if (r->link != NULL)
		baton_link_put(r->link, reusable);
	r->link = NULL;
	tail_clear(&r->up);
	tail_clear(&r->head);
}

void
relay_gone(struct exchange *x)
{
	struct relay *r = x->relay;
	struct http *h = http_of(x->conn);

	x->relay = NULL;
	leave_upstream(r, false);
	tail_clear(&r->down);
	baton_freelist_put(&h->relays, r);
}

static void
tell(struct relay *r, const char *why)
{
	struct conn *c = r->x->conn;
	struct http *h = http_of(c);
	uint64_t now = clock_tick_ms();
	char peer[64];

	if (h->told_ms != 0 && now - h->told_ms < LOG_EVERY_MS)
		return;
	h->told_ms = now;
	log_warn("service %s: upstream %s: %s (client %s)", h->conf->name,
	         r->upstream != NULL ? r->upstream->text : "none", why,
	         conn_peer(c, peer, sizeof peer));
}

static void
reset_at_close(const struct conn *c)
{
	static const struct linger hard = {.l_onoff = 1};

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}

/* Answer in the upstream's name, if that is still possible. */
static void
give_up(struct relay *r, int status, const char *why)
{
	struct exchange *x = r->x;
	struct conn *c = x->conn;
	bool begun = r->begun, read_all = r->read_all;
	bool told = x->request.http10 || r->reply.body == REPLY_TO_CLOSE;

	tell(r, why);
	if (begun) {
		if (told && !r->wrapped)
			reset_at_close(c); /* or its end would look like the answer's */
		conn_close(c, "its upstream broke off");
		return;
	}
	relay_gone(x);
	conn_want_read(c);
	if (read_all)
		respond_status(c, x, status);
	else
		respond_refuse(c, x, status);
}

static void next_upstream(struct relay *r);

static bool
is_idempotent(unsigned method)
{
	switch (method) {
	case HTTP_GET:
	case HTTP_HEAD:
	case HTTP_OPTIONS:
	case HTTP_PUT:
	case HTTP_DELETE:
	case HTTP_TRACE:
		return true;
	default:
		return false;
	}
}

/* The upstream has failed before it answered.  A connection that was used before may have
 * been closed just as the request came: that is no fault, and the same one is asked again. */
static void
failed(struct relay *r, int status, const char *why, bool stale)
{
	struct exchange *x = r->x;
	bool again = !r->begun && !r->passed && status != 504 &&
	             r->head.n == 0 && is_idempotent(x->request.method);

	if (!stale)
		upstream_bad(r->upstream, false);
	if (!again) {
		give_up(r, status, why);
		return;
	}
	if (!stale)
		tell(r, why);
	else
		r->tried = 0; /* each of the others was stale, if it was tried */
	leave_upstream(r, false);
	next_upstream(r);
}

/* All of the answer is with the kernel. */
static void
finish(struct relay *r)
{
	struct exchange *x = r->x;
	struct conn *c = x->conn;

	if (!r->read_all) {
		x->close = true;
		x->last = false;
	}
	leave_upstream(r, r->reply.keep_alive && !r->surplus && !r->deaf && r->read_all &&
	                      tail_is_empty(&r->up));
	relay_gone(x);
	timelist_leave(&c->timed);
	conn_want_read(c);
	x->phase = PHASE_ANSWER;
}

/* --- what is waited for --- */

static void
watch(struct relay *r)
{
	struct exchange *x = r->x;
	struct conn *c = x->conn;
	short near = 0, far = 0;

	if (!tail_is_empty(&r->down))
		near |= EV_WRITE;
	else
		far |= EV_READ;
	if (!tail_is_empty(&r->up))
		far |= EV_WRITE;
	else if (exchange_room(c, x) > 0)
		near |= EV_READ;
	conn_want(c, near);
	if (r->link != NULL)
		link_want(r->link, far);
}

/* After an event: what became of it. */
static void
settle(struct conn *c, struct exchange *x)
{
	if (c->closed || c->data != x)
		return;
	if (x->relay != NULL)
		watch(x->relay);
	else
		http_go_on(c);
}

/* --- the request's way up --- */

static void
add(struct piece *p, const void *bytes, size_t n)
{
	if (n > 0)
		p->iov[p->n++] = (struct iovec){(void *)(uintptr_t)bytes, n};
}

/* One chunk, the last one too if it ends with it. */
static void
add_chunk(struct piece *p, const char *bytes, size_t n, bool end)
{
	if (n > 0)
		add(p, p->size, (size_t)snprintf(p->size, sizeof p->size, "%zx\r\n", n));
	add(p, bytes, n);
	if (end)
		add(p, n > 0 ? "\r\n0\r\n\r\n" : "0\r\n\r\n", n > 0 ? 7 : 5);
	else if (n > 0)
		add(p, "\r\n", 2);
}

/* False: the body is bad, or too much. */
static bool
next_chunk(struct relay *r, struct piece *p)
{
	struct exchange *x = r->x;
	char *at = x->in + x->from;
	size_t used = 0, kept = 0;
	enum chunked_result result =
	    chunked_take(&x->chunked, at, x->to - x->from, &used, at, &kept);
	bool much = x->chunked.total > (uint64_t)http_of(x->conn)->conf->max_body;

	x->from += used;
	if (result == CHUNKED_BAD || much) {
		upstream_good(r->upstream); /* it is not to blame */
		give_up(r, much ? 413 : 400, "the client's body is not to be passed on");
		return false;
	}
	r->read_all = result == CHUNKED_DONE;
	add_chunk(p, at, kept, r->read_all);
	return true;
}

static bool
next_body(struct relay *r, struct piece *p)
{
	struct exchange *x = r->x;
	size_t n = x->to - x->from;

	if (r->read_all)
		return true;
	if (x->request.chunked)
		return next_chunk(r, p);
	if (n > x->body_left)
		n = (size_t)x->body_left;
	add(p, x->in + x->from, n);
	x->from += n;
	x->body_left -= n;
	r->read_all = x->body_left == 0;
	return true;
}

/* A limit runs for whoever has to act. */
static void
start_limits(struct relay *r)
{
	struct exchange *x = r->x;
	struct conn *c = x->conn;

	if (r->read_all) {
		timelist_leave(&x->total);
		if (tail_is_empty(&r->down))
			timelist_leave(&c->timed);
	} else if (tail_is_empty(&r->up)) {
		timelist_join(http_of(c)->body, &c->timed);
	}
	if (r->read_all || !tail_is_empty(&r->up))
		timelist_join(http_of(c)->answer, &r->timed);
	else
		timelist_leave(&r->timed);
}

/* What the upstream does not take because it is gone shows when it is read from. */
static void
send_up(struct relay *r, struct piece *p)
{
	struct msghdr mh = {.msg_iov = p->iov, .msg_iovlen = (size_t)p->n};
	ssize_t n = 0;

	if (p->n > 0 && !r->deaf)
		n = sendmsg(baton_link_fd(r->link), &mh, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		r->deaf = true;
	if (!r->deaf)
		tail_keep(&r->up, p->iov, p->n, n > 0 ? (size_t)n : 0);
	start_limits(r);
}

static void
peer_address(const struct conn *c, char *text, size_t size)
{
	struct sockaddr_storage sa;
	const struct sockaddr_in *v4 = (const void *)&sa;
	const struct sockaddr_in6 *v6 = (const void *)&sa;
	socklen_t len = sizeof sa;

	*text = '\0';
	if (getpeername(c->fd, (struct sockaddr *)&sa, &len) < 0)
		return;
	if (sa.ss_family == AF_INET)
		inet_ntop(AF_INET, &v4->sin_addr, text, (socklen_t)size);
	else if (sa.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], text, (socklen_t)size);
	else if (sa.ss_family == AF_INET6)
		inet_ntop(AF_INET6, &v6->sin6_addr, text, (socklen_t)size);
}

/* What the upstream is told as the host. */
static const char *
host_for(const struct relay *r)
{
	const struct conf_service *conf = http_of(r->x->conn)->conf;

	if (strcmp(conf->host, "upstream") == 0)
		return r->upstream->host;
	if (strcmp(conf->host, "keep") != 0)
		return conf->host;
	return NULL;
}

static size_t
write_head(struct relay *r)
{
	struct exchange *x = r->x;
	struct http *h = http_of(x->conn);
	struct rewrite_rules rules = {.forwarded = (enum rewrite_forwarded)h->conf->forwarded,
	                              .trusted = h->conf->trust_forwarded,
	                              .host = host_for(r),
	                              .own_host = r->upstream->host};
	char peer[INET6_ADDRSTRLEN];

	peer_address(x->conn, peer, sizeof peer);
	return rewrite_request(&rules, x->in + x->body_at - x->head_len, x->head_len,
	                       &x->request, peer, r->upgrade, h->scratch, h->scratch_size);
}

static void on_link(void *arg, short what);

/* The request's head, and what is there of its body. */
static void
ask(struct relay *r, struct baton_link *link)
{
	struct exchange *x = r->x;
	struct piece p = {.n = 0};

	r->state = ASKING;
	r->link = link;
	link_attach(link, on_link, r);
	add(&p, http_of(x->conn)->scratch, write_head(r));
	if (p.n == 0) {
		give_up(r, 431, "the request's head grows too long");
		return;
	}
	if (!next_body(r, &p))
		return;
	r->passed = p.n > 1;
	send_up(r, &p);
}

static void
flush_up(struct relay *r)
{
	if (!tail_send(&r->up, baton_link_fd(r->link))) {
		r->deaf = true;
		tail_clear(&r->up);
	}
	start_limits(r);
}

/* --- an upstream's connection --- */

static void
unreachable(struct relay *r, int status)
{
	bool full = pool_is_full(r->upstream->target);

	if (status == BATON_DRAIN || status == BATON_FULL ||
	    (status == BATON_DEADLINE && full)) {
		give_up(r, 503, full ? "all its connections are in use" : "no connection to it");
		return;
	}
	upstream_bad(r->upstream, true);
	tell(r, status == BATON_DEADLINE ? "no connection within connect_timeout"
	                                 : baton_status_text(status));
	next_upstream(r);
}

static void
on_wanted(void *arg, int status, struct baton_link *link)
{
	struct want *w = arg;
	struct relay *r = w->relay;
	struct exchange *x;
	struct conn *c;

	baton_ctx_drop(&w->ctx);
	free(w);
	if (r == NULL) {
		if (link != NULL)
			baton_link_put(link, true);
		return;
	}
	r->want = NULL;
	x = r->x;
	c = x->conn;
	if (link != NULL)
		ask(r, link);
	else {
		r->late = status == BATON_DEADLINE;
		unreachable(r, status);
	}
	settle(c, x);
}

static void
wait_for_link(struct relay *r)
{
	uint64_t limit = (uint64_t)http_of(r->x->conn)->conf->connect_timeout;
	struct want *w = mem_alloc(sizeof *w);
	int status;

	w->relay = r;
	w->ctx = baton_ctx_new_at(NULL, limit, "an upstream's connection");
	status = pool_wait(r->upstream->target, w->ctx, on_wanted, w);
	if (status == 0) {
		r->want = w;
		return;
	}
	baton_ctx_drop(&w->ctx);
	free(w);
	unreachable(r, status);
}

/* At the first, and whenever one has failed. */
static void
next_upstream(struct relay *r)
{
	struct http *h = http_of(r->x->conn);
	struct upstream *u = upstreams_choose(h->upstreams, &r->tried);
	struct baton_link *link;

	r->state = CONNECTING;
	if (u == NULL && r->upstream == NULL) {
		give_up(r, 503, "none may be asked: their breakers are open or their checks fail");
		return;
	}
	if (u == NULL) {
		give_up(r, r->late ? 504 : 502, "there is no other to be asked");
		return;
	}
	r->upstream = u;
	link = pool_take(u->target, !is_idempotent(r->x->request.method));
	if (link != NULL)
		ask(r, link);
	else
		wait_for_link(r);
}

/* --- the answer's way down --- */

static void
send_down(struct relay *r, struct piece *p)
{
	struct conn *c = r->x->conn;
	ssize_t n = p->n > 0 ? conn_write(c, p->iov, p->n, false) : 0;

	if (n == CONN_ERROR) {
		conn_close(c, "the answer could not be sent");
		return;
	}
	tail_keep(&r->down, p->iov, p->n, n > 0 ? (size_t)n : 0);
	if (!tail_is_empty(&r->down)) {
		timelist_join(http_of(c)->send, &c->timed);
		timelist_leave(&r->timed); /* it is the client who is slow */
	} else if (r->state == ANSWERED) {
		finish(r);
	}
}

static void
flush_down(struct relay *r)
{
	struct conn *c = r->x->conn;
	struct iovec iov = tail_rest(&r->down);
	ssize_t n = conn_write(c, &iov, 1, false);

	if (n == CONN_ERROR) {
		conn_close(c, "the answer could not be sent");
		return;
	}
	if (n > 0) {
		tail_sent(&r->down, (size_t)n);
		timelist_join(http_of(c)->send, &c->timed);
	}
	if (!tail_is_empty(&r->down))
		return;
	if (r->state == ANSWERED) {
		finish(r);
		return;
	}
	timelist_leave(&c->timed);
	start_limits(r);
}

/* A chunk's bytes go as they are, but to a client that does not know them.  False: they are
 * none. */
static bool
pass_chunks(struct relay *r, char *bytes, size_t n, struct piece *p)
{
	size_t used = 0, kept = 0;
	enum chunked_result result = chunked_take(&r->chunked, bytes, n, &used,
	                                          r->unwrapped ? bytes : NULL, &kept);

	add(p, bytes, r->unwrapped ? kept : used);
	r->surplus = used < n;
	if (result == CHUNKED_DONE)
		r->state = ANSWERED;
	return result != CHUNKED_BAD;
}

/* False: the answer is broken. */
static bool
pass_body(struct relay *r, char *bytes, size_t n, struct piece *p)
{
	size_t m = n;

	switch (r->reply.body) {
	case REPLY_CHUNKED:
		return n == 0 || pass_chunks(r, bytes, n, p);
	case REPLY_TO_CLOSE:
		if (r->wrapped && n > 0)
			add_chunk(p, bytes, n, false);
		else
			add(p, bytes, n);
		return true;
	case REPLY_LENGTH:
	case REPLY_NONE:
		break;
	}
	if (m > r->left)
		m = (size_t)r->left;
	add(p, bytes, m);
	r->left -= m;
	r->surplus = m < n;
	if (r->left == 0)
		r->state = ANSWERED;
	return true;
}

/* The final answer begins: its head, and what is there of its body. */
static void
begin_answer(struct relay *r, const char *head, size_t len, char *rest, size_t n)
{
	struct exchange *x = r->x;
	struct http *h = http_of(x->conn);
	struct piece p = {.n = 0};
	bool to_close = r->reply.body == REPLY_TO_CLOSE;
	bool chunked = r->reply.body == REPLY_CHUNKED;
	enum answer_connection connection;

	r->unwrapped = chunked && x->request.http10;
	r->wrapped = to_close && !x->request.http10;
	if (r->unwrapped || (to_close && !r->wrapped) || !r->read_all)
		x->close = true; /* whether the rest of the request comes, who knows */
	connection = respond_connection(x);
	add(&p, h->scratch,
	    rewrite_reply(head, len, &r->reply, connection, (chunked || to_close) && !x->request.http10,
	                  h->scratch, h->scratch_size));
	if (p.n == 0) {
		failed(r, 502, "its answer's head grows too long", false);
		return;
	}
	r->state = ANSWERING;
	r->left = r->reply.body == REPLY_LENGTH ? r->reply.length : 0;
	upstream_good(r->upstream);
	r->begun = true;
	start_limits(r);
	if (!pass_body(r, rest, n, &p))
		give_up(r, 502, "its chunks are none");
	else
		send_down(r, &p);
}

/* 101: from here on the bytes mean nothing to us. */
static void
begin_tunnel(struct relay *r, const char *head, size_t len, const char *rest, size_t n)
{
	struct exchange *x = r->x;
	struct conn *c = x->conn;
	struct http *h = http_of(c);
	struct tunnel_bytes down[2] = {{h->scratch, 0}, {rest, n}};
	struct tunnel_bytes up = {x->in + x->from, x->to - x->from};
	int fd;

	down[0].n = rewrite_reply(head, len, &r->reply, ANSWER_KEEP, false, h->scratch,
	                          h->scratch_size);
	upstream_good(r->upstream);
	fd = link_steal(r->link);
	r->link = NULL;
	tunnel_begin(c, fd, &up, down);
}

/* A whole head.  False: it was one before the answer (1xx), and more may follow. */
static bool
take_head(struct relay *r, const char *head, size_t len, char *rest, size_t n)
{
	struct exchange *x = r->x;
	const char *wrong =
	    reply_parse(head, len, x->request.method == HTTP_HEAD, &r->reply);

	if (wrong == NULL && r->reply.status == 101 && !r->upgrade)
		wrong = "another protocol than was asked for";
	if (wrong != NULL) {
		failed(r, 502, wrong, false);
		return true;
	}
	if (r->reply.status == 101)
		begin_tunnel(r, head, len, rest, n);
	else if (r->reply.status < 200)
		return false;
	else
		begin_answer(r, head, len, rest, n);
	return true;
}

/* Is this no beginning of an answer? */
static bool
is_garbage(const char *bytes, size_t n)
{
	return memcmp(bytes, "HTTP/1.", n < 7 ? n : 7) != 0;
}

/* Heads until one is final; what is a part of one is kept.  bytes are writable, and stay
 * where they are while they are used. */
static void
take_heads(struct relay *r, char *bytes, size_t n)
{
	struct exchange *x = r->x;
	size_t max = (size_t)http_of(x->conn)->conf->max_header;
	ptrdiff_t len;

	while (n > 0 && x->relay == r && r->state == ASKING) {
		len = request_head_length(bytes, n, 0);
		if (len < 0 || is_garbage(bytes, n)) {
			failed(r, 502, "its answer is not HTTP's", false);
			return;
		}
		if (len > (ptrdiff_t)max || (len == 0 && n >= max)) {
			failed(r, 502, "its answer's head is longer than max_header", false);
			return;
		}
		if (len == 0) {
			tail_add(&r->head, bytes, n);
			return;
		}
		if (take_head(r, bytes, (size_t)len, bytes + len, n - (size_t)len))
			return;
		bytes += len;
		n -= (size_t)len;
	}
}

static void
take_answer(struct relay *r, size_t n)
{
	struct piece p = {.n = 0};
	struct tail whole;

	if (r->state == ASKING && r->head.n > 0) {
		tail_add(&r->head, buf, n);
		whole = r->head;
		r->head = (struct tail){NULL, 0, 0, 0};
		take_heads(r, whole.p, whole.n);
		tail_clear(&whole);
	} else if (r->state == ASKING) {
		take_heads(r, buf, n);
	} else if (pass_body(r, buf, n, &p)) {
		start_limits(r);
		send_down(r, &p);
	} else {
		give_up(r, 502, "its chunks are none");
	}
}

/* The upstream has closed; error: an errno, or 0. */
static void
ended(struct relay *r, int error)
{
	struct piece p = {.n = 0};

	if (r->state == ASKING) {
		failed(r, 502, error != 0 ? strerror(error) : "it closed without an answer",
		       baton_link_reused(r->link) && r->head.n == 0);
	} else if (r->reply.body == REPLY_TO_CLOSE && error == 0) {
		r->state = ANSWERED;
		if (r->wrapped)
			add_chunk(&p, NULL, 0, true);
		send_down(r, &p);
	} else {
		upstream_bad(r->upstream, false);
		give_up(r, 502, "it closed amid its answer");
	}
}

static void
read_answer(struct relay *r)
{
	ssize_t n = recv(baton_link_fd(r->link), buf, sizeof buf, MSG_DONTWAIT);

	if (n > 0)
		take_answer(r, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		ended(r, n < 0 ? errno : 0);
}

static void go_on(struct relay *r);

static void
on_link(void *arg, short what)
{
	struct relay *r = arg;
	struct exchange *x = r->x;
	struct conn *c = x->conn;

	if ((what & EV_WRITE) != 0)
		flush_up(r);
	if ((what & EV_READ) != 0)
		read_answer(r);
	if (!c->closed && c->data == x && x->relay == r && r->link != NULL && !r->read_all)
		go_on(r);
	settle(c, x);
}

static void
on_answer_late(struct timed *t)
{
	struct relay *r = timed_owner(t, struct relay, timed);
	struct exchange *x = r->x;
	struct conn *c = x->conn;

	if (r->state == ASKING)
		failed(r, 504, "no answer within answer_timeout", false);
	else
		give_up(r, 504, "nothing more of its answer within answer_timeout");
	settle(c, x);
}

/* --- the client's side --- */

void
relay_begin(struct conn *c, struct exchange *x)
{
	struct relay *r = baton_freelist_get(&http_of(c)->relays);
	const char *head = x->in + x->body_at - x->head_len;

	r->x = x;
	x->relay = r;
	r->read_all = x->body_left == 0 && !x->request.chunked;
	r->upgrade = r->read_all && !x->request.http10 && rewrite_upgrades(head, x->head_len);
	x->phase = PHASE_RELAY;
	if (r->read_all) {
		timelist_leave(&x->total);
		timelist_leave(&c->timed);
	} else {
		timelist_join(http_of(c)->body, &c->timed);
		if (x->total.list == NULL)
			timelist_join(http_of(c)->total, &x->total);
	}
	next_upstream(r);
}

void
relay_wait(struct conn *c, struct exchange *x)
{
	(void)c;
	watch(x->relay);
}

/* What has been read already goes on, if the upstream takes it. */
static void
go_on(struct relay *r)
{
	struct exchange *x = r->x;
	struct piece p = {.n = 0};

	if (r->link == NULL || r->read_all || x->from == x->to || !tail_is_empty(&r->up) ||
	    !next_body(r, &p))
		return;
	r->passed = true;
	send_up(r, &p);
}

static void
read_client(struct conn *c, struct exchange *x)
{
	size_t room = exchange_room(c, x);
	ssize_t n;

	if (room == 0)
		return;
	n = conn_read(c, x->in + x->to, room);
	if (n == CONN_AGAIN)
		return;
	if (n <= 0) {
		conn_close(c, "the client hung up");
		return;
	}
	x->to += (size_t)n;
	go_on(x->relay);
}

void
relay_ready(struct conn *c, struct exchange *x, short what)
{
	struct relay *r = x->relay;

	if ((what & EV_WRITE) != 0 && !tail_is_empty(&r->down))
		flush_down(r);
	if ((what & EV_READ) != 0 && !c->closed && c->data == x && x->relay == r)
		read_client(c, x);
	settle(c, x);
}

void
relay_late(struct conn *c, struct exchange *x)
{
	struct relay *r = x->relay;

	if (!tail_is_empty(&r->down)) {
		conn_close(c, "did not take its answer in time");
		return;
	}
	if (r->begun) {
		conn_close(c, "its body did not come in time");
		return;
	}
	relay_gone(x);
	conn_want_read(c);
	respond_refuse(c, x, 408);
	settle(c, x);
}
