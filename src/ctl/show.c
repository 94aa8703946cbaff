#include "ctl/show.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ctl/table.h"
#include "ctl/words.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define LINE     78 /* columns that a list of totals is wrapped at */

/* --- fields --- */

static const char *
string(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s != NULL ? s : "-";
}

/* Below zero: there is none. */
static int64_t
integer(const json_t *j, const char *key)
{
	const json_t *value = json_object_get(j, key);

	return json_is_integer(value) ? json_integer_value(value) : -1;
}

static char *
number(const json_t *j, const char *key)
{
	int64_t n = integer(j, key);

	return n < 0 ? mem_strdup("-") : mem_printf("%lld", (long long)n);
}

static char *
duration(const json_t *j, const char *key)
{
	return words_duration(integer(j, key));
}

/* The JSON's names are words with '_'. */
static char *
plain(const char *name)
{
	char *text = words_clean(name, "");

	for (char *p = text; *p != '\0'; p++)
		if (*p == '_')
			*p = ' ';
	return text;
}

/* --- status --- */

static void
show_head(const json_t *data, FILE *out)
{
	char *version = words_clean(string(data, "version"), "");
	char *state = plain(string(data, "state"));
	char *pid = number(data, "pid"), *up = duration(data, "uptime_ms");

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
	what = plain(string(last, "what"));
	outcome = plain(string(last, "outcome"));
	took = duration(last, "took_ms");
	reason = words_clean(string(last, "reason"), "\n");
	fprintf(out, "last %s: %s after %s", what, outcome, took);
	if (strcmp(reason, "") != 0 && strcmp(reason, "-") != 0)
		fprintf(out, ": %s", reason);
	putc('\n', out);
	free(what);
	free(outcome);
	free(took);
	free(reason);
}

/* "4", or "3 of 4" while one is missing. */
static char *
workers(const json_t *generation)
{
	const json_t *list = json_object_get(generation, "workers");
	int64_t want = integer(generation, "slots");
	int64_t have = (int64_t)json_array_size(list);

	if (!json_is_array(list))
		return mem_strdup("-");
	if (want > have)
		return mem_printf("%lld of %lld", (long long)have, (long long)want);
	return mem_printf("%lld", (long long)have);
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

		table_add(t, number(g, "id"));
		table_add(t, plain(string(g, "state")));
		table_add(t, duration(g, "age_ms"));
		table_add(t, mem_strdup(string(g, "version")));
		table_add(t, workers(g));
		table_add(t, number(g, "new"));
		table_add(t, number(g, "idle"));
		table_add(t, number(g, "busy"));
	}
	table_print(t, out);
	table_free(&t);
}

static void
show_listeners(const json_t *list, FILE *out)
{
	static const struct table_column columns[] = {
	    {"LISTENER", 'l'}, {"ADDRESS", 'l'}, {"SERVICE", 'l'}};
	struct table *t = table_new(columns, COUNT(columns));

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *l = json_array_get(list, i);

		table_add(t, mem_strdup(string(l, "name")));
		table_add(t, mem_strdup(string(l, "address")));
		table_add(t, mem_strdup(string(l, "service")));
	}
	table_print(t, out);
	table_free(&t);
}

static char *
total(const json_t *totals, const char *key)
{
	bool bytes = strncmp(key, "bytes_", 6) == 0;
	char *name = plain(key), *text;
	char *n = bytes ? words_bytes(integer(totals, key)) : number(totals, key);

	text = mem_printf("%s %s", name, n);
	free(name);
	free(n);
	return text;
}

static void
show_totals(const json_t *totals, FILE *out)
{
	size_t column = words_width("totals:");
	const char *key;
	json_t *value;

	fputs("totals:", out);
	json_object_foreach((json_t *)(uintptr_t)totals, key, value)
	{
		char *text = total(totals, key);
		size_t width = 2 + words_width(text);
		bool wrap = column + width > LINE;

		fprintf(out, "%s%s", wrap ? "\n         " : "  ", text);
		column = (wrap ? strlen("       ") : column) + width;
		free(text);
	}
	putc('\n', out);
}

void
show_status(const json_t *data, FILE *out)
{
	show_head(data, out);
	show_last(json_object_get(data, "last"), out);
	putc('\n', out);
	show_generations(json_object_get(data, "generations"), out);
	putc('\n', out);
	show_listeners(json_object_get(data, "listeners"), out);
	putc('\n', out);
	show_totals(json_object_get(data, "totals"), out);
}

/* --- drain --- */

static void
add_holder(struct table *t, const json_t *c)
{
	char *since = duration(c, "state_ms");

	table_add(t, number(c, "id"));
	table_add(t, mem_strdup(string(c, "peer")));
	table_add(t, mem_strdup(string(c, "listener")));
	table_add(t, number(c, "generation"));
	table_add(t, number(c, "pid"));
	table_add(t, duration(c, "age_ms"));
	table_add(t, mem_printf("%s %s", string(c, "state"), since));
	table_add(t, words_bytes(integer(c, "bytes_in")));
	table_add(t, words_bytes(integer(c, "bytes_out")));
	table_add(t, duration(c, "left_ms"));
	table_add(t, mem_strdup(string(c, "why")));
	free(since);
}

static void
show_holders(const json_t *list, FILE *out)
{
	static const struct table_column columns[] = {
	    {"CONNECTION", 'r'}, {"PEER", 'l'}, {"LISTENER", 'l'}, {"GENERATION", 'r'},
	    {"PID", 'r'},        {"AGE", 'r'},  {"STATE", 'l'},    {"IN", 'r'},
	    {"OUT", 'r'},        {"LEFT", 'r'}, {"WHY", 'l'},
	};
	struct table *t = table_new(columns, COUNT(columns));

	for (size_t i = 0; i < json_array_size(list); i++)
		add_holder(t, json_array_get(list, i));
	table_print(t, out);
	table_free(&t);
}

static void
show_silent(const json_t *worker, FILE *out)
{
	char *generation = number(worker, "generation"), *slot = number(worker, "slot");
	char *pid = number(worker, "pid");

	fprintf(out,
	        "the worker in slot %s of generation %s (pid %s) did not answer; what it "
	        "holds is unknown\n",
	        slot, generation, pid);
	free(generation);
	free(slot);
	free(pid);
}

void
show_drain(const json_t *data, FILE *out)
{
	const json_t *holders = json_object_get(data, "connections");
	const json_t *silent = json_object_get(data, "silent");

	if (json_array_size(holders) > 0)
		show_holders(holders, out);
	else if (json_array_size(silent) == 0)
		fputs("nothing holds a drain\n", out);
	for (size_t i = 0; i < json_array_size(silent); i++)
		show_silent(json_array_get(silent, i), out);
}
