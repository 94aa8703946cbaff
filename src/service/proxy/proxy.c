#include "service/proxy/proxy.h"

#include <sys/socket.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/duplex.h"
#include "service/proxy/proxy_int.h"
#include "wire/figures.h"
#include "worker/access/access.h"
#include "worker/conn/conn.h"
#include "worker/core/self.h"
#include "worker/sandbox/trust.h"

#define LOG_EVERY_MS 1000

/* --- the end --- */

static void
hang_up(struct dialing *d)
{
	if (d->fd < 0)
		return;
	event_del(&d->ev);
	fd_close(&d->fd);
}

static void
release(struct conn *c)
{
	struct proxy *px = proxy_of(c);
	struct client *cl = c->data;

	if (cl == NULL)
		return;
	if (cl->dialing != NULL) {
		hang_up(cl->dialing);
		targets_wait_no_more(&cl->dialing->wait);
	}
	duplex_release(&cl->pair);
	source_leave(px->sources, &cl->source);
	px->clients--;
	free(cl->dialing);
	free(cl);
	c->data = NULL;
}

static void
on_idle(struct timed *t)
{
	struct client *cl = timed_owner(t, struct conn, timed)->data;

	duplex_reset(&cl->pair, "idle for too long");
}

/* --- the way to an upstream --- */

static void dial(struct conn *c, struct client *cl);

/* cause: of why, in words that last; NULL: it says all. */
static void
fail_for(struct conn *c, const char *why, const char *cause)
{
	struct proxy *px = proxy_of(c);
	uint64_t now = clock_tick_ms();
	char peer[64];

	if (px->logged_ms == 0 || now - px->logged_ms >= LOG_EVERY_MS) {
		log_warn("service %s: client %s is turned away: %s%s%s", px->conf->name,
		         conn_peer(c, peer, sizeof peer), why, cause != NULL ? ": " : "",
		         cause != NULL ? cause : "");
		px->logged_ms = now;
	}
	access_fault(c, cause != NULL ? cause : why);
	conn_refuse(c, why);
}

static void
fail(struct conn *c, const char *why)
{
	fail_for(c, why, NULL);
}

static void
on_connect_late(struct timed *t)
{
	struct conn *c = timed_owner(t, struct conn, timed);
	struct client *cl = c->data;

	if (cl->dialing->fd >= 0)
		event_active(&cl->dialing->ev, EV_TIMEOUT, 0);
	else if (cl->dialing->greets)
		conn_close(c, "sent no PROXY header in time");
	else
		fail(c, "its upstream's name was not found in time");
}

static void
fail_target(struct conn *c, struct client *cl, int fault)
{
	struct proxy *px = proxy_of(c);
	struct target *target = &cl->dialing->target;

	if (target->down_until_ms <= clock_tick_ms())
		log_warn("service %s: upstream %s: %s", px->conf->name, target->text,
		         fault != 0 ? strerror(fault) : "no connection within connect_timeout");
	cl->dialing->fault =
	    fault != 0 ? strerrordesc_np(fault) : "no connection within connect_timeout";
	figures_count(px->figures[target->upstream], FIGURES_FAILED);
	targets_down(px->targets, target);
	hang_up(cl->dialing);
	dial(c, cl);
}

static void
connected(struct conn *c, struct client *cl)
{
	struct proxy *px = proxy_of(c);
	struct dialing *d = cl->dialing;
	char text[PROXYHEADER_OUT];

	event_del(&d->ev);
	duplex_init(&cl->pair, c, &px->home, d->fd);
	access_upstream(c, d->fd);
	figures_count(px->figures[d->target.upstream], FIGURES_ASKED);
	fd_keepalive(d->fd, px->conf->keepalive);
	d->fd = -1;
	if (px->conf->send_proxy != CONF_PROXY_NO)
		flow_put(&cl->pair.up, text,
		         proxyheader_write(&d->client, (int)px->conf->send_proxy, text));
	mem_free(&cl->dialing);
	if (!conn_moves(c)) /* it could not until now */
		duplex_go(&cl->pair);
}

static void
on_upstream(evutil_socket_t fd, short what, void *arg)
{
	struct dialing *d = arg;
	struct client *cl = d->conn->data;
	int fault = 0;
	socklen_t len = sizeof fault;

	if (what & EV_TIMEOUT) {
		fail_target(d->conn, cl, 0);
		return;
	}
	if (getsockopt((int)fd, SOL_SOCKET, SO_ERROR, &fault, &len) < 0)
		fault = errno;
	if (fault != 0)
		fail_target(d->conn, cl, fault);
	else
		connected(d->conn, cl);
}

static void
on_names(void *arg)
{
	struct dialing *d = arg;

	d->tries = 0;
	dial(d->conn, d->conn->data);
}

/* All were tried.  A name may have others by now. */
static void
dial_in_vain(struct conn *c, struct dialing *d)
{
	struct proxy *px = proxy_of(c);

	d->wait.over = on_names;
	d->wait.arg = d;
	if (d->waited || !targets_wait(px->targets, &d->wait)) {
		fail_for(c, "no upstream could be reached",
		         d->fault != NULL ? d->fault : targets_fault(px->targets));
		return;
	}
	d->waited = true;
	conn_want(c, 0);
	timelist_join(px->connect, &c->timed);
}

/* The next upstream, and the one after it, until all were tried once. */
static void
dial(struct conn *c, struct client *cl)
{
	struct proxy *px = proxy_of(c);
	struct dialing *d = cl->dialing;
	int one = 1;

	if (d->tries++ >= targets_count(px->targets)) {
		dial_in_vain(c, d);
		return;
	}
	targets_next(px->targets, &d->target);
	d->fd = socket(d->target.sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (d->fd < 0) {
		fail(c, strerrordesc_np(errno));
		return;
	}
	setsockopt(d->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	event_assign(&d->ev, px->home.base, d->fd, EV_WRITE | EV_PERSIST, on_upstream, d);
	if (connect(d->fd, (struct sockaddr *)&d->target.sa, d->target.len) < 0 &&
	    errno != EINPROGRESS) {
		fail_target(c, cl, errno);
		return;
	}
	conn_want(c, 0);
	timelist_join(px->connect, &c->timed);
	event_add(&d->ev, NULL);
}

/* --- the client --- */

/* Called once it is known who the client is. */
static void
admit(struct conn *c, struct client *cl)
{
	struct proxy *px = proxy_of(c);
	struct source_key key = source_key_of(&cl->dialing->client.from);

	cl->dialing->greets = false;
	conn_set_state(c, CONN_BUSY); /* it waits for what its upstream says first, perhaps */
	if (px->sources != NULL)
		cl->source =
		    sources_enter(px->sources, &key, (uint64_t)px->conf->max_per_source);
	if (px->sources != NULL && cl->source == NULL)
		fail(c, "its address has max_per_source clients already");
	else
		dial(c, cl);
}

/* What it tells beside the addresses (TLVs), and is not asked for.  Part of it at a time. */
static void
skip_rest(struct conn *c, struct client *cl)
{
	static char waste[16384];
	struct dialing *d = cl->dialing;
	ssize_t n = conn_read(c, waste, d->rest < sizeof waste ? d->rest : sizeof waste);

	if (n == CONN_AGAIN)
		return;
	if (n <= 0) {
		fail(c, "it ended amid its PROXY header");
		return;
	}
	d->rest -= (size_t)n;
	if (d->rest == 0)
		admit(c, cl);
}

static void
log_client(struct conn *c, const struct sockaddr_storage *from)
{
	char text[INET6_ADDRSTRLEN];
	struct net_addr addr;

	if (!net_addr_of(from, &addr))
		return;
	net_addr_text(&addr, text);
	access_client(c, text);
}

/* Behind the header stands what is the upstream's, and stays where it is.  What is a part of
 * the header only is taken: the loop would turn for it, without a rest, until more comes. */
static void
read_greeting(struct conn *c, struct client *cl)
{
	struct dialing *d = cl->dialing;
	char *at = d->begun + d->nbegun;
	ssize_t n = recv(c->fd, at, sizeof d->begun - d->nbegun, MSG_PEEK | MSG_DONTWAIT);
	struct proxyheader told;
	size_t have, whole;
	int used;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	have = d->nbegun + (size_t)(n > 0 ? n : 0);
	used = n > 0 ? proxyheader_read(d->begun, have, &told) : PROXYHEADER_NONE;
	if (used < 0) {
		fail(c, n <= 0                       ? "it ended before its PROXY header"
		        : used == PROXYHEADER_BROKEN ? "its PROXY header is broken"
		                                     : "it does not begin with a PROXY header");
		return;
	}
	whole = used > 0 && (size_t)used < have ? (size_t)used : have;
	if (conn_read(c, at, whole - d->nbegun) != (ssize_t)(whole - d->nbegun)) {
		fail(c, "its PROXY header went away");
		return;
	}
	d->nbegun = whole;
	conn_set_state(c, CONN_BUSY);
	if (used == 0)
		return;
	if (told.from.ss_family != AF_UNSPEC) { /* else the one before us speaks for itself */
		d->client = told;
		log_client(c, &told.from);
	}
	d->rest = (size_t)used - whole;
	if (d->rest == 0)
		admit(c, cl);
}

static void
ready(struct conn *c, short what)
{
	struct client *cl = c->data;

	if (cl->dialing == NULL)
		duplex_ready(&cl->pair, what);
	else if (cl->dialing->greets && cl->dialing->rest > 0)
		skip_rest(c, cl);
	else if (cl->dialing->greets)
		read_greeting(c, cl);
}

static void
opened(struct conn *c)
{
	struct proxy *px = proxy_of(c);
	struct client *cl = proxy_new_client(c);
	struct dialing *d = mem_alloc(sizeof *d);
	socklen_t from = sizeof d->client.from, to = from;
	uint64_t max = (uint64_t)px->conf->max_clients;

	cl->dialing = d;
	d->conn = c;
	d->greets = px->conf->accept_proxy;
	d->fd = -1;
	getpeername(c->fd, (struct sockaddr *)&d->client.from, &from);
	getsockname(c->fd, (struct sockaddr *)&d->client.to, &to);
	if (max != 0 && px->clients > max)
		fail(c, "there are max_clients already");
	else if (d->greets && trust_of(c->listener) != NULL && !trust_peer(c))
		fail(c, "it is none of those whose PROXY header is trusted");
	else if (d->greets)
		timelist_join(px->connect, &c->timed);
	else
		admit(c, cl);
}

/* --- life --- */

static int
start(struct service *service, char **cause)
{
	const struct conf_service *conf = service->conf;
	struct proxy *px = mem_alloc(sizeof *px);

	(void)cause;
	px->conf = conf;
	px->targets = targets_new(conf, service->base);
	px->figures = mem_alloc(conf->nupstream * sizeof(struct figures_row *));
	for (size_t i = 0; i < conf->nupstream; i++)
		px->figures[i] = self_figures("upstream", conf->name, conf->upstream[i].text);
	px->home.base = service->base;
	if (conf->max_per_source > 0)
		px->sources = sources_new();
	px->connect =
	    timelist_new(service->base, (uint64_t)conf->connect_timeout, on_connect_late);
	px->home.idle = timelist_new(service->base, (uint64_t)conf->idle_timeout, on_idle);
	service->data = px;
	return 0;
}

static void
stop(struct service *service)
{
	struct proxy *px = service->data;

	targets_free(&px->targets);
	free(px->figures);
	sources_free(&px->sources);
	timelist_free(&px->connect);
	timelist_free(&px->home.idle);
	flow_free_pipes();
	free(px);
}

static uint64_t
patience(const struct conn *c)
{
	return (uint64_t)c->service->conf->idle_timeout;
}

static unsigned
needs(const struct conf_service *conf)
{
	(void)conf;
	return SERVICE_CONNECTS;
}

static int
far(const struct conn *c)
{
	const struct client *cl = c->data;

	return cl != NULL ? duplex_far(&cl->pair) : -1;
}

const struct service_type proxy_service = {
    .name = "proxy",
    .needs = needs,
    .start = start,
    .stop = stop,
    .open = opened,
    .ready = ready,
    .freeze = proxy_freeze,
    .rest = proxy_rest,
    .thaw = proxy_thaw,
    .resume = proxy_resume,
    .patience = patience,
    .far = far,
    .release = release,
};
