/* conn_end: the ways in which a connection ends. */
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>

#include <errno.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/clock.h"
#include "base/event.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "wire/handoff.h"
#include "wire/stats.h"
#include "worker/access/access.h"
#include "worker/conn/conn_int.h"
#include "worker/core/pace.h"
#include "worker/core/self.h"
#include "worker/core/service.h"
#include "worker/core/waitgroup.h"
#include "worker/tls/transport.h"

#define LINGER_MS       2000  /* after our half-close, for the peer's */
#define LINGER_DRAIN_MS 15    /* the same while the worker wants to leave */
#define LINGER_MAX_MS   30000 /* a peer that takes in nothing holds us no longer */
#define UNSENT_MAX_MS                                                                          \
	120000 /* the same where the kernel has not got all yet: it would wait so, too */
#define FRESH_MS      1000 /* a stop waits so long for a first byte */
#define FRESH_TICK_MS 50

_Static_assert(LINGER_DRAIN_MS < LINGER_MS && LINGER_MS < LINGER_MAX_MS,
               "each linger limit is a part of the next");

static struct {
	const struct conn_rules *rules;
	struct timelist *linger;
	struct timelist *linger_drain;
	struct event silence; /* a stop looks for those who have sent nothing */
	uint64_t silence_ms;  /* when it began */
} ce;

static struct conn *
conn_of(struct timed *t)
{
	return timed_owner(t, struct conn, timed);
}

/*
 * What the peer had sent before it learnt of our end arrives within a round trip
 * of it, and would be answered by a reset that may destroy our answer: so that long
 * we stay and read.  The least round trip counts, as the mean holds the peer's delay
 * of acknowledgements, too.
 */
static bool
linger_over(const struct conn *c)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof info;
	uint64_t since = clock_tick_ms() - c->since_ms;
	int n = 0;

	if (c->tls != NULL && transport_has_unsent(c->tls))
		return since > UNSENT_MAX_MS;
	if (since > LINGER_MAX_MS || ioctl(c->fd, SIOCOUTQ, &n) < 0 || n == 0)
		return true;
	if (ioctl(c->fd, SIOCOUTQNSD, &n) < 0 || n > 0)
		return false;
	return getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 ||
	       since * 1000 > 2 * (uint64_t)info.tcpi_min_rtt;
}

void
conn_linger_again(struct conn *c)
{
	bool is_short = self_draining() || c->makes_room;

	timelist_join(is_short ? ce.linger_drain : ce.linger, &c->timed);
}

static void
on_linger(struct timed *t)
{
	struct conn *c = conn_of(t);

	if (linger_over(c))
		conn_close(c, c->why);
	else
		conn_linger_again(c);
}

void
conn_look_for_silence(void)
{
	struct timeval tv = {.tv_usec = FRESH_TICK_MS * 1000};

	if (evtimer_pending(&ce.silence, NULL))
		return;
	ce.silence_ms = clock_tick_ms();
	event_add(&ce.silence, &tv);
}

static bool
is_silent(const struct conn *c)
{
	return c->state == CONN_NEW && c->life == CONN_LIVES && !c->is_opening;
}

/* A stop waits for the first byte for a moment only; the last look is part of it. */
static void
on_silence(evutil_socket_t fd, short what, void *arg)
{
	uint64_t now = clock_tick_ms(), begun = ce.silence_ms;
	struct timeval tv = {.tv_usec = FRESH_TICK_MS * 1000};
	struct conn *c, *next;

	(void)fd;
	(void)what;
	(void)arg;
	for (c = TAILQ_FIRST(conn_all()); self_stopping() && c != NULL; c = next) {
		next = TAILQ_NEXT(c, all);
		if (!is_silent(c))
			continue;
		if (now >= (c->opened_ms > begun ? c->opened_ms : begun) + FRESH_MS &&
		    !conn_has_input(c))
			conn_finish(c, "no request came");
		else
			event_add(&ce.silence, &tv); /* and again */
	}
}

static void
release(struct conn *c)
{
	if (!conn_is_met(c))
		return;
	if (access_on(c->listener) && c->life != CONN_LINGERS && !c->elsewhere &&
	    !c->service->type->logs_requests)
		access_connection(c);
	if (c->service->type->release != NULL && c->life != CONN_LINGERS)
		c->service->type->release(c);
	c->data = NULL;
}

/* Where a copy of the descriptor may be elsewhere, a close does not take it out of the
 * epoll set. */
static void
close_descriptor(struct conn *c)
{
	if (c->shared)
		event_del(&c->ev);
	fd_close_at_once(&c->fd);
	event_del(&c->ev); /* of one that is closed: libevent's own bookkeeping */
}

static void
end(struct conn *c, const char *why)
{
	pace_count();
	ce.rules->ends(c);
	release(c);
	c->why = why;
	conn_enter(c, CONN_CLOSED);
	mem_free(&c->ends);
	transport_free(&c->tls);
	timelist_leave(&c->timed);
	conn_place_leave(c);
	c->is_opening = false;
	close_descriptor(c);
	conn_place_made_room(c);
	conn_bury(c);
	if (!c->elsewhere)
		stats_add(self_page(), STATS_CLOSED, 1);
	waitgroup_done(c->state); /* beside it: who dies between the two is counted twice */
	ce.rules->ended(c->listener);
}

static void
close_now(struct conn *c, const char *why)
{
	if (c->shared) /* a copy elsewhere would keep it open */
		shutdown(c->fd, SHUT_RDWR);
	end(c, why);
}

/* The peer has ended: nothing more is read, and what is sealed still goes out. */
static bool
goes_on_sending(struct conn *c)
{
	if (c->tls == NULL || !transport_has_unsent(c->tls))
		return false;
	conn_want(c, 0);
	return true;
}

void
conn_linger_read(struct conn *c)
{
	static char waste[16384];

	for (int i = 0; i < 8; i++) {
		ssize_t n = recv(c->fd, waste, sizeof waste, MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n == 0 && goes_on_sending(c))
			return;
		if (n > 0)
			conn_account(c, (uint64_t)n, 0);
		if (n <= 0 || clock_tick_ms() - c->since_ms > LINGER_MAX_MS) {
			close_now(c, c->why);
			return;
		}
		conn_linger_again(c); /* a peer that still sends is not done */
	}
}

/* Who has said all in order (conn_shut) has it delivered; a cut is no end in order, and what is
 * sealed and not sent goes with it. */
void
conn_close(struct conn *c, const char *why)
{
	if (c->life == CONN_LIVES && c->tls != NULL && transport_ends(c->tls))
		conn_finish(c, why);
	else
		close_now(c, why);
}

void
conn_abort(struct conn *c, const char *why)
{
	static const struct linger hard = {.l_onoff = 1};
	int far =
	    conn_is_met(c) && c->service->type->far != NULL ? c->service->type->far(c) : -1;

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	if (far >= 0)
		setsockopt(far, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	close_now(c, why);
}

void
conn_refuse(struct conn *c, const char *why)
{
	stats_add(self_page(), STATS_REFUSED, 1);
	conn_abort(c, why);
}

void
conn_let_go(struct conn *c)
{
	AN(c->life == CONN_LIVES && c->shared);
	stats_add(self_page(), STATS_HANDED_OFF, 1);
	c->elsewhere = true;
	end(c, "handed off");
}

void
conn_drop(struct conn *c)
{
	AN(c->life == CONN_LIVES || c->life == CONN_HELD);
	c->elsewhere = true;
	end(c, "stays with another worker");
}

void
conn_finish(struct conn *c, const char *why)
{
	AN(c->life == CONN_LIVES);
	pace_count();
	release(c);
	if (!c->is_opening)
		conn_place_leave(c);
	c->why = why;
	conn_enter(c, CONN_LINGERS);
	c->since_ms = clock_tick_ms();
	if (c->tls != NULL)
		transport_give_up(c->tls);
	if (conn_shut(c) < 0) {
		conn_close(c, why);
		return;
	}
	conn_want_read(c);
	conn_linger_again(c);
}

void
conn_done(struct conn *c, const char *why)
{
	if (c->tls != NULL)
		conn_finish(c, why);
	else
		conn_close(c, why);
}

/* Nothing is cut off: all that was to be sent before an end in order is sent; or neither side
 * has said a word. */
static bool
is_done(const struct conn *c)
{
	int n;

	if (c->life == CONN_LINGERS)
		return (c->tls == NULL || !transport_has_unsent(c->tls)) &&
		       ioctl(c->fd, SIOCOUTQNSD, &n) == 0 && n == 0;
	return c->state == CONN_NEW && c->bytes_in == 0 && c->bytes_out == 0 &&
	       !conn_has_input(c);
}

void
conn_cut(struct conn *c, const char *why)
{
	char peer[64];
	uint64_t now = clock_tick_ms();

	if (is_done(c)) {
		conn_close(c,
		           c->life == CONN_LINGERS ? c->why : "neither side has said a word");
		return;
	}
	conn_peer(c, peer, sizeof peer);
	log_event(EVENT_CUT,
	          EVENT_FIELDS(EVENT_TEXT("LISTENER", self_listener_name(c->listener)),
	                       EVENT_TEXT("SERVICE", c->service->conf->name),
	                       EVENT_TEXT("PEER", peer), EVENT_TEXT("REASON", why),
	                       EVENT_NUMBER("AGE_MS", now - c->opened_ms),
	                       EVENT_NUMBER("BYTES_IN", c->bytes_in),
	                       EVENT_NUMBER("BYTES_OUT", c->bytes_out)),
	          "cut: %s on listener %s, %s for %llu ms, open for %llu ms, %llu bytes in, "
	          "%llu out: %s%s%s",
	          peer, self_listener_name(c->listener),
	          c->life == CONN_LINGERS ? "closing" : conn_state_name(c->state),
	          (unsigned long long)(now - c->since_ms),
	          (unsigned long long)(now - c->opened_ms), (unsigned long long)c->bytes_in,
	          (unsigned long long)c->bytes_out, why,
	          c->refusal != 0 ? "; not handed off: " : "",
	          c->refusal != 0 ? handoff_refusal_text(c->refusal) : "");
	stats_add(self_page(), STATS_CUT, 1);
	close_now(c, why);
}

void
conn_end_start(const struct conn_rules *rules)
{
	ce.rules = rules;
	evtimer_assign(&ce.silence, self_base(), on_silence, NULL);
	ce.linger = timelist_new(self_base(), LINGER_MS, on_linger);
	ce.linger_drain = timelist_new(self_base(), LINGER_DRAIN_MS, on_linger);
}

void
conn_end_stop(void)
{
	event_del(&ce.silence);
	timelist_free(&ce.linger);
	timelist_free(&ce.linger_drain);
}
