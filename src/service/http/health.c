#include "service/http/health.h"

#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "baton.h"
#include "conf/conf.h"
#include "service/head/upstream_head.h"
#include "wire/stats.h"
#include "worker/core/self.h"
#include "worker/runtime/dial.h"
#include "worker/runtime/loop.h"

#define HEAD_MAX   8192
#define FAILED_MAX 2 /* failures in a row */

/* One look is under way as long as there is a dial or a descriptor. */
struct health {
	const struct conf_service *conf;
	const char *target;
	char *request;
	struct baton_timer *next; /* between looks: the next; amid one: its limit */
	struct dial *dial;
	int fd;
	struct event ev;
	size_t n;
	unsigned failed; /* in a row */
	bool hearsay;    /* another worker says that it is ill; we have not looked yet */
	struct stats_flag *flag; /* what we say of it to others; NULL: no room */
	char head[HEAD_MAX];
};

bool
health_is_good(const struct health *h)
{
	return h->failed < FAILED_MAX;
}

bool
health_is_hearsay(const struct health *h)
{
	return h->hearsay;
}

static void
end_look(struct health *h)
{
	dial_cancel(&h->dial);
	if (h->fd >= 0)
		event_del(&h->ev);
	fd_close(&h->fd);
}

/* why: NULL if it is well. */
static void
conclude(struct health *h, const char *why)
{
	bool before = health_is_good(h);

	end_look(h);
	h->hearsay = false;
	h->failed = why == NULL ? 0 : h->failed < FAILED_MAX ? h->failed + 1 : FAILED_MAX;
	if (before && !health_is_good(h))
		log_warn("service %s: upstream %s fails its check: %s", h->conf->name,
		         h->target, why);
	else if (!before && health_is_good(h))
		log_info("service %s: upstream %s is well again", h->conf->name, h->target);
	if (h->flag != NULL)
		stats_flag_set(h->flag, !health_is_good(h), clock_ms());
	baton_timer_set(h->next, (uint64_t)h->conf->check_interval);
}

/* False: the head is one before the answer (1xx). */
static bool
judge(struct health *h, const char *head, size_t len)
{
	struct upstream_head reply;
	char *mended = upstream_head_mend(head, &len);
	const char *why =
	    upstream_head_parse(mended != NULL ? mended : head, len, false, &reply);
	bool early = why == NULL && reply.status < 200 && reply.status != 101;

	free(mended);
	if (early)
		return false;
	if (why == NULL && (reply.status < 200 || reply.status > 399))
		why = "an answer that is no success";
	conclude(h, why);
	return true;
}

/* The whole heads that are there; of the first so many bytes were searched for its end. */
static bool
judge_heads(struct health *h, size_t searched)
{
	size_t from = 0, len;

	while ((len = upstream_head_length(h->head + from, h->n - from, searched)) > 0) {
		if (judge(h, h->head + from, len))
			return true;
		from += len;
		searched = 0;
	}
	h->n -= from;
	memmove(h->head, h->head + from, h->n);
	return false;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct health *h = arg;
	ssize_t n = recv((int)fd, h->head + h->n, sizeof h->head - h->n, MSG_DONTWAIT);
	size_t before = h->n;

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		conclude(h, n < 0 ? strerror(errno) : "it closed without an answer");
		return;
	}
	h->n += (size_t)n;
	if (!judge_heads(h, before) && h->n == sizeof h->head)
		conclude(h, "an answer whose head is too long");
}

static void
on_dialled(void *arg, int fd, int status, const char *why)
{
	struct health *h = arg;
	size_t n = strlen(h->request);

	h->dial = NULL;
	if (status == BATON_FULL) { /* our own want: it says nothing */
		baton_timer_set(h->next, (uint64_t)h->conf->check_interval);
		return;
	}
	if (fd < 0) {
		conclude(h, why);
		return;
	}
	h->fd = fd;
	h->n = 0;
	event_assign(&h->ev, loop_base(), fd, EV_READ | EV_PERSIST, on_readable, h);
	event_add(&h->ev, NULL);
	if (send(fd, h->request, n, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)n)
		conclude(h, "it takes no request");
}

static void
on_timer(void *arg)
{
	struct health *h = arg;

	if (h->dial != NULL || h->fd >= 0) {
		conclude(h, "no answer in time");
		return;
	}
	h->dial = dial_start(h->target, (uint64_t)h->conf->connect_timeout, on_dialled, h);
	baton_timer_set(h->next, (uint64_t)h->conf->check_timeout);
}

/* What a generation before us, a sibling or whoever had our slot has found out. */
static void
remember(struct health *h)
{
	char *name = mem_printf("%s %s %s", h->conf->name, h->target, h->conf->check);
	uint64_t hash = stats_hash(name);

	h->hearsay = stats_flag_is_set(self_stats(), hash, clock_ms());
	h->failed = h->hearsay ? FAILED_MAX : 0;
	h->flag = stats_flag(self_stats(), self_page(), hash);
	if (h->hearsay)
		log_info("service %s: upstream %s was ill when it was asked last",
		         h->conf->name, h->target);
	mem_free(&name);
}

struct health *
health_new(const struct conf_service *conf, const char *target, const char *host)
{
	struct health *h = mem_alloc(sizeof *h);

	h->conf = conf;
	h->target = target;
	h->fd = -1;
	h->request = mem_printf("GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: baton\r\n"
	                        "Connection: close\r\n\r\n",
	                        conf->check, host);
	remember(h);
	h->next = baton_timer_new(on_timer, h);
	baton_timer_set(h->next, 0);
	return h;
}

void
health_free(struct health **h)
{
	if (*h == NULL)
		return;
	end_look(*h);
	baton_timer_free(&(*h)->next);
	free((*h)->request);
	mem_free(h);
}
