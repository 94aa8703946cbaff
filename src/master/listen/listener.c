#include "master/listen/listener.h"

#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <systemd/sd-daemon.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/place.h"
#include "base/unixsock.h"
#include "conf/value.h"
#include "master/core/env.h"
#include "master/listen/address.h"
#include "master/listen/listener_int.h"
#include "master/state/fdstore.h"
#include "master/state/jsontext.h"
#include "master/workers/generation.h"

static TAILQ_HEAD(, listener) all = TAILQ_HEAD_INITIALIZER(all);
static uint32_t last_id; /* of sockets and of listeners */

/* --- addresses --- */

const char *
listener_address(const struct listener *l)
{
	return l->bound;
}

uint32_t
listener_id(const struct listener *l)
{
	return l->id;
}

struct listener *
listener_find(uint32_t id)
{
	struct listener *l;

	TAILQ_FOREACH (l, &all, link)
		if (l->id == id)
			return l;
	return NULL;
}

/* The path of a unix socket may be written in several ways. */
static bool
is_named(const struct listener *l, const char *text)
{
	char *ours, *path;
	bool same = strcmp(l->text, text) == 0;

	if (same || l->kind != CONF_ADDR_UNIX || strncmp(text, "unix:/", 6) != 0 ||
	    strncmp(l->text, "unix:/", 6) != 0)
		return same;
	ours = value_plain_path(l->text + strlen("unix:"));
	path = value_plain_path(text + strlen("unix:"));
	same = strcmp(ours, path) == 0;
	free(ours);
	free(path);
	return same;
}

/* Has somebody removed the path of a unix socket, or put another thing there?  Then nobody can
 * come to it, and the next change opens another. */
static bool
is_path_lost(const struct listener *l)
{
	const char *path = l->bound + strlen("unix:");

	if (l->kind != CONF_ADDR_UNIX || l->own.inode == 0)
		return false;
	return !place_is_own(path, &l->own, S_IFSOCK) &&
	       !(l->filtered && unixsock_is_hidden(path, &l->own));
}

struct listener *
listener_named(const char *text, bool lost)
{
	struct listener *l;

	TAILQ_FOREACH (l, &all, link)
		if (is_named(l, text) && is_path_lost(l) == lost)
			return l;
	return NULL;
}

void
listener_warn(json_t *list)
{
	struct listener *l;

	TAILQ_FOREACH (l, &all, link) {
		const char *what;
		char *sentence;

		if (l->retired || !is_path_lost(l))
			continue;
		what = place_what(l->bound + strlen("unix:"));
		sentence =
		    mem_printf("listener %s: its socket is not there any more, and nobody can "
		               "connect; %s%sa reload makes it anew",
		               l->bound, what != NULL ? what : "",
		               what != NULL ? " stands in its place: when that is gone, " : "");
		json_array_append_new(list, jsontext_shown(sentence, SIZE_MAX));
		free(sentence);
	}
}

struct listener *
listener_first(void)
{
	return TAILQ_FIRST(&all);
}

/* --- sockets --- */

void
listener_add_socket(struct listener *l, int fd)
{
	AN(fd >= 0);
	l->sock = mem_grow(l->sock, l->nsock, sizeof *l->sock);
	l->sock[l->nsock++] = (struct lsocket){.id = ++last_id, .fd = fd};
	fdstore_put("socket", last_id, fd);
}

static void
close_socket(struct lsocket *s)
{
	fdstore_drop("socket", s->id);
	fd_close(&s->fd);
}

void
listener_set_last_id(uint32_t id)
{
	last_id = id;
}

uint32_t
listener_last_id(void)
{
	return last_id;
}

void
listener_replace_socket(struct listener *l, size_t i, int fd)
{
	AN(i < l->nsock && fd >= 0);
	close_socket(&l->sock[i]);
	l->sock[i] = (struct lsocket){.id = ++last_id, .fd = fd};
	fdstore_put("socket", last_id, fd);
}

struct listener *
listener_make(const char *text, enum conf_addr_kind kind)
{
	struct listener *l = mem_alloc(sizeof *l);

	l->id = ++last_id;
	l->text = mem_strdup(text);
	l->kind = kind;
	TAILQ_INSERT_TAIL(&all, l, link);
	return l;
}

static void
unlink_own(const struct listener *l)
{
	if (l->kind != CONF_ADDR_UNIX || l->own.inode == 0)
		return;
	place_remove(l->bound + strlen("unix:"), &l->own, S_IFSOCK);
	if (l->filtered)
		unixsock_remove_hidden(l->bound + strlen("unix:"), &l->own);
}

/* The last port of a closed listener with port 0: if it is opened again (a stop is called
 * off), it should be where its clients know it. */
static struct last_port {
	struct last_port *next;
	char *identity;
	struct sockaddr_storage sa;
	socklen_t len;
} * last_ports;

static void
remember_port(const struct listener *l)
{
	struct last_port *p = last_ports;

	if (l->kind != CONF_ADDR_TCP || l->nsock == 0 || strchr(l->text, '/') == NULL)
		return;
	while (p != NULL && strcmp(p->identity, l->text) != 0)
		p = p->next;
	if (p == NULL) {
		p = mem_alloc(sizeof *p);
		p->identity = mem_strdup(l->text);
		p->next = last_ports;
		last_ports = p;
	}
	p->len = sizeof p->sa;
	getsockname(l->sock[0].fd, (struct sockaddr *)&p->sa, &p->len);
}

static void
forget_ports(void)
{
	struct last_port *p;

	while ((p = last_ports) != NULL) {
		last_ports = p->next;
		free(p->identity);
		free(p);
	}
}

void
listener_destroy(struct listener *l)
{
	unlink_own(l);
	remember_port(l);
	TAILQ_REMOVE(&all, l, link);
	for (size_t i = 0; i < l->nsock; i++)
		close_socket(&l->sock[i]);
	free(l->sock);
	free(l->text);
	free(l->bound);
	free(l);
}

int
listener_bind_last_port(const char *id)
{
	for (struct last_port *p = last_ports; p != NULL; p = p->next)
		if (strcmp(p->identity, id) == 0)
			return address_bind_tcp(&p->sa, p->len);
	return -1;
}

bool
listener_is_listening(int fd)
{
	int yes = 0;
	socklen_t len = sizeof yes;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) == 0 && yes;
}

bool
listener_is_as_told(const struct listener *l, int fd)
{
	char *bound = address_text(fd);
	bool same = l->kind != CONF_ADDR_TCP || strcmp(bound, l->bound) == 0;

	free(bound);
	return same && listener_is_listening(fd);
}

/* --- what generations use --- */

/* No filter drops a connect(2) to a path; but nobody finds one that is not there. */
static void
hide(const struct listener *l, bool on)
{
	const char *path = l->bound + strlen("unix:");

	if (on)
		unixsock_hide(path, &l->own);
	else if (unixsock_show(path, &l->own) < 0)
		log_warn("listener %s: its socket cannot be put back: %s", l->bound,
		         strerror(errno));
}

void
listener_filter_one(struct listener *l, bool on)
{
	if (l->kind == CONF_ADDR_SYSTEMD || l->filtered == on)
		return;
	for (size_t i = 0; i < l->nsock && l->kind == CONF_ADDR_TCP; i++)
		address_filter(l->sock[i].fd, on);
	if (l->kind == CONF_ADDR_UNIX && l->own.inode != 0)
		hide(l, on);
	l->filtered = on;
}

/* The path may lead elsewhere by now: only what we have put there is changed. */
static void
apply_mode(const struct listener *l, const struct conf_listen *cl)
{
	char *why = NULL;

	if (l->kind == CONF_ADDR_UNIX && l->own.inode != 0 && !l->filtered &&
	    unixsock_chmod(l->bound + strlen("unix:"), &l->own, (mode_t)cl->mode, &why) < 0)
		log_warn("listener %s: its mode is left as it is: %s", l->bound, why);
	free(why);
}

/* listen() again changes the backlog of a live queue; nothing else happens.  One that is shut
 * is not brought back so: workers have given it up. */
void
listener_apply(const struct generation *g)
{
	for (size_t i = 0; i < g->nuse; i++) {
		const struct conf_listen *cl = &g->conf->listen[g->use[i].listen_ix];
		struct listener *l = g->use[i].listener;

		AN(!l->retired && !l->coming);
		l->backlog = (int)cl->backlog;
		l->keepalive = cl->keepalive;
		for (size_t k = 0; k < l->nsock; k++) {
			fd_keepalive(l->sock[k].fd, l->keepalive);
			if (l->kind != CONF_ADDR_SYSTEMD &&
			    listener_is_listening(l->sock[k].fd))
				listen(l->sock[k].fd, l->backlog);
		}
		apply_mode(l, cl);
	}
}

bool
listener_is_retired(uint32_t socket)
{
	struct listener *l;

	TAILQ_FOREACH (l, &all, link)
		for (size_t i = 0; i < l->nsock; i++)
			if (l->sock[i].id == socket)
				return l->retired;
	return true;
}

/* --- the end --- */

void
listener_filter(bool on)
{
	struct listener *l;

	TAILQ_FOREACH (l, &all, link)
		if (on || (!l->retired && !l->coming))
			listener_filter_one(l, on);
}

static bool
port_is_filtered(uint16_t port)
{
	struct sockaddr_storage sa;
	struct listener *l;

	TAILQ_FOREACH (l, &all, link) {
		socklen_t len = sizeof sa;

		if (l->filtered && l->nsock > 0 &&
		    getsockname(l->sock[0].fd, (struct sockaddr *)&sa, &len) == 0 &&
		    address_port(&sa) == port)
			return true;
	}
	return false;
}

bool
listener_half_open(void)
{
	return address_half_open(port_is_filtered);
}

static void
close_all(void)
{
	struct listener *l;

	while ((l = TAILQ_FIRST(&all)) != NULL) {
		listener_destroy(l);
	}
}

/* --- life --- */

void
listener_unlink_all(void)
{
	const struct listener *l;

	TAILQ_FOREACH (l, &all, link)
		unlink_own(l);
}

void
listener_start(void)
{
	const char *name;
	int fd;

	if (last_id < fdstore_last("socket"))
		last_id = (uint32_t)fdstore_last("socket"); /* no name is used twice */
	for (unsigned i = 0; fdstore_passed(i, &name, &fd); i++) {
		char *text = mem_printf(INHERITED "%s", name);
		struct listener *l = listener_named(text, false);

		if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0) {
			log_warn(
			    "descriptor %d ('%s') from the service manager is not a listening "
			    "stream socket; closed",
			    fd, name);
			fd_close(&fd);
		} else {
			fd_nonblock(fd);
			if (l == NULL) {
				l = listener_make(text, CONF_ADDR_SYSTEMD);
				l->bound = address_text(fd);
			}
			listener_add_socket(l, fd);
		}
		free(text);
	}
}

void
listener_stop(void)
{
	close_all();
	forget_ports();
}
