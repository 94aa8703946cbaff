#include "ctl/screen.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ctl/field.h"
#include "ctl/history.h"
#include "ctl/rates.h"
#include "ctl/words.h"
#include "wire/figures.h"

#define CHANGES_MIN  4 /* lines that the others leave to the changes, with the title */
#define MIDDLE_MAX   3
#define NARROW       60 /* columns: below, what is short is said in short */
#define COUNT_MAX    (INT64_C(1) << 50)
#define TALL         20 /* lines of a terminal with room for reasons */
#define REASON_LINES 3
#define BAR_MAX      60
#define WARNINGS_MAX 3
#define INDENT       8  /* of what a line of a section goes on in */
#define BREAK_BACK   24 /* columns: so far from the end a line is broken at a blank */
#define ALL          SIZE_MAX

enum { REQUESTS, CONNECTIONS, BYTES_IN, BYTES_OUT };

/* The most connections that a generation had: its drain is measured by it. */
struct peak {
	int64_t id, most;
};

struct screen {
	json_t *status;  /* NULL: none yet */
	json_t *history; /* the same */
	char *notice;
	struct rates rates;
	struct peak *peak;
	size_t npeaks;
};

/* A frame that is being filled. */
struct page {
	struct screen_frame f;
	size_t width, height;
};

/* --- lines --- */

/* Takes text over. */
static void
put(struct page *p, char *text, bool title)
{
	char *line;

	if (p->f.n < p->height) {
		line = words_clean(text, "");
		words_cut(line, p->width);
		p->f.line = mem_grow(p->f.line, p->f.n, sizeof *p->f.line);
		p->f.line[p->f.n++] = (struct screen_line){.text = line, .title = title};
	}
	free(text);
}

static void
put_text(struct page *p, char *text)
{
	put(p, text, false);
}

/* Where the line ends that text begins: at a blank, if there is one near the width. */
static size_t
line_length(const char *text, size_t width)
{
	char *line = mem_strdup(text), *blank;
	size_t n;

	words_cut(line, width);
	n = strlen(line);
	blank = strrchr(line, ' ');
	if (text[n] != '\0' && text[n] != ' ' && blank != NULL &&
	    words_width(blank) <= BREAK_BACK && words_width(blank) < width)
		n = (size_t)(blank - line);
	free(line);
	return n;
}

/* On at most so many lines when it does not fit on one, all but the first indented; takes text
 * over. */
static void
put_wrapped(struct page *p, char *text, size_t lines, size_t indent, bool title)
{
	char *clean = words_clean(text, ""), *rest = clean;
	size_t before = 0;

	do {
		size_t n = line_length(rest, p->width - before);

		put(p, mem_printf("%*s%.*s", (int)before, "", (int)n, rest), title);
		rest += n;
		rest += *rest == ' ' && n > 0;
		before = p->width > 2 * indent ? indent : 0;
	} while (*rest != '\0' && --lines > 0 && p->width > 0);
	free(clean);
	free(text);
}

/* Nothing is lost of it where there is room for more than what is said in short. */
static void
put_whole(struct page *p, char *text)
{
	put_wrapped(p, text, p->width < NARROW ? 1 : ALL, INDENT, false);
}

/* What is said with a reason in it: the reason may be long, and a small terminal has no room
 * for it. */
static size_t
lines_of_reason(const struct page *p)
{
	return p->height < TALL ? 1 : REASON_LINES;
}

static size_t
room(const struct page *p)
{
	return p->height - p->f.n;
}

/* --- what is counted --- */

/* What can be added up and multiplied, whatever a stranger tells. */
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

static void
note_peaks(struct screen *s)
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

static void
note_rates(struct screen *s)
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

static void
put_head(struct page *p, const struct screen *s, const char *clock)
{
	char *state = field_plain(field_string(s->status, "state"));
	char *pid = field_number(s->status, "pid"),
	     *up = field_duration(s->status, "uptime_ms");
	char *left = mem_printf("baton %s, pid %s, up %s: %s",
	                        field_string(s->status, "version"), pid, up, state);
	size_t taken = words_width(left) + strlen(clock);

	if (taken + 2 <= p->width)
		put(p, mem_printf("%s%*s%s", left, (int)(p->width - taken), "", clock), true);
	else
		put(p, mem_strdup(left), true);
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

static void
put_rates(struct page *p, const struct screen *s)
{
	char *requests = rate(s, REQUESTS), *conns = rate(s, CONNECTIONS);
	char *in = byte_rate(s, BYTES_IN), *out = byte_rate(s, BYTES_OUT);

	if (p->width < NARROW)
		put_text(p, mem_printf("per s: req %s conn %s in %s out %s", requests, conns,
		                       in, out));
	else
		put_whole(p,
		          mem_printf("per second: requests %s  connections %s  in %s  out %s",
		                     requests, conns, in, out));
	free(requests);
	free(conns);
	free(in);
	free(out);
}

static void
put_totals(struct page *p, const struct screen *s)
{
	const json_t *totals = json_object_get(s->status, "totals");
	char *accepted = field_number(totals, "accepted");
	char *moved = field_number(totals, "handed_off"), *cut = field_number(totals, "cut");
	char *refused = field_number(totals, "refused");
	char *deaths = field_number(totals, "worker_deaths");

	if (p->width < NARROW)
		put_text(p,
		         mem_printf("so far: acc %s cut %s deaths %s", accepted, cut, deaths));
	else
		put_whole(
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

/* --- bars --- */

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

static void
put_change(struct page *p, const json_t *change)
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
	put_wrapped(p,
	            mem_printf("%s %s %s, %s", b, field_string(change, "what"),
	                       field_string(change, "text"), took),
	            p->width < NARROW ? 1 : ALL, INDENT, true);
	free(took);
	free(filled);
	free(b);
}

static void
put_last(struct page *p, const json_t *last)
{
	char *what, *outcome, *took, *reason;

	if (!json_is_object(last)) {
		put_text(p, mem_strdup("no reload or upgrade yet"));
		return;
	}
	what = field_plain(field_string(last, "what"));
	outcome = field_plain(field_string(last, "outcome"));
	took = field_duration(last, "took_ms");
	reason = field_one_line(field_string(last, "reason"));
	put_wrapped(p,
	            mem_printf("last %s: %s after %s%s%s", what, outcome, took,
	                       *reason != '\0' ? ": " : "", reason),
	            lines_of_reason(p), 0, false);
	free(what);
	free(outcome);
	free(took);
	free(reason);
}

static void
put_warnings(struct page *p, const json_t *list)
{
	size_t n = json_array_size(list), shown = n <= WARNINGS_MAX ? n : WARNINGS_MAX - 1;

	for (size_t i = 0; i < shown; i++) {
		const char *text = json_string_value(json_array_get(list, i));

		put_whole(p, mem_printf("warning: %s", text != NULL ? text : "-"));
	}
	if (shown < n)
		put_text(p,
		         mem_printf("and %zu more warnings; see batonctl status", n - shown));
}

/* --- sections: a title, and a line for each of a list --- */

struct section {
	const json_t *list;
	const char *title; /* the line above it */
	void (*put)(struct page *p, const struct screen *s, const json_t *one);
	bool newest_first;
	const char *none; /* instead of an empty list */
};

static void
free_lines(struct screen_line *line, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(line[i].text);
	free(line);
}

static void
put_item(struct page *p, const struct screen *s, const struct section *c, size_t i)
{
	size_t last = json_array_size(c->list) - 1;

	c->put(p, s, json_array_get(c->list, c->newest_first ? last - i : i));
}

/* What the i-th of the list takes. */
static size_t
item_lines(const struct page *p, const struct screen *s, const struct section *c, size_t i)
{
	struct page item = {.width = p->width, .height = p->height};

	put_item(&item, s, c, i);
	free_lines(item.f.line, item.f.n);
	return item.f.n;
}

static size_t
section_lines(const struct page *p, const struct screen *s, const struct section *c)
{
	size_t n = json_array_size(c->list), sum = 1;

	for (size_t i = 0; i < n && sum < p->height; i++)
		sum += item_lines(p, s, c, i);
	return n > 0 ? sum : 2;
}

/* How many of its items fit into so many lines below the title, with one for what is left. */
static size_t
items_that_fit(const struct page *p, const struct screen *s, const struct section *c,
               size_t lines)
{
	size_t n = json_array_size(c->list), used = 0, fit = 0;

	for (size_t i = 0; i < n; i++) {
		used += item_lines(p, s, c, i);
		if (used > lines)
			return fit;
		if (used < lines)
			fit = i + 1;
	}
	return n;
}

static void
put_section(struct page *p, const struct screen *s, const struct section *c, size_t lines)
{
	size_t n = json_array_size(c->list), shown;

	if (lines < 2)
		return;
	shown = items_that_fit(p, s, c, lines - 1);
	put(p, mem_strdup(c->title), true);
	for (size_t i = 0; i < shown; i++)
		put_item(p, s, c, i);
	if (n == 0)
		put_text(p, mem_printf("  %s", c->none));
	else if (shown < n)
		put_text(p, mem_printf("  and %zu more", n - shown));
}

/* --- generations --- */

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

static void
put_generation(struct page *p, const struct screen *s, const json_t *g)
{
	char *id = field_number(g, "id"), *state = field_plain(field_string(g, "state"));
	char *workers = field_workers(g), *b = connection_bar(s, g, bar_width(p));
	char *words = drains(g) ? drain_words(p, s, g) : serve_words(g);
	char *age = field_duration(g, "age_ms");
	bool narrow = p->width < NARROW;

	if (narrow)
		put_text(p, mem_printf("%3s %-8s %s %lld %s", id, state, b,
		                       (long long)connections(g), words));
	else
		put_whole(p, mem_printf("%5s  %-9s %7s  %s %5lld %s; %s, age %s", id, state,
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

static void
put_listener(struct page *p, const struct screen *s, const json_t *l)
{
	const char *name = field_string(l, "name"), *service = field_string(l, "service");
	const char *address = field_string(l, "address");
	char *answers = answers_of(json_object_get(l, "answers"));

	(void)s;
	if (p->width < NARROW)
		put_text(p, mem_printf("  %s %s %s", name, address, service));
	else
		put_whole(p, mem_printf("  %-14s %-28s %s%s%s", name, address, service,
		                        *answers != '\0' ? ": " : "", answers));
	free(answers);
}

static void
put_service(struct page *p, const struct screen *s, const json_t *answers)
{
	char *text = answers_of(answers);

	(void)s;
	put_whole(p, mem_printf("  %-14s %s", field_string(answers, "service"),
	                        *text != '\0' ? text : "no answer yet"));
	free(text);
}

/* What is wrong comes first: a check that fails, an open breaker. */
static void
put_upstream(struct page *p, const struct screen *s, const json_t *u)
{
	const char *address = field_string(u, "address"), *service = field_string(u, "service");
	bool ill = strcmp(field_string(u, "check"), "ill") == 0;
	bool open = strcmp(field_string(u, "breaker"), "open") == 0;
	const char *state = ill ? "ill" : open ? "open" : "up";
	char *asked = field_number(u, "requests"), *failed = field_number(u, "failures");
	char *busy = field_number(u, "busy"), *idle = field_number(u, "idle");

	(void)s;
	if (p->width < NARROW)
		put_text(p, mem_printf("  %s %s %s/%s", address, state, asked, failed));
	else
		put_whole(p, mem_printf("  %-14s %-28s %-4s %s requests, %s failed, %s busy, "
		                        "%s idle",
		                        service, address, state, asked, failed, busy, idle));
	free(asked);
	free(failed);
	free(busy);
	free(idle);
}

static void
put_entry(struct page *p, const struct screen *s, const json_t *e)
{
	char *when = history_when(e, p->width < NARROW ? HISTORY_HOUR : HISTORY_MONTH);
	char *what = field_plain(field_string(e, "what")), *by = history_askers(e);
	char *outcome = field_plain(field_string(e, "outcome"));
	char *took = field_duration(e, "took_ms");
	char *reason = field_one_line(field_string(e, "reason"));
	const char *colon = *reason != '\0' ? ": " : "";

	(void)s;
	if (p->width < NARROW)
		put_text(p, mem_printf("  %s %s %s %s%s%s", when, what, outcome, took, colon,
		                       reason));
	else
		put_wrapped(p,
		            mem_printf("  %s  %-7s  %-11s  %6s  %s%s%s", when, what, outcome,
		                       took, by, colon, reason),
		            lines_of_reason(p), INDENT, false);
	free(when);
	free(what);
	free(by);
	free(outcome);
	free(took);
	free(reason);
}

/* --- the whole --- */

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void
put_blank(struct page *p, bool roomy)
{
	if (roomy)
		put_text(p, mem_strdup(""));
}

/* What there may be several of, in this order, if there are any. */
static size_t
middle_sections(const struct screen *s, struct section *to)
{
	const struct section all[MIDDLE_MAX] = {
	    {.list = json_object_get(s->status, "listeners"),
	     .title = "LISTENERS",
	     .put = put_listener,
	     .none = "none"},
	    {.list = json_object_get(s->status, "answers"),
	     .title = "SERVICES",
	     .put = put_service},
	    {.list = json_object_get(s->status, "upstreams"),
	     .title = "UPSTREAMS",
	     .put = put_upstream},
	};
	size_t n = 0;

	for (size_t i = 0; i < MIDDLE_MAX; i++)
		if (all[i].none != NULL || json_array_size(all[i].list) > 0)
			to[n++] = all[i];
	return n;
}

/* The generations take what they need, the changes and the others share the rest. */
static void
put_sections(struct page *p, const struct screen *s)
{
	const struct section generations = {
	    .list = json_object_get(s->status, "generations"),
	    .title = p->width < NARROW
	                 ? "GENERATIONS  # busy = idle . new"
	                 : "GENERATION STATE   WORKERS  CONNECTIONS  # busy  = idle  "
	                   ". new",
	    .put = put_generation,
	    .none = "none"};
	const struct section changes = {.list = json_object_get(s->history, "history"),
	                                .title = "LAST CHANGES",
	                                .put = put_entry,
	                                .newest_first = true,
	                                .none = "none yet"};
	struct section middle[MIDDLE_MAX];
	size_t n = middle_sections(s, middle), lines, after;
	size_t kept = least(section_lines(p, s, &changes), CHANGES_MIN);
	size_t wanted = section_lines(p, s, &generations) + kept + n + 2;
	bool roomy;

	for (size_t i = 0; i < n; i++)
		wanted += section_lines(p, s, &middle[i]);
	roomy = room(p) >= wanted;
	put_blank(p, roomy);
	put_section(p, s, &generations, least(room(p), section_lines(p, s, &generations)));
	for (size_t i = 0; i < n; i++) {
		put_blank(p, roomy);
		after = kept + n - 1 - i; /* each of those behind it has its line, at least */
		lines = room(p) > after ? room(p) - after : 0;
		if (lines >= 2)
			put_section(p, s, &middle[i],
			            least(lines, section_lines(p, s, &middle[i])));
		else
			put_text(p, mem_printf("%s: %zu", middle[i].title,
			                       json_array_size(middle[i].list)));
	}
	put_blank(p, roomy);
	put_section(p, s, &changes, room(p));
}

static void
put_footer(struct page *p)
{
	while (p->f.n + 1 < p->height)
		put_text(p, mem_strdup(""));
	put_text(p, mem_strdup("q ends"));
}

static void
put_all(struct page *p, const struct screen *s, const char *clock)
{
	const json_t *change = json_object_get(s->status, "change");

	put_head(p, s, clock);
	if (s->notice != NULL)
		put_wrapped(p, mem_strdup(s->notice), lines_of_reason(p), 0, true);
	if (json_is_object(change))
		put_change(p, change);
	else
		put_last(p, json_object_get(s->status, "last"));
	put_rates(p, s);
	put_totals(p, s);
	put_warnings(p, json_object_get(s->status, "warnings"));
	if (room(p) > 0)
		put_sections(p, s);
}

struct screen_frame
screen_draw(const struct screen *s, size_t width, size_t height, const char *clock)
{
	bool footer = height >= 8;
	struct page p = {.width = width, .height = footer ? height - 1 : height};

	put_all(&p, s, clock);
	p.height = height;
	if (footer)
		put_footer(&p);
	return p.f;
}

/* --- life --- */

struct screen *
screen_new(void)
{
	return mem_alloc(sizeof(struct screen));
}

void
screen_set_status(struct screen *s, json_t *status)
{
	json_decref(s->status);
	s->status = json_incref(status);
	note_rates(s);
	note_peaks(s);
}

void
screen_set_history(struct screen *s, json_t *history)
{
	json_decref(s->history);
	s->history = json_incref(history);
}

void
screen_notice(struct screen *s, const char *text)
{
	free(s->notice);
	s->notice = text != NULL ? mem_strdup(text) : NULL;
}

void
screen_frame_free(struct screen_frame *f)
{
	free_lines(f->line, f->n);
	*f = (struct screen_frame){0};
}

void
screen_free(struct screen **s)
{
	json_decref((*s)->status);
	json_decref((*s)->history);
	free((*s)->notice);
	free((*s)->peak);
	mem_free(s);
}
