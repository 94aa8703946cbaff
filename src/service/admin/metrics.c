#include "service/admin/metrics.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/admin/view.h"
#include "wire/figures.h"
#include "wire/latency.h"
#include "wire/stats.h"
#include "worker/core/self.h"

#define SERVICES_MAX 64

/* All that is summed over the dead and the living. */
struct sums {
	uint64_t counter[STATS_COUNTERS_N];
	struct latency latency[SERVICES_MAX];
	size_t nlatency;
};

static void
begin(FILE *f, const char *name, const char *type, const char *help)
{
	fprintf(f, "# HELP baton_%s %s\n# TYPE baton_%s %s\n", name, help, name, type);
}

/* A label's value; what would end it is escaped. */
static void
put_value(FILE *f, const char *text)
{
	putc('"', f);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			putc('\\', f);
		if (*text == '\n')
			fputs("\\n", f);
		else
			putc(*text, f);
	}
	putc('"', f);
}

static void
put_label(FILE *f, const char *before, const json_t *j, const char *name)
{
	const char *text = json_string_value(json_object_get(j, name));

	fprintf(f, "%s%s=", before, name);
	put_value(f, text != NULL ? text : "");
}

static json_int_t
number(const json_t *j, const char *name)
{
	return json_integer_value(json_object_get(j, name));
}

/* A list that the master had no room for says nothing. */
static bool
is_left_out(const json_t *view, const char *list)
{
	const json_t *names = json_object_get(view, "left_out");

	for (size_t i = 0; i < json_array_size(names); i++)
		if (strcmp(json_string_value(json_array_get(names, i)), list) == 0)
			return true;
	return false;
}

/* --- what the master has said --- */

static void
put_server(FILE *f, const json_t *view)
{
	begin(f, "info", "gauge", "The version of the binary that serves; always 1.");
	put_label(f, "baton_info{", view, "version");
	fputs("} 1\n", f);
	begin(f, "uptime_seconds", "gauge",
	      "Time since the master was started or executed again.");
	fprintf(f, "baton_uptime_seconds %.3f\n", (double)number(view, "uptime_ms") / 1000);
	begin(f, "master_silent_seconds", "gauge",
	      "Time since the master was heard of: more than a second means that it is dead or "
	      "stuck.");
	fprintf(f, "baton_master_silent_seconds %.3f\n",
	        (double)number(view, "master_silent_ms") / 1000);
	begin(f, "state", "gauge", "What baton is doing; always 1.");
	put_label(f, "baton_state{", view, "state");
	fputs("} 1\n", f);
	begin(f, "active_generation", "gauge", "The number of the generation that accepts.");
	fprintf(f, "baton_active_generation %" JSON_INTEGER_FORMAT "\n",
	        number(view, "generation"));
}

static void
put_listeners(FILE *f, const json_t *view)
{
	const json_t *list = json_object_get(view, "listeners"), *l;
	size_t i;

	if (is_left_out(view, "listeners"))
		return;
	begin(f, "listeners", "gauge", "Addresses that are listened at.");
	fprintf(f, "baton_listeners %zu\n", json_array_size(list));
	begin(f, "listener_info", "gauge", "An address and what is spoken there; always 1.");
	json_array_foreach ((json_t *)(uintptr_t)list, i, l) {
		put_label(f, "baton_listener_info{", l, "name");
		put_label(f, ",", l, "address");
		put_label(f, ",", l, "service");
		fputs("} 1\n", f);
	}
}

static void
put_certificates(FILE *f, const json_t *view)
{
	const json_t *list = json_object_get(view, "certificates"), *c;
	size_t i;

	if (is_left_out(view, "certificates") || json_array_size(list) == 0)
		return;
	begin(f, "certificate_expiry_seconds", "gauge",
	      "When a certificate ends, in seconds since the epoch.");
	json_array_foreach ((json_t *)(uintptr_t)list, i, c) {
		put_label(f, "baton_certificate_expiry_seconds{", c, "tls");
		put_label(f, ",", c, "file");
		fprintf(f, "} %" JSON_INTEGER_FORMAT "\n", number(c, "not_after"));
	}
}

static void
put_workers(FILE *f, const json_t *g)
{
	const json_t *workers = json_object_get(g, "workers"), *w;
	unsigned n[STATS_STATES_N] = {0};
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)workers, i, w) {
		const char *state = json_string_value(json_object_get(w, "state"));

		for (unsigned s = 0; s < STATS_STATES_N; s++)
			n[s] += strcmp(state, stats_state_name(s)) == 0;
	}
	for (unsigned s = STATS_STARTING; s < STATS_STATES_N; s++)
		if (n[s] > 0)
			fprintf(f,
			        "baton_workers{generation=\"%" JSON_INTEGER_FORMAT
			        "\",state=\"%s\"} %u\n",
			        number(g, "id"), stats_state_name(s), n[s]);
}

static void
put_connections(FILE *f, const json_t *g)
{
	static const char *const states[] = {"new", "idle", "busy"};

	for (unsigned s = 0; s < 3; s++)
		fprintf(f,
		        "baton_connections{generation=\"%" JSON_INTEGER_FORMAT
		        "\",state=\"%s\"} %" JSON_INTEGER_FORMAT "\n",
		        number(g, "id"), states[s], number(g, states[s]));
}

static void
put_generations(FILE *f, const json_t *view)
{
	json_t *list = json_object_get(view, "generations"), *g;
	size_t i;

	begin(f, "generation_info", "gauge", "A generation's state and version; always 1.");
	json_array_foreach (list, i, g) {
		fprintf(f, "baton_generation_info{generation=\"%" JSON_INTEGER_FORMAT "\"",
		        number(g, "id"));
		put_label(f, ",", g, "state");
		put_label(f, ",", g, "version");
		fputs("} 1\n", f);
	}
	begin(f, "connections", "gauge",
	      "Connections by generation and state: no byte yet, between requests, busy.");
	json_array_foreach (list, i, g)
		put_connections(f, g);
	if (is_left_out(view, "workers"))
		return;
	begin(f, "workers", "gauge", "Workers by generation and state.");
	json_array_foreach (list, i, g)
		put_workers(f, g);
}

static void
put_classes(FILE *f, const char *metric, const char *label, const json_t *name,
            const json_t *answers)
{
	for (unsigned c = 0; c < FIGURES_CLASSES_N; c++) {
		if (json_is_null(json_object_get(answers, figures_class[c])))
			continue; /* not known */
		fprintf(f, "baton_%s{%s=", metric, label);
		put_value(f, json_string_value(name));
		fprintf(f, ",class=\"%s\"} %" JSON_INTEGER_FORMAT "\n", figures_class[c],
		        number(answers, figures_class[c]));
	}
}

static void
put_answers(FILE *f, const json_t *view)
{
	json_t *services = json_object_get(view, "answers"), *one;
	json_t *listeners = json_object_get(view, "listeners"), *answers;
	size_t i;

	if (!is_left_out(view, "answers")) {
		begin(f, "answers_total", "counter", "Answers by service and class of status.");
		json_array_foreach (services, i, one)
			put_classes(f, "answers_total", "service",
			            json_object_get(one, "service"), one);
	}
	if (is_left_out(view, "listeners"))
		return;
	begin(f, "listener_answers_total", "counter",
	      "Answers by listener and class of status.");
	json_array_foreach (listeners, i, one) {
		answers = json_object_get(one, "answers");
		if (json_is_object(answers))
			put_classes(f, "listener_answers_total", "listener",
			            json_object_get(one, "name"), answers);
	}
}

/* --- upstreams --- */

static bool
is_up(const json_t *u)
{
	const char *check = json_string_value(json_object_get(u, "check"));
	const char *breaker = json_string_value(json_object_get(u, "breaker"));

	return (check == NULL || strcmp(check, "well") == 0) &&
	       (breaker == NULL || strcmp(breaker, "closed") == 0);
}

static void
put_upstream(FILE *f, const char *name, const json_t *u, const char *more, json_int_t value)
{
	fprintf(f, "baton_upstream_%s", name);
	put_label(f, "{", u, "service");
	fputs(",upstream=", f);
	put_value(f, json_string_value(json_object_get(u, "address")));
	fprintf(f, "%s} %" JSON_INTEGER_FORMAT "\n", more, value);
}

/* Nothing of what is not known. */
static void
put_known(FILE *f, const char *name, const json_t *u, const char *more, const char *key)
{
	if (json_is_integer(json_object_get(u, key)))
		put_upstream(f, name, u, more, number(u, key));
}

static void
put_upstreams(FILE *f, const json_t *view)
{
	json_t *list = json_object_get(view, "upstreams"), *u;
	size_t i;

	if (is_left_out(view, "upstreams") || json_array_size(list) == 0)
		return;
	begin(f, "upstream_up", "gauge", "0: its check fails, or its breaker is open.");
	json_array_foreach (list, i, u) {
		if (json_is_integer(json_object_get(u, "requests")))
			put_upstream(f, "up", u, "", is_up(u));
	}
	begin(f, "upstream_requests_total", "counter",
	      "Requests that it was asked; of a TCP proxy, connections.");
	json_array_foreach (list, i, u)
		put_known(f, "requests_total", u, "", "requests");
	begin(f, "upstream_failures_total", "counter",
	      "Requests that it failed, and connections that could not be made.");
	json_array_foreach (list, i, u)
		put_known(f, "failures_total", u, "", "failures");
	begin(f, "upstream_connections", "gauge",
	      "Connections to it: in use or being made, and kept.");
	json_array_foreach (list, i, u) {
		put_known(f, "connections", u, ",state=\"busy\"", "busy");
		put_known(f, "connections", u, ",state=\"idle\"", "idle");
	}
}

/* --- counters --- */

static void
put_changes(FILE *f, const uint64_t *counter)
{
	static const char *const outcomes[] = {"committed", "refused", "rolled_back"};

	begin(f, "changes_total", "counter", "Reloads and upgrades by outcome.");
	for (unsigned i = 0; i < 3; i++)
		fprintf(f, "baton_changes_total{what=\"reload\",outcome=\"%s\"} %" PRIu64 "\n",
		        outcomes[i], counter[STATS_RELOADS_COMMITTED + i]);
	for (unsigned i = 0; i < 3; i++)
		fprintf(f, "baton_changes_total{what=\"upgrade\",outcome=\"%s\"} %" PRIu64 "\n",
		        outcomes[i], counter[STATS_UPGRADES_COMMITTED + i]);
	fprintf(f, "baton_changes_total{what=\"abort\",outcome=\"committed\"} %" PRIu64 "\n",
	        counter[STATS_ABORTS]);
}

static void
put_counters(FILE *f, const uint64_t *counter)
{
	for (enum stats_counter c = 0; c < STATS_COUNTERS_N; c++) {
		char name[64], help[200];

		if (c >= STATS_RELOADS_COMMITTED && c <= STATS_ABORTS)
			continue;
		snprintf(name, sizeof name, "%s_total", stats_counter_name(c));
		snprintf(help, sizeof help, "Number of %s, in %s.", stats_counter_help(c),
		         stats_counter_unit(c));
		begin(f, name, "counter", help);
		fprintf(f, "baton_%s %" PRIu64 "\n", name, counter[c]);
	}
	put_changes(f, counter);
}

static void
put_named(FILE *f, json_t *counters)
{
	const char *name;
	json_t *value;

	if (json_object_size(counters) == 0)
		return;
	begin(f, "module_counter_total", "counter", "Counters that modules have named.");
	json_object_foreach (counters, name, value) {
		fputs("baton_module_counter_total{name=", f);
		put_value(f, name);
		fprintf(f, "} %" JSON_INTEGER_FORMAT "\n", json_integer_value(value));
	}
}

/* --- durations: a bucket for each doubling --- */

static void
put_duration(FILE *f, const struct latency *l)
{
	uint64_t seen = 0;

	for (unsigned b = 0; b < LATENCY_BUCKETS - 1; b++) {
		seen += l->bucket[b];
		if (b % LATENCY_PARTS == 0)
			fprintf(f,
			        "baton_request_duration_seconds_bucket{service=\"%s\","
			        "le=\"%.6f\"} %" PRIu64 "\n",
			        l->name, (double)latency_end(b) / 1e6, seen);
	}
	fprintf(f,
	        "baton_request_duration_seconds_bucket{service=\"%s\",le=\"+Inf\"} %" PRIu64
	        "\n"
	        "baton_request_duration_seconds_sum{service=\"%s\"} %.6f\n"
	        "baton_request_duration_seconds_count{service=\"%s\"} %" PRIu64 "\n",
	        l->name, latency_count(l), l->name, (double)l->sum_us / 1e6, l->name,
	        latency_count(l));
}

/* --- workers --- */

static void
put_heartbeats(FILE *f)
{
	const struct stats_page *page = NULL;
	uint64_t now = clock_ms();

	begin(f, "heartbeat_age_seconds", "gauge",
	      "Time since a worker's loop last said that it runs.");
	while ((page = stats_page_next(self_stats(), page)) != NULL) {
		uint64_t beat = page->heartbeat_ms;

		fprintf(f,
		        "baton_heartbeat_age_seconds{generation=\"%u\",slot=\"%u\","
		        "birth=\"%" PRIu64 "\"} %.3f\n",
		        page->generation, page->slot, page->birth,
		        beat != 0 && now > beat ? (double)(now - beat) / 1000 : 0);
	}
}

static void
sum_up(struct sums *s)
{
	const struct stats *stats = self_stats();
	struct stats_reading reading;

	stats_read_begin(stats, &reading);
	do {
		for (enum stats_counter c = 0; c < STATS_COUNTERS_N; c++)
			s->counter[c] = stats_sum(stats, c);
		s->nlatency = latency_sums(stats, s->latency, SERVICES_MAX);
	} while (stats_read_again(stats, &reading));
}

char *
metrics_text(void)
{
	struct sums *s = mem_alloc(sizeof *s);
	json_t *view = view_json();
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	if (f == NULL)
		log_fatal("no memory for the metrics");
	sum_up(s);
	put_server(f, view);
	put_generations(f, view);
	put_listeners(f, view);
	put_certificates(f, view);
	put_answers(f, view);
	put_upstreams(f, view);
	put_heartbeats(f);
	put_counters(f, s->counter);
	put_named(f, json_object_get(view, "counters"));
	begin(
	    f, "request_duration_seconds", "histogram",
	    "Time from a request's first byte to the last of its answer that the kernel took.");
	for (size_t i = 0; i < s->nlatency; i++)
		put_duration(f, &s->latency[i]);
	if (fclose(f) != 0)
		log_fatal("no memory for the metrics");
	free(s);
	json_decref(view);
	return text;
}
