#include "service/upstream/connect.h"

#include <sys/socket.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "conf/conf.h"
#include "service/upstream/balance.h"
#include "service/upstream/upstream.h"
#include "worker/runtime/loop.h"

static const char too_late[] = "no connection within connect_timeout";

static void
hang_up(struct connecting *k)
{
	if (k->fd < 0)
		return;
	event_del(&k->ev);
	fd_close(&k->fd);
}

void
connecting_stop(struct connecting *k)
{
	if (k->set == NULL)
		return;
	hang_up(k);
	upstream_drop(&k->tries);
	resolve_wait_no_more(&k->names);
	k->set = NULL;
}

/* The one that is tried can't be reached.  Said once while it is down. */
static void
pass_over(struct connecting *k, const char *why)
{
	struct upstream *u = k->tries;

	if (u->down_until_ms <= clock_tick_ms())
		log_warn("service %s: upstream %s: %s", k->set->conf->name, u->name, why);
	k->fault = why;
	upstream_bad(u, true);
	resolve_failed(k->set->resolve, u->line);
	hang_up(k);
}

static void try_next(struct connecting *k);

static void
on_names(void *arg)
{
	try_next(arg); /* addresses that have come meanwhile have bits of their own */
}

/* All were tried.  A name may have others by now. */
static void
in_vain(struct connecting *k)
{
	const char *cause = k->fault;

	k->names.over = on_names;
	k->names.arg = k;
	if (!k->waited && resolve_wait(k->set->resolve, &k->names)) {
		k->waited = true;
		k->owner->begins(k->arg);
		return;
	}
	if (cause == NULL)
		cause = k->set->n > 0 ? "their checks fail" : resolve_fault(k->set->resolve);
	k->owner->failed(k->arg, "no upstream could be reached", cause);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct connecting *k = arg;
	struct upstream *u = k->tries;
	int fault = 0;
	socklen_t len = sizeof fault;

	(void)what;
	if (getsockopt((int)fd, SOL_SOCKET, SO_ERROR, &fault, &len) < 0)
		fault = errno;
	if (fault != 0) {
		pass_over(k, strerrordesc_np(fault));
		try_next(k);
		return;
	}
	event_del(&k->ev);
	k->fd = -1;
	k->tries = NULL;
	upstream_good(u);
	upstream_asked(u);
	k->owner->connected(k->arg, (int)fd, u);
}

/* False: it can't be reached, as errno tells. */
static bool
dial(struct connecting *k)
{
	const struct upstream *u = k->tries;
	int one = 1;

	setsockopt(k->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	event_assign(&k->ev, loop_base(), k->fd, EV_WRITE | EV_PERSIST, on_writable, k);
	return connect(k->fd, (const struct sockaddr *)&u->sa, u->len) == 0 ||
	       errno == EINPROGRESS;
}

/* The set bounds how many are tried. */
static void
try_next(struct connecting *k)
{
	struct upstream *u;

	while ((u = balance_next(k->set, &k->tried)) != NULL) {
		upstream_drop(&k->tries);
		k->tries = upstream_hold(u);
		resolve_used(k->set->resolve, u->line);
		k->fd = socket(u->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (k->fd < 0) { /* our own want: nobody there is to blame */
			k->owner->failed(k->arg, strerrordesc_np(errno), NULL);
			return;
		}
		if (dial(k)) {
			k->owner->begins(k->arg);
			event_add(&k->ev, NULL);
			return;
		}
		pass_over(k, strerrordesc_np(errno));
	}
	in_vain(k);
}

void
connecting_late(struct connecting *k)
{
	if (k->fd < 0) {
		k->owner->failed(k->arg, "its upstream's name was not found in time", NULL);
		return;
	}
	pass_over(k, too_late);
	try_next(k);
}

void
connecting_start(struct connecting *k, struct upstreams *set,
                 const struct connecting_owner *owner, void *arg)
{
	memset(k, 0, sizeof *k);
	k->owner = owner;
	k->arg = arg;
	k->set = set;
	k->fd = -1;
	try_next(k);
}
