#include "service/http/relay.h"

#include <sys/socket.h>

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "baton.h"
#include "conf/conf.h"
#include "service/http/exchange.h"
#include "service/http/framing.h"
#include "service/http/relay_int.h"
#include "service/http/respond.h"
#include "service/head/connections.h"
#include "service/http/rewrite.h"
#include "service/http/serve.h"
#include "service/http/tunnel.h"
#include "service/upstream/balance.h"
#include "service/upstream/upstream.h"
#include "worker/conn/conn.h"
#include "worker/runtime/pool.h"
#include "worker/runtime/runtime.h"

#define EXPECT_MS   1000 /* that an upstream may leave a client waiting for 100 */
#define THREADS     2    /* to look up names, unless a module wants more */
#define LOOKUPS     256
#define RELAYS_KEPT 256

/* --- start and stop --- */

static void on_answer_late(struct timed *t);
static void on_expect_late(struct timed *t);

void
relay_start(struct http *h, struct event_base *base)
{
	struct runtime_limits limits = {.threads = THREADS, .queue = LOOKUPS};

	struct baton_pool_rules rules = {
	    .max_open = (unsigned)h->conf->upstream_connections,
	    .max_waiting = (unsigned)h->conf->upstream_queue,
	    .idle_ms = (uint64_t)h->conf->upstream_idle,
	    .life_ms = (uint64_t)h->conf->upstream_life,
	    /* who waits has the limit; a late connection is kept for the next one */
	    .connect_ms = (uint64_t)h->conf->connect_timeout + 1000,
	};

	runtime_start(base, &limits);
	h->pool = baton_pool_new(&rules);
	pool_keepalive(h->pool, h->conf->keepalive);
	h->upstreams = upstreams_new(h->conf, h->pool);
	h->answer = timelist_new(base, (uint64_t)h->conf->answer_timeout, on_answer_late);
	h->expect = timelist_new(base, EXPECT_MS, on_expect_late);
	h->scratch_size = (size_t)h->conf->max_header + REWRITE_GROWTH + TARGET_MAX;
	h->scratch = mem_alloc(h->scratch_size);
	h->relays = (struct baton_freelist){.size = sizeof(struct relay), .max = RELAYS_KEPT};
	tunnel_start(h, base);
}

void
relay_stop(struct http *h)
{
	upstreams_free(&h->upstreams);
	baton_pool_free(&h->pool);
	timelist_free(&h->answer);
	timelist_free(&h->expect);
	mem_free(&h->scratch);
	baton_freelist_empty(&h->relays);
	tunnel_stop(h);
}

static void next_upstream(struct relay *r);

/* The upstream has failed before it answered.  A connection that was used before may have
 * been closed just as the request came: that is no fault, and the same one is asked again. */
static void
failed(struct relay *r, int status, const char *why, bool stale)
{
	struct exchange *x = r->x;
	bool again = !r->begun && !r->passed && status != 504 && r->head.n == 0 &&
	             method_is_idempotent(x->request.method);

	if (!stale)
		upstream_bad(r->upstream, false);
	if (!again) {
		relay_give_up(r, status, why);
		return;
	}
	if (!stale)
		relay_tell(r, why);
	else
		r->tried = 0; /* each of the others was stale, if it was tried */
	relay_leave_upstream(r, false);
	next_upstream(r);
}

static void
finish(struct relay *r)
{
	struct exchange *x = r->x;

	if (!r->read_all) {
		x->close = true;
		x->last = false;
	}
	relay_leave_upstream(r, r->reply.keep_alive && !r->surplus && !r->deaf && r->read_all &&
	                            unsent_is_empty(&r->up));
	relay_leave(x);
	timelist_leave(x->limit);
	x->framing->give_back(x);
	x->phase = PHASE_ANSWER;
}

/* Its body, or its reading of the answer. */
static void
client_late(struct relay *r)
{
	struct exchange *x = r->x;
	struct conn *c = x->conn;

	if (!unsent_is_empty(&r->down)) {
		x->framing->close(x, "did not take its answer in time");
		return;
	}
	if (r->begun) {
		x->framing->close(x, "its body did not come in time");
		return;
	}
	relay_leave(x);
	x->framing->give_back(x);
	respond_refuse(c, x, 408);
}

/* Upon what came of a step.  r may be gone after it, and the connection, too. */
static void
act(struct relay *r)
{
	struct verdict v = r->verdict;
	struct exchange *x = r->x;

	r->verdict = (struct verdict){.kind = GOES_ON};
	switch (v.kind) {
	case GOES_ON:
		break;
	case FINISHED:
		finish(r);
		break;
	case FAILED:
		failed(r, v.status, v.why, v.stale);
		break;
	case GIVEN_UP:
		relay_give_up(r, v.status, v.why);
		break;
	case BROKEN:
		x->framing->close(x, v.why);
		break;
	case TUNNELED:
		tunnel_enter(x->conn, r->tunnel);
		break;
	case SLOW:
		client_late(r);
		break;
	}
}

/* --- what is waited for --- */

static void
watch(struct relay *r)
{
	struct exchange *x = r->x;
	short near = 0, far = 0;

	if (!unsent_is_empty(&r->down))
		near |= EV_WRITE;
	else
		far |= EV_READ;
	if (!unsent_is_empty(&r->up))
		far |= EV_WRITE;
	else if (exchange_room(x->conn, x) > 0)
		near |= EV_READ;
	x->framing->want(x, near);
	if (r->link != NULL)
		link_want(r->link, far);
}

/* After an event: what became of it. */
static void
settle(struct conn *c, struct exchange *x)
{
	if (c->life == CONN_CLOSED || c->data != x)
		return;
	if (x->relay != NULL)
		watch(x->relay);
	else
		x->framing->go_on(c);
}

/* --- an upstream's connection --- */

static void on_link(void *arg, short what);

static void
ask(struct relay *r, struct baton_link *link)
{
	upstream_asked(r->upstream);
	r->state = ASKING;
	r->early = 0;
	r->link = link;
	link_attach(link, on_link, r);
	relay_ask(r);
	act(r);
}

static void
unreachable(struct relay *r, int status)
{
	bool full = pool_is_full(r->upstream->target);
	const char *why = baton_status_text(status);

	if (status == BATON_DRAIN || status == BATON_FULL ||
	    (status == BATON_DEADLINE && full)) {
		relay_give_up(r, 503,
		              full ? "all its connections are in use" : "no connection to it");
		return;
	}
	upstream_bad(r->upstream, true);
	if (status == BATON_UNREACHABLE && pool_fault(r->upstream->target) != NULL)
		why = pool_fault(r->upstream->target);
	else if (status == BATON_DEADLINE)
		why = "no connection within connect_timeout";
	relay_tell(r, why);
	next_upstream(r);
}

static void
on_wanted(void *arg, int status, struct baton_link *link)
{
	struct want *w = arg;
	struct relay *r = w->relay;
	struct exchange *x;
	struct conn *c;

	baton_ctx_drop(&w->ctx);
	free(w);
	if (r == NULL) {
		if (link != NULL)
			baton_link_put(link, true);
		return;
	}
	r->want = NULL;
	x = r->x;
	c = x->conn;
	if (link != NULL)
		ask(r, link);
	else {
		r->late = status == BATON_DEADLINE;
		unreachable(r, status);
	}
	settle(c, x);
}

static void
wait_for_link(struct relay *r)
{
	uint64_t limit = (uint64_t)http_of(r->x->conn)->conf->connect_timeout;
	struct want *w = mem_alloc(sizeof *w);
	int status;

	w->relay = r;
	w->ctx = baton_ctx_new_at(NULL, limit, "an upstream's connection");
	status = pool_wait(r->upstream->target, w->ctx, on_wanted, w);
	if (status == 0) {
		r->want = w;
		return;
	}
	baton_ctx_drop(&w->ctx);
	free(w);
	unreachable(r, status);
}

/* At the first, and whenever one has failed. */
static void
next_upstream(struct relay *r)
{
	struct http *h = http_of(r->x->conn);
	struct upstream *u = balance_next(h->upstreams, &r->tried);
	struct baton_link *link;

	r->state = CONNECTING;
	if (u == NULL && r->upstream == NULL) {
		relay_give_up(r, 503, "none may be asked: their checks fail");
		return;
	}
	if (u == NULL) {
		relay_give_up(r, r->late ? 504 : 502, relay_no_other);
		return;
	}
	upstream_drop(&r->upstream);
	r->upstream = upstream_hold(u);
	r->attempts++;
	r->x->upstream = u->text;
	link = pool_take(u->target);
	if (link != NULL)
		ask(r, link);
	else
		wait_for_link(r);
}

static void
see_to_link(struct relay *r, short what)
{
	struct exchange *x = r->x;
	struct conn *c = x->conn;

	if ((what & EV_WRITE) != 0)
		relay_flush_up(r);
	if ((what & EV_READ) != 0)
		relay_read_answer(r);
	if (relay_goes_on(r) && !r->read_all)
		relay_go_on(r);
	act(r);
	settle(c, x);
}

static void
on_link(void *arg, short what)
{
	struct relay *r = arg;

	if (conn_has_turn(r->x->conn))
		see_to_link(r, what);
}

static void
resume(struct conn *c, struct exchange *x)
{
	struct relay *r = x->relay;
	short what = 0;

	(void)c;
	if (!unsent_is_empty(&r->up))
		what |= EV_WRITE;
	if (unsent_is_empty(&r->down))
		what |= EV_READ;
	if (r->link != NULL)
		see_to_link(r, what);
}

static void
on_answer_late(struct timed *t)
{
	struct relay *r = timed_owner(t, struct relay, timed);
	struct exchange *x = r->x;
	struct conn *c = x->conn;

	if (r->state == ASKING)
		failed(r, 504, "no answer within answer_timeout", false);
	else
		relay_give_up(r, 504, "nothing more of its answer within answer_timeout");
	settle(c, x);
}

/* It takes no notice of Expect, or is busy: the client is not kept waiting for that. */
static void
on_expect_late(struct timed *t)
{
	struct relay *r = timed_owner(t, struct relay, timed);
	struct exchange *x = r->x;
	struct conn *c = x->conn;

	AN(r->state == ASKING);
	relay_continue(r);
	act(r);
	settle(c, x);
}

/* --- the client's side --- */

static void
relay(struct conn *c, struct exchange *x)
{
	struct relay *r = baton_freelist_get(&http_of(c)->relays);
	const char *head = x->in + x->body_at - x->head_len;

	r->x = x;
	x->relay = r;
	r->read_all = !exchange_has_body(x);
	r->expects = !r->read_all && x->request.expects_continue && !x->request.http10 &&
	             x->from == x->to;
	r->upgrade =
	    r->read_all && !x->request.http10 && connections_upgrade(head, x->head_len);
	x->phase = PHASE_RESPONDER;
	timelist_leave(&x->total); /* until there is somebody to take its body */
	timelist_leave(x->limit);
	next_upstream(r);
}

/* Health is ours to tell, and what is to go no further is answered here. */
static void
begin(struct conn *c, struct exchange *x)
{
	uint64_t hops;

	if (respond_is_ours(c, x)) {
		x->responder = &serve_text;
		x->responder->begin(c, x);
	} else if (request_ends_here(&x->request, &hops)) {
		respond_at_end(c, x);
	} else {
		relay(c, x);
	}
}

static bool
waits(struct conn *c, struct exchange *x)
{
	(void)c;
	watch(x->relay);
	return true;
}

static void
read_client(struct relay *r)
{
	struct exchange *x = r->x;
	ssize_t n;

	if (exchange_room(x->conn, x) == 0)
		return;
	n = exchange_read(x->conn, x);
	if (n == CONN_AGAIN)
		return;
	if (n <= 0) {
		relay_judge(r, (struct verdict){.kind = BROKEN, .why = "the client hung up"});
		return;
	}
	r->expects = false;
	if (x->slow)
		relay_judge(r, (struct verdict){.kind = SLOW});
	else
		relay_go_on(r);
}

static void
ready(struct conn *c, struct exchange *x, short what)
{
	struct relay *r = x->relay;

	if ((what & EV_WRITE) != 0 && !unsent_is_empty(&r->down))
		relay_flush_down(r);
	if ((what & EV_READ) != 0 && relay_goes_on(r))
		read_client(r);
	act(r);
	settle(c, x);
}

static void
late(struct conn *c, struct exchange *x)
{
	client_late(x->relay);
	settle(c, x);
}

static void
hung_up(struct conn *c, struct exchange *x)
{
	(void)c;
	x->framing->close(x, "the client hung up");
}

static void
gone(struct exchange *x)
{
	if (x->relay != NULL)
		relay_leave(x);
}

/* Its answer is never asked for: begin leaves no body to come. */
const struct responder relay_responder = {.begin = begin,
                                          .wait = waits,
                                          .late = late,
                                          .hung_up = hung_up,
                                          .ready = ready,
                                          .resume = resume,
                                          .gone = gone};
