#include "worker/handoff/taker.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/event.h"
#include "base/log.h"
#include "base/mem.h"
#include "wire/chan.h"
#include "worker/access/access.h"
#include "worker/conn/conn.h"
#include "worker/core/self.h"
#include "worker/core/service.h"

static struct takers takers;
static uint64_t last_id;

void
takers_start(void)
{
	TAILQ_INIT(&takers);
}

struct takers *
takers_all(void)
{
	return &takers;
}

struct taker *
taker_new(const struct msg_peer *pair, uint64_t hello_by_ms)
{
	struct taker *t = mem_alloc(sizeof *t), *other;

	TAILQ_FOREACH (other, &takers, link)
		if (other->birth == pair->birth)
			other->replaced = true;
	t->birth = pair->birth;
	t->generation = pair->generation;
	t->hello_by_ms = hello_by_ms;
	t->aim = TAKER_NEW;
	TAILQ_INIT(&t->offers);
	TAILQ_INSERT_TAIL(&takers, t, link);
	return t;
}

static bool
has_room(const struct taker *t, uint64_t now)
{
	return t->aim == TAKER_AIMED && t->version != 0 && !t->incompatible && !t->recalling &&
	       !t->silent && now >= t->not_before_ms && t->n < WINDOW &&
	       t->bytes < WINDOW_BYTES;
}

struct taker *
taker_find(void)
{
	struct taker *t, *best = NULL;
	uint64_t now = clock_ms();

	TAILQ_FOREACH (t, &takers, link) {
		if (t->aim == TAKER_AIMED && t->version == 0 && now < t->hello_by_ms)
			return NULL;
		if (has_room(t, now) && (best == NULL || t->given < best->given))
			best = t;
	}
	return best;
}

struct offer *
taker_offer(struct taker *t, struct conn *c, size_t bytes)
{
	struct offer *o = mem_alloc(sizeof *o);

	AN(t->n < WINDOW && bytes > 0);
	o->id = ++last_id;
	o->conn = c;
	o->state = HANDOFF_HERE;
	o->bytes = bytes;
	o->limit = c->timed.list;
	o->left_ms = timelist_left(&c->timed);
	if (t->n++ == 0)
		t->progress_ms = clock_ms();
	t->bytes += bytes;
	TAILQ_INSERT_TAIL(&t->offers, o, link);
	return o;
}

void
taker_forget_offer(struct taker *t, struct offer *o)
{
	AN(t->n > 0 && t->bytes >= o->bytes);
	TAILQ_REMOVE(&t->offers, o, link);
	t->n--;
	t->bytes -= o->bytes;
	free(o);
}

struct offer *
taker_find_offer(const struct taker *t, uint64_t id)
{
	struct offer *o;

	TAILQ_FOREACH (o, &t->offers, link)
		if (o->id == id)
			return o;
	return NULL;
}

void
taker_free(struct taker *t)
{
	struct offer *o;

	TAILQ_REMOVE(&takers, t, link);
	while ((o = TAILQ_FIRST(&t->offers)) != NULL)
		taker_forget_offer(t, o);
	chan_free(&t->chan);
	free(t);
}

static bool
named(const struct taker *t, const uint64_t *birth, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (birth[i] == t->birth)
			return true;
	return false;
}

void
takers_forget_unaimed(void)
{
	struct taker *t, *next;

	for (t = TAILQ_FIRST(&takers); t != NULL; t = next) {
		next = TAILQ_NEXT(t, link);
		if (t->aim == TAKER_LET_GO && t->n == 0 && chan_idle(t->chan))
			taker_free(t);
	}
}

void
taker_log_refusal(struct taker *t, unsigned refusal)
{
	unsigned bit = 1u << (refusal < 31 ? refusal : 31);

	if (t->told & bit)
		return;
	t->told |= bit;
	log_event(EVENT_HANDOFF_REFUSED,
	          EVENT_FIELDS(EVENT_NUMBER("TAKER", t->birth),
	                       EVENT_TEXT("REASON", handoff_refusal_text(refusal))),
	          "worker birth %llu does not take a connection: %s",
	          (unsigned long long)t->birth, handoff_refusal_text(refusal));
}

void
takers_aim(const uint64_t *birth, size_t n)
{
	struct taker *t;

	TAILQ_FOREACH (t, &takers, link) {
		bool aimed = !t->replaced && named(t, birth, n);

		t->aim = aimed ? TAKER_AIMED : TAKER_LET_GO;
	}
}

void
taker_let_go(struct taker *t)
{
	if (t->aim == TAKER_AIMED)
		t->aim = TAKER_LET_GO;
}

uint32_t
takers_newest(uint32_t generation)
{
	const struct taker *t;

	TAILQ_FOREACH (t, &takers, link)
		if (t->aim == TAKER_AIMED && t->generation > generation)
			generation = t->generation;
	return generation;
}

size_t
taker_record(struct conn *c, unsigned version, struct handoff_record *r, char *buf, size_t size)
{
	uint64_t now = clock_tick_ms();
	const char *type = c->service->type->name, *name = self_listener_name(c->listener);

	*r = (struct handoff_record){.service = {type, strlen(type)},
	                             .listener = {name, strlen(name)},
	                             .state = c->state,
	                             .age_ms = now - c->opened_ms,
	                             .state_ms = now - c->since_ms,
	                             .left_ms = timelist_left(&c->timed),
	                             .bytes_in = c->bytes_in,
	                             .bytes_out = c->bytes_out,
	                             .requests = c->requests,
	                             .nfd = 1,
	                             .fd = {c->fd}};
	access_freeze(c, r);
	if (!conn_freeze(c, r))
		return 0;
	return handoff_encode(r, version, buf, size);
}

int
taker_send(struct taker *t, const struct offer *o, const struct handoff_record *r, char *record)
{
	struct iovec iov[2] = {{.iov_base = (void *)(uintptr_t)&o->id, .iov_len = sizeof o->id},
	                       {.iov_base = record, .iov_len = o->bytes}};

	return chan_try_send(t->chan, MSG_PREPARE, self_birth(), iov, 2,
	                     &(struct msg_fds){r->fd, r->nfd});
}

bool
taker_is_late(const struct taker *t, uint64_t now)
{
	return t->n > 0 && now >= t->progress_ms + LATE_MS;
}

bool
takers_understand(void)
{
	const struct taker *t;
	bool aimed = false;

	TAILQ_FOREACH (t, &takers, link) {
		if (t->aim == TAKER_AIMED && !t->incompatible)
			return true;
		aimed |= t->aim == TAKER_AIMED;
	}
	return !aimed;
}

void
taker_cancel(struct taker *t, const char *why)
{
	uint64_t id[WINDOW];
	struct offer *o;
	size_t n = 0;

	AN(t->n <= WINDOW);
	TAILQ_FOREACH (o, &t->offers, link) {
		handoff_step(&o->state, HANDOFF_CALL);
		id[n++] = o->id;
	}
	AN(n == t->n);
	log_info("%zu connections are called back from worker birth %llu: %s", n,
	         (unsigned long long)t->birth, why);
	t->recalling = true;
	chan_send(t->chan, MSG_CANCEL, self_birth(), id, n * sizeof *id, NULL);
}

void
takers_forget_conn(const struct conn *c)
{
	struct taker *t;
	struct offer *o;

	TAILQ_FOREACH (t, &takers, link)
		TAILQ_FOREACH (o, &t->offers, link)
			if (o->conn == c)
				o->conn = NULL;
}
