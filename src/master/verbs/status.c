#include "master/verbs/status.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "master/change/change.h"
#include "master/change/history.h"
#include "master/change/warnings.h"
#include "master/core/env.h"
#include "master/listen/listener.h"
#include "master/state/jsontext.h"
#include "master/workers/certificates.h"
#include "master/workers/generation.h"
#include "wire/figures.h"
#include "wire/stats.h"

/* "running", "reloading", "upgrading", "stopping". */
static const char *
state_name(void)
{
	if (env.stop != STOP_NO)
		return "stopping";
	if (!change_busy())
		return "running";
	switch (change_kind()) {
	case CHANGE_START:
		return "starting";
	case CHANGE_RELOAD:
		return "reloading";
	case CHANGE_UPGRADE:
		break;
	}
	return "upgrading";
}

struct counts {
	uint64_t fresh, idle, busy, moving;
};

static void
count(const struct generation *g, struct counts *n)
{
	struct worker *w;

	TAILQ_FOREACH (w, &g->workers, link) {
		struct stats_counts held;

		stats_counts(w->page, &held);
		n->fresh += held.fresh;
		n->idle += held.idle;
		n->busy += held.busy;
		n->moving += held.moving;
	}
}

static json_t *
workers(const struct generation *g)
{
	json_t *list = json_array();
	struct worker *w;

	TAILQ_FOREACH (w, &g->workers, link)
		json_array_append_new(
		    list, json_pack("{s:i, s:I, s:i, s:s, s:i}", "slot", (int)w->slot, "birth",
		                    (json_int_t)w->birth, "pid", (int)w->pid, "state",
		                    w->killed ? "killed" : stats_state_name(w->page->state),
		                    "listeners", (int)w->nheld));
	return list;
}

/* Until what is left of its connections is cut; null: it does not drain. */
static json_t *
time_left(const struct generation *g, uint64_t now)
{
	bool drains = g->state == GEN_DRAINING || g->state == GEN_FAILED;
	uint64_t end = 0;
	struct worker *w;

	TAILQ_FOREACH (w, &g->workers, link)
		if (w->leaving && w->deadline_ms > end)
			end = w->deadline_ms;
	if (!drains || end == 0)
		return json_null();
	return json_integer(end > now ? (json_int_t)(end - now) : 0);
}

static json_t *
generations(void)
{
	json_t *list = json_array();
	uint64_t now = clock_ms();
	struct generation *g;

	TAILQ_FOREACH (g, generation_all(), link) {
		struct counts n = {0};

		count(g, &n);
		json_array_append_new(
		    list,
		    json_pack("{s:i, s:s, s:s, s:I, s:i, s:o, s:I, s:I, s:I, s:I, s:o}", "id",
		              (int)g->id, "state", policy_gen_name(g->state), "version",
		              g->version, "age_ms", (json_int_t)(now - g->born_ms), "slots",
		              (int)g->want, "workers", workers(g), "new", (json_int_t)n.fresh,
		              "idle", (json_int_t)n.idle, "busy", (json_int_t)n.busy, "moving",
		              (json_int_t)n.moving, "left_ms", time_left(g, now)));
	}
	return list;
}

/* null: not known. */
static json_t *
figure(const struct figures_sum *sum, int counter)
{
	return sum->rows > 0 ? json_integer((json_int_t)sum->v[counter]) : json_null();
}

static json_t *
answers(const char *kind, const char *name)
{
	struct figures_sum sum;
	json_t *j = json_object();

	figures_sum(env.stats, (struct figures_name){kind, name, NULL}, &sum);
	for (int c = 0; c < FIGURES_CLASSES_N; c++)
		json_object_set_new(j, figures_class[c], figure(&sum, FIGURES_1XX + c));
	return j;
}

static bool
speaks_http(const struct conf_service *s)
{
	return strcmp(s->type, "http") == 0 || strcmp(s->type, "admin") == 0 ||
	       strcmp(s->type, "module") == 0;
}

static json_t *
listener(const struct conf *conf, const struct generation_use *u, bool first)
{
	const struct conf_listen *l = &conf->listen[u->listen_ix];
	bool told = first && speaks_http(&conf->service[l->service_ix]);

	return json_pack("{s:s, s:o, s:s, s:o}", "name", l->name, "address",
	                 jsontext_shown(listener_address(u->listener), SIZE_MAX), "service",
	                 l->service, "answers",
	                 told ? answers("listener", l->name) : json_null());
}

/* A row per address; the answers of all of a listener's stand in its first. */
static json_t *
listeners(void)
{
	const struct generation *g = generation_active();
	json_t *list = json_array();
	uint32_t before = UINT32_MAX;

	for (size_t i = 0; g != NULL && i < g->nuse; i++) {
		const struct generation_use *u = &g->use[i];

		if (u->listener == NULL)
			continue;
		json_array_append_new(list, listener(g->conf, u, u->listen_ix != before));
		before = u->listen_ix;
	}
	return list;
}

/* By service: of those that speak HTTP. */
static json_t *
all_answers(void)
{
	const struct generation *g = generation_active();
	json_t *list = json_array();

	for (size_t i = 0; g != NULL && i < g->conf->nservice; i++) {
		const struct conf_service *s = &g->conf->service[i];
		json_t *one = speaks_http(s) ? answers("service", s->name) : NULL;

		if (one == NULL)
			continue;
		json_object_set_new(one, "service", json_string(s->name));
		json_array_append_new(list, one);
	}
	return list;
}

/* One is ill if any worker finds it so. */
static json_t *
check_of(const struct conf_service *s, const struct figures_sum *sum)
{
	if (s->check == NULL || sum->rows == 0)
		return json_null();
	return json_string(sum->ill > 0 ? "ill" : "well");
}

static json_t *
breaker_of(const struct conf_service *s, const struct figures_sum *sum)
{
	if (sum->open > 0)
		return json_string("open");
	if (!s->breaker || sum->rows == 0 || sum->bare > 0)
		return json_null();
	return json_string("closed");
}

static json_t *
upstream(const struct conf_service *s, const char *text)
{
	bool keeps = strcmp(s->type, "http") == 0; /* connections, for the next request */
	struct figures_sum sum;

	figures_sum(env.stats, (struct figures_name){"upstream", s->name, text}, &sum);
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "service", s->name,
	                 "address", jsontext_shown(text, SIZE_MAX), "check", check_of(s, &sum),
	                 "breaker", breaker_of(s, &sum), "requests",
	                 figure(&sum, FIGURES_ASKED), "failures", figure(&sum, FIGURES_FAILED),
	                 "busy", figure(&sum, FIGURES_BUSY), "idle",
	                 keeps ? figure(&sum, FIGURES_IDLE) : json_null());
}

static json_t *
upstreams(void)
{
	const struct generation *g = generation_active();
	json_t *list = json_array();

	for (size_t i = 0; g != NULL && i < g->conf->nservice; i++)
		for (size_t k = 0; k < g->conf->service[i].nupstream; k++)
			json_array_append_new(list,
			                      upstream(&g->conf->service[i],
			                               g->conf->service[i].upstream[k].text));
	return list;
}

static json_t *
totals(void)
{
	json_t *j = json_object();

	for (enum stats_counter c = 0; c < STATS_COUNTERS_N; c++)
		json_object_set_new(j, stats_counter_name(c),
		                    json_integer((json_int_t)stats_sum(env.stats, c)));
	return j;
}

static void
add_counter(void *arg, const char name[STATS_NAME_MAX], uint64_t sum)
{
	json_t *key = jsontext_shown(name, STATS_NAME_MAX);

	json_object_set_new(arg, json_string_value(key), json_integer((json_int_t)sum));
	json_decref(key);
}

/* The counters of modules, by name. */
static json_t *
counters(void)
{
	json_t *j = json_object();

	stats_named_each(env.stats, add_counter, j);
	return j;
}

json_t *
status_json(void)
{
	const struct generation *g = generation_active();

	return json_pack(
	    "{s:i, s:s, s:I, s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "pid",
	    (int)getpid(), "version", env.program->version, "uptime_ms",
	    (json_int_t)(clock_ms() - env.started_ms), "state", state_name(), "generation",
	    g != NULL ? (int)g->id : 0, "generations", generations(), "listeners", listeners(),
	    "certificates", certificates_json(), "answers", all_answers(), "upstreams", upstreams(), "last", history_last(),
	    "change", change_json(), "totals", totals(), "counters", counters(), "warnings",
	    warnings_json());
}

const char *
status_sentence(void)
{
	static char text[200];
	const struct generation *active = generation_active(), *g;
	struct counts now = {0}, old = {0};
	unsigned draining = 0;
	int n;

	TAILQ_FOREACH (g, generation_all(), link) {
		count(g, g == active ? &now : &old);
		draining += g->state == GEN_DRAINING || g->state == GEN_FAILED;
	}
	n = snprintf(text, sizeof text, "%s: generation %u, %u workers, %llu connections",
	             state_name(), active != NULL ? active->id : 0,
	             active != NULL ? active->want : 0,
	             (unsigned long long)(now.fresh + now.idle + now.busy));
	if (draining > 0)
		snprintf(text + n, sizeof text - (size_t)n,
		         "; %u old generation%s drain%s with %llu", draining,
		         draining == 1 ? "" : "s", draining == 1 ? "s" : "",
		         (unsigned long long)(old.fresh + old.idle + old.busy));
	return text;
}
