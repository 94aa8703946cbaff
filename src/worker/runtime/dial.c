#include "worker/runtime/dial.h"

#include <sys/un.h>

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "baton.h"
#include "worker/runtime/loop.h"

#define ADDRS_MAX     16
#define HEAD_START_MS 250
#define HOST_MAX      255
#define PORT_MAX      31

/* One address under way. */
struct attempt {
	struct dial *dial;
	int fd; /* -1: not tried, or failed */
	struct event ev;
};

/* The thread's own copy: it may outlive the dial. */
struct lookup {
	struct dial *dial; /* NULL: nobody waits any more */
	char host[HOST_MAX + 1], port[PORT_MAX + 1];
	struct dial_addr addr[ADDRS_MAX];
	size_t n;
	const char *why; /* there is none; NULL: it was not said */
};

struct dial {
	dial_fn *fn;
	void *arg;
	struct lookup *lookup; /* under way; else NULL */
	struct baton_ctx *ctx; /* ends with the dial, or is its time limit */
	struct baton_watch watch;
	struct baton_timer *next; /* time for the next address */
	struct dial_addr addr[ADDRS_MAX];
	struct attempt attempt[ADDRS_MAX];
	size_t n, tried, failed;
	const char *why;    /* the last one failed; NULL: none has */
	bool no_descriptor; /* of ours was left: nobody there is to blame */
};

/* --- targets --- */

static bool
is_unix(const char *target)
{
	return strncmp(target, "unix:", 5) == 0;
}

/* Into host and port. */
static bool
split(const char *target, char *host, char *port)
{
	const char *begin = *target == '[' ? target + 1 : target;
	const char *end = *target == '[' ? strchr(begin, ']') : strrchr(begin, ':');
	const char *colon = end != NULL && *target == '[' ? end + 1 : end;
	size_t n;

	if (end == NULL || *colon != ':' || end == begin)
		return false;
	n = (size_t)(end - begin);
	if (n > HOST_MAX || strlen(colon + 1) == 0 || strlen(colon + 1) > PORT_MAX)
		return false;
	if (*target != '[' && memchr(begin, ':', n) != NULL)
		return false;
	memcpy(host, begin, n);
	host[n] = '\0';
	strcpy(port, colon + 1);
	return true;
}

bool
dial_target_is_good(const char *target)
{
	char host[HOST_MAX + 1], port[PORT_MAX + 1];
	struct sockaddr_un sun;

	if (is_unix(target))
		return strlen(target) > 5 && strlen(target + 5) < sizeof sun.sun_path;
	return split(target, host, port);
}

void
dial_order(struct dial_addr *addr, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct dial_addr found;
		size_t k = i;

		while (k < n && addr[k].sa.ss_family == addr[i - 1].sa.ss_family)
			k++;
		if (k == n)
			return;
		found = addr[k];
		memmove(&addr[i + 1], &addr[i], (k - i) * sizeof *addr);
		addr[i] = found;
	}
}

/* --- the end --- */

static void
free_dial(struct dial *d)
{
	for (size_t i = 0; i < d->tried; i++)
		if (d->attempt[i].fd >= 0) {
			event_del(&d->attempt[i].ev);
			fd_close(&d->attempt[i].fd);
		}
	if (d->lookup != NULL)
		d->lookup->dial = NULL;
	baton_timer_free(&d->next);
	baton_ctx_unwatch(&d->watch);
	baton_ctx_cancel(d->ctx, BATON_CANCELLED);
	baton_ctx_drop(&d->ctx);
	free(d);
}

/* why NULL: what its status says. */
static void
finish(struct dial *d, int fd, int status, const char *why)
{
	dial_fn *fn = d->fn;
	void *arg = d->arg;

	free_dial(d);
	fn(arg, fd, status, fd < 0 && why == NULL ? baton_status_text(status) : why);
}

void
dial_cancel(struct dial **d)
{
	if (*d != NULL)
		free_dial(*d);
	*d = NULL;
}

static void
on_late(void *arg, int cause)
{
	bool late = cause == BATON_DEADLINE;

	finish(arg, -1, late ? BATON_UNREACHABLE : cause,
	       late ? "no connection within connect_timeout" : NULL);
}

/* --- connecting --- */

static void try_next(struct dial *d);

/* The next one need not wait its head start. */
static void
failed(struct dial *d, struct attempt *a, int error)
{
	AN(d->failed < d->tried);
	fd_close(&a->fd);
	d->failed++;
	d->why = strerrordesc_np(error);
	if (d->failed == d->n)
		finish(d, -1, d->no_descriptor ? BATON_FULL : BATON_UNREACHABLE, d->why);
	else if (d->tried < d->n)
		try_next(d);
}

static void
on_connected(evutil_socket_t fd, short what, void *arg)
{
	struct attempt *a = arg;
	int error = 0;
	socklen_t len = sizeof error;

	(void)what;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error != 0) {
		failed(a->dial, a, error);
		return;
	}
	a->fd = -1;
	finish(a->dial, fd, 0, NULL);
}

static bool
begin(struct attempt *a, const struct dial_addr *addr)
{
	int one = 1;

	a->fd = socket(addr->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (a->fd < 0) {
		a->dial->no_descriptor |= errno == EMFILE || errno == ENFILE;
		return false;
	}
	if (addr->sa.ss_family != AF_UNIX)
		setsockopt(a->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(a->fd, (const struct sockaddr *)&addr->sa, addr->len) < 0 &&
	    errno != EINPROGRESS)
		return false;
	event_assign(&a->ev, loop_base(), a->fd, EV_WRITE, on_connected, a);
	return event_add(&a->ev, NULL) == 0;
}

static void
try_next(struct dial *d)
{
	struct attempt *a = &d->attempt[d->tried];

	AN(d->tried < d->n && d->n <= ADDRS_MAX);
	a->dial = d;
	a->fd = -1;
	if (!begin(a, &d->addr[d->tried++])) {
		failed(d, a, errno);
		return;
	}
	if (d->tried < d->n)
		baton_timer_set(d->next, HEAD_START_MS);
}

static void
on_next(void *arg)
{
	struct dial *d = arg;

	if (d->tried < d->n)
		try_next(d);
}

/* --- looking up --- */

static int
work(void *arg)
{
	struct lookup *l = arg;
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
	struct addrinfo *list, *ai;
	int fault = getaddrinfo(l->host, l->port, &hints, &list);

	if (fault != 0) {
		l->why = fault == EAI_SYSTEM ? strerrordesc_np(errno) : gai_strerror(fault);
		return BATON_UNREACHABLE;
	}
	for (ai = list; ai != NULL && l->n < ADDRS_MAX; ai = ai->ai_next) {
		memcpy(&l->addr[l->n].sa, ai->ai_addr, ai->ai_addrlen);
		l->addr[l->n++].len = ai->ai_addrlen;
	}
	freeaddrinfo(list);
	return 0;
}

static void
looked_up(void *arg, int status)
{
	struct lookup *l = arg;
	struct dial *d = l->dial;

	if (d == NULL)
		return;
	d->lookup = NULL;
	l->dial = NULL;
	if (status != 0 || l->n == 0) {
		finish(d, -1, status != 0 ? status : BATON_UNREACHABLE, l->why);
		return;
	}
	memcpy(d->addr, l->addr, sizeof d->addr);
	d->n = l->n;
	dial_order(d->addr, d->n);
	try_next(d);
}

static void
on_refused(void *arg)
{
	struct lookup *l = arg;

	looked_up(l, BATON_FULL);
	free(l);
}

static void
look_up(struct dial *d, const char *target)
{
	struct baton_task task = {
	    .name = "getaddrinfo", .work = work, .done = looked_up, .release = free};
	struct lookup *l = mem_alloc(sizeof *l);

	split(target, l->host, l->port);
	l->dial = d;
	d->lookup = l;
	task.arg = l;
	if (baton_offload(d->ctx, &task) != 0)
		baton_post(on_refused, l);
}

/* Numbers and paths need no lookup. */
static bool
is_known(struct dial *d, const char *target)
{
	char host[HOST_MAX + 1], port[PORT_MAX + 1];
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
	                         .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	struct addrinfo *ai;
	struct sockaddr_un *sun = (struct sockaddr_un *)(void *)&d->addr[0].sa;

	d->n = 1;
	if (is_unix(target)) {
		sun->sun_family = AF_UNIX;
		strncpy(sun->sun_path, target + 5, sizeof sun->sun_path - 1);
		d->addr[0].len = sizeof *sun;
		if (target[5] == '@') { /* abstract: as long as its name, which NUL begins */
			sun->sun_path[0] = '\0';
			d->addr[0].len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
			                             strlen(target + 5));
		}
		return true;
	}
	split(target, host, port);
	if (getaddrinfo(host, port, &hints, &ai) != 0)
		return false;
	memcpy(&d->addr[0].sa, ai->ai_addr, ai->ai_addrlen);
	d->addr[0].len = ai->ai_addrlen;
	freeaddrinfo(ai);
	return true;
}

struct dial *
dial_start(const char *target, uint64_t timeout_ms, dial_fn *fn, void *arg)
{
	struct dial *d = mem_alloc(sizeof *d);

	d->fn = fn;
	d->arg = arg;
	d->ctx = baton_ctx_new(NULL, timeout_ms);
	baton_ctx_watch(d->ctx, &d->watch, on_late, d);
	d->next = baton_timer_new(on_next, d);
	if (is_known(d, target))
		baton_timer_set(d->next, 0); /* not from within */
	else
		look_up(d, target);
	return d;
}
