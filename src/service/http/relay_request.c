/* ask: the request's way to an upstream. */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "conf/conf.h"
#include "service/http/exchange.h"
#include "service/http/relay_int.h"
#include "service/http/rewrite.h"
#include "service/upstream/upstream.h"
#include "worker/conn/conn.h"
#include "worker/runtime/pool.h"
#include "worker/sandbox/trust.h"

void
piece_add(struct piece *p, const void *bytes, size_t n)
{
	AN(n == 0 || p->n < PIECES);
	if (n > 0)
		p->iov[p->n++] = (struct iovec){(void *)(uintptr_t)bytes, n};
}

void
piece_add_chunk(struct piece *p, const char *bytes, size_t n)
{
	if (n == 0)
		return;
	piece_add(p, p->size, (size_t)snprintf(p->size, sizeof p->size, "%zx\r\n", n));
	piece_add(p, bytes, n);
	piece_add(p, "\r\n", 2);
}

void
piece_add_end(struct piece *p, const char *trailers, size_t n)
{
	piece_add(p, "0\r\n", 3);
	piece_add(p, trailers, n);
	piece_add(p, "\r\n", 2);
}

/* All of them are there, and the empty line behind them.  False: they are no fields. */
static bool
end_chunks(struct relay *r, struct piece *p)
{
	ptrdiff_t n = rewrite_trailers(r->trailers.p, r->trailers.n - 2, false);

	if (n >= 0)
		piece_add_end(p, r->trailers.p, (size_t)n);
	return n >= 0;
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
	if (x->chunked.trailed > 0)
		unsent_add(&r->trailers, at + used - x->chunked.trailed, x->chunked.trailed);
	piece_add_chunk(p, at, kept);
	r->read_all = result == CHUNKED_DONE;
	if (result == CHUNKED_BAD || much || (r->read_all && !end_chunks(r, p))) {
		upstream_good(r->upstream); /* it is not to blame */
		relay_judge(
		    r, (struct verdict){.kind = GIVEN_UP,
		                        .status = much ? 413 : 400,
		                        .why = "the client's body is not to be passed on"});
		return false;
	}
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
	piece_add(p, x->in + x->from, n);
	x->from += n;
	x->body_left -= n;
	r->read_all = x->body_left == 0;
	return true;
}

/* A limit runs for whoever has to act. */
void
relay_start_limits(struct relay *r)
{
	struct exchange *x = r->x;
	struct conn *c = x->conn;

	if (r->expects && unsent_is_empty(&r->up)) {
		timelist_join(http_of(c)->expect, &r->timed);
		return;
	}
	if (r->read_all) {
		timelist_leave(&x->total);
		if (unsent_is_empty(&r->down))
			timelist_leave(&c->timed);
	} else if (unsent_is_empty(&r->up)) {
		timelist_join(http_of(c)->body, &c->timed);
		if (x->total.list == NULL)
			timelist_join(http_of(c)->total, &x->total);
	} else {
		timelist_leave(&x->total);
		if (unsent_is_empty(&r->down))
			timelist_leave(&c->timed);
		x->rate_ms = 0;
	}
	if (r->read_all || !unsent_is_empty(&r->up))
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
		unsent_keep(&r->up, p->iov, p->n, n > 0 ? (size_t)n : 0);
	relay_start_limits(r);
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
	char peer[INET6_ADDRSTRLEN];
	struct rewrite_rules rules = {.forwarded = (enum rewrite_forwarded)h->conf->forwarded,
	                              .trusted =
	                                  h->conf->trust_forwarded || trust_peer(x->conn),
	                              .host = host_for(r),
	                              .own_host = r->upstream->host,
	                              .upgrade = r->upgrade,
	                              .expect = r->expects,
	                              .via = h->conf->via,
	                              .peer = peer};

	peer_address(x->conn, peer, sizeof peer);
	return rewrite_request(&rules, x->in + x->body_at - x->head_len, x->head_len,
	                       &x->request, h->scratch, h->scratch_size);
}

void
relay_ask(struct relay *r)
{
	struct piece p = {.n = 0};

	piece_add(&p, http_of(r->x->conn)->scratch, write_head(r));
	if (p.n == 0) {
		relay_judge(r, (struct verdict){.kind = GIVEN_UP,
		                                .status = 431,
		                                .why = "the request's head grows too long, or "
		                                       "has too many lines of Connection"});
		return;
	}
	if (!next_body(r, &p))
		return;
	r->passed = p.n > 1;
	send_up(r, &p);
}

void
relay_flush_up(struct relay *r)
{
	if (!unsent_send(&r->up, baton_link_fd(r->link))) {
		r->deaf = true;
		unsent_clear(&r->up);
	}
	relay_start_limits(r);
}

/* What has been read already goes on, if the upstream takes it. */
void
relay_go_on(struct relay *r)
{
	struct exchange *x = r->x;
	struct piece p = {.n = 0};

	if (r->link == NULL || r->read_all || x->from == x->to || !unsent_is_empty(&r->up) ||
	    !next_body(r, &p))
		return;
	r->passed = true;
	send_up(r, &p);
}
