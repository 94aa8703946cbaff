/* link: a connection of a pool: its waits, and its end. */
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "worker/runtime/ctx.h"
#include "worker/runtime/loop.h"
#include "worker/runtime/pool_int.h"
#include "worker/runtime/runtime.h"

static TAILQ_HEAD(, baton_link) all_links = TAILQ_HEAD_INITIALIZER(all_links);

struct baton_link *
link_new(struct pool_target *target, int fd)
{
	struct baton_link *l = mem_alloc(sizeof *l);

	l->target = target;
	l->fd = fd;
	l->born_ms = clock_ms();
	fd_keepalive(fd, target->pool->keepalive);
	TAILQ_INSERT_TAIL(&all_links, l, all);
	return l;
}

void
link_close(struct baton_link *l)
{
	AN(l->target->open > 0 && !l->waits);
	l->target->open--;
	if (l->attached)
		event_del(&l->ev);
	TAILQ_REMOVE(&all_links, l, all);
	fd_close(&l->fd);
	free(l);
}

bool
link_is_old(const struct baton_link *l, uint64_t now)
{
	uint64_t life = l->target->pool->rules.life_ms;

	return life != 0 && now - l->born_ms >= life;
}

bool
link_is_dead(const struct baton_link *l)
{
	char byte;

	return recv(l->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
	       (errno != EAGAIN && errno != EINTR);
}

/* --- waiting for a link's socket --- */

void
link_end_wait(struct baton_link *l)
{
	if (l->waits)
		event_del(&l->ev);
	l->waits = false;
	baton_ctx_unwatch(&l->watch);
}

static void
on_event(evutil_socket_t fd, short what, void *arg)
{
	struct baton_link *l = arg;
	struct origin before;

	(void)fd;
	(void)what;
	link_end_wait(l);
	before = origin_enter(l->origin);
	l->fn(l->arg, l->cause); /* which may close it */
	origin_leave(before);
}

/* From the loop's top level. */
static void
on_wait_ended(void *arg, int cause)
{
	struct baton_link *l = arg;

	l->cause = cause;
	event_active(&l->ev, EV_TIMEOUT, 0);
}

void
baton_link_wait(struct baton_link *link, bool write, struct baton_ctx *ctx,
                void (*fn)(void *arg, int status), void *arg)
{
	ON_LOOP();
	link_end_wait(link);
	if (fn == NULL)
		return;
	link->fn = fn;
	link->arg = arg;
	link->origin = origin_now();
	link->cause = 0;
	event_assign(&link->ev, loop_base(), link->fd, write ? EV_WRITE : EV_READ, on_event,
	             link);
	event_add(&link->ev, NULL);
	link->waits = true;
	if (ctx != NULL &&
	    (link->cause = baton_ctx_watch(ctx, &link->watch, on_wait_ended, link)) != 0)
		event_active(&link->ev, EV_TIMEOUT, 0);
}

/* --- attached links --- */

static void
on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct baton_link *l = arg;
	struct pool_target *t = l->target;

	(void)fd;
	if (l->ready != NULL) {
		l->ready(l->arg, what);
		return;
	}
	if (!l->idle) {
		link_want(l, 0); /* on its way to who waited for it, who will see */
		return;
	}
	TAILQ_REMOVE(&t->idle, l, link);
	t->nidle--;
	t->pool->dead++;
	link_close(l);
}

void
link_attach(struct baton_link *link, void (*ready)(void *arg, short what), void *arg)
{
	link->ready = ready;
	link->arg = arg;
	if (link->attached) {
		link_want(link, EV_READ);
		return;
	}
	link->attached = true;
	event_assign(&link->ev, loop_base(), link->fd, EV_READ | EV_PERSIST, on_ready, link);
	event_add(&link->ev, NULL);
}

void
link_want(struct baton_link *link, short events)
{
	if ((link->ev.ev_events & (EV_READ | EV_WRITE)) == events)
		return;
	event_del(&link->ev);
	event_assign(&link->ev, loop_base(), link->fd, events | EV_PERSIST, on_ready, link);
	if (events != 0)
		event_add(&link->ev, NULL);
}

/* --- what is known of it --- */

int
baton_link_fd(const struct baton_link *link)
{
	return link->fd;
}

bool
baton_link_reused(const struct baton_link *link)
{
	return link->reused;
}

static void
tell_link(runtime_task_fn *fn, void *arg, const struct baton_link *l)
{
	struct runtime_task t = {.kind = MSG_TASK_LINK,
	                         .name = l->target->name,
	                         .place = l->place,
	                         .state = "idle",
	                         .born_ms = l->born_ms,
	                         .since_ms = l->idle_since_ms,
	                         .deadline_ms = UINT64_MAX};

	if (!l->idle) {
		t.state = l->waits ? "out, waits for its peer" : "out";
		t.since_ms = l->out_ms;
		t.deadline_ms = l->due_ms;
		if (l->due_ms != UINT64_MAX)
			t.warning = "it is out for longer than what it was asked for";
		t.due_ms = l->due_ms + RUNTIME_GRACE_MS;
	}
	fn(arg, &t);
}

void
pool_each(runtime_task_fn *fn, void *arg)
{
	const struct baton_link *l;

	TAILQ_FOREACH (l, &all_links, all)
		tell_link(fn, arg, l);
}
