#include "master/workers/assign.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "master/core/env.h"
#include "master/listen/listener.h"
#include "master/workers/generation.h"
#include "master/workers/slot.h"
#include "wire/chan.h"

struct wish {
	struct worker *worker;
	struct msg_socket *sock;
	int *fd;
	size_t n;
};

static void
wish_add(struct wish *w, uint32_t id, uint32_t listen_ix, int fd)
{
	AN(fd >= 0);
	w->sock = mem_grow(w->sock, w->n, sizeof *w->sock);
	w->fd = mem_grow(w->fd, w->n, sizeof *w->fd);
	w->sock[w->n] = (struct msg_socket){.id = id, .listener = listen_ix};
	w->fd[w->n++] = fd;
}

static bool
all_are_barred(const struct wish *wish, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!wish[i].worker->barred)
			return false;
	return true;
}

/* A socket belongs to its slot; while that is empty, to one of the others. */
static void
wish_listener(struct wish *wish, size_t n, const struct generation *g,
              const struct generation_use *u)
{
	const struct listener *l = u->listener;
	bool shared = l->kind != CONF_ADDR_TCP || !g->conf->listen[u->listen_ix].reuseport;
	bool bar = shared && !all_are_barred(wish, n);

	AN(n > 0 && u->listen_ix < g->conf->nlisten);
	for (size_t k = 0; k < l->nsock; k++) {
		struct wish *to = &wish[k % n];

		for (size_t i = 0; i < n && !shared; i++)
			if (wish[i].worker->slot == k)
				to = &wish[i];
		for (size_t i = 0; i < n; i++)
			if ((shared || &wish[i] == to) && !(bar && wish[i].worker->barred))
				wish_add(&wish[i], l->sock[k].id, u->listen_ix, l->sock[k].fd);
	}
}

static bool
same_as_held(const struct wish *w)
{
	if (w->worker->unsure || w->n != w->worker->nheld)
		return false;
	for (size_t i = 0; i < w->n; i++)
		if (w->sock[i].id != w->worker->held[i])
			return false;
	return true;
}

static int
give(const struct wish *w)
{
	for (size_t i = 0; i < w->n; i += MSG_FDS_MAX) {
		size_t n = w->n - i < MSG_FDS_MAX ? w->n - i : MSG_FDS_MAX;

		if (chan_send(w->worker->chan, MSG_SOCKETS, w->worker->birth, w->sock + i,
		              n * sizeof *w->sock, &(struct msg_fds){w->fd + i, n}) < 0)
			return -1;
	}
	return 0;
}

/* GIVE names sockets that the worker may know already: it keeps what it has. */
static void
tell_wish(const struct wish *w)
{
	struct worker *worker = w->worker;

	AN(slot_able(worker));
	if (same_as_held(w))
		return;
	for (size_t i = 0; i < w->n; i++)
		slot_gets(worker, w->sock[i].id);
	if (give(w) < 0) {
		log_error("cannot pass sockets to worker %u: %s", worker->slot,
		          strerror(errno));
		return;
	}
	worker->held = mem_realloc(worker->held, (w->n + 1) * sizeof *worker->held);
	for (size_t i = 0; i < w->n; i++)
		worker->held[i] = w->sock[i].id;
	worker->nheld = w->n;
	worker->unsure = false;
	slot_tell(worker, MSG_ACCEPT, worker->held, w->n * sizeof *worker->held);
}

/* Does this generation serve the listener now?  The paused one goes on with
 * what its successor no longer has, until the commit. */
static bool
serves(const struct generation *g, const struct listener *l, const struct generation *active)
{
	if (l == NULL || l->retired)
		return false;
	return g == active ||
	       (g->state == GEN_PAUSED && (active == NULL || !generation_uses(active, l)));
}

static void
assign_generation(const struct generation *g, const struct generation *active)
{
	struct wish *wish = NULL;
	struct worker *w;
	size_t n = 0;

	AN(g->state == GEN_ACTIVE || g->state == GEN_PAUSED);
	TAILQ_FOREACH (w, &g->workers, link) {
		if (!slot_able(w))
			continue;
		wish = mem_grow(wish, n, sizeof *wish);
		wish[n++] = (struct wish){.worker = w};
	}
	for (size_t i = 0; i < g->nuse && n > 0; i++)
		if (serves(g, g->use[i].listener, active))
			wish_listener(wish, n, g, &g->use[i]);
	for (size_t i = 0; i < n; i++) {
		tell_wish(&wish[i]);
		free(wish[i].sock);
		free(wish[i].fd);
	}
	free(wish);
}

void
assign_run(void)
{
	struct generation *active = generation_active(), *g;

	if (env.stop >= STOP_DRAIN)
		return;
	if (active != NULL)
		assign_generation(active, active);
	TAILQ_FOREACH (g, generation_all(), link)
		if (g->state == GEN_PAUSED)
			assign_generation(g, active);
}
