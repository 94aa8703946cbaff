#include "ctl/show.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "ctl/field.h"
#include "ctl/table.h"
#include "ctl/words.h"
#include "wire/figures.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define PER_ROW  2 /* names with their numbers: so many fit on a terminal */

/* --- status --- */

static void
show_head(const json_t *data, FILE *out)
{
	char *version = words_clean(field_string(data, "version"), "");
	char *state = field_plain(field_string(data, "state"));
	char *pid = field_number(data, "pid"), *up = field_duration(data, "uptime_ms");

	fprintf(out, "baton %s, pid %s, up %s: %s\n", version, pid, up, state);
	free(version);
	free(state);
	free(pid);
	free(up);
}

static void
show_last(const json_t *last, FILE *out)
{
	char *what, *outcome, *took, *reason;

	if (!json_is_object(last)) {
		fputs("no reload or upgrade yet\n", out);
		return;
	}
	what = field_plain(field_string(last, "what"));
	outcome = field_plain(field_string(last, "outcome"));
	took = field_duration(last, "took_ms");
	reason = words_clean(field_string(last, "reason"), "\n");
	fprintf(out, "last %s: %s after %s", what, outcome, took);
	if (strcmp(reason, "") != 0 && strcmp(reason, "-") != 0)
		fprintf(out, ": %s", reason);
	putc('\n', out);
	free(what);
	free(outcome);
	free(took);
	free(reason);
}

static void
show_generations(const json_t *list, FILE *out)
{
	static const struct table_column columns[] = {
	    {"GENERATION", 'l'}, {"STATE", 'l'}, {"AGE", 'r'},  {"VERSION", 'l'},
	    {"WORKERS", 'r'},    {"NEW", 'r'},   {"IDLE", 'r'}, {"BUSY", 'r'},
	};
	struct table *t = table_new(columns, COUNT(columns));

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *g = json_array_get(list, i);

		table_add(t, field_number(g, "id"));
		table_add(t, field_plain(field_string(g, "state")));
		table_add(t, field_duration(g, "age_ms"));
		table_add(t, mem_strdup(field_string(g, "version")));
		table_add(t, field_workers(g));
		table_add(t, field_number(g, "new"));
		table_add(t, field_number(g, "idle"));
		table_add(t, field_number(g, "busy"));
	}
	table_print(t, out);
	table_free(&t);
}

static void
add_answers(struct table *t, const json_t *answers)
{
	for (size_t c = 0; c < FIGURES_CLASSES_N; c++)
		table_add(t, field_number(answers, figures_class[c]));
}

/* Answers have columns of their own, where there are any. */
static void
show_listeners(const json_t *list, FILE *out)
{
	static const struct table_column columns[] = {
	    {"LISTENER", 'l'}, {"ADDRESS", 'l'}, {"SERVICE", 'l'}, {"1XX", 'r'},
	    {"2XX", 'r'},      {"3XX", 'r'},     {"4XX", 'r'},     {"5XX", 'r'}};
	bool any = false;
	struct table *t;

	for (size_t i = 0; i < json_array_size(list); i++)
		any |= json_is_object(json_object_get(json_array_get(list, i), "answers"));
	t = table_new(columns, any ? COUNT(columns) : COUNT(columns) - FIGURES_CLASSES_N);

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *l = json_array_get(list, i);

		table_add(t, mem_strdup(field_string(l, "name")));
		table_add(t, mem_strdup(field_string(l, "address")));
		table_add(t, mem_strdup(field_string(l, "service")));
		if (any)
			add_answers(t, json_object_get(l, "answers"));
	}
	table_print(t, out);
	table_free(&t);
}

static void
show_services(const json_t *list, FILE *out)
{
	static const struct table_column columns[] = {{"SERVICE", 'l'}, {"1XX", 'r'},
	                                              {"2XX", 'r'},     {"3XX", 'r'},
	                                              {"4XX", 'r'},     {"5XX", 'r'}};
	struct table *t;

	if (json_array_size(list) == 0)
		return;
	t = table_new(columns, COUNT(columns));
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *s = json_array_get(list, i);

		table_add(t, mem_strdup(field_string(s, "service")));
		add_answers(t, s);
	}
	putc('\n', out);
	table_print(t, out);
	table_free(&t);
}

static void
show_certificates(const json_t *list, FILE *out)
{
	static const struct table_column columns[] = {
	    {"TLS", 'l'}, {"CERTIFICATE", 'l'}, {"NAMES", 'l'}, {"DAYS LEFT", 'r'}};
	struct table *t;

	if (json_array_size(list) == 0)
		return;
	t = table_new(columns, COUNT(columns));
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *c = json_array_get(list, i);

		table_add(t, mem_strdup(field_string(c, "tls")));
		table_add(t, mem_strdup(field_string(c, "file")));
		table_add(t, mem_strdup(field_string(c, "names")));
		table_add(t, field_number(c, "days_left"));
	}
	putc('\n', out);
	table_print(t, out);
	table_free(&t);
}

static void
show_upstreams(const json_t *list, FILE *out)
{
	static const struct table_column columns[] = {
	    {"SERVICE", 'l'},  {"UPSTREAM", 'l'}, {"CHECK", 'l'}, {"BREAKER", 'l'},
	    {"REQUESTS", 'r'}, {"FAILURES", 'r'}, {"BUSY", 'r'},  {"IDLE", 'r'}};
	struct table *t;

	if (json_array_size(list) == 0)
		return;
	t = table_new(columns, COUNT(columns));
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *u = json_array_get(list, i);

		table_add(t, mem_strdup(field_string(u, "service")));
		table_add(t, mem_strdup(field_string(u, "address")));
		table_add(t, mem_strdup(field_string(u, "check")));
		table_add(t, mem_strdup(field_string(u, "breaker")));
		table_add(t, field_number(u, "requests"));
		table_add(t, field_number(u, "failures"));
		table_add(t, field_number(u, "busy"));
		table_add(t, field_number(u, "idle"));
	}
	putc('\n', out);
	table_print(t, out);
	table_free(&t);
}

/* A table of names and numbers. */
struct numbers {
	const char *title;
	const json_t *values;
	bool plain; /* the names are the JSON's own words */
};

static void
add_number(struct table *t, const struct numbers *n, const char *key)
{
	bool bytes = n->plain && strncmp(key, "bytes_", 6) == 0;

	table_add(t, n->plain ? field_plain(key) : mem_strdup(key));
	table_add(t, bytes ? words_bytes(field_integer(n->values, key))
	                   : field_number(n->values, key));
}

/* Down the columns, in the order of the master. */
static void
show_numbers(const struct numbers *numbers, FILE *out)
{
	const struct table_column columns[PER_ROW * 2] = {
	    {numbers->title, 'l'}, {"", 'r'}, {"", 'l'}, {"", 'r'}};
	size_t n = json_object_size(numbers->values), rows = (n + PER_ROW - 1) / PER_ROW, i = 0;
	const char **names = mem_alloc((rows * PER_ROW + 1) * sizeof *names), *key;
	struct table *t = table_new(columns, COUNT(columns));
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)numbers->values, key, value)
		names[i++] = key;
	for (size_t row = 0; row < rows; row++)
		for (size_t k = row; k < rows * PER_ROW; k += rows) {
			if (k < n) {
				add_number(t, numbers, names[k]);
				continue;
			}
			table_add(t, mem_strdup(""));
			table_add(t, mem_strdup(""));
		}
	table_print(t, out);
	table_free(&t);
	free(names);
}

static void
show_warnings(const json_t *list, FILE *out)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));
		char *clean = words_clean(text != NULL ? text : "-", "");

		fprintf(out, "warning: %s\n", clean);
		free(clean);
	}
}

void
show_status(const json_t *data, FILE *out)
{
	struct numbers totals = {"TOTALS", json_object_get(data, "totals"), true};
	struct numbers counters = {"COUNTERS", json_object_get(data, "counters"), false};

	show_head(data, out);
	show_last(json_object_get(data, "last"), out);
	show_warnings(json_object_get(data, "warnings"), out);
	putc('\n', out);
	show_generations(json_object_get(data, "generations"), out);
	putc('\n', out);
	show_listeners(json_object_get(data, "listeners"), out);
	show_certificates(json_object_get(data, "certificates"), out);
	show_services(json_object_get(data, "answers"), out);
	show_upstreams(json_object_get(data, "upstreams"), out);
	putc('\n', out);
	show_numbers(&totals, out);
	if (json_object_size(counters.values) == 0)
		return;
	putc('\n', out);
	show_numbers(&counters, out);
}

/* --- lists: drain, conns, tasks --- */

enum form { TEXT, NUMBER, BYTES, DURATION, STATE, BORN };

/* A column, and the field that it shows. */
struct field {
	struct table_column column;
	const char *key;
	enum form form;
};

#define FIELDS_MAX 16

/* "busy 3.2s": what it is, and since when. */
static char *
state(const json_t *row)
{
	char *since = field_duration(row, "state_ms");
	char *text = mem_printf("%s %s", field_string(row, "state"), since);

	free(since);
	return text;
}

/* "accepted", "handed off by 2/17": generation and birth. */
static char *
born(const json_t *place)
{
	char *generation, *birth, *text;

	if (!json_is_object(place))
		return mem_strdup("-");
	if (strcmp(field_string(place, "how"), "accepted") == 0)
		return mem_strdup("accepted");
	generation = field_number(place, "generation");
	birth = field_number(place, "birth");
	text = mem_printf("%s by %s/%s", field_string(place, "how"), generation, birth);
	free(generation);
	free(birth);
	return text;
}

static char *
cell(const struct field *f, const json_t *row)
{
	switch (f->form) {
	case TEXT:
		break;
	case NUMBER:
		return field_number(row, f->key);
	case BYTES:
		return words_bytes(field_integer(row, f->key));
	case DURATION:
		return field_duration(row, f->key);
	case STATE:
		return state(row);
	case BORN:
		return born(json_object_get(row, f->key));
	}
	return mem_strdup(field_string(row, f->key));
}

static void
show_rows(const struct field *fields, size_t n, const json_t *list, FILE *out)
{
	struct table_column columns[FIELDS_MAX];
	struct table *t;

	AN(n <= FIELDS_MAX);
	for (size_t k = 0; k < n; k++)
		columns[k] = fields[k].column;
	t = table_new(columns, n);
	for (size_t i = 0; i < json_array_size(list); i++)
		for (size_t k = 0; k < n; k++)
			table_add(t, cell(&fields[k], json_array_get(list, i)));
	table_print(t, out);
	table_free(&t);
}

static void
show_silent(const json_t *worker, FILE *out)
{
	char *generation = field_number(worker, "generation"),
	     *slot = field_number(worker, "slot");
	char *pid = field_number(worker, "pid");

	fprintf(out,
	        "the worker in slot %s of generation %s (pid %s) did not answer; what it "
	        "holds is unknown\n",
	        slot, generation, pid);
	free(generation);
	free(slot);
	free(pid);
}

/* Their column, the last, is there when there are any. */
static size_t
without_warnings(const json_t *list, size_t n)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (json_string_length(json_object_get(json_array_get(list, i), "warning")) > 0)
			return n;
	return n - 1;
}

static void
show_list(const struct field *fields, size_t n, const json_t *list, const json_t *data,
          const char *none, FILE *out)
{
	const json_t *silent = json_object_get(data, "silent");
	int64_t left_off = field_integer(data, "left_off");

	if (json_array_size(list) > 0)
		show_rows(fields, n, list, out);
	else if (json_array_size(silent) == 0)
		fprintf(out, "%s\n", none);
	if (left_off > 0)
		fprintf(out, "and %lld more, which are not shown\n", (long long)left_off);
	for (size_t i = 0; i < json_array_size(silent); i++)
		show_silent(json_array_get(silent, i), out);
}

void
show_drain(const json_t *data, FILE *out)
{
	static const struct field fields[] = {
	    {{"CONNECTION", 'r'}, "id", NUMBER},   {{"PEER", 'l'}, "peer", TEXT},
	    {{"LISTENER", 'l'}, "listener", TEXT}, {{"GENERATION", 'r'}, "generation", NUMBER},
	    {{"PID", 'r'}, "pid", NUMBER},         {{"AGE", 'r'}, "age_ms", DURATION},
	    {{"STATE", 'l'}, "state", STATE},      {{"QUIET", 'r'}, "quiet_ms", DURATION},
	    {{"IN", 'r'}, "bytes_in", BYTES},      {{"OUT", 'r'}, "bytes_out", BYTES},
	    {{"LEFT", 'r'}, "left_ms", DURATION},  {{"WHY", 'l'}, "why", TEXT},
	};

	show_list(fields, COUNT(fields), json_object_get(data, "connections"), data,
	          "nothing holds a drain", out);
}

void
show_conns(const json_t *data, FILE *out)
{
	static const struct field fields[] = {
	    {{"CONNECTION", 'r'}, "id", NUMBER},
	    {{"GENERATION", 'r'}, "generation", NUMBER},
	    {{"SLOT", 'r'}, "slot", NUMBER},
	    {{"PID", 'r'}, "pid", NUMBER},
	    {{"LISTENER", 'l'}, "listener", TEXT},
	    {{"SERVICE", 'l'}, "service", TEXT},
	    {{"PEER", 'l'}, "peer", TEXT},
	    {{"AGE", 'r'}, "age_ms", DURATION},
	    {{"STATE", 'l'}, "state", STATE},
	    {{"QUIET", 'r'}, "quiet_ms", DURATION},
	    {{"REQUESTS", 'r'}, "requests", NUMBER},
	    {{"IN", 'r'}, "bytes_in", BYTES},
	    {{"OUT", 'r'}, "bytes_out", BYTES},
	    {{"BORN", 'l'}, "born", BORN},
	    {{"WARNING", 'l'}, "warning", TEXT},
	};

	const json_t *list = json_object_get(data, "connections");

	show_list(fields, without_warnings(list, COUNT(fields)), list, data,
	          "there are no connections", out);
}

void
show_tasks(const json_t *data, FILE *out)
{
	static const struct field fields[] = {
	    {{"KIND", 'l'}, "kind", TEXT},    {{"GENERATION", 'r'}, "generation", NUMBER},
	    {{"SLOT", 'r'}, "slot", NUMBER},  {{"PID", 'r'}, "pid", NUMBER},
	    {{"NAME", 'l'}, "name", TEXT},    {{"AGE", 'r'}, "age_ms", DURATION},
	    {{"STATE", 'l'}, "state", STATE}, {{"LEFT", 'r'}, "left_ms", DURATION},
	    {{"BORN", 'l'}, "born", TEXT},    {{"WARNING", 'l'}, "warning", TEXT},
	};

	const json_t *list = json_object_get(data, "tasks");

	show_list(fields, without_warnings(list, COUNT(fields)), list, data,
	          "there are no tasks", out);
}
