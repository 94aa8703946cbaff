/* conn_io: bytes in and out of a connection, and what it waits for. */
#include <sys/sendfile.h>
#include <sys/socket.h>

#include <errno.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "wire/stats.h"
#include "worker/conn/conn_int.h"
#include "worker/core/pace.h"
#include "worker/core/peer.h"
#include "worker/core/self.h"
#include "worker/tls/transport.h"

bool
conn_is_met(const struct conn *c)
{
	return c->tls == NULL || !transport_shakes(c->tls);
}

bool
conn_is_amid_record(const struct conn *c)
{
	return c->tls != NULL && transport_is_amid_record(c->tls);
}

bool
conn_has_input(const struct conn *c)
{
	char byte;

	return (c->tls != NULL && transport_has_input(c->tls)) ||
	       recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static ssize_t
result(ssize_t n)
{
	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EINTR ? CONN_AGAIN : CONN_ERROR;
}

ssize_t
conn_take(struct conn *c, void *buf, size_t len)
{
	ssize_t n;

	if (c->tls == NULL)
		return result(recv(c->fd, buf, len, MSG_DONTWAIT));
	n = transport_read(c->tls, c->fd, buf, len);
	conn_arm(c); /* what came beside data may have been answered */
	conn_again(c);
	return n;
}

ssize_t
conn_read(struct conn *c, void *buf, size_t len)
{
	ssize_t n = conn_take(c, buf, len);

	if (n > 0) {
		pace_count();
		c->bytes_in += (uint64_t)n;
		stats_add(self_page(), STATS_BYTES_IN, (uint64_t)n);
	}
	return n;
}

static ssize_t
written(struct conn *c, ssize_t n)
{
	if (c->tls != NULL)
		conn_arm(c);
	if (n < 0)
		return n;
	pace_count();
	c->bytes_out += (uint64_t)n;
	stats_add(self_page(), STATS_BYTES_OUT, (uint64_t)n);
	return n;
}

static ssize_t
put(struct conn *c, const struct iovec *iov, int n, bool more)
{
	struct msghdr mh = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)n};
	int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0);

	if (c->tls != NULL)
		return transport_write(c->tls, c->fd, iov, n, more);
	if (n == 1)
		return result(send(c->fd, iov->iov_base, iov->iov_len, flags));
	return result(sendmsg(c->fd, &mh, flags));
}

ssize_t
conn_put(struct conn *c, const struct iovec *iov, int n, bool more)
{
	ssize_t w = put(c, iov, n, more);

	if (c->tls != NULL)
		conn_arm(c);
	return w;
}

ssize_t
conn_write(struct conn *c, const struct iovec *iov, int n, bool more)
{
	return written(c, put(c, iov, n, more));
}

ssize_t
conn_sendfile(struct conn *c, int file, off_t *offset, size_t len)
{
	if (c->tls != NULL)
		return written(c, transport_sendfile(c->tls, c->fd, file, offset, len));
	return written(c, result(sendfile(c->fd, file, offset, len)));
}

int
conn_shut(struct conn *c)
{
	int done;

	if (c->tls == NULL || transport_why(c->tls) != NULL)
		return shutdown(c->fd, SHUT_WR);
	done = transport_end(c->tls, c->fd);
	conn_arm(c);
	return done;
}

/* A handshake is read from, and what is sealed is to be sent, whatever the service waits for.
 */
static short
events_of(const struct conn *c)
{
	short events = c->deaf ? 0 : c->wants;

	if (c->tls == NULL)
		return events;
	if (transport_shakes(c->tls))
		events = EV_READ;
	return transport_has_unsent(c->tls) ? events | EV_WRITE : events;
}

void
conn_again(struct conn *c)
{
	if (c->tls != NULL && c->life == CONN_LIVES && c->watched && !c->deaf &&
	    (c->wants & EV_READ) && transport_has_input(c->tls))
		event_active(&c->ev, EV_READ, 0);
}

void
conn_arm(struct conn *c)
{
	short events = events_of(c);

	if ((c->ev.ev_events & (EV_READ | EV_WRITE)) == events)
		return;
	event_del(&c->ev);
	event_assign(&c->ev, self_base(), c->fd, events | EV_PERSIST,
	             event_get_callback(&c->ev), c);
	if (c->watched && events != 0)
		event_add(&c->ev, NULL);
	conn_again(c);
}

void
conn_want(struct conn *c, short events)
{
	c->wants = (uint8_t)events;
	conn_arm(c);
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
	stats_add(self_page(), STATS_BYTES_IN, in);
	stats_add(self_page(), STATS_BYTES_OUT, out);
}

void
conn_count_request(struct conn *c)
{
	c->requests++;
	stats_add(self_page(), STATS_REQUESTS, 1);
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
