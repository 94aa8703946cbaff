#include "service/upstream/health.h"

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
#include "service/proxyheader.h"
#include "wire/stats.h"
#include "worker/core/self.h"
#include "worker/runtime/dial.h"
#include "worker/runtime/loop.h"

#define HEAD_MAX   8192
#define FAILED_MAX 2 /* failures in a row */

/* One look is under way as long as there is a dial or a descriptor. */
struct health {
	const struct conf_service *conf;
	const char *name;   /* in messages */
	const char *target; /* which is dialled */
	char *request;      /* what is said to it */
	size_t nrequest;
	bool asks;                /* and an answer is waited for */
	struct baton_timer *next; /* between looks: the next; amid one: its limit */
	struct dial *dial;
	int fd;
	struct event ev;
	size_t n;
	unsigned failed; /* in a row */
	bool hearsay;    /* another worker says that it is ill; we have not looked yet */
	uint64_t flag;   /* the hash by which others find what we say of it */
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
	struct stats_flag *flag;

	end_look(h);
	h->hearsay = false;
	h->failed = why == NULL ? 0 : h->failed < FAILED_MAX ? h->failed + 1 : FAILED_MAX;
	if (before && !health_is_good(h))
		log_warn("service %s: upstream %s fails its check: %s", h->conf->name, h->name,
		         why);
	else if (!before && health_is_good(h))
		log_info("service %s: upstream %s is well again", h->conf->name, h->name);
	if ((flag = stats_flag(self_stats(), self_page(), h->flag)) != NULL)
		stats_flag_set(flag, !health_is_good(h), clock_ms());
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
	ssize_t n = (ssize_t)h->nrequest;

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
	if (n > 0 && send(fd, h->request, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) != n)
		conclude(h, "it takes no request");
	else if (!h->asks)
		conclude(h, NULL);
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

/* Take over what an earlier generation, a sibling or the last worker in our slot has found
 * out. */
static void
remember(struct health *h)
{
	char *key = mem_printf("%s %s %s", h->conf->name, h->name, h->conf->check);

	h->flag = stats_hash(key);
	h->hearsay = stats_flag_is_set(self_stats(), h->flag, clock_ms());
	h->failed = h->hearsay ? FAILED_MAX : 0;
	if (h->hearsay)
		log_info("service %s: upstream %s was ill when it was asked last",
		         h->conf->name, h->name);
	mem_free(&key);
}

/* Behind a PROXY header, which says that we ask for ourselves, where upstreams wait for one. */
static void
prepare(struct health *h, const char *host)
{
	static const struct proxyheader ourselves;
	char header[PROXYHEADER_OUT] = "";
	size_t n = 0;
	char *get = NULL;

	h->asks = *h->conf->check == '/';
	if (h->conf->send_proxy != CONF_PROXY_NO)
		n = proxyheader_write(&ourselves, (int)h->conf->send_proxy, header);
	if (h->asks)
		get = mem_printf("GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: baton\r\n"
		                 "Connection: close\r\n\r\n",
		                 h->conf->check, host);
	h->nrequest = n + (get != NULL ? strlen(get) : 0);
	h->request = mem_alloc(h->nrequest + 1);
	memcpy(h->request, header, n);
	if (get != NULL)
		memcpy(h->request + n, get, h->nrequest - n);
	mem_free(&get);
}

struct health *
health_new(const struct conf_service *conf, const char *name, const char *target,
           const char *host)
{
	struct health *h = mem_alloc(sizeof *h);

	h->conf = conf;
	h->name = name;
	h->target = target;
	h->fd = -1;
	prepare(h, host);
	remember(h);
	h->next = baton_timer_new(on_timer, h);
	baton_timer_set(h->next, 0);
	return h;
}

void
health_free(struct health **h, bool forget)
{
	struct stats_flag *flag;

	if (*h == NULL)
		return;
	end_look(*h);
	flag = forget ? stats_flag(self_stats(), self_page(), (*h)->flag) : NULL;
	if (flag != NULL)
		stats_flag_give_back(flag);
	baton_timer_free(&(*h)->next);
	free((*h)->request);
	mem_free(h);
}
