/* screen_put: what each line says. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ctl/field.h"
#include "ctl/history.h"
#include "ctl/screen_int.h"
#include "ctl/words.h"
#include "wire/figures.h"

#define COUNT_MAX    (INT64_C(1) << 50)
#define BAR_MAX      60
#define WARNINGS_MAX 3

enum { REQUESTS, CONNECTIONS, BYTES_IN, BYTES_OUT };

/* --- what is counted --- */

/* Clamp a number from outside, so that sums and products can't overflow. */
static int64_t
counted(int64_t n)
{
	if (n < 0)
		return 0;
	return n < COUNT_MAX ? n : COUNT_MAX;
}

static int64_t
connections(const json_t *g)
{
	return counted(field_integer(g, "new")) + counted(field_integer(g, "idle")) +
	       counted(field_integer(g, "busy"));
}

static int64_t
peak_of(const struct screen *s, const json_t *g)
{
	int64_t id = field_integer(g, "id"), now = connections(g);

	for (size_t i = 0; i < s->npeaks; i++)
		if (s->peak[i].id == id && s->peak[i].most > now)
			return s->peak[i].most;
	return now;
}

/* While a generation serves, what it had an hour ago is of no interest. */
static bool
drains(const json_t *g)
{
	const char *state = field_string(g, "state");

	return strcmp(state, "draining") == 0 || strcmp(state, "failed") == 0;
}

void
screen_note_peaks(struct screen *s)
{
	const json_t *list = json_object_get(s->status, "generations");
	size_t n = json_array_size(list);
	struct peak *peak = mem_alloc((n + 1) * sizeof *peak);

	for (size_t i = 0; i < n; i++) {
		const json_t *g = json_array_get(list, i);

		peak[i].id = field_integer(g, "id");
		peak[i].most = drains(g) ? peak_of(s, g) : connections(g);
	}
	free(s->peak);
	s->peak = peak;
	s->npeaks = n;
}

void
screen_note_rates(struct screen *s)
{
	const json_t *totals = json_object_get(s->status, "totals");
	int64_t now[RATES_COUNTERS] = {
	    [REQUESTS] = field_integer(totals, "requests"),
	    [CONNECTIONS] = field_integer(totals, "accepted"),
	    [BYTES_IN] = field_integer(totals, "bytes_in"),
	    [BYTES_OUT] = field_integer(totals, "bytes_out"),
	};

	rates_add(&s->rates, field_integer(s->status, "uptime_ms"), now);
}

/* --- the head --- */

void
screen_put_head(struct page *p, const struct screen *s, const char *clock)
{
	char *state = field_plain(field_string(s->status, "state"));
	char *pid = field_number(s->status, "pid"),
	     *up = field_duration(s->status, "uptime_ms");
	char *left = mem_printf("baton %s, pid %s, up %s: %s",
	                        field_string(s->status, "version"), pid, up, state);
	size_t taken = words_width(left) + strlen(clock);

	if (taken + 2 <= p->width)
		page_put(p, mem_printf("%s%*s%s", left, (int)(p->width - taken), "", clock),
		         true);
	else
		page_put(p, mem_strdup(left), true);
	free(left);
	free(state);
	free(pid);
	free(up);
}

/* "12.3", "0.0"; "1234" from a hundred on. */
static char *
rate(const struct screen *s, unsigned counter)
{
	int64_t n = rates_per_10s(&s->rates, counter);

	if (n < 0)
		return mem_strdup("-");
	if (n >= 1000)
		return mem_printf("%lld", (long long)n / 10);
	return mem_printf("%lld.%lld", (long long)n / 10, (long long)n % 10);
}

static char *
byte_rate(const struct screen *s, unsigned counter)
{
	int64_t n = rates_per_10s(&s->rates, counter);

	return words_bytes(n < 0 ? -1 : n / 10);
}

void
screen_put_rates(struct page *p, const struct screen *s)
{
	char *requests = rate(s, REQUESTS), *conns = rate(s, CONNECTIONS);
	char *in = byte_rate(s, BYTES_IN), *out = byte_rate(s, BYTES_OUT);

	if (p->width < NARROW)
		page_text(p, mem_printf("per s: req %s conn %s in %s out %s", requests, conns,
		                        in, out));
	else
		page_whole(p,
		           mem_printf("per second: requests %s  connections %s  in %s  out %s",
		                      requests, conns, in, out));
	free(requests);
	free(conns);
	free(in);
	free(out);
}

void
screen_put_totals(struct page *p, const struct screen *s)
{
	const json_t *totals = json_object_get(s->status, "totals");
	char *accepted = field_number(totals, "accepted");
	char *moved = field_number(totals, "handed_off"), *cut = field_number(totals, "cut");
	char *refused = field_number(totals, "refused");
	char *deaths = field_number(totals, "worker_deaths");

	if (p->width < NARROW)
		page_text(p,
		          mem_printf("so far: acc %s cut %s deaths %s", accepted, cut, deaths));
	else
		page_whole(
		    p,
		    mem_printf("so far: accepted %s  handed off %s  cut %s  refused %s  worker "
		               "deaths %s",
		               accepted, moved, cut, refused, deaths));
	free(accepted);
	free(moved);
	free(cut);
	free(refused);
	free(deaths);
}

static int
bar_width(const struct page *p)
{
	if (p->width < NARROW)
		return 8;
	if (p->width < 80)
		return 12;
	return p->width < 100 ? 20 : 36;
}

static char *
bar(const char *filled, int width)
{
	return mem_printf("[%-*s]", width, filled);
}

void
screen_put_change(struct page *p, const json_t *change)
{
	static const char full[] =
	    "############################################################";
	int64_t percent = counted(field_integer(change, "percent"));
	char *took = field_duration(change, "took_ms"), *filled, *b;
	int width = bar_width(p);

	_Static_assert(sizeof full == BAR_MAX + 1, "the full bar has its length");
	if (percent > 100)
		percent = 100;
	filled = mem_strndup(full, (size_t)(width * percent / 100));
	b = bar(filled, width);
	page_wrapped(p,
	             mem_printf("%s %s %s, %s", b, field_string(change, "what"),
	                        field_string(change, "text"), took),
	             p->width < NARROW ? 1 : ALL, INDENT, true);
	free(took);
	free(filled);
	free(b);
}

void
screen_put_last(struct page *p, const json_t *last)
{
	char *what, *outcome, *took, *reason;

	if (!json_is_object(last)) {
		page_text(p, mem_strdup("no reload or upgrade yet"));
		return;
	}
	what = field_plain(field_string(last, "what"));
	outcome = field_plain(field_string(last, "outcome"));
	took = field_duration(last, "took_ms");
	reason = field_one_line(field_string(last, "reason"));
	page_wrapped(p,
	             mem_printf("last %s: %s after %s%s%s", what, outcome, took,
	                        *reason != '\0' ? ": " : "", reason),
	             page_reason_lines(p), 0, false);
	free(what);
	free(outcome);
	free(took);
	free(reason);
}

void
screen_put_warnings(struct page *p, const json_t *list)
{
	size_t n = json_array_size(list), shown = n <= WARNINGS_MAX ? n : WARNINGS_MAX - 1;

	for (size_t i = 0; i < shown; i++) {
		const char *text = json_string_value(json_array_get(list, i));

		page_whole(p, mem_printf("warning: %s", text != NULL ? text : "-"));
	}
	if (shown < n)
		page_text(p,
		          mem_printf("and %zu more warnings; see batonctl status", n - shown));
}

/* --- items of sections --- */

/* The longest that a bar has to show. */
static int64_t
scale_of(const struct screen *s)
{
	const json_t *list = json_object_get(s->status, "generations");
	int64_t most = 1;

	for (size_t i = 0; i < json_array_size(list); i++) {
		int64_t n = peak_of(s, json_array_get(list, i));

		most = n > most ? n : most;
	}
	return most;
}

/* A part that is there is seen, however small it is. */
static int
part(int64_t n, int64_t scale, int width)
{
	int columns = (int)((double)n * width / (double)scale);

	return n > 0 && columns == 0 ? 1 : columns;
}

static char *
connection_bar(const struct screen *s, const json_t *g, int width)
{
	static const struct {
		const char *key;
		char mark;
	} parts[] = {{"busy", '#'}, {"idle", '='}, {"new", '.'}};
	char marks[BAR_MAX + 1];
	int at = 0;

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		int n = part(counted(field_integer(g, parts[i].key)), scale_of(s), width);

		for (; n > 0 && at < width; n--)
			marks[at++] = parts[i].mark;
	}
	marks[at] = '\0';
	return bar(marks, width);
}

static char *
drain_words(const struct page *p, const struct screen *s, const json_t *g)
{
	int64_t had = peak_of(s, g), now = connections(g);
	int percent = had > 0 ? (int)((had - now) * 100 / had) : 100;
	char *left = field_duration(g, "left_ms"), *text;

	if (p->width < NARROW)
		text = mem_printf("of %lld, %s left", (long long)had, left);
	else
		text = mem_printf("of %lld, %d%% done, %s left", (long long)had, percent, left);
	free(left);
	return text;
}

static char *
serve_words(const json_t *g)
{
	char *fresh = field_number(g, "new"), *idle = field_number(g, "idle");
	char *busy = field_number(g, "busy");
	char *text = mem_printf("new %s idle %s busy %s", fresh, idle, busy);

	free(fresh);
	free(idle);
	free(busy);
	return text;
}

void
screen_put_generation(struct page *p, const struct screen *s, const json_t *g)
{
	char *id = field_number(g, "id"), *state = field_plain(field_string(g, "state"));
	char *workers = field_workers(g), *b = connection_bar(s, g, bar_width(p));
	char *words = drains(g) ? drain_words(p, s, g) : serve_words(g);
	char *age = field_duration(g, "age_ms");
	bool narrow = p->width < NARROW;

	if (narrow)
		page_text(p, mem_printf("%3s %-8s %s %lld %s", id, state, b,
		                        (long long)connections(g), words));
	else
		page_whole(p, mem_printf("%5s  %-9s %7s  %s %5lld %s; %s, age %s", id, state,
		                         workers, b, (long long)connections(g), words,
		                         field_string(g, "version"), age));
	free(id);
	free(state);
	free(workers);
	free(b);
	free(words);
	free(age);
}

/* "12 2xx, 3 4xx": of the classes that there were; "" of none. */
static char *
answers_of(const json_t *answers)
{
	char *all = mem_strdup("");

	for (size_t c = 0; c < FIGURES_CLASSES_N; c++) {
		int64_t n = field_integer(answers, figures_class[c]);
		char *before = all;

		if (n <= 0)
			continue;
		all = mem_printf("%s%s%lld %s", before, *before != '\0' ? ", " : "",
		                 (long long)n, figures_class[c]);
		free(before);
	}
	return all;
}

void
screen_put_listener(struct page *p, const struct screen *s, const json_t *l)
{
	const char *name = field_string(l, "name"), *service = field_string(l, "service");
	const char *address = field_string(l, "address");
	char *answers = answers_of(json_object_get(l, "answers"));

	(void)s;
	if (p->width < NARROW)
		page_text(p, mem_printf("  %s %s %s", name, address, service));
	else
		page_whole(p, mem_printf("  %-14s %-28s %s%s%s", name, address, service,
		                         *answers != '\0' ? ": " : "", answers));
	free(answers);
}

void
screen_put_service(struct page *p, const struct screen *s, const json_t *answers)
{
	char *text = answers_of(answers);

	(void)s;
	page_whole(p, mem_printf("  %-14s %s", field_string(answers, "service"),
	                         *text != '\0' ? text : "no answer yet"));
	free(text);
}

/* Show the worst first: a failing check, an open breaker. */
void
screen_put_upstream(struct page *p, const struct screen *s, const json_t *u)
{
	const char *address = field_string(u, "address"), *service = field_string(u, "service");
	bool ill = strcmp(field_string(u, "check"), "ill") == 0;
	bool open = strcmp(field_string(u, "breaker"), "open") == 0;
	const char *state = ill ? "ill" : open ? "open" : "up";
	char *asked = field_number(u, "requests"), *failed = field_number(u, "failures");
	char *busy = field_number(u, "busy"), *idle = field_number(u, "idle");

	(void)s;
	if (p->width < NARROW)
		page_text(p, mem_printf("  %s %s %s/%s", address, state, asked, failed));
	else
		page_whole(p, mem_printf("  %-14s %-28s %-4s %s requests, %s failed, %s busy, "
		                         "%s idle",
		                         service, address, state, asked, failed, busy, idle));
	free(asked);
	free(failed);
	free(busy);
	free(idle);
}

void
screen_put_entry(struct page *p, const struct screen *s, const json_t *e)
{
	char *when = history_when(e, p->width < NARROW ? HISTORY_HOUR : HISTORY_MONTH);
	char *what = field_plain(field_string(e, "what")), *by = history_askers(e);
	char *outcome = field_plain(field_string(e, "outcome"));
	char *took = field_duration(e, "took_ms");
	char *reason = field_one_line(field_string(e, "reason"));
	const char *colon = *reason != '\0' ? ": " : "";

	(void)s;
	if (p->width < NARROW)
		page_text(p, mem_printf("  %s %s %s %s%s%s", when, what, outcome, took, colon,
		                        reason));
	else
		page_wrapped(p,
		             mem_printf("  %s  %-7s  %-11s  %6s  %s%s%s", when, what, outcome,
		                        took, by, colon, reason),
		             page_reason_lines(p), INDENT, false);
	free(when);
	free(what);
	free(by);
	free(outcome);
	free(took);
	free(reason);
}
