/* conn_tls: a connection's transport where its listener speaks TLS (worker/tls/transport.h). */
#include <sys/socket.h>

#include <stdio.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "wire/handoff.h"
#include "worker/conn/conn_int.h"
#include "worker/core/pace.h"
#include "worker/core/self.h"
#include "worker/core/service.h"
#include "worker/tls/context.h"
#include "worker/tls/transport.h"

#define LOG_EVERY_MS 1000
#define SHAKING_MAX  2048 /* handshakes at a time; each has some 46 kB of OpenSSL */

static struct {
	const struct conn_rules *rules;
	struct timelist **limit; /* of handshakes, by listener; NULL where there are none */
	uint64_t logged_ms;
	uint64_t unlogged; /* since then */
} ct;

static void
on_limit(struct timed *t)
{
	stats_add(self_page(), STATS_HANDSHAKES_FAILED, 1);
	conn_finish(transport_owner(t), "its TLS handshake took too long");
}

void
conn_tls_start(const struct conn_rules *rules)
{
	const struct conf *conf = self_conf();

	ct.rules = rules;
	ct.limit = mem_alloc(conf->nlisten * sizeof *ct.limit);
	for (uint32_t i = 0; i < conf->nlisten; i++)
		if (context_has(i))
			ct.limit[i] = timelist_new(
			    self_base(), (uint64_t)conf->listen[i].handshake_timeout, on_limit);
}

void
conn_tls_stop(void)
{
	for (size_t i = 0; i < self_conf()->nlisten; i++)
		if (ct.limit[i] != NULL)
			timelist_free(&ct.limit[i]);
	mem_free(&ct.limit);
}

void
conn_tls_limit(struct conn *c)
{
	timelist_join_left(ct.limit[c->listener], transport_limit(c->tls),
	                   *transport_left(c->tls));
}

void
conn_tls_no_limit(struct conn *c)
{
	*transport_left(c->tls) = timelist_left(transport_limit(c->tls));
	timelist_leave(transport_limit(c->tls));
}

void
conn_tls_open(struct conn *c)
{
	if (!context_has(c->listener))
		return;
	c->tls = transport_new(c->listener, c);
	conn_tls_limit(c);
}

/* --- the handshake --- */

static void
log_failure(const struct conn *c)
{
	uint64_t now = clock_tick_ms();
	char peer[64], others[64] = "";

	if (ct.logged_ms != 0 && now - ct.logged_ms < LOG_EVERY_MS) {
		ct.unlogged++;
		return;
	}
	if (ct.unlogged > 0)
		snprintf(others, sizeof others, "; %llu others since the last such line",
		         (unsigned long long)ct.unlogged);
	log_info("%s on listener %s: %s%s", conn_peer(c, peer, sizeof peer),
	         self_listener_name(c->listener), transport_why(c->tls), others);
	ct.logged_ms = now;
	ct.unlogged = 0;
}

static void
say_wrong_port(const struct conn *c)
{
	static const char answer[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"
	                             "Content-Type: text/plain\r\nContent-Length: 48\r\n\r\n"
	                             "HTTP in clear was sent to a port that wants TLS\n";

	(void)!send(c->fd, answer, sizeof answer - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
shake_failed(struct conn *c)
{
	log_failure(c);
	stats_add(self_page(), STATS_HANDSHAKES_FAILED, 1);
	if (transport_met_http(c->tls))
		say_wrong_port(c);
	conn_finish(c, "its TLS handshake has failed");
}

/* From here on it is its service's. */
static short
meet(struct conn *c)
{
	stats_add(self_page(), STATS_HANDSHAKES, 1);
	if (transport_resumed(c->tls))
		stats_add(self_page(), STATS_HANDSHAKES_RESUMED, 1);
	if (c->service->type->open != NULL)
		c->service->type->open(c);
	if (c->life != CONN_LIVES)
		return 0;
	conn_arm(c);
	if (self_draining())
		ct.rules->may_move();
	return c->deaf ? 0 : c->wants;
}

/* Of all handshakes that go on, whatever their listener, the oldest makes room for one more. */
static void
make_room(void)
{
	struct conn *oldest = transport_oldest_shaking();

	stats_add(self_page(), STATS_HANDSHAKES_FAILED, 1);
	conn_finish(oldest, "too many TLS handshakes at a time");
}

static short
shake(struct conn *c)
{
	int done;

	if (!transport_has_begun(c->tls) && transport_shaking() >= SHAKING_MAX)
		make_room();
	done = transport_shake(c->tls, c->fd);
	pace_look();
	if (done < 0)
		shake_failed(c);
	else if (done > 0)
		return meet(c);
	else
		conn_arm(c);
	return 0;
}

/* --- after it --- */

short
conn_tls_event(struct conn *c, short what)
{
	bool had_unsent = transport_has_unsent(c->tls);

	if (c->life == CONN_LIVES && transport_shakes(c->tls))
		return shake(c);
	if (had_unsent && (what & EV_WRITE) && transport_flush(c->tls, c->fd) < 0) {
		if (c->life == CONN_LINGERS)
			conn_close(c, c->why);
		return c->life == CONN_LIVES && !c->deaf ? (short)c->wants : 0;
	}
	if (c->life == CONN_LINGERS && (what & EV_WRITE)) {
		c->since_ms = clock_tick_ms(); /* it takes in something */
		if (c->wants == 0 && !transport_has_unsent(c->tls)) {
			conn_close(c, c->why);
			return 0;
		}
	}
	conn_arm(c);
	if (transport_has_unsent(c->tls))
		what &= ~EV_WRITE; /* no room for more yet */
	else if (had_unsent && self_draining() && c->life == CONN_LIVES)
		ct.rules->may_move();
	if (c->life == CONN_LINGERS)
		return what & EV_READ;
	return c->deaf ? 0 : what & c->wants;
}

/* --- moving --- */

bool
conn_freeze(struct conn *c, struct handoff_record *r)
{
	if (c->tls != NULL && !transport_freeze(c->tls, r))
		return false;
	if (!conn_is_met(c))
		r->left_ms = timelist_left(transport_limit(c->tls));
	return !conn_is_met(c) || c->service->type->freeze(c, r);
}

const char *
conn_thaw(struct conn *c, struct handoff_record *r)
{
	const char *fault = NULL;

	AN(c->life == CONN_HELD);
	if (r->tls.n > 0)
		fault = transport_thaw(&c->tls, c->listener, c, r);
	if (fault == NULL && !conn_is_met(c))
		*transport_left(c->tls) = r->left_ms;
	if (fault != NULL || !conn_is_met(c))
		return fault;
	fault = c->service->type->thaw(c, r);
	if (fault == NULL && c->tls != NULL)
		conn_arm(c);
	return fault;
}
