#include "master/listener.h"

#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <linux/filter.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "master/fdlist.h"
#include "master/generation.h"
#include "master/master.h"
#include "master/slot.h"
#include "wire/chan.h"

#define INHERITED "systemd:"

struct lsocket {
	uint32_t id; /* what workers know it by; never reused */
	int fd;
};

/* An address and its sockets.  Which section names it is the affair of the
 * generations: a renamed listener keeps its sockets and their queues. */
struct listener {
	TAILQ_ENTRY(listener) link;
	uint32_t id;
	char *text;  /* the identity: as in the file, unless its port is 0 */
	char *bound; /* with the port that the kernel chose */
	enum conf_addr_kind kind;
	bool retired;
	bool filtered;
	ino_t inode; /* of a unix socket's path: what may be unlinked */
	struct lsocket *sock;
	size_t nsock;
};

static TAILQ_HEAD(, listener) all = TAILQ_HEAD_INITIALIZER(all);
static uint32_t last_id;       /* of sockets and of listeners */
static bool assigning_is_over; /* all are closed: a stop */

/* --- addresses --- */

static char *
address_text(int fd)
{
	struct sockaddr_storage sa = {0};
	socklen_t len = sizeof sa;
	char host[64], port[8];

	if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		return mem_strdup("?");
	if (sa.ss_family == AF_UNIX) {
		const struct sockaddr_un *un = (const void *)&sa;
		bool abstract = un->sun_path[0] == '\0' && len > sizeof(sa_family_t);

		return mem_printf("unix:%s%.*s", abstract ? "@" : "",
		                  (int)(len - sizeof(sa_family_t)), un->sun_path + abstract);
	}
	if (getnameinfo((struct sockaddr *)&sa, len, host, sizeof host, port, sizeof port,
	                NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return mem_strdup("?");
	return mem_printf(sa.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

static uint16_t
port_of(const struct sockaddr_storage *sa)
{
	return ntohs(sa->ss_family == AF_INET6
	                 ? ((const struct sockaddr_in6 *)(const void *)sa)->sin6_port
	                 : ((const struct sockaddr_in *)(const void *)sa)->sin_port);
}

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

/* Port 0 is a wish for any port: such an address is only the same listener for
 * the same place in the file. */
static char *
identity(const struct conf_listen *conf, const struct conf_addr *a)
{
	if (a->kind == CONF_ADDR_TCP && port_of(&a->sa) == 0)
		return mem_printf("%s/%zu/%s", conf->name, (size_t)(a - conf->addr), a->text);
	return mem_strdup(a->text);
}

static struct listener *
find_text(const char *text)
{
	struct listener *l;

	TAILQ_FOREACH (l, &all, link)
		if (strcmp(l->text, text) == 0)
			return l;
	return NULL;
}

/* --- sockets --- */

static void
add_socket(struct listener *l, int fd)
{
	l->sock = mem_grow(l->sock, l->nsock, sizeof *l->sock);
	l->sock[l->nsock++] = (struct lsocket){.id = ++last_id, .fd = fd};
}

static struct listener *
make(const char *text, enum conf_addr_kind kind)
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
	const char *path = l->bound + strlen("unix:");
	struct stat st;

	if (l->kind != CONF_ADDR_UNIX || l->inode == 0)
		return;
	if (lstat(path, &st) == 0 && st.st_ino == l->inode)
		unlink(path);
}

/* What a closed listener with port 0 was bound to: asked for again (a stop is
 * called off), it should be where its clients know it. */
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

	if (l->kind != CONF_ADDR_TCP || strchr(l->text, '/') == NULL)
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

static void
destroy(struct listener *l)
{
	unlink_own(l);
	remember_port(l);
	TAILQ_REMOVE(&all, l, link);
	for (size_t i = 0; i < l->nsock; i++)
		fd_close(&l->sock[i].fd);
	free(l->sock);
	free(l->text);
	free(l->bound);
	free(l);
}

static int
option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof value);
}

static int
stream_socket(int family)
{
	return socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* What is set on a listening socket is inherited by what it accepts: one system
 * call less per connection. */
static int
prepare_tcp(int fd, int family, bool reuseport)
{
	if (option(fd, SOL_SOCKET, SO_REUSEADDR, 1) < 0 ||
	    (reuseport && option(fd, SOL_SOCKET, SO_REUSEPORT, 1) < 0) ||
	    option(fd, IPPROTO_TCP, TCP_NODELAY, 1) < 0)
		return -1;
	return family == AF_INET6 ? option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) : 0;
}

/*
 * SO_REUSEPORT is set on every TCP socket, so that slots can be added later.
 * With it the kernel would let a second baton of the same user take half of our
 * clients without a word; hence a try without it first.
 */
static int
probe_tcp(const struct sockaddr_storage *sa, socklen_t len)
{
	int fd = stream_socket(sa->ss_family), result = -1;

	if (fd >= 0 && prepare_tcp(fd, sa->ss_family, false) == 0)
		result = bind(fd, (const struct sockaddr *)sa, len);
	fd_close(&fd);
	return result;
}

static int
bind_tcp(const struct sockaddr_storage *sa, socklen_t len, int backlog)
{
	int fd = stream_socket(sa->ss_family);

	FAULT("bind");
	if (fd >= 0 && prepare_tcp(fd, sa->ss_family, true) == 0 &&
	    bind(fd, (const struct sockaddr *)sa, len) == 0 && listen(fd, backlog) == 0)
		return fd;
	fd_close(&fd);
	return -1;
}

/* An address of ours with the same port explains why the probe must fail. */
static bool
port_is_ours(uint16_t port)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof sa;
	struct listener *l;

	TAILQ_FOREACH (l, &all, link) {
		if (l->kind != CONF_ADDR_TCP || l->nsock == 0)
			continue;
		len = sizeof sa;
		if (getsockname(l->sock[0].fd, (struct sockaddr *)&sa, &len) == 0 &&
		    port_of(&sa) == port)
			return true;
	}
	return false;
}

static int
bind_last_port(const char *id, int backlog)
{
	for (struct last_port *p = last_ports; p != NULL; p = p->next)
		if (strcmp(p->identity, id) == 0)
			return bind_tcp(&p->sa, p->len, backlog);
	return -1;
}

static struct listener *
open_tcp(const struct conf_addr *a, const char *id, int backlog, char **cause)
{
	uint16_t port = port_of(&a->sa);
	struct listener *l;
	int fd = port == 0 ? bind_last_port(id, backlog) : -1;

	if (fd < 0 && ((port != 0 && !port_is_ours(port) && probe_tcp(&a->sa, a->salen) < 0) ||
	               (fd = bind_tcp(&a->sa, a->salen, backlog)) < 0)) {
		cause_set(cause, "cannot listen on %s: %s", a->text, strerror(errno));
		return NULL;
	}
	l = make(a->text, CONF_ADDR_TCP);
	add_socket(l, fd);
	l->bound = address_text(fd);
	return l;
}

static bool
somebody_answers(const struct sockaddr_storage *sa, socklen_t len)
{
	int fd = stream_socket(AF_UNIX);
	bool yes =
	    fd >= 0 && (connect(fd, (const struct sockaddr *)sa, len) == 0 || errno == EAGAIN);

	fd_close(&fd);
	return yes;
}

/* Bind to a temporary name and rename: at no moment is the path without a
 * socket, and a stale one is replaced. */
static int
bind_unix(const struct conf_addr *a, const struct conf_listen *conf, char **cause)
{
	const char *path = a->text + strlen("unix:");
	struct sockaddr_un un = *(const struct sockaddr_un *)(const void *)&a->sa;
	int fd = stream_socket(AF_UNIX);
	bool abstract = path[0] == '@';

	if (!abstract && somebody_answers(&a->sa, a->salen)) {
		fd_close(&fd);
		return cause_set(cause, "cannot listen on %s: another process does", a->text);
	}
	if (!abstract && snprintf(un.sun_path, sizeof un.sun_path, "%s.new", path) >=
	                     (int)sizeof un.sun_path) {
		fd_close(&fd);
		return cause_set(cause, "cannot listen on %s: the path is too long", a->text);
	}
	if (!abstract)
		unlink(un.sun_path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&un, abstract ? a->salen : sizeof un) < 0 ||
	    (!abstract && chmod(un.sun_path, (mode_t)conf->mode) < 0) ||
	    listen(fd, (int)conf->backlog) < 0 ||
	    (!abstract && rename(un.sun_path, path) < 0)) {
		cause_set(cause, "cannot listen on %s: %s", a->text, strerror(errno));
		if (!abstract)
			unlink(un.sun_path);
		fd_close(&fd);
		return -1;
	}
	return fd;
}

static struct listener *
open_unix(const struct conf_addr *a, const struct conf_listen *conf, char **cause)
{
	int fd = bind_unix(a, conf, cause);
	struct stat st;
	struct listener *l;

	if (fd < 0)
		return NULL;
	l = make(a->text, CONF_ADDR_UNIX);
	add_socket(l, fd);
	l->bound = mem_strdup(a->text);
	if (lstat(a->text + strlen("unix:"), &st) == 0)
		l->inode = st.st_ino;
	return l;
}

static struct listener *
open_inherited(const struct conf_addr *a, char **cause)
{
	char *names = NULL;
	struct listener *l;

	TAILQ_FOREACH (l, &all, link)
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
		return open_tcp(a, id, (int)conf->backlog, cause);
	case CONF_ADDR_UNIX:
		return open_unix(a, conf, cause);
	case CONF_ADDR_SYSTEMD:
		break;
	}
	return open_inherited(a, cause);
}

static int
grow(struct listener *l, uint32_t slots, int backlog, char **cause)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof sa;
	size_t had = l->nsock;

	if (l->kind != CONF_ADDR_TCP || getsockname(l->sock[0].fd, (void *)&sa, &len) < 0)
		return 0;
	while (l->nsock < slots) {
		int fd = bind_tcp(&sa, len, backlog);

		if (fd < 0) {
			cause_set(cause, "cannot add a socket for %s: %s", l->bound,
			          strerror(errno));
			while (l->nsock > had)
				fd_close(&l->sock[--l->nsock].fd);
			return -1;
		}
		add_socket(l, fd);
	}
	return 0;
}

static void filter_one(struct listener *l, bool on);

/* --- what generations use --- */

static int
acquire_one(const struct conf_listen *conf, const struct conf_addr *a, uint32_t slots,
            struct listener **out, char **cause)
{
	char *id = identity(conf, a);
	struct listener *l = find_text(id);
	bool fresh = l == NULL;

	if (fresh && (l = open_address(conf, a, id, cause)) != NULL) {
		free(l->text);
		l->text = mem_strdup(id);
	}
	free(id);
	if (l == NULL)
		return -1;
	if (grow(l, conf->reuseport ? slots : 1, (int)conf->backlog, cause) < 0) {
		if (fresh)
			destroy(l);
		return -1;
	}
	if (l->retired) {
		l->retired = false;
		filter_one(l, false);
	}
	*out = l;
	return 0;
}

static bool
used_by_any(const struct listener *l)
{
	struct generation *g;

	TAILQ_FOREACH (g, generation_all(), link)
		for (size_t i = 0; i < g->nuse; i++)
			if (g->use[i].listener == l)
				return true;
	return false;
}

/* Close what was opened for a generation that is not to be. */
static void
undo(struct generation_use *use, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (use[i].listener->kind != CONF_ADDR_SYSTEMD && !used_by_any(use[i].listener))
			destroy(use[i].listener);
	free(use);
}

int
listener_acquire(const struct conf *conf, uint32_t slots, struct generation_use **use,
                 size_t *nuse, char **cause)
{
	struct generation_use *list = NULL;
	size_t n = 0;

	for (size_t i = 0; i < conf->nlisten; i++) {
		const struct conf_listen *cl = &conf->listen[i];

		for (size_t k = 0; k < cl->naddr; k++) {
			struct generation_use u = {.listen_ix = (uint32_t)i,
			                           .addr_ix = (uint32_t)k};

			if (acquire_one(cl, &cl->addr[k], slots, &u.listener, cause) < 0) {
				undo(list, n);
				return -1;
			}
			list = mem_grow(list, n, sizeof *list);
			list[n++] = u;
		}
	}
	*use = list;
	*nuse = n;
	return 0;
}

int
listener_grow(const struct generation *g, uint32_t slots, char **cause)
{
	for (size_t i = 0; i < g->nuse; i++) {
		const struct conf_listen *cl = &g->conf->listen[g->use[i].listen_ix];

		if (g->use[i].listener != NULL && cl->reuseport &&
		    grow(g->use[i].listener, slots, (int)cl->backlog, cause) < 0)
			return -1;
	}
	return 0;
}

/* listen() again changes the backlog of a live queue; nothing else happens. */
void
listener_apply(const struct generation *g)
{
	for (size_t i = 0; i < g->nuse; i++) {
		const struct conf_listen *cl = &g->conf->listen[g->use[i].listen_ix];
		struct listener *l = g->use[i].listener;

		for (size_t k = 0; k < l->nsock && l->kind != CONF_ADDR_SYSTEMD; k++)
			listen(l->sock[k].fd, (int)cl->backlog);
		if (l->kind == CONF_ADDR_UNIX && l->inode != 0)
			chmod(l->bound + strlen("unix:"), (mode_t)cl->mode);
	}
}

static bool
uses(const struct generation *g, const struct listener *l)
{
	for (size_t i = 0; i < g->nuse; i++)
		if (g->use[i].listener == l)
			return true;
	return false;
}

static bool
used_by_living(const struct listener *l)
{
	struct generation *g;

	TAILQ_FOREACH (g, generation_all(), link)
		if ((g->state == GEN_ACTIVE || g->state == GEN_STARTING ||
		     g->state == GEN_PAUSED) &&
		    uses(g, l))
			return true;
	return false;
}

void
listener_retire_unused(void)
{
	struct listener *l;

	TAILQ_FOREACH (l, &all, link) {
		if (l->retired || l->kind == CONF_ADDR_SYSTEMD || used_by_living(l))
			continue;
		log_debug("listener %s: its queue is served, then it is closed", l->bound);
		l->retired = true;
		filter_one(l, true);
	}
}

static bool
holds(const struct worker *w, const struct listener *l)
{
	for (size_t i = 0; i < w->nheld; i++)
		for (size_t k = 0; k < l->nsock; k++)
			if (w->held[i] == l->sock[k].id)
				return true;
	return false;
}

static bool
held_by_any(const struct listener *l)
{
	struct generation *g;
	struct worker *w;

	TAILQ_FOREACH (g, generation_all(), link)
		TAILQ_FOREACH (w, &g->workers, link)
			if (holds(w, l))
				return true;
	return false;
}

static void
forget_uses(const struct listener *l)
{
	struct generation *g;

	TAILQ_FOREACH (g, generation_all(), link)
		for (size_t i = 0; i < g->nuse; i++)
			if (g->use[i].listener == l)
				g->use[i].listener = NULL;
}

void
listener_close_swept(void)
{
	struct listener *l, *next;

	for (l = TAILQ_FIRST(&all); l != NULL; l = next) {
		next = TAILQ_NEXT(l, link);
		if (!l->retired || held_by_any(l))
			continue;
		log_info("listener %s is closed", l->bound);
		forget_uses(l);
		destroy(l);
	}
}

/* --- who accepts on what --- */

struct wish {
	struct worker *worker;
	struct msg_socket *sock;
	int *fd;
	size_t n;
};

static void
wish_add(struct wish *w, uint32_t id, uint32_t listen_ix, int fd)
{
	w->sock = mem_grow(w->sock, w->n, sizeof *w->sock);
	w->fd = mem_grow(w->fd, w->n, sizeof *w->fd);
	w->sock[w->n] = (struct msg_socket){.id = id, .listener = listen_ix};
	w->fd[w->n++] = fd;
}

/* A socket belongs to its slot; while that is empty, to one of the others. */
static void
wish_listener(struct wish *wish, size_t n, const struct generation *g,
              const struct generation_use *u)
{
	const struct listener *l = u->listener;
	bool shared = l->kind != CONF_ADDR_TCP || !g->conf->listen[u->listen_ix].reuseport;

	for (size_t k = 0; k < l->nsock; k++) {
		struct wish *to = &wish[k % n];

		for (size_t i = 0; i < n && !shared; i++)
			if (wish[i].worker->slot == k)
				to = &wish[i];
		for (size_t i = 0; i < n; i++)
			if (shared || &wish[i] == to)
				wish_add(&wish[i], l->sock[k].id, u->listen_ix, l->sock[k].fd);
	}
}

static bool
same_as_held(const struct wish *w)
{
	if (w->worker->unsure || w->n != w->worker->nheld)
		return false;
	for (size_t i = 0; i < w->n; i++)
		if (w->sock[i].id != w->worker->held[i])
			return false;
	return true;
}

static int
give(const struct wish *w)
{
	for (size_t i = 0; i < w->n; i += MSG_FDS_MAX) {
		size_t n = w->n - i < MSG_FDS_MAX ? w->n - i : MSG_FDS_MAX;

		if (chan_send(w->worker->chan, MSG_GIVE, w->worker->birth, w->sock + i,
		              n * sizeof *w->sock, w->fd + i, n) < 0)
			return -1;
	}
	return 0;
}

/* GIVE names sockets that the worker may know already: it keeps what it has. */
static void
tell_wish(const struct wish *w)
{
	struct worker *worker = w->worker;

	if (same_as_held(w))
		return;
	if (give(w) < 0) {
		log_error("cannot pass sockets to worker %u: %s", worker->slot,
		          strerror(errno));
		return;
	}
	worker->held = mem_realloc(worker->held, (w->n + 1) * sizeof *worker->held);
	for (size_t i = 0; i < w->n; i++)
		worker->held[i] = w->sock[i].id;
	worker->nheld = w->n;
	worker->unsure = false;
	slot_tell(worker, MSG_ACCEPT, worker->held, w->n * sizeof *worker->held);
}

/* Does this generation serve the listener now?  The paused one goes on with
 * what its successor no longer has, until the commit. */
static bool
serves(const struct generation *g, const struct listener *l, const struct generation *active)
{
	if (l == NULL || l->retired)
		return false;
	return g == active || (g->state == GEN_PAUSED && (active == NULL || !uses(active, l)));
}

static void
assign_generation(const struct generation *g, const struct generation *active)
{
	struct wish *wish = NULL;
	struct worker *w;
	size_t n = 0;

	TAILQ_FOREACH (w, &g->workers, link) {
		if (!slot_able(w))
			continue;
		wish = mem_grow(wish, n, sizeof *wish);
		wish[n++] = (struct wish){.worker = w};
	}
	for (size_t i = 0; i < g->nuse && n > 0; i++)
		if (serves(g, g->use[i].listener, active))
			wish_listener(wish, n, g, &g->use[i]);
	for (size_t i = 0; i < n; i++) {
		tell_wish(&wish[i]);
		free(wish[i].sock);
		free(wish[i].fd);
	}
	free(wish);
}

void
listener_assign(void)
{
	struct generation *active = generation_active(), *g;

	if (assigning_is_over || master.stop >= STOP_DRAIN)
		return;
	if (active != NULL)
		assign_generation(active, active);
	TAILQ_FOREACH (g, generation_all(), link)
		if (g->state == GEN_PAUSED)
			assign_generation(g, active);
}

/* --- the end --- */

/* A TCP header starts at offset 0 for a filter on a TCP socket; byte 13 holds the
 * flags.  SYN without ACK is dropped: the client tries again a second later,
 * while the ACK that ends a handshake passes. */
static void
filter_one(struct listener *l, bool on)
{
	struct sock_filter code[] = {
	    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
	    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, 0),
	    BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
	};
	struct sock_fprog prog = {.len = sizeof code / sizeof *code, .filter = code};
	int none = 0;

	if (l->kind != CONF_ADDR_TCP || l->filtered == on)
		return;
	for (size_t i = 0; i < l->nsock; i++) {
		if (on)
			setsockopt(l->sock[i].fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog,
			           sizeof prog);
		else
			setsockopt(l->sock[i].fd, SOL_SOCKET, SO_DETACH_FILTER, &none,
			           sizeof none);
	}
	l->filtered = on;
}

void
listener_filter(bool on)
{
	struct listener *l;

	TAILQ_FOREACH (l, &all, link)
		filter_one(l, on);
}

static bool
is_our_port(uint16_t port)
{
	return port_is_ours(port);
}

/* Ask the kernel for sockets in SYN_RECV; true when one is for a port of ours. */
static bool
half_open_family(int nl, int family)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 req;
	} ask = {.head = {.nlmsg_len = sizeof ask,
	                  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
	                  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
	         .req = {.sdiag_family = (uint8_t)family,
	                 .sdiag_protocol = IPPROTO_TCP,
	                 .idiag_states = 1u << 3 /* TCP_SYN_RECV */}};
	_Alignas(struct nlmsghdr) char buf[8192];
	bool found = false;

	if (send(nl, &ask, sizeof ask, 0) < 0)
		return false;
	for (;;) {
		ssize_t n = recv(nl, buf, sizeof buf, 0);
		int left = (int)n;

		for (struct nlmsghdr *h = (void *)buf; n > 0 && NLMSG_OK(h, (unsigned)left);
		     h = NLMSG_NEXT(h, left)) {
			const struct inet_diag_msg *d = NLMSG_DATA(h);

			if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY)
				return found;
			if (is_our_port(ntohs(d->id.idiag_sport)))
				found = true;
		}
		if (n <= 0)
			return found;
	}
}

bool
listener_half_open(void)
{
	struct timeval limit = {.tv_usec = 20000}; /* the kernel answers at once */
	int nl = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	bool found;

	if (nl < 0)
		return false;
	setsockopt(nl, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	found = half_open_family(nl, AF_INET) || half_open_family(nl, AF_INET6);
	fd_close(&nl);
	return found;
}

void
listener_close_all(void)
{
	struct listener *l;

	while ((l = TAILQ_FIRST(&all)) != NULL) {
		forget_uses(l);
		destroy(l);
	}
	assigning_is_over = true;
}

bool
listener_all_closed(void)
{
	return TAILQ_EMPTY(&all);
}

/* --- life --- */

void
listener_start(void)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names);

	for (int i = 0; i < n; i++) {
		int fd = SD_LISTEN_FDS_START + i;
		char *text = mem_printf(INHERITED "%s", names[i]);
		struct listener *l = find_text(text);

		if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0) {
			log_warn(
			    "descriptor %d ('%s') from the service manager is not a listening "
			    "stream socket; closed",
			    fd, names[i]);
			fd_close(&fd);
		} else {
			fd_nonblock(fd);
			fd_cloexec(fd, true);
			if (l == NULL) {
				l = make(text, CONF_ADDR_SYSTEMD);
				l->bound = address_text(fd);
			}
			add_socket(l, fd);
		}
		free(text);
		free(names[i]);
	}
	free(names);
}

void
listener_stop(void)
{
	listener_close_all();
	forget_ports();
}

json_t *
listener_save(struct fdlist *fds)
{
	json_t *list = json_array();
	struct listener *l;

	TAILQ_FOREACH (l, &all, link) {
		json_t *socks = json_array();

		for (size_t i = 0; i < l->nsock; i++)
			json_array_append_new(socks, json_pack("{s:i, s:o}", "id",
			                                       (int)l->sock[i].id, "socket",
			                                       fdlist_put(fds, l->sock[i].fd)));
		json_array_append_new(list,
		                      json_pack("{s:i, s:s, s:s, s:i, s:b, s:b, s:I, s:o}",
		                                "id", (int)l->id, "text", l->text, "bound",
		                                l->bound, "kind", (int)l->kind, "retired",
		                                l->retired, "filtered", l->filtered, "inode",
		                                (json_int_t)l->inode, "sockets", socks));
	}
	return json_pack("{s:i, s:o}", "last_id", (int)last_id, "list", list);
}

static bool
is_listening(int fd)
{
	int yes = 0;
	socklen_t len = sizeof yes;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) == 0 && yes;
}

/* A socket that is missing is a client's refusal: this is no state to go on with. */
static int
restore_sockets(struct listener *l, const json_t *socks, char **cause)
{
	size_t i;
	json_t *j;

	json_array_foreach((json_t *)(uintptr_t)socks, i, j)
	{
		int id = (int)json_integer_value(json_object_get(j, "id"));
		int fd = fdlist_get(json_object_get(j, "socket"));
		char *bound;

		if (fd < 0 || !is_listening(fd))
			return cause_set(cause, "a socket of %s did not come over", l->bound);
		bound = address_text(fd);
		if (strcmp(bound, l->bound) != 0 && l->kind == CONF_ADDR_TCP) {
			cause_set(cause, "a socket of %s is bound to %s", l->bound, bound);
			free(bound);
			return -1;
		}
		free(bound);
		l->sock = mem_grow(l->sock, l->nsock, sizeof *l->sock);
		l->sock[l->nsock++] = (struct lsocket){.id = (uint32_t)id, .fd = fd};
	}
	return 0;
}

static int
restore_one(const json_t *j, char **cause)
{
	int id, kind, retired, filtered;
	const char *text, *bound;
	json_int_t inode;
	json_t *socks;
	struct listener *l;

	if (json_unpack((json_t *)(uintptr_t)j, "{s:i, s:s, s:s, s:i, s:b, s:b, s:I, s:o}",
	                "id", &id, "text", &text, "bound", &bound, "kind", &kind, "retired",
	                &retired, "filtered", &filtered, "inode", &inode, "sockets",
	                &socks) < 0)
		return cause_set(cause, "the record of a listener is damaged");
	l = make(text, (enum conf_addr_kind)kind);
	l->id = (uint32_t)id;
	l->bound = mem_strdup(bound);
	l->retired = retired;
	l->filtered = filtered;
	l->inode = (ino_t)inode;
	return restore_sockets(l, socks, cause);
}

int
listener_restore(const json_t *j, char **cause)
{
	size_t i;
	json_t *one;

	json_array_foreach(json_object_get(j, "list"), i, one)
	{
		if (restore_one(one, cause) < 0)
			return -1;
	}
	last_id = (uint32_t)json_integer_value(json_object_get(j, "last_id"));
	return 0;
}
