/* relay_end: the ways in which a relay ends, and what the log hears of it. */
#include "base/clock.h"
#include "base/log.h"
#include "conf/conf.h"
#include "service/http/exchange.h"
#include "service/http/framing.h"
#include "service/http/relay_int.h"
#include "service/http/respond.h"
#include "service/upstream/upstream.h"
#include "worker/conn/conn.h"
#include "worker/runtime/pool.h"

#define LOG_EVERY_MS 1000

void
relay_leave_upstream(struct relay *r, bool reusable)
{
	if (r->want != NULL) {
		r->want->relay = NULL;
		baton_ctx_cancel(r->want->ctx, BATON_CLOSED);
		r->want = NULL;
	}
	timelist_leave(&r->timed);
	if (r->link != NULL)
		baton_link_put(r->link, reusable);
	r->link = NULL;
	unsent_clear(&r->up);
	unsent_clear(&r->head);
}

void
relay_leave(struct exchange *x)
{
	struct relay *r = x->relay;
	struct http *h = http_of(x->conn);

	x->relay = NULL;
	relay_leave_upstream(r, false);
	upstream_drop(&r->upstream);
	unsent_clear(&r->down);
	unsent_clear(&r->trailers);
	unsent_clear(&r->ends);
	baton_freelist_put(&h->relays, r);
}

/* After each of them has failed for a reason of its own. */
const char relay_no_other[] = "there is no other to be asked";

void
relay_tell(struct relay *r, const char *why)
{
	struct conn *c = r->x->conn;
	struct http *h = http_of(c);
	uint64_t now = clock_tick_ms();
	char peer[64];

	if (why != relay_no_other || r->x->fault == NULL)
		r->x->fault = why;
	if (h->told_ms != 0 && now - h->told_ms < LOG_EVERY_MS)
		return;
	h->told_ms = now;
	log_warn("service %s: upstream %s, attempt %u: %s (client %s)", h->conf->name,
	         r->upstream != NULL ? r->upstream->text : "none", r->attempts, why,
	         conn_peer(c, peer, sizeof peer));
}

void
relay_give_up(struct relay *r, int status, const char *why)
{
	struct exchange *x = r->x;
	struct conn *c = x->conn;
	bool begun = r->begun || !unsent_is_empty(&r->down), read_all = r->read_all;

	relay_tell(r, why);
	if (begun) {
		x->framing->break_off(x, "its upstream broke off");
		return;
	}
	relay_leave(x);
	x->framing->give_back(x);
	if (read_all)
		respond_status(c, x, status);
	else
		respond_refuse(c, x, status);
}
