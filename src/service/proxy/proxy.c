#include "service/proxy/proxy.h"

#include <sys/socket.h>

#include <errno.h>
#include <netinet/in.h>
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
#include "service/upstream/connect.h"
#include "service/upstream/upstream.h"
#include "worker/access/access.h"
#include "worker/conn/conn.h"
#include "worker/runtime/runtime.h"
#include "worker/sandbox/trust.h"

#define LOG_EVERY_MS 1000
#define THREADS      4 /* that look up names */

/* --- the end --- */

static void
release(struct conn *c)
{
	struct proxy *px = proxy_of(c);
	struct client *cl = c->data;

	if (cl == NULL)
		return;
	if (cl->dialing != NULL)
		connecting_stop(&cl->dialing->way);
	duplex_release(&cl->pair);
	upstream_drop(&cl->upstream);
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

	if (cl->dialing->greets)
		conn_close(c, "sent no PROXY header in time");
	else
		connecting_late(&cl->dialing->way);
}

static void
begins(void *arg)
{
	struct conn *c = arg;

	conn_want(c, 0);
	timelist_join(proxy_of(c)->connect, &c->timed);
}

static void
connected(void *arg, int fd, struct upstream *u)
{
	struct conn *c = arg;
	struct proxy *px = proxy_of(c);
	struct client *cl = c->data;
	struct proxyheader *told = &cl->dialing->client;
	char text[PROXYHEADER_OUT];

	cl->upstream = u;
	duplex_init(&cl->pair, c, &px->home, fd);
	access_upstream(c, fd);
	fd_keepalive(fd, px->conf->keepalive);
	if (px->conf->send_proxy != CONF_PROXY_NO)
		flow_put(&cl->pair.up, text,
		         proxyheader_write(told, (int)px->conf->send_proxy, text));
	mem_free(&cl->dialing);
	if (!conn_moves(c)) /* it could not until now */
		duplex_go(&cl->pair);
}

static void
in_vain(void *arg, const char *why, const char *cause)
{
	fail_for(arg, why, cause);
}

static const struct connecting_owner connecting_owner = {
    .begins = begins, .connected = connected, .failed = in_vain};

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
		connecting_start(&cl->dialing->way, px->upstreams, &connecting_owner, c);
}

/* Skip the TLVs behind the addresses, a part at a time. */
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
	d->greets = px->conf->accept_proxy;
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
	struct runtime_limits limits = {.threads = THREADS, .queue = (unsigned)conf->nupstream};
	struct proxy *px = mem_alloc(sizeof *px);

	(void)cause;
	px->conf = conf;
	runtime_start(service->base, &limits);
	px->upstreams = upstreams_new(conf, NULL);
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

	upstreams_free(&px->upstreams);
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
