#include "worker/conn/conn.h"

#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netdb.h>
#include <netinet/in.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/event.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "wire/handoff.h"
#include "wire/stats.h"
#include "worker/access/access.h"
#include "worker/core/pace.h"
#include "worker/core/peer.h"
#include "worker/core/self.h"
#include "worker/core/service.h"
#include "worker/core/turn.h"
#include "worker/core/waitgroup.h"

#define FREE_MAX        256   /* connections kept for re-use */
#define LINGER_MS       2000  /* after our half-close, for the peer's */
#define LINGER_DRAIN_MS 15    /* the same while the worker wants to leave */
#define LINGER_MAX_MS   30000 /* a peer that takes in nothing holds us no longer */
#define FRESH_MS        1000  /* a stop waits so long for a first byte */
#define FRESH_TICK_MS   50
#define NEW_MS          1000 /* without a byte: may be let go of for the sake of others */

_Static_assert(LINGER_DRAIN_MS < LINGER_MS && LINGER_MS < LINGER_MAX_MS,
               "each linger limit is a part of the next");

static struct {
	const struct conn_rules *rules;
	struct event_base *base;
	struct stats_page *page;
	struct conn_list all;
	struct conn_list dead; /* closed in this loop turn */
	struct conn_list unused;
	size_t nunused;
	uint64_t last_id;
	struct event bury;        /* frees the dead from the top level */
	struct conn_list opening; /* accepted in this loop turn */
	struct conn_list fresh;   /* may be let go of, the oldest first */
	struct conn_list idle;
	uint64_t nleaving; /* let go of for the sake of others, and still there */
	struct event fresh_turn;
	struct event queue; /* serves who waits, in the next turn */
	struct conn_walk drain_walk;
	bool drain_walking;
	struct event drain_turn;
	struct timelist *linger;
	struct timelist *linger_drain;
	LIST_HEAD(, conn_walk) walks;
	struct event silence; /* a stop looks for those who have sent nothing */
	uint64_t silence_ms;  /* when it began */
} cs;

static void
on_bury(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c;

	(void)fd;
	(void)what;
	(void)arg;
	while ((c = TAILQ_FIRST(&cs.dead)) != NULL) {
		TAILQ_REMOVE(&cs.dead, c, all);
		if (cs.nunused < FREE_MAX) {
			TAILQ_INSERT_HEAD(&cs.unused, c, all);
			cs.nunused++;
		} else {
			free(c);
		}
	}
}

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

	if (since > LINGER_MAX_MS || ioctl(c->fd, SIOCOUTQ, &n) < 0 || n == 0)
		return true;
	if (ioctl(c->fd, SIOCOUTQNSD, &n) < 0 || n > 0)
		return false;
	return getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 ||
	       since * 1000 > 2 * (uint64_t)info.tcpi_min_rtt;
}

static void
linger_again(struct conn *c)
{
	bool is_short = self_draining() || c->makes_room;

	timelist_join(is_short ? cs.linger_drain : cs.linger, &c->timed);
}

static void
on_linger(struct timed *t)
{
	struct conn *c = conn_of(t);

	if (linger_over(c))
		conn_close(c, c->why);
	else
		linger_again(c);
}

static void
look_for_silence(void)
{
	struct timeval tv = {.tv_usec = FRESH_TICK_MS * 1000};

	if (evtimer_pending(&cs.silence, NULL))
		return;
	cs.silence_ms = clock_tick_ms();
	event_add(&cs.silence, &tv);
}

static bool
is_silent(const struct conn *c)
{
	return c->state == CONN_NEW && !c->lingering && !c->moving && !c->held &&
	       !c->is_opening;
}

/* A stop waits for the first byte for a moment only; the last look is part of it. */
static void
on_silence(evutil_socket_t fd, short what, void *arg)
{
	uint64_t now = clock_tick_ms(), begun = cs.silence_ms;
	struct timeval tv = {.tv_usec = FRESH_TICK_MS * 1000};
	struct conn *c, *next;

	(void)fd;
	(void)what;
	(void)arg;
	for (c = TAILQ_FIRST(&cs.all); self_stopping() && c != NULL; c = next) {
		next = TAILQ_NEXT(c, all);
		if (!is_silent(c))
			continue;
		if (now >= (c->opened_ms > begun ? c->opened_ms : begun) + FRESH_MS &&
		    !conn_has_input(c))
			conn_finish(c, "no request came");
		else
			event_add(&cs.silence, &tv); /* and again */
	}
}

static void on_fresh_turn(evutil_socket_t fd, short what, void *arg);
static void on_queue(evutil_socket_t fd, short what, void *arg);
static void on_drain_turn(evutil_socket_t fd, short what, void *arg);

void
conn_start(struct event_base *base, const struct conn_rules *rules)
{
	cs.rules = rules;
	cs.base = base;
	cs.page = self_page();
	TAILQ_INIT(&cs.all);
	TAILQ_INIT(&cs.dead);
	TAILQ_INIT(&cs.unused);
	TAILQ_INIT(&cs.opening);
	TAILQ_INIT(&cs.fresh);
	TAILQ_INIT(&cs.idle);
	LIST_INIT(&cs.walks);
	turn_start(self_conf()->nlisten);
	pace_start(base);
	evtimer_assign(&cs.queue, base, on_queue, NULL);
	evtimer_assign(&cs.drain_turn, base, on_drain_turn, NULL);
	evtimer_assign(&cs.bury, base, on_bury, NULL);
	evtimer_assign(&cs.fresh_turn, base, on_fresh_turn, NULL);
	evtimer_assign(&cs.silence, base, on_silence, NULL);
	cs.linger = timelist_new(base, LINGER_MS, on_linger);
	cs.linger_drain = timelist_new(base, LINGER_DRAIN_MS, on_linger);
}

void
conn_stop(void)
{
	struct conn *c;

	while ((c = TAILQ_FIRST(&cs.all)) != NULL)
		conn_close(c, "the worker leaves");
	on_bury(-1, 0, NULL);
	event_del(&cs.bury);
	event_del(&cs.fresh_turn);
	event_del(&cs.queue);
	pace_stop();
	event_del(&cs.silence);
	event_del(&cs.drain_turn);
	if (cs.drain_walking)
		conn_walk_end(&cs.drain_walk);
	turn_stop();
	while ((c = TAILQ_FIRST(&cs.unused)) != NULL) {
		TAILQ_REMOVE(&cs.unused, c, all);
		free(c);
	}
	timelist_free(&cs.linger);
	timelist_free(&cs.linger_drain);
}

/* Half-closed: what still comes is thrown away, until the peer closes. */
static void
linger_read(struct conn *c)
{
	static char waste[16384];

	for (int i = 0; i < 8; i++) {
		ssize_t n = conn_read(c, waste, sizeof waste);

		if (n == CONN_AGAIN)
			return;
		if (n <= 0 || clock_tick_ms() - c->since_ms > LINGER_MAX_MS) {
			conn_close(c, c->why);
			return;
		}
		linger_again(c); /* a peer that still sends is not done */
	}
}

/* For the master, if the loop stands still. */
static void
set_doing(uint64_t id, uint32_t listener)
{
	atomic_store_explicit(&cs.page->doing_listener, listener, memory_order_relaxed);
	atomic_store_explicit(&cs.page->doing, id, memory_order_relaxed);
}

/* --- places --- */

static void
leave_place(struct conn *c)
{
	switch ((enum conn_place)c->place) {
	case CONN_NOWHERE:
		return;
	case CONN_WAITS:
	case CONN_WAITS_AGAIN:
		turn_leave(c);
		c->event = 0;
		c->timed.excused = false;
		return;
	case CONN_OPENS:
		TAILQ_REMOVE(&cs.opening, c, here);
		c->timed.excused = false;
		break;
	case CONN_IS_NEW:
		TAILQ_REMOVE(&cs.fresh, c, here);
		break;
	case CONN_IS_IDLE:
		TAILQ_REMOVE(&cs.idle, c, here);
		break;
	}
	c->place = CONN_NOWHERE;
}

static void
take_place(struct conn *c, struct conn_list *list, enum conn_place place)
{
	AN(c->place == CONN_NOWHERE);
	c->place = (uint8_t)place;
	TAILQ_INSERT_TAIL(list, c, here);
}

/* Who is nowhere, and may be let go of, is remembered in the order of its state's age. */
static void
settle(struct conn *c)
{
	if (c->place != CONN_NOWHERE || c->closed || c->lingering || c->moving || c->held ||
	    c->service->type->let_go == NULL)
		return;
	if (c->state == CONN_NEW) {
		take_place(c, &cs.fresh, CONN_IS_NEW);
	} else if (c->state == CONN_IDLE) {
		take_place(c, &cs.idle, CONN_IS_IDLE);
		cs.rules->rests();
	}
}

/* --- turns --- */

bool
conn_waits(const struct conn *c)
{
	return c->place == CONN_WAITS || c->place == CONN_WAITS_AGAIN;
}

/* Not event_active: what is ready now, and the timers, are not to wait for the queue. */
static void
wake_queue(void)
{
	static const struct timeval next_turn;

	event_add(&cs.queue, &next_turn);
}

static void
wait_for_turn(struct conn *c, bool again)
{
	leave_place(c);
	turn_join(c, again);
	c->timed.excused = true;
	if (turn_count() == 1)
		wake_queue();
}

static bool
is_time(void)
{
	return turn_count() == 0 && !pace_is_over();
}

void
conn_yield(struct conn *c)
{
	AN(!c->closed && !c->lingering && !c->moving && !c->held);
	wait_for_turn(c, true);
}

bool
conn_has_turn(struct conn *c)
{
	pace_count();
	if (is_time())
		return true;
	if (!conn_waits(c))
		conn_yield(c);
	return false;
}

static void
serve(struct conn *c, short what)
{
	pace_count();
	set_doing(c->id, c->listener);
	if (c->lingering)
		linger_read(c);
	else if (c->service->type->ready != NULL)
		c->service->type->ready(c, what);
	else if (c->writing)
		c->service->type->writable(c);
	else
		c->service->type->readable(c);
	set_doing(0, 0);
}

/* The loop tells of it again and again while it waits, as it does of what is not told to
 * one that has yielded. */
static void
on_event(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	if (!conn_waits(c) && is_time()) {
		serve(c, what);
		return;
	}
	if (!conn_waits(c))
		wait_for_turn(c, false);
	c->event |= (uint8_t)(what & (EV_READ | EV_WRITE));
}

/*
 * At the end of the loop turn that accepted it a connection gets its first look: its
 * request has often come by then.  One whose only request is answered and closed here
 * never needs to be known to the kernel's epoll set.
 */
static void
look_first(struct conn *c)
{
	pace_count();
	c->is_opening = false;
	set_doing(c->id, c->listener);
	if (!c->lingering && c->service->type->ready != NULL)
		c->service->type->ready(c, EV_READ);
	else if (!c->lingering)
		c->service->type->readable(c);
	set_doing(0, 0);
	if (!c->closed && !c->moving)
		conn_watch(c);
	if (!c->closed && c->state == CONN_NEW && self_stopping())
		look_for_silence();
	settle(c);
	if (self_draining())
		cs.rules->may_move();
}

static void
go_on(struct conn *c)
{
	pace_count();
	set_doing(c->id, c->listener);
	c->service->type->resume(c);
	set_doing(0, 0);
}

static void
serve_waiting(struct conn *c, bool again)
{
	short what = c->event;

	c->event = 0;
	c->timed.excused = false;
	if (c->is_opening)
		look_first(c);
	else if (again)
		go_on(c);
	else
		serve(c, what);
	settle(c);
}

static void
on_queue(evutil_socket_t fd, short what, void *arg)
{
	uint64_t start_us = clock_us();
	struct conn *c;
	bool again;

	(void)fd;
	(void)what;
	(void)arg;
	while ((c = turn_next(&again)) != NULL) {
		serve_waiting(c, again);
		if (pace_is_enough(start_us))
			break;
	}
	if (turn_count() > 0)
		wake_queue();
}

static struct conn *
allocate(void)
{
	struct conn *c = TAILQ_FIRST(&cs.unused);

	if (c == NULL)
		return mem_alloc(sizeof *c);
	TAILQ_REMOVE(&cs.unused, c, all);
	cs.nunused--;
	memset(c, 0, sizeof *c);
	return c;
}

void
conn_watch(struct conn *c)
{
	c->watched = true;
	if ((c->ev.ev_events & (EV_READ | EV_WRITE)) != 0 && event_add(&c->ev, NULL) < 0)
		conn_close(c, "cannot be watched");
}

/* What has come is told again when it is watched again. */
void
conn_unwatch(struct conn *c)
{
	c->watched = false;
	event_del(&c->ev);
	if (c->place == CONN_WAITS && !c->is_opening) {
		leave_place(c);
		settle(c);
	}
}

void
conn_rest(struct conn *c)
{
	AN(!c->is_opening);
	leave_place(c);
	conn_unwatch(c);
}

void
conn_go_on(struct conn *c)
{
	AN(c->place == CONN_NOWHERE && !c->moving && !c->held);
	conn_watch(c);
	if (!c->closed)
		c->service->type->resume(c);
	settle(c);
}

static void
on_fresh_turn(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c;

	(void)fd;
	(void)what;
	(void)arg;
	while ((c = TAILQ_FIRST(&cs.opening)) != NULL) {
		leave_place(c);
		if (is_time())
			look_first(c);
		else
			wait_for_turn(c, false);
	}
}

void
conn_open(int fd, uint32_t listener)
{
	struct conn *c = allocate();

	c->fd = fd;
	c->id = ++cs.last_id;
	c->listener = listener;
	c->service = self_service(listener);
	c->opened_ms = c->since_ms = clock_tick_ms();
	c->state = CONN_NEW;
	waitgroup_add(CONN_NEW);
	cs.rules->took(listener);
	stats_add(cs.page, STATS_ACCEPTED, 1);
	if (access_on(listener))
		access_open(c);
	TAILQ_INSERT_TAIL(&cs.all, c, all);
	event_assign(&c->ev, cs.base, fd, EV_READ | EV_PERSIST, on_event, c);
	c->is_opening = true;
	if (c->service->type->open != NULL)
		c->service->type->open(c);
	if (c->closed)
		return;
	if (TAILQ_EMPTY(&cs.opening))
		event_active(&cs.fresh_turn, EV_TIMEOUT, 0);
	take_place(c, &cs.opening, CONN_OPENS);
	c->timed.excused = true;
}

bool
conn_has_input(const struct conn *c)
{
	char byte;

	return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

ssize_t
conn_read(struct conn *c, void *buf, size_t len)
{
	ssize_t n = recv(c->fd, buf, len, MSG_DONTWAIT);

	if (n > 0) {
		pace_count();
		c->bytes_in += (uint64_t)n;
		stats_add(cs.page, STATS_BYTES_IN, (uint64_t)n);
		return n;
	}
	if (n == 0)
		return 0;
	return errno == EAGAIN || errno == EINTR ? CONN_AGAIN : CONN_ERROR;
}

static ssize_t
written(struct conn *c, ssize_t n)
{
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? CONN_AGAIN : CONN_ERROR;
	pace_count();
	c->bytes_out += (uint64_t)n;
	stats_add(cs.page, STATS_BYTES_OUT, (uint64_t)n);
	return n;
}

ssize_t
conn_write(struct conn *c, const struct iovec *iov, int n, bool more)
{
	struct msghdr mh = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)n};
	int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0);

	if (n == 1)
		return written(c, send(c->fd, iov->iov_base, iov->iov_len, flags));
	return written(c, sendmsg(c->fd, &mh, flags));
}

ssize_t
conn_sendfile(struct conn *c, int file, off_t *offset, size_t len)
{
	return written(c, sendfile(c->fd, file, offset, len));
}

void
conn_want(struct conn *c, short events)
{
	if ((c->ev.ev_events & (EV_READ | EV_WRITE)) == events)
		return;
	event_del(&c->ev);
	event_assign(&c->ev, cs.base, c->fd, events | EV_PERSIST, on_event, c);
	if (c->watched && events != 0)
		event_add(&c->ev, NULL);
}

void
conn_want_write(struct conn *c)
{
	conn_want(c, EV_WRITE);
	c->writing = true;
}

void
conn_want_read(struct conn *c)
{
	conn_want(c, EV_READ);
	c->writing = false;
}

void
conn_account(struct conn *c, uint64_t in, uint64_t out)
{
	pace_count();
	c->bytes_in += in;
	c->bytes_out += out;
	stats_add(cs.page, STATS_BYTES_IN, in);
	stats_add(cs.page, STATS_BYTES_OUT, out);
}

void
conn_set_state(struct conn *c, enum conn_state state)
{
	if (c->state == state)
		return;
	AN(state != CONN_NEW);
	waitgroup_move(c->state, state);
	c->state = state;
	c->since_ms = clock_tick_ms();
	if (!conn_waits(c) && !c->is_opening)
		leave_place(c);
	if (state == CONN_IDLE && !c->is_opening)
		settle(c);
}

void
conn_count_request(struct conn *c)
{
	c->requests++;
	stats_add(cs.page, STATS_REQUESTS, 1);
}

static void
release(struct conn *c)
{
	if (access_on(c->listener) && !c->lingering && !c->elsewhere &&
	    !c->service->type->logs_requests)
		access_connection(c);
	if (c->service->type->release != NULL && !c->lingering)
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

/* It leaves the list. */
static void
step_walks(const struct conn *c)
{
	struct conn_walk *walk;

	LIST_FOREACH (walk, &cs.walks, link)
		if (walk->next == c)
			walk->next = TAILQ_NEXT(c, all);
}

static void
end(struct conn *c, const char *why)
{
	AN(!c->closed);
	pace_count();
	cs.rules->ends(c);
	release(c);
	c->why = why;
	c->closed = true;
	mem_free(&c->ends);
	timelist_leave(&c->timed);
	leave_place(c);
	c->is_opening = false;
	close_descriptor(c);
	if (c->makes_room)
		cs.nleaving--;
	step_walks(c);
	TAILQ_REMOVE(&cs.all, c, all);
	if (TAILQ_EMPTY(&cs.dead))
		event_active(&cs.bury, EV_TIMEOUT, 0);
	TAILQ_INSERT_TAIL(&cs.dead, c, all);
	if (!c->elsewhere)
		stats_add(cs.page, STATS_CLOSED, 1);
	waitgroup_done(c->state); /* beside it: who dies between the two is counted twice */
	cs.rules->ended(c->listener);
}

void
conn_close(struct conn *c, const char *why)
{
	if (c->shared) /* a copy elsewhere would keep it open */
		shutdown(c->fd, SHUT_RDWR);
	end(c, why);
}

void
conn_abort(struct conn *c, const char *why)
{
	static const struct linger hard = {.l_onoff = 1};
	int far = c->service->type->far != NULL ? c->service->type->far(c) : -1;

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	if (far >= 0)
		setsockopt(far, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	conn_close(c, why);
}

void
conn_refuse(struct conn *c, const char *why)
{
	stats_add(cs.page, STATS_REFUSED, 1);
	conn_abort(c, why);
}

void
conn_let_go(struct conn *c)
{
	stats_add(cs.page, STATS_HANDED_OFF, 1);
	c->elsewhere = true;
	end(c, "handed off");
}

struct conn *
conn_adopt(int fd, uint32_t listener, const struct handoff_record *r)
{
	struct conn *c = allocate();
	uint64_t now = clock_tick_ms();

	c->fd = fd;
	c->id = ++cs.last_id;
	c->listener = listener;
	c->service = self_service(listener);
	c->state = (uint8_t)r->state;
	c->opened_ms = now > r->age_ms ? now - r->age_ms : 0;
	c->since_ms = now > r->state_ms ? now - r->state_ms : 0;
	c->bytes_in = r->bytes_in;
	c->bytes_out = r->bytes_out;
	c->requests = (uint32_t)r->requests;
	c->held = true;
	c->shared = true;
	if (access_on(listener))
		access_open(c);
	waitgroup_add((enum conn_state)c->state);
	cs.rules->took(listener);
	TAILQ_INSERT_TAIL(&cs.all, c, all);
	event_assign(&c->ev, cs.base, fd, EV_READ | EV_PERSIST, on_event, c);
	return c;
}

void
conn_drop(struct conn *c)
{
	c->elsewhere = true;
	end(c, "stays with another worker");
}

void
conn_finish(struct conn *c, const char *why)
{
	AN(!c->closed && !c->lingering);
	pace_count();
	release(c);
	if (!c->is_opening)
		leave_place(c);
	c->why = why;
	c->lingering = true;
	c->since_ms = clock_tick_ms();
	if (shutdown(c->fd, SHUT_WR) < 0) {
		conn_close(c, why);
		return;
	}
	conn_want_read(c);
	linger_again(c);
}

/* Nothing is cut off: all that was to be sent before an end in order is sent; or neither side
 * has said a word. */
static bool
is_done(const struct conn *c)
{
	int n;

	if (c->lingering)
		return ioctl(c->fd, SIOCOUTQNSD, &n) == 0 && n == 0;
	return c->state == CONN_NEW && c->bytes_in == 0 && c->bytes_out == 0 &&
	       !conn_has_input(c);
}

void
conn_cut(struct conn *c, const char *why)
{
	char peer[64];
	uint64_t now = clock_tick_ms();

	if (is_done(c)) {
		conn_close(c, c->lingering ? c->why : "neither side has said a word");
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
	          c->lingering ? "closing" : conn_state_name(c->state),
	          (unsigned long long)(now - c->since_ms),
	          (unsigned long long)(now - c->opened_ms), (unsigned long long)c->bytes_in,
	          (unsigned long long)c->bytes_out, why,
	          c->refusal != 0 ? "; not handed off: " : "",
	          c->refusal != 0 ? handoff_refusal_text(c->refusal) : "");
	stats_add(cs.page, STATS_CUT, 1);
	conn_close(c, why);
}

struct conn_list *
conn_all(void)
{
	return &cs.all;
}

void
conn_walk_begin(struct conn_walk *walk)
{
	walk->next = TAILQ_FIRST(&cs.all);
	walk->last = cs.last_id;
	LIST_INSERT_HEAD(&cs.walks, walk, link);
}

/* The list is in the order of ids, as each newcomer has the next one. */
struct conn *
conn_walk_next(struct conn_walk *walk)
{
	struct conn *c = walk->next;

	if (c == NULL || c->id > walk->last)
		return NULL;
	walk->next = TAILQ_NEXT(c, all);
	return c;
}

void
conn_walk_end(struct conn_walk *walk)
{
	LIST_REMOVE(walk, link);
}

void
conn_drain(struct conn *c)
{
	if (c->lingering)
		linger_again(c);
	else if (c->service->type->drain != NULL && cs.rules->ends_here(c))
		c->service->type->drain(c);
	if (!c->closed && !c->lingering && c->state == CONN_NEW && self_stopping())
		look_for_silence();
}

/* What is undecided is drained when it is decided. */
static void
drain_on(void)
{
	static const struct timeval next_turn;
	uint64_t start_us = clock_us();
	struct conn *c;

	while ((c = conn_walk_next(&cs.drain_walk)) != NULL) {
		if (!c->moving && !c->held)
			conn_drain(c);
		if (pace_is_enough(start_us)) {
			event_add(&cs.drain_turn, &next_turn);
			return;
		}
	}
	conn_walk_end(&cs.drain_walk);
	cs.drain_walking = false;
}

static void
on_drain_turn(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	drain_on();
}

void
conn_drain_all(void)
{
	if (cs.drain_walking)
		conn_walk_end(&cs.drain_walk);
	event_del(&cs.drain_turn);
	conn_walk_begin(&cs.drain_walk);
	cs.drain_walking = true;
	drain_on();
}

/* --- making room --- */

/* Who has just asked for something stays. */
static bool
leave_for_others(struct conn *c)
{
	set_doing(c->id, c->listener);
	c->makes_room = true;
	cs.nleaving++;
	c->service->type->let_go(c, "there is no room for others");
	set_doing(0, 0);
	if (c->closed)
		return true;
	if (c->lingering) {
		stats_add(cs.page, STATS_EVICTED, 1);
		return true;
	}
	c->makes_room = false;
	cs.nleaving--;
	return false;
}

/* Of those that are on the list now, and in their state since `before` at the latest. */
static size_t
let_go_of(struct conn_list *list, uint64_t before_ms, size_t n, conn_filter *may)
{
	struct conn *c, *next, *last = TAILQ_LAST(list, conn_list);
	size_t done = 0;

	for (c = TAILQ_FIRST(list); c != NULL && done < n; c = next) {
		next = c != last ? TAILQ_NEXT(c, here) : NULL;
		if (c->since_ms > before_ms)
			break;
		if (may(c))
			done += leave_for_others(c);
	}
	return done;
}

size_t
conn_make_room(size_t n, conn_filter *may)
{
	uint64_t now = clock_tick_ms();
	size_t done;

	if (n <= cs.nleaving)
		return 0;
	n -= cs.nleaving;
	done = let_go_of(&cs.idle, now, n, may);
	return done + let_go_of(&cs.fresh, now - NEW_MS, n - done, may);
}

const char *
conn_peer(const struct conn *c, char *buf, size_t len)
{
	return peer_name(c->fd, buf, len);
}

const char *
conn_state_name(enum conn_state state)
{
	switch (state) {
	case CONN_NEW:
		return "new";
	case CONN_IDLE:
		return "idle";
	case CONN_BUSY:
		return "busy";
	}
	return "unknown";
}
