/* ask: the request's way to an upstream. */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "conf/conf.h"
#include "service/http/exchange.h"
#include "service/http/framing.h"
#include "service/http/relay_int.h"
#include "service/http/rewrite.h"
#include "service/upstream/upstream.h"
#include "worker/conn/conn.h"
#include "worker/runtime/pool.h"
#include "worker/sandbox/trust.h"
#include "worker/tls/facts.h"
#include "worker/tls/transport.h"

/* All of them are there, and the empty line behind them.  False: they are no fields. */
static bool
end_chunks(struct relay *r, struct piece *p)
{
	ptrdiff_t n = rewrite_trailers(r->trailers.p, r->trailers.n - 2, false);

	if (n >= 0)
		piece_add_end(p, r->trailers.p, (size_t)n);
	return n >= 0;
}

static const struct verdict *
refusal(enum framing_taken taken)
{
	static const char why[] = "the client's body is not to be passed on";
	static const struct verdict bad = {.kind = GIVEN_UP, .status = 400, .why = why};
	static const struct verdict much = {.kind = GIVEN_UP, .status = 413, .why = why};

	return taken == FRAMING_TOO_LONG ? &much : &bad;
}

/* Add the next part of the body to p.  False: the body is bad, or too long. */
static bool
next_body(struct relay *r, struct piece *p)
{
	struct exchange *x = r->x;
	char *at = x->in + x->from;
	enum framing_taken taken;
	struct framing_part part;

	if (r->read_all)
		return true;
	taken = x->framing->take(x, SIZE_MAX, at, &part);
	r->read_all = taken == FRAMING_WHOLE;
	if (part.ntrailers > 0)
		unsent_add(&r->trailers, part.trailers, part.ntrailers);
	if (!x->request.chunked) {
		piece_add(p, at, part.n);
		return true;
	}
	piece_add_chunk(p, at, part.n);
	if (taken == FRAMING_MORE || (r->read_all && end_chunks(r, p)))
		return true;
	upstream_good(r->upstream); /* it is not to blame */
	relay_judge(r, *refusal(taken));
	return false;
}

/* A limit runs for whoever has to act. */
void
relay_start_limits(struct relay *r)
{
	struct exchange *x = r->x;
	struct http *h = http_of(x->conn);

	if (r->expects && unsent_is_empty(&r->up)) {
		timelist_join(h->expect, &r->timed);
		return;
	}
	if (r->read_all) {
		timelist_leave(&x->total);
		if (unsent_is_empty(&r->down))
			timelist_leave(x->limit);
	} else if (unsent_is_empty(&r->up)) {
		timelist_join(h->body, x->limit);
		if (x->total.list == NULL)
			timelist_join(h->total, &x->total);
	} else {
		timelist_leave(&x->total);
		if (unsent_is_empty(&r->down))
			timelist_leave(x->limit);
		x->rate_ms = 0;
	}
	if (r->read_all || !unsent_is_empty(&r->up))
		timelist_join(h->answer, &r->timed);
	else
		timelist_leave(&r->timed);
}

/* If the upstream is gone, reading from it will tell. */
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

/* The Host that the upstream gets. */
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

static void
tell_certificate(const struct conn *c, const struct conf_service *conf,
                 struct rewrite_rules *rules)
{
	const struct facts *f = c->tls != NULL ? transport_facts(c->tls) : NULL;

	rules->tells_certificate = conf->client_certificate_headers;
	if (f == NULL)
		return;
	rules->subject = (struct request_text){f->subject.p, f->subject.n};
	rules->fingerprint = (struct request_text){f->fingerprint.p, f->fingerprint.n};
}

static size_t
write_head(struct relay *r)
{
	struct exchange *x = r->x;
	struct http *h = http_of(x->conn);
	char peer[INET6_ADDRSTRLEN];
	struct rewrite_rules rules = {.forwarded = (enum rewrite_forwarded)h->conf->forwarded,
	                              .secure = x->conn->tls != NULL,
	                              .trusted =
	                                  h->conf->trust_forwarded || trust_peer(x->conn),
	                              .host = host_for(r),
	                              .own_host = r->upstream->host,
	                              .upgrade = r->upgrade,
	                              .expect = r->expects,
	                              .via = h->conf->via,
	                              .peer = peer};

	peer_address(x->conn, peer, sizeof peer);
	tell_certificate(x->conn, h->conf, &rules);
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

/* Pass on the bytes read so far, if the upstream takes them. */
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
