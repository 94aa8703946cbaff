#include "service/http/handoff.h"

#include <string.h>

#include "base/clock.h"
#include "service/http/exchange.h"
#include "service/http/receive.h"
#include "service/http/tunnel.h"
#include "wire/handoff.h"

struct blob {
	uint64_t left_ms; /* of request_timeout */
};

bool
http_freeze(struct conn *c, struct handoff_record *r)
{
	static struct blob blob;
	const struct exchange *x = c->data;

	r->blob_version = MOVE_EXCHANGE;
	if (x == NULL)
		return true;
	if (x->phase != PHASE_HEAD)
		return false;
	if (c->state == CONN_BUSY && x->from == x->to)
		r->state = CONN_IDLE;
	if (c->state == CONN_BUSY && c->timed.list != http_of(c)->header)
		/* it was of what is done */
		r->left_ms = HANDOFF_NO_LIMIT;
	blob.left_ms = timelist_left(&x->total);
	r->unread = (struct handoff_bytes){x->in + x->from, x->to - x->from};
	r->blob = (struct handoff_bytes){(const char *)&blob, sizeof blob};
	return true;
}

/* A head that was allowed where it began shall be read to its end there. */
static bool
is_too_long(const struct http *h, const struct handoff_record *r)
{
	size_t max = (size_t)h->conf->max_header;
	ptrdiff_t head = head_length(r->unread.p, r->unread.n, 0);

	return head > (ptrdiff_t)max || (head == 0 && r->unread.n >= max);
}

/* A request that is not there yet has no limit that runs. */
const char *
http_thaw(struct conn *c, struct handoff_record *r)
{
	struct http *h = http_of(c);
	struct exchange *x;
	struct blob blob;

	if (r->blob_version == MOVE_TUNNEL)
		return tunnel_thaw(c, r);
	if (r->blob_version != MOVE_EXCHANGE || r->unsent.n > 0)
		return "its state is not one of this http";
	timelist_join(c->state == CONN_IDLE ? h->idle : h->header, &c->timed);
	if (r->unread.n == 0)
		return NULL;
	if (is_too_long(h, r))
		return "what it has sent already is more than max_header allows here";
	x = exchange_borrow(c);
	if (r->blob.n != sizeof blob || !exchange_put(c, x, r->unread.p, r->unread.n))
		return "what it has sent already is more than max_header allows here";
	memcpy(&blob, r->blob.p, sizeof blob);
	exchange_next(x); /* begins with what is there */
	x->began_us = clock_us();
	if (!receive_is_nothing(x))
		timelist_join_left(h->total, &x->total, blob.left_ms);
	return NULL;
}
