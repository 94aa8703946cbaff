#include "service/duplex.h"

#include <sys/socket.h>

#include <string.h>

#include "base/fd.h"
#include "wire/handoff.h"
#include "worker/conn/conn.h"
#include "worker/core/service.h"

/* In front of the bytes that wait in memory: those upwards, then those downwards. */
struct frozen {
	uint64_t up_held, down_held; /* in pipes */
	uint8_t up_eof, up_shut, up_broke;
	uint8_t down_eof, down_shut, down_broke;
	uint16_t up_kept; /* the rest is of the other direction */
};

_Static_assert(sizeof(struct frozen) + 2 * DUPLEX_KEPT_MAX <= DUPLEX_FROZEN_MAX, "it fits");
_Static_assert(DUPLEX_KEPT_MAX <= UINT16_MAX, "the length fits");

static void on_far(evutil_socket_t fd, short what, void *arg);

void
duplex_init(struct duplex *p, struct conn *c, const struct pair_home *home, int fd)
{
	*p = (struct duplex){.conn = c, .home = home, .fd = fd};
	flow_init(&p->up);
	flow_init(&p->down);
	event_assign(&p->ev, home->base, fd, EV_READ | EV_PERSIST, on_far, p);
}

/* --- the end --- */

/* A reset must not look like an orderly end to the other side. */
void
duplex_reset(struct duplex *p, const char *why)
{
	conn_abort(p->conn, why);
}

int
duplex_far(const struct duplex *p)
{
	return p->fd;
}

void
duplex_release(struct duplex *p)
{
	if (p->fd < 0)
		return;
	event_del(&p->ev); /* first: a copy of it may be elsewhere */
	if (p->conn->shared && !p->conn->elsewhere)
		shutdown(p->fd, SHUT_RDWR);
	fd_close_at_once(&p->fd);
	flow_clear(&p->up);
	flow_clear(&p->down);
}

/* --- data --- */

static void
want_far(struct duplex *p, short want)
{
	if (p->want == want)
		return;
	event_del(&p->ev);
	p->want = want;
	if (want == 0)
		return;
	event_assign(&p->ev, p->home->base, p->fd, want | EV_PERSIST, on_far, p);
	event_add(&p->ev, NULL);
}

static short
wants(const struct flow *from, const struct flow *to)
{
	short want = 0;

	if (!from->eof && !from->broke && !flow_waits(from))
		want |= EV_READ;
	if (flow_waits(to))
		want |= EV_WRITE;
	return want;
}

/* Too much to travel, for now? */
static bool
is_large(const struct duplex *p)
{
	size_t up, down;

	flow_kept(&p->up, &up);
	flow_kept(&p->down, &down);
	return up > DUPLEX_KEPT_MAX || down > DUPLEX_KEPT_MAX;
}

/* Move what can be moved in the directions asked for. */
static void
move(struct duplex *p, bool up, bool down)
{
	struct conn *c = p->conn;
	enum flow_result u = FLOW_MORE, d = FLOW_MORE;
	uint64_t in = 0, out = 0, unused = 0;
	bool was_large = is_large(p);
	struct flow_end client = {.fd = c->fd, .conn = c}, upstream = {.fd = p->fd};

	if (up && !p->up.shut)
		u = flow_pump(&p->up, &client, &upstream, &in, &unused);
	if ((down || u == FLOW_FAR_BROKE) && !p->down.shut)
		d = flow_pump(&p->down, &upstream, &client, &unused, &out);
	if (d == FLOW_FAR_BROKE && u == FLOW_MORE && !p->up.shut) /* the client's last words */
		u = flow_pump(&p->up, &client, &upstream, &in, &unused);
	conn_account(c, in, out);
	if (u >= FLOW_NEAR_BROKE || d >= FLOW_NEAR_BROKE) {
		duplex_reset(p, "one side was reset");
		return;
	}
	if (p->up.shut && p->down.shut) {
		conn_close(c, "both sides have ended");
		return;
	}
	timelist_join(p->home->idle, &c->timed);
	conn_want(c, wants(&p->up, &p->down));
	want_far(p, wants(&p->down, &p->up));
	if (was_large && !is_large(p))
		conn_moves(c);
}

static void
on_far(evutil_socket_t fd, short what, void *arg)
{
	struct duplex *p = arg;

	(void)fd;
	if (conn_has_turn(p->conn))
		move(p, (what & EV_WRITE) != 0, (what & EV_READ) != 0);
}

void
duplex_ready(struct duplex *p, short what)
{
	move(p, (what & EV_READ) != 0, (what & EV_WRITE) != 0);
}

void
duplex_go(struct duplex *p)
{
	move(p, true, true);
}

/* --- moving to another worker --- */

static void
freeze_pipe(const struct flow *f, struct handoff_record *r)
{
	if (f->held == 0)
		return;
	r->fd[r->nfd++] = f->pipe[0];
	r->fd[r->nfd++] = f->pipe[1];
}

size_t
duplex_freeze(const struct duplex *p, struct handoff_record *r, char *buf)
{
	size_t n = sizeof(struct frozen), up_kept, down_kept;
	const char *up = flow_kept(&p->up, &up_kept), *down = flow_kept(&p->down, &down_kept);
	struct frozen frozen = {.up_held = p->up.held,
	                        .down_held = p->down.held,
	                        .up_eof = p->up.eof,
	                        .up_shut = p->up.shut,
	                        .up_broke = p->up.broke,
	                        .down_eof = p->down.eof,
	                        .down_shut = p->down.shut,
	                        .down_broke = p->down.broke,
	                        .up_kept = (uint16_t)up_kept};

	if (is_large(p))
		return 0;
	r->fd[r->nfd++] = p->fd;
	freeze_pipe(&p->up, r);
	freeze_pipe(&p->down, r);
	memcpy(buf, &frozen, n);
	if (up_kept > 0)
		memcpy(buf + n, up, up_kept);
	if (down_kept > 0)
		memcpy(buf + n + up_kept, down, down_kept);
	return n + up_kept + down_kept;
}

void
duplex_rest(struct duplex *p)
{
	event_del(&p->ev);
	p->want = 0;
}

static int
take_fd(struct handoff_record *r, size_t *n)
{
	int fd = r->fd[*n];

	r->fd[(*n)++] = -1;
	return fd;
}

static void
thaw_flow(struct flow *f, uint64_t held, struct handoff_record *r, size_t *n)
{
	f->held = (size_t)held;
	if (held == 0)
		return;
	f->pipe[0] = take_fd(r, n);
	f->pipe[1] = take_fd(r, n);
}

/* Could it have been written by freeze? */
static bool
is_whole(const struct frozen *frozen, size_t kept)
{
	size_t down = kept - frozen->up_kept;

	return frozen->up_kept <= kept && frozen->up_kept <= DUPLEX_KEPT_MAX &&
	       down <= DUPLEX_KEPT_MAX && (frozen->up_held == 0 || frozen->up_kept == 0) &&
	       (frozen->down_held == 0 || down == 0);
}

const char *
duplex_thaw(struct duplex *p, struct conn *c, const struct pair_home *home, const char *bytes,
            size_t len, struct handoff_record *r)
{
	struct frozen frozen;
	size_t n = 1;

	if (len < sizeof frozen)
		return "its state is not that of a pair";
	memcpy(&frozen, bytes, sizeof frozen);
	bytes += sizeof frozen;
	len -= sizeof frozen;
	if (!is_whole(&frozen, len))
		return "its state is not that of a pair";
	if (r->nfd != 2u + 2u * (frozen.up_held > 0) + 2u * (frozen.down_held > 0))
		return "it came with another number of descriptors";
	duplex_init(p, c, home, take_fd(r, &n));
	thaw_flow(&p->up, frozen.up_held, r, &n);
	thaw_flow(&p->down, frozen.down_held, r, &n);
	flow_put(&p->up, bytes, frozen.up_kept);
	flow_put(&p->down, bytes + frozen.up_kept, len - frozen.up_kept);
	p->up.eof = frozen.up_eof;
	p->up.shut = frozen.up_shut;
	p->up.broke = frozen.up_broke;
	p->down.eof = frozen.down_eof;
	p->down.shut = frozen.down_shut;
	p->down.broke = frozen.down_broke;
	timelist_join(home->idle, &c->timed);
	return NULL;
}
