#include "worker/conn/conn.h"

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/clock.h"
#include "base/log.h"
#include "wire/handoff.h"
#include "wire/stats.h"
#include "worker/access/access.h"
#include "worker/conn/conn_int.h"
#include "worker/core/pace.h"
#include "worker/core/self.h"
#include "worker/core/service.h"
#include "worker/core/turn.h"
#include "worker/core/waitgroup.h"

static struct {
	const struct conn_rules *rules;
	struct event fresh_turn; /* the end of a turn that has accepted */
	struct event queue;      /* serves who waits, in the next turn */
	struct conn_walk drain_walk;
	bool drain_walking;
	struct event drain_turn;
} cs;

static void on_fresh_turn(evutil_socket_t fd, short what, void *arg);
static void on_queue(evutil_socket_t fd, short what, void *arg);
static void on_drain_turn(evutil_socket_t fd, short what, void *arg);

static void
let_go(struct conn *c, const char *why)
{
	if (conn_is_met(c))
		c->service->type->let_go(c, why);
	else
		conn_finish(c, why);
}

void
conn_start(struct event_base *base, const struct conn_rules *rules)
{
	AN(base == self_base());
	cs.rules = rules;
	conn_list_start();
	conn_place_start(rules, let_go);
	conn_end_start(rules);
	conn_tls_start(rules);
	turn_start(self_conf()->nlisten);
	pace_start(base);
	evtimer_assign(&cs.queue, base, on_queue, NULL);
	evtimer_assign(&cs.drain_turn, base, on_drain_turn, NULL);
	evtimer_assign(&cs.fresh_turn, base, on_fresh_turn, NULL);
}

void
conn_stop(void)
{
	struct conn *c;

	while ((c = TAILQ_FIRST(conn_all())) != NULL)
		conn_close(c, "the worker leaves");
	event_del(&cs.fresh_turn);
	event_del(&cs.queue);
	event_del(&cs.drain_turn);
	if (cs.drain_walking)
		conn_walk_end(&cs.drain_walk);
	pace_stop();
	turn_stop();
	conn_end_stop();
	conn_tls_stop();
	conn_list_stop();
}

/* --- turns --- */

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
	conn_place_leave(c);
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
	AN(c->life == CONN_LIVES);
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
	conn_doing(c->id, c->listener);
	if (c->tls != NULL && (what = conn_tls_event(c, what)) == 0)
		;
	else if (c->life == CONN_LINGERS)
		conn_linger_read(c);
	else if (c->service->type->ready != NULL)
		c->service->type->ready(c, what);
	else if (c->writing)
		c->service->type->writable(c);
	else
		c->service->type->readable(c);
	conn_doing(0, 0);
	conn_again(c);
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
		wait_for_turn(c, !conn_is_met(c)); /* a handshake is work: others come first */
	c->event |= (uint8_t)(what & (EV_READ | EV_WRITE));
}

static void
watch(struct conn *c)
{
	AN(c->life != CONN_CLOSED && c->fd >= 0);
	c->watched = true;
	if ((c->ev.ev_events & (EV_READ | EV_WRITE)) != 0 && event_add(&c->ev, NULL) < 0)
		conn_close(c, "cannot be watched");
	else
		conn_again(c);
}

/*
 * At the end of the loop turn that accepted it a connection gets its first look: its
 * request has often come by then.  One whose only request is answered and closed here
 * never needs to be known to the kernel's epoll set.
 */
static void
look_first(struct conn *c)
{
	AN(c->is_opening && !conn_is_away(c));
	pace_count();
	c->is_opening = false;
	conn_doing(c->id, c->listener);
	if (c->life == CONN_LINGERS || (c->tls != NULL && conn_tls_event(c, EV_READ) == 0))
		;
	else if (c->service->type->ready != NULL)
		c->service->type->ready(c, EV_READ);
	else
		c->service->type->readable(c);
	conn_doing(0, 0);
	if (c->life == CONN_LIVES || c->life == CONN_LINGERS)
		watch(c);
	if (c->life != CONN_CLOSED && c->state == CONN_NEW && self_stopping())
		conn_look_for_silence();
	conn_place_settle(c);
	if (self_draining())
		cs.rules->may_move();
}

static void
go_on(struct conn *c)
{
	pace_count();
	conn_doing(c->id, c->listener);
	c->service->type->resume(c);
	conn_doing(0, 0);
	conn_again(c);
}

static void
serve_waiting(struct conn *c, bool again)
{
	short what = c->event;

	c->event = 0;
	c->timed.excused = false;
	if (c->is_opening)
		look_first(c);
	else if (again && conn_is_met(c))
		go_on(c);
	else
		serve(c, what);
	conn_place_settle(c);
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

void
conn_hear(struct conn *c, bool more)
{
	c->deaf = !more;
	conn_arm(c);
	if (!more && c->place == CONN_WAITS && !c->is_opening) {
		conn_place_leave(c);
		conn_place_settle(c);
	}
}

void
conn_rest(struct conn *c)
{
	AN(!c->is_opening && c->life == CONN_LIVES);
	conn_place_leave(c);
	c->watched = false;
	event_del(&c->ev);
	if (!conn_is_met(c))
		conn_tls_no_limit(c);
	else if (c->service->type->rest != NULL)
		c->service->type->rest(c);
}

void
conn_go_on(struct conn *c)
{
	AN(c->place == CONN_NOWHERE && c->life == CONN_LIVES);
	c->deaf = false;
	conn_arm(c);
	watch(c);
	if (c->life == CONN_LIVES && conn_is_met(c))
		c->service->type->resume(c);
	else if (c->life == CONN_LIVES)
		conn_tls_limit(c);
	conn_again(c);
	conn_place_settle(c);
}

static void
on_fresh_turn(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c;

	(void)fd;
	(void)what;
	(void)arg;
	while ((c = conn_place_opening()) != NULL) {
		conn_place_leave(c);
		if (is_time())
			look_first(c);
		else
			wait_for_turn(c, !conn_is_met(c));
	}
}

void
conn_open(int fd, uint32_t listener)
{
	struct conn *c = conn_new(fd, listener, on_event);

	AN(c->service != NULL);
	c->opened_ms = c->since_ms = clock_tick_ms();
	c->state = CONN_NEW;
	waitgroup_add(CONN_NEW);
	cs.rules->took(listener);
	stats_add(self_page(), STATS_ACCEPTED, 1);
	if (access_on(listener))
		access_open(c);
	c->is_opening = true;
	conn_tls_open(c);
	if (conn_is_met(c) && c->service->type->open != NULL)
		c->service->type->open(c);
	if (c->life == CONN_CLOSED)
		return;
	if (conn_place_opening() == NULL)
		event_active(&cs.fresh_turn, EV_TIMEOUT, 0);
	conn_place_open(c);
}

struct conn *
conn_adopt(int fd, uint32_t listener, const struct handoff_record *r)
{
	struct conn *c = conn_new(fd, listener, on_event);
	uint64_t now = clock_tick_ms();

	AN(c->service != NULL);
	conn_enter(c, CONN_HELD);
	c->state = (uint8_t)r->state;
	c->opened_ms = now > r->age_ms ? now - r->age_ms : 0;
	c->since_ms = now > r->state_ms ? now - r->state_ms : 0;
	c->bytes_in = r->bytes_in;
	c->bytes_out = r->bytes_out;
	c->requests = (uint32_t)r->requests;
	c->shared = true;
	if (access_on(listener))
		access_open(c);
	waitgroup_add((enum conn_state)c->state);
	cs.rules->took(listener);
	return c;
}

void
conn_drain(struct conn *c)
{
	if (c->life == CONN_LINGERS)
		conn_linger_again(c);
	else if (conn_is_met(c) && c->service->type->drain != NULL && cs.rules->ends_here(c))
		c->service->type->drain(c);
	if (c->life == CONN_LIVES && c->state == CONN_NEW && self_stopping())
		conn_look_for_silence();
}

/* Skip connections whose hand-off is undecided; they are drained when it is decided. */
static void
drain_on(void)
{
	static const struct timeval next_turn;
	uint64_t start_us = clock_us();
	struct conn *c;

	while ((c = conn_walk_next(&cs.drain_walk)) != NULL) {
		if (!conn_is_away(c))
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
