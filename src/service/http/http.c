#include "service/http/http.h"

#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/http/exchange.h"
#include "service/http/file.h"
#include "service/http/handoff.h"
#include "service/http/http1.h"
#include "service/http/relay.h"
#include "service/http/responder.h"
#include "service/http/serve.h"
#include "wire/figures.h"
#include "wire/latency.h"
#include "worker/conn/conn.h"
#include "worker/core/self.h"

#define MODULE_IDLE_MS 75000

/* --- start and stop --- */

/* A module's is the default of a stream unless it is set. */
static uint64_t
idle_limit(const struct conf_service *conf)
{
	if (conf->path != NULL && conf->idle_timeout == 0)
		return MODULE_IDLE_MS;
	return (uint64_t)conf->idle_timeout;
}

/* The first of those that a request would have; 0: none. */
static uint64_t
half_limit(const struct conf_service *conf)
{
	int64_t header = conf->header_timeout, request = conf->request_timeout;

	return (uint64_t)(header == 0 || (request != 0 && request < header) ? request : header);
}

/* By index; of those that this service answers. */
static struct figures_row **
rows_of_listeners(const char *service)
{
	const struct conf *conf = self_conf();
	struct figures_row **rows = mem_alloc(conf->nlisten * sizeof *rows);

	for (size_t i = 0; i < conf->nlisten; i++)
		if (strcmp(conf->listen[i].service, service) == 0)
			rows[i] = self_figures("listener", conf->listen[i].name, NULL);
	return rows;
}

/* Asked or not: else who comes first after a deploy would see what was there before. */
static void
on_root_look(evutil_socket_t fd, short what, void *arg)
{
	struct http *h = arg;

	(void)fd;
	(void)what;
	if (file_root_is_replaced(h->root, h->conf->root))
		self_want_successor("service %s: root %s is another directory by now",
		                    h->conf->name, h->conf->root);
}

static void
watch_root(struct http *h, struct event_base *base)
{
	static const struct timeval each_second = {.tv_sec = 1};

	event_assign(&h->root_look, base, -1, EV_PERSIST, on_root_look, h);
	if (h->root >= 0)
		event_add(&h->root_look, &each_second);
}

static int
start(struct service *service, char **cause)
{
	const struct conf_service *conf = service->conf;
	struct http *h;
	int root = -1;

	if (conf->root != NULL && (root = file_open_root(conf->root, cause)) < 0)
		return -1;
	h = mem_alloc(sizeof *h);
	h->conf = conf;
	h->root = root;
	h->framing = &http1_framing;
	h->responder = root >= 0 ? &serve_files : &serve_text;
	h->latency = latency_row(self_stats(), self_page(), conf->name);
	if (h->latency == NULL)
		log_warn("service %s: its latency is not measured, as there is no room for so "
		         "many services",
		         conf->name);
	h->answers = self_figures("service", conf->name, NULL);
	h->answered = rows_of_listeners(conf->name);
	h->framing->prepare(h);
	h->header = timelist_new(service->base, (uint64_t)conf->header_timeout, http1_late);
	h->body = timelist_new(service->base, (uint64_t)conf->body_timeout, http1_late);
	h->send = timelist_new(service->base, (uint64_t)conf->send_timeout, http1_send_late);
	h->total =
	    timelist_new(service->base, (uint64_t)conf->request_timeout, http1_total_late);
	h->idle = timelist_new(service->base, idle_limit(conf), http1_idle_late);
	h->half = timelist_new(service->base, half_limit(conf), http1_total_late);
	SLIST_INIT(&h->unused);
	watch_root(h, service->base);
	service->data = h;
	if (conf->nupstream > 0) {
		relay_start(h, service->base);
		h->responder = &relay_responder;
	}
	return 0;
}

static void
stop(struct service *service)
{
	struct http *h = service->data;

	event_del(&h->root_look);
	if (h->upstreams != NULL)
		relay_stop(h);
	exchange_free_unused(h);
	h->framing->forget(h);
	timelist_free(&h->header);
	timelist_free(&h->body);
	timelist_free(&h->send);
	timelist_free(&h->total);
	timelist_free(&h->idle);
	timelist_free(&h->half);
	fd_close(&h->root);
	free(h->answered);
	free(h);
}

static uint64_t
patience(const struct conn *c)
{
	const struct conf_service *conf = c->service->conf;
	const int64_t limits[] = {conf->header_timeout,
	                          conf->body_timeout,
	                          conf->send_timeout,
	                          conf->request_timeout,
	                          conf->nupstream > 0 ? conf->connect_timeout : 0,
	                          conf->nupstream > 0 ? conf->answer_timeout : 0};
	int64_t longest = 0;

	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
		longest = limits[i] > longest ? limits[i] : longest;
	return (uint64_t)longest;
}

static unsigned
needs(const struct conf_service *conf)
{
	return (conf->root != NULL ? SERVICE_OPENS_FILES : 0) |
	       (conf->nupstream > 0 ? SERVICE_CONNECTS : 0);
}

const struct service_type http_service = {
    .name = "http",
    .logs_requests = true,
    .needs = needs,
    .start = start,
    .stop = stop,
    .open = http1_open,
    .ready = http1_ready,
    .drain = http1_drain,
    .let_go = http1_let_go,
    .freeze = http_freeze,
    .thaw = http_thaw,
    .resume = http1_resume,
    .patience = patience,
    .release = exchange_give_back,
};
