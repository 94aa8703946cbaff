#include "worker/handoff/take.h"

#include <sys/queue.h>

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/event.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "wire/chan.h"
#include "wire/handoff.h"
#include "wire/stats.h"
#include "worker/access/access.h"
#include "worker/conn/accept.h"
#include "worker/conn/conn.h"
#include "worker/core/self.h"
#include "worker/core/service.h"
#include "worker/handoff/give.h"
#include "worker/tls/context.h"

/* A connection that the giver has not let go of yet. */
struct held {
	TAILQ_ENTRY(held) link;
	uint64_t id;       /* the giver's */
	struct conn *conn; /* NULL: it was cut meanwhile */
	enum handoff_state state;
	uint64_t left_ms;
	struct timelist *limit; /* to join with that; NULL: none */
};

#define HELD_MAX 512 /* of one giver; a window is 32 */

/* A worker that gives. */
struct giver {
	TAILQ_ENTRY(giver) link;
	uint64_t birth;
	uint32_t generation;
	struct chan *chan;
	TAILQ_HEAD(, held) held;
	size_t nheld;
};

static TAILQ_HEAD(, giver) givers;

/* Its last messages are still to be read. */
static bool
is_dead(const struct giver *g)
{
	struct pollfd p = {.fd = chan_fd(g->chan)};

	return poll(&p, 1, 0) > 0 && (p.revents & POLLHUP) != 0;
}

/* If the giver is dead, the connection ends here.  A living giver that has our refusal may
 * find another taker, and leave, before we look again. */
static void
refuse(struct giver *g, uint64_t id, enum handoff_refusal why)
{
	struct msg_nack nack = {.id = id, .refusal = why};
	bool dead = is_dead(g);

	chan_send(g->chan, MSG_NACK, self_birth(), &nack, sizeof nack, NULL);
	if (!dead)
		return;
	log_event(EVENT_CUT, EVENT_FIELDS(EVENT_TEXT("REASON", handoff_refusal_text(why))),
	          "cut: a connection of worker birth %llu, which is dead: %s",
	          (unsigned long long)g->birth, handoff_refusal_text(why));
	stats_add(self_page(), STATS_CLOSED, 1);
	stats_add(self_page(), STATS_CUT, 1);
}

static bool
is(const struct handoff_bytes *b, const char *text)
{
	return strlen(text) == b->n && memcmp(b->p, text, b->n) == 0;
}

/* The reason to refuse it, before anything is done for it.  0: none; *listener is set. */
static enum handoff_refusal
objection(const struct handoff_record *r, uint32_t *listener)
{
	const struct conf *conf = self_conf();
	const struct service_type *type;
	uint32_t i = 0;

	while (i < conf->nlisten && !is(&r->listener, conf->listen[i].name))
		i++;
	if (i == conf->nlisten)
		return HANDOFF_NO_LISTENER;
	type = self_service(i)->type;
	if (!is(&r->service, type->name))
		return HANDOFF_OTHER_TYPE;
	if ((r->tls.n > 0) != context_has(i))
		return HANDOFF_OTHER_TLS;
	if (!conf->listen[i].handoff || !conf->drain.handoff || type->thaw == NULL)
		return HANDOFF_UNWANTED;
	*listener = i;
	return self_draining() || accept_full(i) ? HANDOFF_LATER : 0;
}

static void
hold(struct giver *g, uint64_t id, struct conn *c, const struct handoff_record *r)
{
	struct held *h = mem_alloc(sizeof *h);

	AN(c->life == CONN_HELD && g->nheld < HELD_MAX);
	h->id = id;
	h->conn = c;
	h->state = HANDOFF_NONE;
	h->left_ms = r->left_ms;
	h->limit = c->timed.list;
	timelist_leave(&c->timed);
	handoff_step(&h->state, HANDOFF_ACCEPT);
	TAILQ_INSERT_TAIL(&g->held, h, link);
	g->nheld++;
	chan_send(g->chan, MSG_ACK, self_birth(), &id, sizeof id, NULL);
	self_page()->moving--; /* if we die from here on, it dies with us */
}

static void
on_prepare(struct giver *g, struct msg *m)
{
	struct handoff_record r;
	uint64_t id;
	uint32_t listener = 0;
	enum handoff_refusal no;
	const char *fault;
	struct conn *c;

	FAULT("take-prepare");
	memcpy(&id, m->data, sizeof id);
	if (m->lost_fds || g->nheld >= HELD_MAX) {
		refuse(g, id, HANDOFF_LATER);
		return;
	}
	fault =
	    handoff_decode((const char *)m->data + sizeof id, m->len - sizeof id, m->nfd, &r);
	if (fault != NULL) {
		if (chan_may_log(g->chan))
			log_warn("a record of worker birth %llu %s; the connection stays there",
			         (unsigned long long)g->birth, fault);
		refuse(g, id, HANDOFF_BAD_RECORD);
		return;
	}
	no = objection(&r, &listener);
	if (no != 0 && (no != HANDOFF_LATER || !is_dead(g))) {
		refuse(g, id, no);
		return;
	}
	self_page()->moving++; /* if we die now, it lives on with the giver */
	memcpy(r.fd, m->fd, m->nfd * sizeof *r.fd);
	c = conn_adopt(m->fd[0], listener, &r);
	c->from_birth = g->birth;
	c->from_generation = g->generation;
	r.fd[0] = -1;
	fault = conn_thaw(c, &r);
	if (FAULT_IS("take-seals", "seal") &&
	    fault == NULL) { /* what must not be: a test sees it */
		conn_shut(c);
		fault = "a test wants it so";
	}
	memcpy(m->fd, r.fd, m->nfd * sizeof *r.fd);
	if (fault != NULL) {
		if (chan_may_log(g->chan))
			log_warn("a connection of worker birth %llu stays there: %s",
			         (unsigned long long)g->birth, fault);
		self_page()->moving--;
		conn_enter(c, CONN_LIVES);
		conn_drop(c);
		refuse(g, id, HANDOFF_SERVICE);
		return;
	}
	access_thaw(c, &r);
	FAULT("take-counted");
	hold(g, id, c, &r);
	FAULT("take-acked");
}

/* Ours: into the loop.  A giver in hostile hands may have left word that its close is to wait.
 */
static void
begin(struct conn *c, struct timelist *limit, uint64_t left_ms)
{
	AN(c->life == CONN_HELD && c->from_birth != 0);
	FAULT("take-begin");
	fd_unlinger(c->fd);
	conn_enter(c, CONN_LIVES);
	c->shared = false;
	if (limit != NULL)
		timelist_join_left(limit, &c->timed, left_ms);
	conn_go_on(c);
	if (c->life == CONN_CLOSED || c->life == CONN_MOVES || !self_draining())
		return;
	if (conn_ends_here(c))
		conn_drain(c);
	give_look();
}

static void
step(struct giver *g, struct held *h, enum handoff_event event)
{
	enum handoff_action action = handoff_step(&h->state, event);
	struct held last = *h;

	if (action == HANDOFF_IGNORE)
		return;
	AN(g->nheld > 0);
	TAILQ_REMOVE(&g->held, h, link);
	g->nheld--;
	free(h);
	if (last.conn == NULL)
		return;
	if (action == HANDOFF_START) {
		begin(last.conn, last.limit, last.left_ms);
	} else {
		conn_enter(last.conn, CONN_LIVES);
		conn_drop(last.conn);
	}
}

static void
step_each(struct giver *g, const uint64_t *id, size_t n, enum handoff_event event)
{
	for (size_t i = 0; i < n; i++) {
		struct held *h;

		TAILQ_FOREACH (h, &g->held, link)
			if (h->id == id[i])
				break;
		if (h != NULL)
			step(g, h, event);
	}
}

/* It never ends the channel itself while something is undecided: it is dead, and
 * what it had offered has nobody but us. */
static void
giver_is_gone(struct giver *g)
{
	struct held *h;

	while ((h = TAILQ_FIRST(&g->held)) != NULL)
		step(g, h, HANDOFF_END);
	TAILQ_REMOVE(&givers, g, link);
	chan_free(&g->chan);
	free(g);
}

static void
on_message(struct chan *ch, struct msg *m, void *arg)
{
	struct giver *g = arg;

	(void)ch;
	if (m == NULL) {
		giver_is_gone(g);
		return;
	}
	switch (m->type) {
	case MSG_PREPARE:
		on_prepare(g, m);
		explicit_bzero((void *)(uintptr_t)m->data, m->len); /* it may have held keys */
		break;
	case MSG_RELEASE:
		step_each(g, m->data, m->len / sizeof(uint64_t), HANDOFF_RELEASE);
		break;
	case MSG_CANCEL:
		step_each(g, m->data, m->len / sizeof(uint64_t), HANDOFF_CANCEL);
		break;
	default:
		if (chan_may_log(g->chan))
			log_warn("message '%s' is not for a taker; dropped", msg_name(m->type));
	}
}

void
take_pair(const struct msg_peer *pair, int fd)
{
	struct msg_hello hello = {.oldest = HANDOFF_VERSION_OLDEST, .newest = HANDOFF_VERSION};
	struct giver *g = mem_alloc(sizeof *g);

	g->birth = pair->birth;
	g->generation = pair->generation;
	TAILQ_INIT(&g->held);
	g->chan = chan_new(self_base(), fd, on_message, g);
	TAILQ_INSERT_TAIL(&givers, g, link);
	chan_send(g->chan, MSG_HELLO, self_birth(), &hello, sizeof hello, NULL);
}

void
take_forget(struct conn *c)
{
	struct giver *g;
	struct held *h;

	conn_enter(c, CONN_LIVES);
	TAILQ_FOREACH (g, &givers, link)
		TAILQ_FOREACH (h, &g->held, link)
			if (h->conn == c)
				h->conn = NULL;
}

void
take_start(void)
{
	TAILQ_INIT(&givers);
}

void
take_stop(void)
{
	struct giver *g;

	while ((g = TAILQ_FIRST(&givers)) != NULL) {
		struct held *h;

		TAILQ_REMOVE(&givers, g, link);
		while ((h = TAILQ_FIRST(&g->held)) != NULL) {
			TAILQ_REMOVE(&g->held, h, link);
			free(h);
		}
		chan_free(&g->chan);
		free(g);
	}
}
