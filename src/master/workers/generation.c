#include "master/workers/generation.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/event.h"
#include "base/log.h"
#include "base/mem.h"
#include "master/core/env.h"
#include "master/listen/listener.h"
#include "master/state/fdlist.h"
#include "master/state/jsontext.h"
#include "wire/stats.h"

static struct generation_list all = TAILQ_HEAD_INITIALIZER(all);

struct generation_list *
generation_all(void)
{
	return &all;
}

static void
set_state(struct generation *g, enum gen_state state)
{
	if (g->state != state)
		log_event(EVENT_GENERATION_STATE,
		          EVENT_FIELDS(EVENT_NUMBER("GENERATION", g->id),
		                       EVENT_TEXT("STATE", policy_gen_name(state)),
		                       EVENT_TEXT("STATE_BEFORE", policy_gen_name(g->state))),
		          "generation %u: %s -> %s", g->id, policy_gen_name(g->state),
		          policy_gen_name(state));
	g->state = state;
	g->since_ms = clock_ms();
}

static void
grow_slots(struct generation *g, uint32_t n)
{
	if (n <= g->nslots)
		return;
	g->slot = mem_realloc(g->slot, n * sizeof *g->slot);
	memset(g->slot + g->nslots, 0, (n - g->nslots) * sizeof *g->slot);
	g->nslots = n;
}

static struct generation *
make(uint32_t id)
{
	struct generation *g = mem_alloc(sizeof *g);

	g->id = id;
	TAILQ_INIT(&g->workers);
	TAILQ_INSERT_TAIL(&all, g, link);
	return g;
}

struct generation *
generation_new(struct conf *conf, uint32_t want)
{
	struct generation *g = make(stats_next_generation(env.stats));

	g->conf = conf;
	g->image = env.image;
	g->version = mem_strdup(env.program->version);
	g->state = GEN_STARTING;
	g->born_ms = g->since_ms = clock_ms();
	g->want = want;
	grow_slots(g, want);
	log_info("generation %u: starting with %u workers", g->id, want);
	return g;
}

struct generation *
generation_find(uint32_t id)
{
	struct generation *g;

	TAILQ_FOREACH (g, &all, link)
		if (g->id == id)
			return g;
	return NULL;
}

bool
generation_serves(void)
{
	struct generation *g;

	TAILQ_FOREACH (g, &all, link)
		if (g->state != GEN_STARTING && g->state != GEN_FAILED)
			return true;
	return false;
}

struct generation *
generation_active(void)
{
	struct generation *g;

	TAILQ_FOREACH (g, &all, link)
		if (g->state == GEN_ACTIVE)
			return g;
	return NULL;
}

struct generation *
generation_before(const struct generation *g)
{
	struct generation *b = TAILQ_PREV(g, generation_list, link);

	while (b != NULL && (b->state != GEN_DRAINING || b->aborted))
		b = TAILQ_PREV(b, generation_list, link);
	return b;
}

struct generation *
generation_own(void)
{
	static const enum gen_state order[] = {GEN_PAUSED, GEN_ACTIVE, GEN_DRAINING};
	struct generation *g;

	for (size_t i = 0; i < sizeof order / sizeof *order; i++)
		TAILQ_FOREACH_REVERSE (g, &all, generation_list, link)
			if (g->image == env.image && g->state == order[i] && !g->aborted)
				return g;
	return NULL;
}

bool
generation_uses(const struct generation *g, const struct listener *l)
{
	for (size_t i = 0; i < g->nuse; i++)
		if (g->use[i].listener == l)
			return true;
	return false;
}

void
generation_activate(struct generation *g)
{
	g->died = false;
	set_state(g, GEN_ACTIVE);
}

void
generation_pause(struct generation *g)
{
	set_state(g, GEN_PAUSED);
}

static uint64_t
deadline(const struct generation *g)
{
	const struct generation *now = generation_active();

	return clock_ms() + (uint64_t)(now != NULL ? now : g)->conf->drain.deadline;
}

/* Only the queues of what is retired are for who leaves: those of the others have somebody. */
static void
leave_queues(struct worker *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->nheld; i++)
		if (listener_is_retired(w->held[i]))
			w->held[n++] = w->held[i];
	if (n < w->nheld) {
		w->nheld = n;
		slot_tell(w, MSG_ACCEPT, w->held, n * sizeof *w->held);
	}
}

static void
drain_workers(struct generation *g, uint32_t flags)
{
	uint64_t by = deadline(g);
	struct worker *w;

	TAILQ_FOREACH (w, &g->workers, link) {
		if ((flags & MSG_DRAIN_SUCCESSOR) && !w->unsure)
			leave_queues(w);
		if (w->leaving && w->deadline_ms < by && w->deadline_ms != 0)
			slot_drain(w, w->deadline_ms, flags);
		else
			slot_drain(w, by, flags);
	}
}

/* As long as a stop is only announced, somebody serves on. */
static uint32_t
drain_flags(void)
{
	return MSG_DRAIN_SWEEP | (env.stop < STOP_DRAIN ? MSG_DRAIN_SUCCESSOR : 0);
}

void
generation_drain(struct generation *g)
{
	if (g->state != GEN_DRAINING)
		g->cut = 0; /* what died with a worker before was no cut of this drain */
	set_state(g, GEN_DRAINING);
}

void
generation_order(struct generation *g)
{
	AN(g->state == GEN_DRAINING || g->state == GEN_FAILED);
	drain_workers(g, drain_flags());
}

static bool
is_unordered(const struct generation *g)
{
	const struct worker *w;

	if (g->state != GEN_DRAINING && g->state != GEN_FAILED)
		return false;
	TAILQ_FOREACH (w, &g->workers, link)
		if (!w->leaving)
			return true;
	return false;
}

void
generation_order_all(void)
{
	struct generation *g;

	TAILQ_FOREACH (g, &all, link)
		if (is_unordered(g))
			generation_order(g);
}

void
generation_fail(struct generation *g)
{
	struct worker *w;

	set_state(g, GEN_FAILED);
	TAILQ_FOREACH (w, &g->workers, link) {
		if (w->ready)
			continue;
		w->leaving = true; /* it will not be missed */
		slot_kill(w, "its generation is given up");
	}
}

void
generation_drain_on(void)
{
	struct generation *g;
	struct worker *w;

	TAILQ_FOREACH (g, &all, link)
		TAILQ_FOREACH (w, &g->workers, link)
			if (w->leaving && w->ready && !w->killed &&
			    w->page->state != STATS_CUTTING)
				slot_drain(w, w->deadline_ms, drain_flags());
}

/* The new list first: what the old one names is used until then. */
int
generation_acquire(struct generation *g, char **cause)
{
	struct generation_use *use;
	size_t nuse;

	if (listener_acquire(g->conf, g->want, &use, &nuse, cause) < 0)
		return -1;
	free(g->use);
	g->use = use;
	g->nuse = nuse;
	return listener_open(g, cause);
}

/* A worker that had been asked to leave before has a successor in its slot, which was
 * born later. */
static bool
has_successor(const struct worker *w)
{
	const struct worker *later = w;

	while ((later = TAILQ_NEXT(later, link)) != NULL)
		if (later->slot == w->slot && !later->killed)
			return true;
	return false;
}

void
generation_resume(struct generation *g)
{
	struct worker *w;

	TAILQ_FOREACH (w, &g->workers, link)
		if (w->leaving && !w->killed && w->slot < g->want && !has_successor(w))
			slot_resume(w);
	g->told_to_cut = g->aborted = false;
	generation_activate(g);
}

void
generation_cut(struct generation *g)
{
	const struct generation *now = generation_active();
	struct worker *w;

	log_warn("generation %u is cut: there are more than %u generations", g->id,
	         (unsigned)(now != NULL ? now : g)->conf->server.max_generations);
	g->told_to_cut = true;
	TAILQ_FOREACH (w, &g->workers, link)
		slot_drain(w, clock_ms(), drain_flags());
}

void
generation_scale(struct generation *g, uint32_t want)
{
	log_info("generation %u: %u -> %u workers", g->id, g->want, want);
	grow_slots(g, want);
	g->want = want;
}

void
generation_note_death(struct generation *g, uint32_t slot, uint64_t lived_ms, const char *cause)
{
	struct policy_slot *s;

	g->died = true;
	cause_set(&g->cause, "%s", cause);
	if (slot >= g->nslots)
		return;
	s = &g->slot[slot];
	if (lived_ms >= POLICY_HEALTHY_MS)
		s->deaths = 0;
	s->deaths++;
	s->retry_ms = clock_ms() + policy_backoff_ms(s->deaths);
	if (g->state != GEN_STARTING) /* else it fails, and why is told there */
		log_warn("generation %u: %s%s", g->id, cause,
		         s->deaths > 1 ? "; its slot waits before the next try" : "");
}

void
generation_free(struct generation *g, generation_gone_fn *gone)
{
	struct worker *w;

	log_event(EVENT_GENERATION_GONE, EVENT_FIELDS(EVENT_NUMBER("GENERATION", g->id)),
	          "generation %u: gone", g->id);
	TAILQ_REMOVE(&all, g, link);
	gone(g);
	while ((w = TAILQ_FIRST(&g->workers)) != NULL)
		slot_free(w);
	conf_free(&g->conf);
	free(g->version);
	free(g->cause);
	free(g->slot);
	free(g->use);
	free(g);
}

void
generation_free_all(generation_gone_fn *gone)
{
	struct generation *g;

	while ((g = TAILQ_FIRST(&all)) != NULL)
		generation_free(g, gone);
}

static json_t *
save_workers(const struct generation *g, struct fdlist *fds)
{
	json_t *list = json_array();
	struct worker *w;

	TAILQ_FOREACH (w, &g->workers, link)
		json_array_append_new(list, slot_save(w, fds));
	return list;
}

static json_t *
save_uses(const struct generation *g)
{
	json_t *list = json_array();

	for (size_t i = 0; i < g->nuse; i++)
		json_array_append_new(list, json_pack("{s:i, s:i, s:i}", "listener",
		                                      g->use[i].listener != NULL
		                                          ? (int)listener_id(g->use[i].listener)
		                                          : 0,
		                                      "listen_ix", (int)g->use[i].listen_ix,
		                                      "addr_ix", (int)g->use[i].addr_ix));
	return list;
}

/* The configuration travels as its text: rebuilt from what it was born with,
 * whatever the file says by then. */
json_t *
generation_save(struct fdlist *fds)
{
	json_t *list = json_array();
	struct generation *g;

	TAILQ_FOREACH (g, &all, link)
		json_array_append_new(
		    list,
		    json_pack(
		        "{s:i, s:i, s:s, s:o, s:o, s:s, s:I, s:I, s:i, s:I, s:b, s:o, s:o}",
		        "id", (int)g->id, "image", (int)g->image, "version", g->version, "path",
		        jsontext_text(g->conf->path), "conf",
		        jsontext_bytes(g->conf->text, g->conf->len), "state",
		        policy_gen_name(g->state), "born_ms", (json_int_t)g->born_ms,
		        "since_ms", (json_int_t)g->since_ms, "want", (int)g->want, "cut",
		        (json_int_t)g->cut, "aborted", g->aborted, "workers",
		        save_workers(g, fds), "uses", save_uses(g)));
	return list;
}

static enum gen_state
state_of(const char *name)
{
	for (enum gen_state s = GEN_STARTING; s < GEN_GONE; s++)
		if (strcmp(name, policy_gen_name(s)) == 0)
			return s;
	return GEN_DRAINING;
}

static void
restore_uses(struct generation *g, const json_t *list)
{
	size_t i;
	json_t *j;

	g->use = mem_alloc((json_array_size(list) + 1) * sizeof *g->use);
	json_array_foreach ((json_t *)(uintptr_t)list, i, j) {
		int id, listen_ix, addr_ix;

		if (json_unpack(j, "{s:i, s:i, s:i}", "listener", &id, "listen_ix", &listen_ix,
		                "addr_ix", &addr_ix) < 0)
			continue;
		g->use[g->nuse++] =
		    (struct generation_use){.listener = listener_find((uint32_t)id),
		                            .listen_ix = (uint32_t)listen_ix,
		                            .addr_ix = (uint32_t)addr_ix};
	}
}

/* A configuration that this version cannot read belongs to a generation that
 * another version made; its workers have their own copy.  Only the drain's
 * limits are missed here: the defaults do. */
static struct conf *
restore_conf(const char *path, const char *text, size_t len)
{
	struct conf_errors errors = {0};
	struct conf *conf = conf_parse(path, text, len, &errors);

	if (conf == NULL) {
		static const char fallback[] =
		    "[listen:x]\naddress = 127.0.0.1:0\nservice = x\n"
		    "[service:x]\ntype = echo\n";

		log_warn("the configuration of an earlier generation is not ours to read: %s",
		         errors.text[0]);
		conf_errors_free(&errors);
		conf = conf_parse(path, fallback, sizeof fallback - 1, &errors);
		AN(conf != NULL);
	}
	conf_errors_free(&errors);
	return conf;
}

static int
restore_one(const json_t *j, char **cause)
{
	int id, image, want;
	json_int_t born, since, cut;
	const char *version, *state;
	char *path, *text;
	size_t len, i;
	json_t *workers, *uses, *worker, *conf;
	struct generation *g;

	if (json_unpack((json_t *)(uintptr_t)j,
	                "{s:i, s:i, s:s, s:o, s:s, s:I, s:I, s:i, s:I, s:o, s:o}", "id", &id,
	                "image", &image, "version", &version, "conf", &conf, "state", &state,
	                "born_ms", &born, "since_ms", &since, "want", &want, "cut", &cut,
	                "workers", &workers, "uses", &uses) < 0 ||
	    (path = jsontext_read_text(json_object_get(j, "path"))) == NULL ||
	    (text = jsontext_read(conf, &len)) == NULL)
		return cause_set(cause, "the record of a generation is damaged");
	g = make((uint32_t)id);
	g->image = (uint32_t)image;
	g->version = mem_strdup(version);
	g->conf = restore_conf(path, text, len);
	free(path);
	free(text);
	g->state = state_of(state);
	g->born_ms = (uint64_t)born;
	g->since_ms = (uint64_t)since;
	g->want = (uint32_t)want;
	g->cut = (uint64_t)cut;
	g->aborted = json_is_true(json_object_get(j, "aborted"));
	grow_slots(g, g->want);
	restore_uses(g, uses);
	json_array_foreach (workers, i, worker) {
		if (slot_restore(g, worker) == NULL)
			log_warn("generation %u: a worker of its record is no more", g->id);
	}
	return 0;
}

int
generation_restore(const json_t *j, char **cause)
{
	size_t i;
	json_t *one;

	json_array_foreach ((json_t *)(uintptr_t)j, i, one) {
		if (restore_one(one, cause) < 0)
			return -1;
	}
	return 0;
}
