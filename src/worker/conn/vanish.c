#include "worker/conn/vanish.h"

#include <sys/socket.h>

#include <linux/tcp.h>
#include <netinet/in.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "worker/conn/conn.h"
#include "worker/core/self.h"
#include "worker/core/service.h"

#define PER_TURN 256 /* connections */
#define ASKED    2   /* times without an answer: Linux answers two probes a second */

/* conn.silent */
#define CLIENT   1
#define UPSTREAM 2

static struct {
	struct event look; /* twice within the shortest keepalive */
	struct event turn; /* the next piece */
	struct conn_walk walk;
	bool walking;
} va;

/* Bytes that were sent again before the last acknowledgement count on until they are taken
 * (the window was shut meanwhile): what was sent after it is what has no answer. */
bool
vanish_is_silent(const struct tcp_info *info, int64_t keepalive_ms)
{
	bool sent_again = info->tcpi_retransmits >= ASKED &&
	                  info->tcpi_last_data_sent < info->tcpi_last_ack_recv;

	return keepalive_ms > 0 && info->tcpi_last_ack_recv >= 2 * keepalive_ms &&
	       (sent_again || info->tcpi_probes >= ASKED);
}

static bool
is_silent(int fd, int64_t keepalive_ms)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof info;

	return fd >= 0 && keepalive_ms > 0 &&
	       getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
	       vanish_is_silent(&info, keepalive_ms);
}

bool
vanish_is_sure(uint8_t *silent, uint8_t side, bool now)
{
	bool before = (*silent & side) != 0;

	if (now)
		*silent |= side;
	else
		*silent &= (uint8_t)~side;
	return before && now;
}

static bool
has_vanished(struct conn *c, uint8_t side, int fd, int64_t keepalive_ms)
{
	return vanish_is_sure(&c->silent, side, is_silent(fd, keepalive_ms));
}

static void
look_at(struct conn *c)
{
	const struct service_type *type = c->service->type;

	if (c->life != CONN_LIVES)
		return;
	if (has_vanished(c, CLIENT, c->fd, self_conf()->listen[c->listener].keepalive))
		conn_abort(c, "its client has vanished");
	else if (type->far != NULL &&
	         has_vanished(c, UPSTREAM, type->far(c), c->service->conf->keepalive))
		conn_abort(c, "its upstream has vanished");
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct timeval soon = {0};
	struct conn *c;

	(void)fd;
	(void)what;
	(void)arg;
	for (int i = 0; i < PER_TURN; i++) {
		if ((c = conn_walk_next(&va.walk)) == NULL) {
			conn_walk_end(&va.walk);
			va.walking = false;
			return;
		}
		look_at(c);
	}
	event_add(&va.turn, &soon);
}

static void
on_look(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (va.walking)
		return;
	conn_walk_begin(&va.walk);
	va.walking = true;
	on_turn(-1, 0, NULL);
}

/* 0: none has any. */
static int64_t
shortest(const struct conf *conf)
{
	int64_t ms = 0;

	for (size_t i = 0; i < conf->nlisten; i++)
		if (conf->listen[i].keepalive > 0 &&
		    (ms == 0 || conf->listen[i].keepalive < ms))
			ms = conf->listen[i].keepalive;
	for (size_t i = 0; i < conf->nservice; i++)
		if (conf->service[i].nupstream > 0 && conf->service[i].keepalive > 0 &&
		    (ms == 0 || conf->service[i].keepalive < ms))
			ms = conf->service[i].keepalive;
	return ms;
}

void
vanish_start(void)
{
	int64_t ms = shortest(self_conf()) / 2;
	struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	evtimer_assign(&va.turn, self_base(), on_turn, NULL);
	event_assign(&va.look, self_base(), -1, EV_PERSIST, on_look, NULL);
	if (ms > 0)
		event_add(&va.look, &tv);
}

void
vanish_stop(void)
{
	event_del(&va.look);
	event_del(&va.turn);
	if (va.walking)
		conn_walk_end(&va.walk);
	va.walking = false;
}
