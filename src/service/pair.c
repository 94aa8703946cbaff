#include "service/pair.h"

#include <sys/socket.h>

#include "base/fd.h"
#include "wire/handoff.h"
#include "worker/conn.h"

static void on_far(evutil_socket_t fd, short what, void *arg);

void
pair_init(struct pair *p, struct conn *c, const struct pair_home *home, int fd)
{
	*p = (struct pair){.conn = c, .home = home, .fd = fd};
	flow_init(&p->up);
	flow_init(&p->down);
	event_assign(&p->ev, home->base, fd, EV_READ | EV_PERSIST, on_far, p);
}

/* --- the end --- */

/* Who was reset shall not look as if it had ended. */
void
pair_reset(struct pair *p, const char *why)
{
	static const struct linger hard = {.l_onoff = 1};

	setsockopt(p->conn->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	conn_close(p->conn, why);
}

void
pair_release(struct pair *p)
{
	if (p->fd < 0)
		return;
	event_del(&p->ev); /* first: a copy of it may be elsewhere */
	if (p->conn->shared && !p->conn->elsewhere)
		shutdown(p->fd, SHUT_RDWR);
	fd_close(&p->fd);
	flow_clear(&p->up);
	flow_clear(&p->down);
}

/* --- data --- */

static void
want_far(struct pair *p, short want)
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

	if (!from->eof && !from->broke && from->held == 0)
		want |= EV_READ;
	if (to->held > 0)
		want |= EV_WRITE;
	return want;
}

/* Move what can be moved in the directions asked for. */
static void
move(struct pair *p, bool up, bool down)
{
	struct conn *c = p->conn;
	enum flow_result u = FLOW_MORE, d = FLOW_MORE;
	uint64_t in = 0, out = 0, unused = 0;

	if (up && !p->up.shut)
		u = flow_pump(&p->up, c->fd, p->fd, &in, &unused);
	if ((down || u == FLOW_FAR_BROKE) && !p->down.shut)
		d = flow_pump(&p->down, p->fd, c->fd, &unused, &out);
	conn_account(c, in, out);
	if (u >= FLOW_NEAR_BROKE || d >= FLOW_NEAR_BROKE) {
		pair_reset(p, "one side was reset");
		return;
	}
	if (p->up.shut && p->down.shut) {
		conn_close(c, "both sides have ended");
		return;
	}
	timelist_join(p->home->idle, &c->timed);
	conn_want(c, wants(&p->up, &p->down));
	want_far(p, wants(&p->down, &p->up));
}

static void
on_far(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	move(arg, (what & EV_WRITE) != 0, (what & EV_READ) != 0);
}

void
pair_ready(struct pair *p, short what)
{
	move(p, (what & EV_READ) != 0, (what & EV_WRITE) != 0);
}

void
pair_go(struct pair *p)
{
	move(p, true, true);
}

/* --- moving to another worker --- */

static void
freeze_flow(const struct flow *f, struct handoff_record *r)
{
	if (f->held == 0)
		return;
	r->fd[r->nfd++] = f->pipe[0];
	r->fd[r->nfd++] = f->pipe[1];
}

void
pair_freeze(const struct pair *p, struct handoff_record *r, struct pair_frozen *frozen)
{
	*frozen = (struct pair_frozen){.up_held = p->up.held,
	                               .down_held = p->down.held,
	                               .up_eof = p->up.eof,
	                               .up_shut = p->up.shut,
	                               .up_broke = p->up.broke,
	                               .down_eof = p->down.eof,
	                               .down_shut = p->down.shut,
	                               .down_broke = p->down.broke};
	r->fd[r->nfd++] = p->fd;
	freeze_flow(&p->up, r);
	freeze_flow(&p->down, r);
}

void
pair_rest(struct pair *p)
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

const char *
pair_thaw(struct pair *p, struct conn *c, const struct pair_home *home,
          const struct pair_frozen *frozen, struct handoff_record *r)
{
	size_t n = 1;

	if (r->nfd != 2u + 2u * (frozen->up_held > 0) + 2u * (frozen->down_held > 0))
		return "it came with another number of descriptors";
	pair_init(p, c, home, take_fd(r, &n));
	thaw_flow(&p->up, frozen->up_held, r, &n);
	thaw_flow(&p->down, frozen->down_held, r, &n);
	p->up.eof = frozen->up_eof;
	p->up.shut = frozen->up_shut;
	p->up.broke = frozen->up_broke;
	p->down.eof = frozen->down_eof;
	p->down.shut = frozen->down_shut;
	p->down.broke = frozen->down_broke;
	timelist_join(home->idle, &c->timed);
	return NULL;
}
