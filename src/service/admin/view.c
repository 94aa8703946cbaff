#include "service/admin/view.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "conf/conf.h"
#include "wire/board.h"
#include "wire/figures.h"
#include "wire/latency.h"
#include "wire/stats.h"
#include "worker/core/self.h"

#define SERVICES_MAX 64 /* whose latency is told */

/* --- what the master has said --- */

/* Nothing, or nothing legible: it is of a version before the board. */
static json_t *
unknown(void)
{
	return json_pack("{s:n, s:n, s:n, s:s, s:n, s:[], s:[], s:n}", "pid", "version",
	                 "uptime_ms", "state", "unknown", "generation", "generations",
	                 "listeners", "last");
}

static void
add_ms(json_t *j, const char *name, int64_t ms)
{
	json_t *old = json_object_get(j, name);
	json_int_t sum = json_integer_value(old) + ms;

	if (json_is_integer(old))
		json_integer_set(old, sum > 0 ? sum : 0);
}

/* Times go on, as the master would tell them now. */
static json_t *
from_board(void)
{
	uint64_t written_ms = 0, silent;
	char *text = board_read(self_stats(), &written_ms);
	json_t *j = text != NULL ? json_loads(text, 0, NULL) : NULL;
	const json_t *list;

	free(text);
	if (!json_is_object(j)) {
		json_decref(j);
		j = unknown();
		json_object_set_new(j, "master_silent_ms", json_null());
		return j;
	}
	silent = clock_ms() - written_ms;
	add_ms(j, "uptime_ms", (int64_t)silent);
	list = json_object_get(j, "generations");
	for (size_t i = 0; i < json_array_size(list); i++) {
		add_ms(json_array_get(list, i), "age_ms", (int64_t)silent);
		add_ms(json_array_get(list, i), "left_ms", -(int64_t)silent);
	}
	json_object_set_new(j, "master_silent_ms", json_integer((json_int_t)silent));
	return j;
}

/* --- what the pages say --- */

static void
set_count(json_t *g, const char *name, uint64_t n)
{
	json_object_set_new(g, name, json_integer((json_int_t)n));
}

static void
set_worker_state(const json_t *g, const struct stats_page *page)
{
	const json_t *workers = json_object_get(g, "workers");

	for (size_t i = 0; i < json_array_size(workers); i++) {
		json_t *w = json_array_get(workers, i);
		const char *state = json_string_value(json_object_get(w, "state"));

		if (json_integer_value(json_object_get(w, "birth")) != (json_int_t)page->birth)
			continue;
		if (state == NULL || strcmp(state, "killed") != 0)
			json_object_set_new(w, "state",
			                    json_string(stats_state_name(page->state)));
	}
}

static void
count_generation(json_t *g)
{
	uint64_t fresh = 0, idle = 0, busy = 0;
	json_int_t id = json_integer_value(json_object_get(g, "id"));
	const struct stats_page *page = NULL;

	while ((page = stats_page_next(self_stats(), page)) != NULL) {
		if ((json_int_t)page->generation != id)
			continue;
		fresh += page->fresh;
		idle += page->idle;
		busy += page->busy;
		set_worker_state(g, page);
	}
	set_count(g, "new", fresh);
	set_count(g, "idle", idle);
	set_count(g, "busy", busy);
}

static json_t *
totals(void)
{
	json_t *j = json_object();

	for (enum stats_counter c = 0; c < STATS_COUNTERS_N; c++)
		set_count(j, stats_counter_name(c), stats_sum(self_stats(), c));
	return j;
}

static void
add_counter(void *arg, const char name[STATS_NAME_MAX], uint64_t sum)
{
	char key[STATS_NAME_MAX + 1] = "";

	memcpy(key, name, STATS_NAME_MAX);
	utf8_repair(key);
	set_count(arg, key, sum);
}

static json_t *
counters(void)
{
	json_t *j = json_object();

	stats_named_each(self_stats(), add_counter, j);
	return j;
}

/* --- services --- */

static json_t *
buckets(const struct latency *l)
{
	json_t *list = json_array();

	for (unsigned b = 0; b < LATENCY_BUCKETS; b++) {
		uint64_t end = latency_end(b);
		json_t *pair;

		if (l->bucket[b] == 0)
			continue;
		pair = json_pack("[o, I]", json_null(), (json_int_t)l->bucket[b]);
		if (end != UINT64_MAX)
			json_array_set_new(pair, 0, json_integer((json_int_t)end));
		json_array_append_new(list, pair);
	}
	return list;
}

static json_t *
latency(const struct latency *l)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:o}", "count",
	                 (json_int_t)latency_count(l), "sum_us", (json_int_t)l->sum_us,
	                 "p50_us", (json_int_t)latency_quantile(l, 0.5), "p90_us",
	                 (json_int_t)latency_quantile(l, 0.9), "p99_us",
	                 (json_int_t)latency_quantile(l, 0.99), "buckets", buckets(l));
}

static void
count_generations(const json_t *view)
{
	const json_t *list = json_object_get(view, "generations");

	for (size_t i = 0; i < json_array_size(list); i++)
		count_generation(json_array_get(list, i));
}

static const struct latency *
find(const struct latency *sum, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(sum[i].name, name) == 0)
			return &sum[i];
	return NULL;
}

static json_t *
services(const struct latency *sum, size_t n)
{
	const struct conf *conf = self_conf();
	json_t *list = json_array();

	for (size_t i = 0; i < conf->nservice; i++) {
		const struct conf_service *s = &conf->service[i];
		const struct latency *l = find(sum, n, s->name);

		json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "name", s->name,
		                                      "type", s->type, "latency",
		                                      l != NULL ? latency(l) : json_null()));
	}
	return list;
}

/* --- figures: what the board tells of is as old as the board --- */

/* Unknown figures stay unknown. */
static void
refresh_number(json_t *of, const char *name, uint64_t value)
{
	if (json_is_integer(json_object_get(of, name)))
		json_object_set_new(of, name, json_integer((json_int_t)value));
}

static void
refresh_answers(json_t *to, struct figures_name name)
{
	struct figures_sum sum;

	figures_sum(self_stats(), name, &sum);
	for (int c = 0; c < FIGURES_CLASSES_N; c++)
		refresh_number(to, figures_class[c], sum.v[FIGURES_1XX + c]);
}

static void
refresh_upstream(json_t *u)
{
	struct figures_name name = {"upstream",
	                            json_string_value(json_object_get(u, "service")),
	                            json_string_value(json_object_get(u, "address"))};
	struct figures_sum sum;

	figures_sum(self_stats(), name, &sum);
	refresh_number(u, "requests", sum.v[FIGURES_ASKED]);
	refresh_number(u, "failures", sum.v[FIGURES_FAILED]);
	refresh_number(u, "busy", sum.v[FIGURES_BUSY]);
	refresh_number(u, "idle", sum.v[FIGURES_IDLE]);
	if (json_is_string(json_object_get(u, "check")))
		json_object_set_new(u, "check", json_string(sum.ill > 0 ? "ill" : "well"));
	if (json_is_string(json_object_get(u, "breaker")))
		json_object_set_new(u, "breaker",
		                    json_string(sum.open > 0 ? "open" : "closed"));
}

static void
refresh_figures(json_t *j)
{
	json_t *one, *answers;
	size_t i;

	json_array_foreach (json_object_get(j, "upstreams"), i, one)
		refresh_upstream(one);
	json_array_foreach (json_object_get(j, "answers"), i, one)
		refresh_answers(
		    one,
		    (struct figures_name){
		        "service", json_string_value(json_object_get(one, "service")), NULL});
	json_array_foreach (json_object_get(j, "listeners"), i, one) {
		answers = json_object_get(one, "answers");
		if (json_is_object(answers))
			refresh_answers(answers,
			                (struct figures_name){
			                    "listener",
			                    json_string_value(json_object_get(one, "name")),
			                    NULL});
	}
}

json_t *
view_json(void)
{
	struct latency *sum = mem_alloc(SERVICES_MAX * sizeof *sum);
	const struct stats_page *own = self_page();
	json_t *j = from_board();
	struct stats_reading reading;
	size_t n;

	stats_read_begin(self_stats(), &reading);
	do {
		count_generations(j);
		refresh_figures(j);
		json_object_set_new(j, "totals", totals());
		json_object_set_new(j, "counters", counters());
		n = latency_sums(self_stats(), sum, SERVICES_MAX);
	} while (stats_read_again(self_stats(), &reading));
	json_object_set_new(j, "services", services(sum, n));
	json_object_set_new(j, "clock_ms", json_integer((json_int_t)clock_ms()));
	json_object_set_new(j, "answered_by",
	                    json_pack("{s:i, s:i, s:I, s:i}", "generation",
	                              (int)own->generation, "slot", (int)own->slot, "birth",
	                              (json_int_t)own->birth, "pid", (int)own->pid));
	free(sum);
	return j;
}
