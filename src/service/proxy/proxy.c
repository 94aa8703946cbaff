#include "service/proxy/proxy.h"

#include <sys/socket.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/proxy/flow.h"
#include "service/proxy/greeting.h"
#include "service/proxy/source.h"
#include "service/proxy/target.h"
#include "wire/handoff.h"
#include "worker/conn.h"

#define LOG_EVERY_MS 1000
#define BLOB_VERSION 1

/* Per worker and service. */
struct proxy {
	const struct conf_service *conf;
	struct event_base *base;
	struct targets targets;
	struct sources *sources; /* NULL: they are not counted */
	struct timelist *connect, *idle;
	uint64_t clients;
	uint64_t logged_ms;
};

/* On the way to an upstream. */
struct dial {
	struct greeting client;
	struct target *target;
	size_t tries;
};

struct pair {
	struct event ev; /* of the upstream's socket */
	struct conn *conn;
	struct dial *dial;     /* NULL: connected */
	struct source *source; /* NULL: not counted */
	struct flow up, down;  /* to the upstream, to the client */
	int fd;                /* the upstream's; -1 */
	short want;            /* what ev waits for */
};

/* What a pair is beside its sockets and pipes. */
struct blob {
	uint64_t up_held, down_held;
	uint8_t up_eof, up_shut, up_broke;
	uint8_t down_eof, down_shut, down_broke;
	uint8_t zero[2];
};

static struct proxy *
proxy_of(const struct conn *c)
{
	return c->service->data;
}

/* --- the end --- */

/* Who was reset shall not look as if it had ended. */
static void
reset(struct conn *c, const char *why)
{
	static const struct linger hard = {.l_onoff = 1};
	struct pair *p = c->data;

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	if (p->fd >= 0)
		setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	conn_close(c, why);
}

static void
drop_upstream(struct pair *p, bool shared)
{
	if (p->fd < 0)
		return;
	event_del(&p->ev); /* first: a copy of it may be elsewhere */
	if (shared)
		shutdown(p->fd, SHUT_RDWR);
	fd_close(&p->fd);
	p->want = 0;
}

static void
release(struct conn *c)
{
	struct proxy *px = proxy_of(c);
	struct pair *p = c->data;

	if (p == NULL)
		return;
	drop_upstream(p, c->shared && !c->elsewhere);
	flow_clear(&p->up);
	flow_clear(&p->down);
	source_leave(px->sources, &p->source);
	px->clients--;
	free(p->dial);
	free(p);
	c->data = NULL;
}

static void
on_connect_late(struct timed *t)
{
	struct conn *c = timed_owner(t, struct conn, timed);
	struct pair *p = c->data;

	if (p->fd >= 0)
		event_active(&p->ev, EV_TIMEOUT, 0);
	else
		conn_close(c, "sent no PROXY header in time");
}

static void
on_idle(struct timed *t)
{
	reset(timed_owner(t, struct conn, timed), "idle for too long");
}

/* --- data --- */

static void on_upstream(evutil_socket_t fd, short what, void *arg);
static void dial(struct conn *c, struct pair *p);

static void
want_upstream(struct pair *p, short want)
{
	if (p->want == want)
		return;
	event_del(&p->ev);
	p->want = want;
	if (want == 0)
		return;
	event_assign(&p->ev, proxy_of(p->conn)->base, p->fd, want | EV_PERSIST, on_upstream, p);
	event_add(&p->ev, NULL);
}

static short
wants(const struct flow *from, const struct flow *to)
{
	short want = 0;

	if (!from->eof && !from->broke && from->held == 0)
		want |= EV_READ;
	if (to->held > 0)
		want |= EV_WRITE;
	return want;
}

static void
wait_for_more(struct conn *c, struct pair *p)
{
	conn_want(c, wants(&p->up, &p->down));
	want_upstream(p, wants(&p->down, &p->up));
}

/* Move what can be moved in the directions asked for. */
static void
go(struct conn *c, struct pair *p, bool up, bool down)
{
	enum flow_result u = FLOW_MORE, d = FLOW_MORE;
	uint64_t in = 0, out = 0, unused = 0;

	if (up && !p->up.shut)
		u = flow_pump(&p->up, c->fd, p->fd, &in, &unused);
	if ((down || u == FLOW_FAR_BROKE) && !p->down.shut)
		d = flow_pump(&p->down, p->fd, c->fd, &unused, &out);
	conn_account(c, in, out);
	if (u >= FLOW_NEAR_BROKE || d >= FLOW_NEAR_BROKE) {
		reset(c, "one side was reset");
		return;
	}
	if (p->up.shut && p->down.shut) {
		conn_close(c, "both sides have ended");
		return;
	}
	timelist_join(proxy_of(c)->idle, &c->timed);
	wait_for_more(c, p);
}

/* --- the way to an upstream --- */

static void
fail(struct conn *c, const char *why)
{
	struct proxy *px = proxy_of(c);
	uint64_t now = clock_tick_ms();
	char peer[64];

	if (px->logged_ms == 0 || now - px->logged_ms >= LOG_EVERY_MS) {
		log_warn("service %s: client %s is turned away: %s", px->conf->name,
		         conn_peer(c, peer, sizeof peer), why);
		px->logged_ms = now;
	}
	reset(c, why);
}

static void
fail_target(struct conn *c, struct pair *p, int fault)
{
	struct proxy *px = proxy_of(c);
	uint64_t now = clock_tick_ms();

	if (p->dial->target->down_until_ms <= now)
		log_warn("service %s: upstream %s: %s", px->conf->name, p->dial->target->text,
		         fault != 0 ? strerror(fault) : "no connection within connect_timeout");
	target_down(p->dial->target);
	drop_upstream(p, c->shared);
	dial(c, p);
}

static void
connected(struct conn *c, struct pair *p)
{
	struct proxy *px = proxy_of(c);
	char text[GREETING_OUT];

	if (px->conf->send_proxy != CONF_PROXY_NO &&
	    flow_put(&p->up, text,
	             greeting_write(&p->dial->client, (int)px->conf->send_proxy, text)) < 0) {
		fail(c, "no descriptors for its PROXY header");
		return;
	}
	mem_free(&p->dial);
	conn_set_state(c, CONN_BUSY);
	go(c, p, true, true);
}

static void
on_upstream(evutil_socket_t fd, short what, void *arg)
{
	struct pair *p = arg;
	struct conn *c = p->conn;
	int fault = 0;
	socklen_t len = sizeof fault;

	if (p->dial == NULL) {
		go(c, p, (what & EV_WRITE) != 0, (what & EV_READ) != 0);
		return;
	}
	if (what & EV_TIMEOUT) {
		fail_target(c, p, 0);
		return;
	}
	if (getsockopt((int)fd, SOL_SOCKET, SO_ERROR, &fault, &len) < 0)
		fault = errno;
	if (fault != 0)
		fail_target(c, p, fault);
	else
		connected(c, p);
}

/* The next upstream, and the one after it, until all were tried once. */
static void
dial(struct conn *c, struct pair *p)
{
	struct proxy *px = proxy_of(c);
	int one = 1;

	if (p->dial->tries++ == px->targets.n) {
		fail(c, "no upstream could be reached");
		return;
	}
	p->dial->target = targets_next(&px->targets);
	p->fd = socket(p->dial->target->sa.ss_family,
	               SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->fd < 0) {
		fail(c, strerror(errno));
		return;
	}
	setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	event_assign(&p->ev, px->base, p->fd, EV_WRITE | EV_PERSIST, on_upstream, p);
	if (connect(p->fd, (struct sockaddr *)&p->dial->target->sa, p->dial->target->len) < 0 &&
	    errno != EINPROGRESS) {
		fail_target(c, p, errno);
		return;
	}
	conn_want(c, 0);
	timelist_join(px->connect, &c->timed);
	p->want = EV_WRITE;
	event_add(&p->ev, NULL);
}

/* --- the client --- */

static void
read_greeting(struct conn *c, struct pair *p)
{
	char bytes[GREETING_MAX];
	ssize_t n = recv(c->fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
	int used;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	used = n > 0 ? greeting_read(bytes, (size_t)n, &p->dial->client) : -1;
	if (used < 0) {
		fail(c, n > 0 ? "it does not begin with a PROXY header"
		              : "it ended before its PROXY header");
		return;
	}
	if (used == 0) /* peeked at: the loop would turn for the same bytes */
		return;
	if (conn_read(c, bytes, (size_t)used) != used) {
		fail(c, "its PROXY header went away");
		return;
	}
	dial(c, p);
}

static void
ready(struct conn *c, short what)
{
	struct pair *p = c->data;

	if (p->dial == NULL)
		go(c, p, (what & EV_READ) != 0, (what & EV_WRITE) != 0);
	else if (p->fd < 0)
		read_greeting(c, p);
}

static struct pair *
new_pair(struct conn *c)
{
	struct pair *p = mem_alloc(sizeof *p);

	p->conn = c;
	p->fd = -1;
	flow_init(&p->up);
	flow_init(&p->down);
	c->data = p;
	proxy_of(c)->clients++;
	return p;
}

/* NULL, or why not. */
static const char *
admit(struct conn *c, struct pair *p, const struct sockaddr_storage *from)
{
	struct proxy *px = proxy_of(c);
	uint64_t max = (uint64_t)px->conf->max_clients;

	if (max != 0 && px->clients > max)
		return "there are max_clients already";
	if (px->sources == NULL)
		return NULL;
	p->source = sources_enter(px->sources, from, (uint64_t)px->conf->max_per_source);
	return p->source != NULL ? NULL : "its address has max_per_source clients already";
}

static void
opened(struct conn *c)
{
	struct proxy *px = proxy_of(c);
	struct pair *p = new_pair(c);
	socklen_t from = sizeof p->dial->client.from, to = from;
	const char *no;

	p->dial = mem_alloc(sizeof *p->dial);
	getpeername(c->fd, (struct sockaddr *)&p->dial->client.from, &from);
	getsockname(c->fd, (struct sockaddr *)&p->dial->client.to, &to);
	if ((no = admit(c, p, &p->dial->client.from)) != NULL)
		fail(c, no);
	else if (px->conf->accept_proxy)
		timelist_join(px->connect, &c->timed);
	else
		dial(c, p);
}

/* --- moving --- */

static void
freeze_flow(const struct flow *f, struct handoff_record *r)
{
	if (f->held == 0)
		return;
	r->fd[r->nfd++] = f->pipe[0];
	r->fd[r->nfd++] = f->pipe[1];
}

static bool
freeze(struct conn *c, struct handoff_record *r)
{
	static struct blob blob;
	const struct pair *p = c->data;

	if (p->dial != NULL)
		return false;
	blob = (struct blob){.up_held = p->up.held,
	                     .down_held = p->down.held,
	                     .up_eof = p->up.eof,
	                     .up_shut = p->up.shut,
	                     .up_broke = p->up.broke,
	                     .down_eof = p->down.eof,
	                     .down_shut = p->down.shut,
	                     .down_broke = p->down.broke};
	r->fd[r->nfd++] = p->fd;
	freeze_flow(&p->up, r);
	freeze_flow(&p->down, r);
	r->blob = (struct handoff_bytes){(const char *)&blob, sizeof blob};
	r->blob_version = BLOB_VERSION;
	return true;
}

static void
rest(struct conn *c)
{
	struct pair *p = c->data;

	event_del(&p->ev);
	p->want = 0;
}

static int
take_fd(struct handoff_record *r, size_t *n)
{
	int fd = r->fd[*n];

	r->fd[(*n)++] = -1;
	return fd;
}

static void
thaw_flow(struct flow *f, uint64_t held, struct handoff_record *r, size_t *n)
{
	f->held = (size_t)held;
	if (held == 0)
		return;
	f->pipe[0] = take_fd(r, n);
	f->pipe[1] = take_fd(r, n);
}

static const char *
thaw(struct conn *c, struct handoff_record *r)
{
	struct proxy *px = proxy_of(c);
	struct sockaddr_storage from = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof from;
	struct blob blob;
	struct pair *p;
	size_t n = 1;

	if (r->blob_version != BLOB_VERSION || r->blob.n != sizeof blob || r->unread.n > 0 ||
	    r->unsent.n > 0)
		return "its state is not one of this proxy";
	memcpy(&blob, r->blob.p, sizeof blob);
	if (r->nfd != 2u + 2u * (blob.up_held > 0) + 2u * (blob.down_held > 0))
		return "it came with another number of descriptors";
	p = new_pair(c);
	p->fd = take_fd(r, &n);
	thaw_flow(&p->up, blob.up_held, r, &n);
	thaw_flow(&p->down, blob.down_held, r, &n);
	p->up.eof = blob.up_eof;
	p->up.shut = blob.up_shut;
	p->up.broke = blob.up_broke;
	p->down.eof = blob.down_eof;
	p->down.shut = blob.down_shut;
	p->down.broke = blob.down_broke;
	event_assign(&p->ev, px->base, p->fd, EV_READ | EV_PERSIST, on_upstream, p);
	timelist_join(px->idle, &c->timed);
	/* a limit is for those who come, not for those who are there */
	getpeername(c->fd, (struct sockaddr *)&from, &len);
	if (px->sources != NULL)
		p->source = sources_enter(px->sources, &from, UINT64_MAX);
	return NULL;
}

static void
resume(struct conn *c)
{
	go(c, c->data, true, true);
}

/* --- life --- */

static int
check(const struct conf_service *conf, char **cause)
{
	struct targets targets;
	int result = targets_resolve(&targets, conf, cause);

	targets_free(&targets);
	return result;
}

static int
start(struct service *service, char **cause)
{
	const struct conf_service *conf = service->conf;
	struct proxy *px = mem_alloc(sizeof *px);

	if (targets_resolve(&px->targets, conf, cause) < 0) {
		free(px);
		return -1;
	}
	px->conf = conf;
	px->base = service->base;
	if (conf->max_per_source > 0)
		px->sources = sources_new();
	px->connect =
	    timelist_new(service->base, (uint64_t)conf->connect_timeout, on_connect_late);
	px->idle = timelist_new(service->base, (uint64_t)conf->idle_timeout, on_idle);
	service->data = px;
	return 0;
}

static void
stop(struct service *service)
{
	struct proxy *px = service->data;

	targets_free(&px->targets);
	sources_free(&px->sources);
	timelist_free(&px->connect);
	timelist_free(&px->idle);
	flow_free_pipes();
	free(px);
}

const struct service_type proxy_service = {
    .name = "proxy",
    .check = check,
    .start = start,
    .stop = stop,
    .open = opened,
    .ready = ready,
    .freeze = freeze,
    .rest = rest,
    .thaw = thaw,
    .resume = resume,
    .release = release,
};
