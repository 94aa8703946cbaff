#include "master/workers/mend.h"

#include <sys/socket.h>

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/event.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "master/core/env.h"
#include "master/listen/address.h"
#include "master/listen/listener.h"
#include "master/listen/listener_int.h"
#include "master/workers/generation.h"
#include "master/workers/slot.h"

#define PER_LOOK 256 /* sockets; the next look goes on behind them */

static bool lost_holder; /* since the look before */
static size_t passed;    /* sockets that the looks before have seen, from the first on */

/* --- who did it --- */

static unsigned
count_holders(uint32_t id)
{
	struct generation *g;
	struct worker *w;
	unsigned n = 0;

	TAILQ_FOREACH (g, generation_all(), link)
		TAILQ_FOREACH (w, &g->workers, link)
			n += slot_had(w, id);
	return n;
}

/* It is found: the others may share again. */
static void
unbar(struct generation *g)
{
	struct worker *w;

	TAILQ_FOREACH (w, &g->workers, link)
		w->barred = false;
}

/*
 * One that shares it with others may be as good as they are.  Half of them get none of the
 * sockets that are shared from now on; if one is shut again it was among the other half, so
 * that after some rounds there is only one left.  Who had it once, and goes, may have kept a
 * copy.
 */
static void
blame(const struct listener *l, uint32_t id)
{
	unsigned n = count_holders(id), k = 0;
	struct generation *g;
	struct worker *w;

	if (lost_holder) {
		log_error("a socket of %s was shut, maybe by who is gone", l->bound);
		return;
	}
	log_error("a socket of %s was shut or spoilt by one of the %u workers that had it",
	          l->bound, n);
	TAILQ_FOREACH (g, generation_all(), link)
		TAILQ_FOREACH (w, &g->workers, link) {
			if (!slot_had(w, id))
				continue;
			w->barred = n > 1 && k++ < n / 2;
			if (n > 1)
				continue;
			slot_distrust(w, "it has shut a listening socket, or spoilt it");
			unbar(g);
		}
}

/* --- mending --- */

static bool
is_shut(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};

	return !listener_is_listening(fd) ||
	       (poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR | POLLRDHUP)) != 0);
}

/* Where it stands in the configuration that is served. */
static const struct generation_use *
use_of(const struct generation *g, const struct listener *l)
{
	for (size_t i = 0; g != NULL && i < g->nuse; i++)
		if (g->use[i].listener == l)
			return &g->use[i];
	return NULL;
}

/* Not where the socket says: whoever has shut it may have bound it elsewhere. */
static struct sockaddr_storage
bound_address(const struct listener *l, const struct conf_addr *a)
{
	in_port_t port = htons((uint16_t)strtoul(strrchr(l->bound, ':') + 1, NULL, 10));
	struct sockaddr_storage sa = {0};

	memcpy(&sa, &a->sa, a->salen);
	if (sa.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&sa)->sin6_port = port;
	else
		((struct sockaddr_in *)&sa)->sin_port = port;
	return sa;
}

static int
bind_again(struct listener *l, char **cause)
{
	const struct generation *g = generation_active();
	const struct generation_use *use = use_of(g, l);
	const struct conf_listen *conf;
	const struct conf_addr *a;
	struct sockaddr_storage sa;
	int fd;

	if (use == NULL)
		return cause_set(cause, "nobody serves it");
	AN(use->listen_ix < g->conf->nlisten);
	conf = &g->conf->listen[use->listen_ix];
	AN(use->addr_ix < conf->naddr);
	a = &conf->addr[use->addr_ix];
	if (l->kind == CONF_ADDR_UNIX) {
		fd = address_bind_unix(a, conf, &l->own, cause);
	} else {
		sa = bound_address(l, a);
		fd = address_bind_tcp(&sa, a->salen);
		if (fd < 0)
			return cause_set(cause, "%s", strerror(errno));
	}
	if (fd >= 0)
		fd_keepalive(fd, conf->keepalive);
	if (fd < 0 || listen(fd, (int)conf->backlog) == 0)
		return fd;
	cause_set(cause, "%s", strerror(errno));
	fd_close(&fd);
	return -1;
}

/* Another socket, as one that was bound to any port would get another one by a second
 * listen(2).  What the service manager has bound is not ours to bind. */
static void
mend(struct listener *l, size_t i)
{
	int old = l->sock[i].fd, fd;
	char *cause = NULL;

	AN(i < l->nsock && !l->retired);
	blame(l, l->sock[i].id);
	if (l->kind == CONF_ADDR_SYSTEMD) {
		if (listen(old, l->backlog) < 0 || is_shut(old))
			log_error("%s cannot listen again", l->bound);
		return;
	}
	fd = bind_again(l, &cause);
	if (fd < 0) {
		log_error("%s cannot be bound again: %s", l->bound, cause);
		free(cause);
		return;
	}
	listener_replace_socket(l, i, fd);
	env_converge();
}

/* Accepted sockets inherit SO_LINGER: their close would hold up the worker. */
static void
unlinger(const struct listener *l, size_t i)
{
	fd_unlinger(l->sock[i].fd);
	blame(l, l->sock[i].id);
}

/* --- looking --- */

struct look {
	struct pollfd p[PER_LOOK];
	struct listener *l[PER_LOOK];
	size_t i[PER_LOOK];
	size_t n;
};

/* Collect the sockets behind those of the last look. */
static void
gather(struct look *k)
{
	struct listener *l;
	size_t at = 0;

	k->n = 0;
	for (l = listener_first(); l != NULL; l = TAILQ_NEXT(l, link))
		for (size_t i = 0; i < l->nsock && k->n < PER_LOOK; i++) {
			if (at++ < passed || l->retired || l->coming)
				continue;
			k->p[k->n] = (struct pollfd){.fd = l->sock[i].fd, .events = POLLRDHUP};
			k->l[k->n] = l;
			k->i[k->n++] = i;
		}
	passed = k->n == PER_LOOK ? passed + k->n : 0;
}

void
mend_lost_holder(void)
{
	lost_holder = true;
}

void
mend_look(void)
{
	static struct look k;

	if (env.stop >= STOP_FILTER)
		return;
	gather(&k);
	if (k.n > 0)
		poll(k.p, k.n, 0);
	for (size_t n = 0; n < k.n; n++)
		if ((k.p[n].revents & (POLLHUP | POLLERR | POLLRDHUP)) != 0 ||
		    !listener_is_as_told(k.l[n], k.p[n].fd))
			mend(k.l[n], k.i[n]);
		else if (fd_lingers(k.p[n].fd))
			unlinger(k.l[n], k.i[n]);
	lost_holder &= passed > 0;
}
