#include "service/http/tunnel.h"

#include <sys/socket.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "service/duplex.h"
#include "service/http/exchange.h"
#include "service/http/handoff.h"
#include "service/http/unsent.h"
#include "wire/handoff.h"
#include "worker/conn/conn.h"

/* Shared by the tunnels of a service. */
struct tunnels {
	struct service service; /* that their connections belong to from then on */
	struct pair_home home;
};

/* --- life --- */

/* From here on the connection is a tunnel. */
static void
become(struct conn *c, struct http *h, struct duplex *p)
{
	c->service = &h->tunnels->service;
	c->data = p;
}

/* First what is there already, as far as it goes at once; the rest waits in the pair.  c: to
 * the client; NULL: to fd. */
static uint64_t
send_first(struct flow *f, struct conn *c, int fd,
           const struct tunnel_bytes bytes[TUNNEL_FIRST])
{
	struct iovec iov[TUNNEL_FIRST];
	struct msghdr mh = {.msg_iov = iov, .msg_iovlen = TUNNEL_FIRST};
	struct unsent rest = {NULL, 0, 0, 0};
	ssize_t n;

	for (int i = 0; i < TUNNEL_FIRST; i++)
		iov[i] = (struct iovec){(void *)(uintptr_t)bytes[i].p, bytes[i].n};
	n = c != NULL ? conn_put(c, iov, TUNNEL_FIRST, false)
	              : sendmsg(fd, &mh, MSG_DONTWAIT | MSG_NOSIGNAL);
	unsent_keep(&rest, iov, TUNNEL_FIRST, n > 0 ? (size_t)n : 0);
	if (!unsent_is_empty(&rest))
		flow_put(f, rest.p, rest.n);
	unsent_clear(&rest);
	return n > 0 ? (uint64_t)n : 0;
}

struct duplex *
tunnel_begin(struct conn *c, int fd, const struct tunnel_bytes *up,
             const struct tunnel_bytes down[TUNNEL_FIRST])
{
	struct http *h = http_of(c);
	struct tunnel_bytes first[TUNNEL_FIRST] = {*up};
	struct duplex *p = mem_alloc(sizeof *p);

	duplex_init(p, c, &h->tunnels->home, fd);
	send_first(&p->up, NULL, fd, first);
	conn_account(c, 0, send_first(&p->down, c, -1, down));
	return p;
}

void
tunnel_enter(struct conn *c, struct duplex *p)
{
	struct http *h = http_of(c);

	exchange_give_back(c);
	become(c, h, p);
	duplex_go(p);
}

static void
ready(struct conn *c, short what)
{
	duplex_ready(c->data, what);
}

static void
resume(struct conn *c)
{
	duplex_go(c->data);
}

static void
rest(struct conn *c)
{
	duplex_rest(c->data);
}

static void
release(struct conn *c)
{
	struct duplex *p = c->data;

	if (p == NULL)
		return;
	duplex_release(p);
	mem_free(&p);
	c->data = NULL;
}

static void
on_idle(struct timed *t)
{
	duplex_reset(timed_owner(t, struct conn, timed)->data, "no byte within tunnel_timeout");
}

/* --- moving --- */

static bool
freeze(struct conn *c, struct handoff_record *r)
{
	static char frozen[DUPLEX_FROZEN_MAX];

	r->blob.n = duplex_freeze(c->data, r, frozen);
	r->blob.p = frozen;
	r->blob_version = MOVE_TUNNEL;
	return r->blob.n > 0;
}

const char *
tunnel_thaw(struct conn *c, struct handoff_record *r)
{
	struct http *h = http_of(c);
	struct duplex *p;

	if (h->tunnels == NULL || r->unread.n > 0 || r->unsent.n > 0)
		return "a tunnel, which this http has none of";
	p = mem_alloc(sizeof *p);
	p->fd = -1;
	become(c, h, p);
	return duplex_thaw(p, c, &h->tunnels->home, r->blob.p, r->blob.n, r);
}

static uint64_t
patience(const struct conn *c)
{
	return (uint64_t)c->service->conf->tunnel_timeout;
}

static int
far(const struct conn *c)
{
	return duplex_far(c->data);
}

static const struct service_type tunnel_type = {
    .name = "http",
    .logs_requests = true,
    .ready = ready,
    .freeze = freeze,
    .rest = rest,
    .thaw = tunnel_thaw,
    .resume = resume,
    .patience = patience,
    .far = far,
    .release = release,
};

/* --- start and stop --- */

void
tunnel_start(struct http *h, struct event_base *base)
{
	struct tunnels *t = mem_alloc(sizeof *t);

	t->service = (struct service){.type = &tunnel_type, .conf = h->conf, .base = base};
	t->service.data = t;
	t->home.base = base;
	t->home.idle = timelist_new(base, (uint64_t)h->conf->tunnel_timeout, on_idle);
	h->tunnels = t;
}

void
tunnel_stop(struct http *h)
{
	timelist_free(&h->tunnels->home.idle);
	mem_free(&h->tunnels);
	flow_free_pipes();
}
