#include "service/http/http.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/http/exchange.h"
#include "service/http/file.h"
#include "service/http/handoff.h"
#include "service/http/receive.h"
#include "service/http/relay.h"
#include "service/http/respond.h"
#include "service/http/responder.h"
#include "service/http/serve.h"
#include "wire/figures.h"
#include "wire/latency.h"
#include "worker/conn/conn.h"
#include "worker/core/self.h"

#define LATER_MS       1000 /* a limit of a connection that is on its way is looked at again */
#define MODULE_IDLE_MS 75000
#define TURN_ANSWERS   8            /* or pieces of them, for one in a turn of the loop */
#define TURN_BYTES     (512 * 1024) /* of them, or */
#define TURN_US        2000

/* --- start and stop --- */

static void on_header_late(struct timed *t);
static void on_body_late(struct timed *t);
static void on_send_late(struct timed *t);
static void on_total_late(struct timed *t);
static void on_idle_late(struct timed *t);

static const struct service_type relay_service;

static void writable(struct conn *c);

static const struct framing framing_1 = {.go_on = writable};

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
	h->framing = &framing_1;
	h->responder = root >= 0 ? &serve_files : &serve_text;
	h->latency = latency_row(self_stats(), self_page(), conf->name);
	if (h->latency == NULL)
		log_warn("service %s: its latency is not measured, as there is no room for so "
		         "many services",
		         conf->name);
	h->answers = self_figures("service", conf->name, NULL);
	h->answered = rows_of_listeners(conf->name);
	serve_text_prepare(h);
	h->header = timelist_new(service->base, (uint64_t)conf->header_timeout, on_header_late);
	h->body = timelist_new(service->base, (uint64_t)conf->body_timeout, on_body_late);
	h->send = timelist_new(service->base, (uint64_t)conf->send_timeout, on_send_late);
	h->total = timelist_new(service->base, (uint64_t)conf->request_timeout, on_total_late);
	h->idle = timelist_new(service->base, idle_limit(conf), on_idle_late);
	h->half = timelist_new(service->base, half_limit(conf), on_total_late);
	SLIST_INIT(&h->unused);
	watch_root(h, service->base);
	service->data = h;
	if (conf->nupstream > 0) {
		relay_start(h, service->base);
		h->responder = &relay_responder;
		service->type = &relay_service;
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
	serve_text_free(h);
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

/* --- request after request --- */

/* Wait for more of the request.  Its first wait starts the limits afresh. */
static void
want_more(struct conn *c, struct exchange *x, struct timelist *limit, bool renew)
{
	bool first = x->total.list == NULL;

	if (x->phase == PHASE_HEAD)
		exchange_settle(x);
	if (renew || first || c->timed.list != limit)
		timelist_join(limit, &c->timed);
	if (first)
		timelist_join(http_of(c)->total, &x->total);
}

/* How long it took.  What has been sent ahead begins now. */
static void
record_latency(struct conn *c, struct exchange *x)
{
	struct latency *row = http_of(c)->latency;
	uint64_t now = clock_us();

	if (row != NULL)
		latency_record(row, now - x->began_us);
	x->began_us = now;
}

/* What was to be sent is with the kernel.  False: the connection is finished. */
static bool
all_sent(struct conn *c, struct exchange *x)
{
	if (x->phase == PHASE_CONTINUE) {
		x->phase = x->behind;
		return true;
	}
	if (x->responder != NULL && x->responder->continues != NULL &&
	    x->responder->continues(x))
		return true;
	exchange_log(x);
	record_latency(c, x);
	file_close(&x->file);
	if (x->last && x->from == x->to) {
		conn_close(c, "answered"); /* nothing may follow: no need to wait for it */
		return false;
	}
	if (x->close) {
		conn_finish(c, "answered");
		return false;
	}
	exchange_next(x);
	return true;
}

/* Nothing is there but half an empty line, perhaps, which has a limit of its own. */
static void
keep_nothing(struct conn *c, struct exchange *x)
{
	if (x->from == x->to) {
		exchange_give_back(c);
		return;
	}
	exchange_settle(x);
	if (x->total.list == NULL)
		timelist_join(http_of(c)->half, &x->total);
}

/* One that was idle before stays as it is: it has the limit that it had. */
static void
go_idle(struct conn *c, struct exchange *x)
{
	if (c->state != CONN_BUSY) {
		keep_nothing(c, x);
		return;
	}
	if (conn_ends_here(c)) {
		conn_finish(c, "idle during the drain");
		return;
	}
	keep_nothing(c, x);
	conn_want_read(c);
	conn_set_state(c, CONN_IDLE);
	timelist_join(http_of(c)->idle, &c->timed);
}

/* What one has had of this turn of the loop. */
struct share {
	unsigned n;     /* answers, or pieces of them */
	uint64_t bytes; /* the connection's when it began */
	uint64_t until_us;
};

/* Has it more to do, and had its share?  The clock is read for who sends ahead only. */
static bool
has_had_share(const struct conn *c, const struct exchange *x, struct share *share)
{
	uint64_t now;

	if (x->phase == PHASE_HEAD ? x->from == x->to : x->phase != PHASE_ANSWER)
		return false;
	now = clock_us();
	if (share->n++ == 0)
		share->until_us = now + TURN_US;
	return share->n == TURN_ANSWERS || c->bytes_out - share->bytes >= TURN_BYTES ||
	       now >= share->until_us;
}

/* Nothing is waited for from the client meanwhile. */
static void
yield(struct conn *c)
{
	timelist_leave(&c->timed);
	conn_yield(c);
}

/* Everything that can be done with what is there, within a share. */
static void
process(struct conn *c, struct exchange *x)
{
	struct http *h = http_of(c);
	struct share share = {.bytes = c->bytes_out};

	for (;;) {
		if (x->phase == PHASE_HEAD && conn_moves(c))
			return; /* what is unread travels along */
		if (x->phase == PHASE_HEAD)
			receive_empty_lines(x);
		if (receive_is_nothing(x)) {
			go_idle(c, x);
			return;
		}
		if (x->phase == PHASE_HEAD && !receive_head(c, x)) {
			want_more(c, x, h->header, false);
			return;
		}
		if (x->phase == PHASE_BODY && !receive_body(c, x)) {
			want_more(c, x, h->body, true);
			return;
		}
		if (x->phase == PHASE_RESPONDER && x->responder->wait(c, x))
			return;
		if (x->phase < PHASE_CONTINUE)
			continue;
		exchange_count(x);
		switch (exchange_send(c, x)) {
		case SENT_ALL:
			if (!all_sent(c, x))
				return;
			conn_want_read(c);
			if (has_had_share(c, x, &share)) {
				yield(c);
				return;
			}
			break;
		case SENT_BLOCKED:
			exchange_detach(x);
			conn_want_write(c);
			timelist_join(h->send, &c->timed);
			return;
		case SENT_BROKEN:
			conn_close(c, "the answer could not be sent");
			return;
		}
	}
}

/* The peer's end amid a request is a fault like others: it may still listen. */
static void
ended(struct conn *c, struct exchange *x)
{
	if (x->phase == PHASE_RESPONDER) {
		x->responder->hung_up(c, x);
		return;
	}
	if (x->phase == PHASE_HEAD && x->from == x->to) {
		conn_close(c, "closed by the peer");
		return;
	}
	conn_set_state(c, CONN_BUSY);
	respond_refuse(c, x, 400);
	process(c, x);
}

/* Empty lines are no request: who sends nothing else is no busier by it than before, and has
 * no more time. */
static bool
begins_nothing(struct conn *c, struct exchange *x)
{
	receive_empty_lines(x);
	timelist_leave(&x->total);
	if (c->state == CONN_BUSY || !receive_is_nothing(x))
		return false;
	keep_nothing(c, x);
	return true;
}

static void too_late(struct conn *c);

static void
readable(struct conn *c)
{
	struct exchange *x = c->data != NULL ? c->data : exchange_borrow(c);
	bool begins = receive_is_nothing(x);
	ssize_t got = exchange_read(c, x);

	if (got == CONN_AGAIN) {
		if (c->state != CONN_BUSY)
			keep_nothing(c, x);
		return;
	}
	if (got == CONN_ERROR) {
		conn_close(c, "broken by the peer");
		return;
	}
	if (got == 0) {
		ended(c, x);
		return;
	}
	if (x->slow) {
		too_late(c);
		return;
	}
	if (begins && begins_nothing(c, x))
		return;
	if (begins)
		x->began_us = clock_us();
	conn_set_state(c, CONN_BUSY);
	process(c, x);
}

static void
writable(struct conn *c)
{
	process(c, c->data);
}

/* --- the rest of a life --- */

static void
opened(struct conn *c)
{
	timelist_join(http_of(c)->header, &c->timed);
}

static void
resume(struct conn *c)
{
	struct exchange *x = c->data;

	if (x != NULL && x->phase == PHASE_RESPONDER && x->responder->resume != NULL)
		x->responder->resume(c, x);
	else if (x != NULL)
		process(c, x);
}

static void
drain(struct conn *c)
{
	if (c->state != CONN_IDLE)
		return;
	readable(c); /* the last look: a request that is there already is served */
	if (c->life < CONN_LINGERS && c->state == CONN_IDLE)
		conn_finish(c, "idle when the drain began");
}

/* Only half an empty line at its very beginning is a request that is late. */
static bool
said_nothing(const struct conn *c, const struct exchange *x)
{
	return x == NULL || (c->state == CONN_NEW && receive_is_nothing(x) && c->bytes_in > 1);
}

static void
let_go(struct conn *c, const char *why)
{
	uint64_t before = c->bytes_in;

	readable(c); /* the last look */
	if (c->life == CONN_LIVES && c->bytes_in == before)
		conn_finish(c, why);
}

static void
too_late(struct conn *c)
{
	struct exchange *x = c->data;

	if (x != NULL && x->phase == PHASE_RESPONDER) {
		x->responder->late(c, x);
		return;
	}
	if (said_nothing(c, x) || x->phase >= PHASE_CONTINUE) {
		conn_finish(c, "sent nothing in time");
		return;
	}
	conn_set_state(c, CONN_BUSY);
	respond_refuse(c, x, 408);
	process(c, x);
}

static void
on_header_late(struct timed *t)
{
	too_late(timed_owner(t, struct conn, timed));
}

static void
on_body_late(struct timed *t)
{
	too_late(timed_owner(t, struct conn, timed));
}

/* One that is on its way is left alone: the other side has the limit, too; and one that
 * waits for us is not late. */
static void
on_total_late(struct timed *t)
{
	struct conn *c = timed_owner(t, struct exchange, total)->conn;

	if (conn_is_away(c) || conn_waits(c))
		timelist_join_left(http_of(c)->total, t, LATER_MS);
	else
		too_late(c);
}

static void
on_send_late(struct timed *t)
{
	conn_close(timed_owner(t, struct conn, timed), "did not take its answer in time");
}

/* With a last look: a request that has just come starts another limit. */
static void
on_idle_late(struct timed *t)
{
	struct conn *c = timed_owner(t, struct conn, timed);

	readable(c);
	if (c->life == CONN_LIVES && c->timed.list == NULL)
		conn_finish(c, "idle for too long");
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

/* One request with an upstream waits for both sides at a time. */
static void
ready(struct conn *c, short what)
{
	struct exchange *x = c->data;

	if (x != NULL && x->phase == PHASE_RESPONDER && x->responder->ready != NULL)
		x->responder->ready(c, x, what);
	else if (c->writing)
		writable(c);
	else
		readable(c);
}

static const struct service_type relay_service = {
    .name = "http",
    .logs_requests = true,
    .stop = stop,
    .open = opened,
    .ready = ready,
    .drain = drain,
    .let_go = let_go,
    .freeze = http_freeze,
    .thaw = http_thaw,
    .resume = resume,
    .patience = patience,
    .release = exchange_give_back,
};

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
    .open = opened,
    .readable = readable,
    .writable = writable,
    .drain = drain,
    .let_go = let_go,
    .freeze = http_freeze,
    .thaw = http_thaw,
    .resume = resume,
    .patience = patience,
    .release = exchange_give_back,
};
