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
		stats_add(self_page(), STATS_BYTES_IN, (uint64_t)n);
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
	stats_add(self_page(), STATS_BYTES_OUT, (uint64_t)n);
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
	event_assign(&c->ev, self_base(), c->fd, events | EV_PERSIST,
	             event_get_callback(&c->ev), c);
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
