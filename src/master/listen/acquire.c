/* acquire: how the addresses of a configuration become listeners with sockets. */
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/event.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "master/listen/address.h"
#include "master/listen/listener.h"
#include "master/listen/listener_int.h"
#include "master/state/fdstore.h"
#include "master/workers/generation.h"

/* Port 0 is a wish for any port: such an address is only the same listener for
 * the same place in the file. */
static char *
identity(const struct conf_listen *conf, const struct conf_addr *a)
{
	if (a->kind == CONF_ADDR_TCP && address_port(&a->sa) == 0)
		return mem_printf("%s/%zu/%s", conf->name, (size_t)(a - conf->addr), a->text);
	return mem_strdup(a->text);
}

/* An address of ours with the same port explains why the probe must fail. */
static bool
is_port_ours(uint16_t port)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof sa;
	struct listener *l;

	for (l = listener_first(); l != NULL; l = TAILQ_NEXT(l, link)) {
		if (l->kind != CONF_ADDR_TCP || l->nsock == 0)
			continue;
		len = sizeof sa;
		if (getsockname(l->sock[0].fd, (struct sockaddr *)&sa, &len) == 0 &&
		    address_port(&sa) == port)
			return true;
	}
	return false;
}

static bool
listens_at(int fd, const struct conf_addr *a)
{
	struct sockaddr_storage sa = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof sa;

	return listener_is_listening(fd) &&
	       getsockname(fd, (struct sockaddr *)&sa, &len) == 0 && len == a->salen &&
	       memcmp(&sa, &a->sa, len) == 0;
}

/* After a crash that has left no state, its sockets are still there, and clients in them. */
static struct listener *
open_spare(const struct conf_addr *a)
{
	struct listener *l = NULL;
	unsigned i = 0;
	int fd;

	while ((fd = fdstore_spare("socket", i)) >= 0) {
		if (!listens_at(fd, a)) {
			i++;
			continue;
		}
		fdstore_take(fd);
		if (l == NULL) {
			l = listener_make(a->text, CONF_ADDR_TCP);
			l->bound = address_text(fd);
		}
		listener_add_socket(l, fd);
	}
	return l;
}

static struct listener *
open_tcp(const struct conf_addr *a, const char *id, char **cause)
{
	uint16_t port = address_port(&a->sa);
	struct listener *l = open_spare(a);
	int fd;

	if (l != NULL)
		return l;
	fd = port == 0 ? listener_bind_last_port(id) : -1;

	if (fd < 0 &&
	    ((port != 0 && !is_port_ours(port) && address_probe(&a->sa, a->salen) < 0) ||
	     (fd = address_bind_tcp(&a->sa, a->salen)) < 0)) {
		cause_set(cause, "cannot listen on %s: %s%s", a->text, strerror(errno),
		          errno == EACCES
		              ? "; a port below 1024 takes root, CAP_NET_BIND_SERVICE "
		                "(AmbientCapabilities= in a unit) or "
		                "net.ipv4.ip_unprivileged_port_start"
		              : "");
		return NULL;
	}
	l = listener_make(a->text, CONF_ADDR_TCP);
	listener_add_socket(l, fd);
	l->bound = address_text(fd);
	return l;
}

static struct listener *
open_unix(const struct conf_addr *a, const struct conf_listen *conf, char **cause)
{
	struct place_id own;
	int fd = address_bind_unix(a, conf, &own, cause);
	struct listener *l;

	if (fd < 0)
		return NULL;
	l = listener_make(a->text, CONF_ADDR_UNIX);
	listener_add_socket(l, fd);
	l->bound = mem_strdup(a->text);
	l->own = own;
	return l;
}

static struct listener *
open_inherited(const struct conf_addr *a, char **cause)
{
	char *names = NULL;
	struct listener *l;

	for (l = listener_first(); l != NULL; l = TAILQ_NEXT(l, link))
		if (l->kind == CONF_ADDR_SYSTEMD) {
			char *more =
			    mem_printf("%s%s'%s'", names != NULL ? names : "",
			               names != NULL ? ", " : "", l->text + strlen(INHERITED));

			free(names);
			names = more;
		}
	cause_set(cause,
	          "%s: no socket of that name was passed by the service manager; passed: %s "
	          "(FileDescriptorName= in the .socket unit)",
	          a->text, names != NULL ? names : "none");
	free(names);
	return NULL;
}

static struct listener *
open_address(const struct conf_listen *conf, const struct conf_addr *a, const char *id,
             char **cause)
{
	switch (a->kind) {
	case CONF_ADDR_TCP:
		return open_tcp(a, id, cause);
	case CONF_ADDR_UNIX:
		return open_unix(a, conf, cause);
	case CONF_ADDR_SYSTEMD:
	case CONF_ADDR_NAME: /* only to connect to */
		break;
	}
	return open_inherited(a, cause);
}

/* All are bound before the first one listens: to that one clients come, and they would be
 * reset if it was closed for want of the next. */
static int
grow(struct listener *l, const struct conf_listen *conf, bool listening, uint32_t slots,
     char **cause)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof sa;
	size_t n = slots > l->nsock ? slots - l->nsock : 0, bound = 0, used = 0;
	int *fd, backlog = (int)conf->backlog;

	if (l->kind != CONF_ADDR_TCP || n == 0 ||
	    getsockname(l->sock[0].fd, (void *)&sa, &len) < 0)
		return 0;
	fd = mem_alloc(n * sizeof *fd);
	while (bound < n && (fd[bound] = address_bind_tcp(&sa, len)) >= 0)
		fd_keepalive(fd[bound++], conf->keepalive);
	while (bound == n && used < n && (!listening || listen(fd[used], backlog) == 0))
		listener_add_socket(l, fd[used++]);
	AN(used <= bound && bound <= n);
	if (used < n)
		cause_set(cause, "cannot add a socket for %s: %s", l->bound, strerror(errno));
	for (size_t i = used; i < bound; i++)
		fd_close(&fd[i]);
	free(fd);
	return used == n ? 0 : -1;
}

/* The steps taken for an address; an undo reverses exactly these. */
struct step {
	struct listener *l;
	bool opened;
	bool unretired;
};

static int
acquire_one(const struct conf_listen *conf, const struct conf_addr *a, uint32_t slots,
            struct step *step, char **cause)
{
	char *id = identity(conf, a);
	struct listener *l = listener_named(id, false);

	*step = (struct step){.opened = l == NULL};
	if (step->opened && (l = open_address(conf, a, id, cause)) != NULL) {
		free(l->text);
		l->text = mem_strdup(id);
	}
	if (l == NULL && (l = listener_named(id, true)) != NULL) {
		log_error("%s", *cause); /* its path: whom it has, it has */
		mem_free(cause);
		step->opened = false;
	}
	free(id);
	if (l == NULL)
		return -1;
	AN(l->nsock > 0 && l->bound != NULL);
	l->backlog = (int)conf->backlog;
	l->keepalive = conf->keepalive;
	l->coming |= step->opened || l->retired;
	if (grow(l, conf, !l->coming, conf->reuseport ? slots : 1, cause) < 0) {
		if (step->opened)
			listener_destroy(l);
		else if (l->retired)
			l->coming = false;
		return -1;
	}
	step->l = l;
	step->unretired = l->retired;
	l->retired = false;
	return 0;
}

static void
undo(struct step *step, size_t n)
{
	while (n-- > 0) {
		struct listener *l = step[n].l;

		AN(!(step[n].opened && step[n].unretired));
		if (step[n].unretired) {
			l->retired = true;
			l->coming = false;
		}
		if (step[n].opened)
			listener_destroy(l);
	}
}

int
listener_acquire(const struct conf *conf, uint32_t slots, struct generation_use **use,
                 size_t *nuse, char **cause)
{
	struct generation_use *list = NULL;
	struct step *steps = NULL;
	size_t n = 0;
	int result = 0;

	for (size_t i = 0; i < conf->nlisten && result == 0; i++) {
		const struct conf_listen *cl = &conf->listen[i];

		for (size_t k = 0; k < cl->naddr && result == 0; k++) {
			list = mem_grow(list, n, sizeof *list);
			steps = mem_grow(steps, n, sizeof *steps);
			result = acquire_one(cl, &cl->addr[k], slots, &steps[n], cause);
			if (result < 0)
				conf_blame_line(conf, cl->addr[k].line, cause);
			list[n] = (struct generation_use){.listener = steps[n].l,
			                                  .listen_ix = (uint32_t)i,
			                                  .addr_ix = (uint32_t)k};
			n += result == 0;
		}
	}
	if (result < 0) {
		undo(steps, n);
		mem_free(&list);
		n = 0;
	}
	AN((result < 0) == (list == NULL) || conf->nlisten == 0);
	free(steps);
	*use = list;
	*nuse = n;
	return result;
}

static int
let_in(struct listener *l, char **cause)
{
	AN(l->coming && !l->retired);
	for (size_t i = 0; i < l->nsock && l->kind != CONF_ADDR_SYSTEMD; i++) {
		fd_keepalive(l->sock[i].fd, l->keepalive);
		if (listen(l->sock[i].fd, l->backlog) < 0)
			return cause_set(cause, "cannot listen on %s: %s", l->bound,
			                 strerror(errno));
	}
	listener_filter_one(l, false);
	l->coming = false;
	log_event(EVENT_LISTENER_OPENED, EVENT_FIELDS(EVENT_TEXT("ADDRESS", l->bound)),
	          "listener %s is open", l->bound);
	return 0;
}

int
listener_open(const struct generation *g, char **cause)
{
	for (size_t i = 0; i < g->nuse; i++) {
		const struct generation_use *u = &g->use[i];
		const struct conf_listen *cl = &g->conf->listen[u->listen_ix];

		if (u->listener->coming && let_in(u->listener, cause) < 0)
			return conf_blame_line(g->conf, cl->addr[u->addr_ix].line, cause);
	}
	return 0;
}

int
listener_grow(const struct generation *g, uint32_t slots, char **cause)
{
	for (size_t i = 0; i < g->nuse; i++) {
		const struct conf_listen *cl = &g->conf->listen[g->use[i].listen_ix];

		if (g->use[i].listener != NULL && cl->reuseport &&
		    grow(g->use[i].listener, cl, !g->use[i].listener->coming, slots, cause) < 0)
			return -1;
	}
	return 0;
}

int
listener_grow_ahead(const struct conf *conf, uint32_t slots, char **cause)
{
	for (size_t i = 0; i < conf->nlisten; i++) {
		const struct conf_listen *cl = &conf->listen[i];

		for (size_t k = 0; k < cl->naddr && cl->reuseport; k++) {
			char *id = identity(cl, &cl->addr[k]);
			struct listener *l = listener_named(id, false);

			free(id);
			if (l != NULL && !l->retired && grow(l, cl, true, slots, cause) < 0)
				return -1;
		}
	}
	return 0;
}
