#include "ctl/screen.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ctl/screen_int.h"

#define CHANGES_MIN 4 /* lines that the others leave to the changes, with the title */
#define MIDDLE_MAX  3

/* --- sections: a title, and a line for each of a list --- */

struct section {
	const json_t *list;
	const char *title; /* the line above it */
	void (*put)(struct page *p, const struct screen *s, const json_t *one);
	bool newest_first;
	const char *none; /* instead of an empty list */
};

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
	page_free_lines(item.f.line, item.f.n);
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
	page_put(p, mem_strdup(c->title), true);
	for (size_t i = 0; i < shown; i++)
		put_item(p, s, c, i);
	if (n == 0)
		page_text(p, mem_printf("  %s", c->none));
	else if (shown < n)
		page_text(p, mem_printf("  and %zu more", n - shown));
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
		page_text(p, mem_strdup(""));
}

/* The sections between generations and changes, in this order; empty ones are left out. */
static size_t
middle_sections(const struct screen *s, struct section *to)
{
	const struct section all[MIDDLE_MAX] = {
	    {.list = json_object_get(s->status, "listeners"),
	     .title = "LISTENERS",
	     .put = screen_put_listener,
	     .none = "none"},
	    {.list = json_object_get(s->status, "answers"),
	     .title = "SERVICES",
	     .put = screen_put_service},
	    {.list = json_object_get(s->status, "upstreams"),
	     .title = "UPSTREAMS",
	     .put = screen_put_upstream},
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
	    .put = screen_put_generation,
	    .none = "none"};
	const struct section changes = {.list = json_object_get(s->history, "history"),
	                                .title = "LAST CHANGES",
	                                .put = screen_put_entry,
	                                .newest_first = true,
	                                .none = "none yet"};
	struct section middle[MIDDLE_MAX];
	size_t n = middle_sections(s, middle), lines, after;
	size_t kept = least(section_lines(p, s, &changes), CHANGES_MIN);
	size_t wanted = section_lines(p, s, &generations) + kept + n + 2;
	bool roomy;

	for (size_t i = 0; i < n; i++)
		wanted += section_lines(p, s, &middle[i]);
	roomy = page_room(p) >= wanted;
	put_blank(p, roomy);
	put_section(p, s, &generations, least(page_room(p), section_lines(p, s, &generations)));
	for (size_t i = 0; i < n; i++) {
		put_blank(p, roomy);
		after = kept + n - 1 - i; /* each of those behind it has its line, at least */
		lines = page_room(p) > after ? page_room(p) - after : 0;
		if (lines >= 2)
			put_section(p, s, &middle[i],
			            least(lines, section_lines(p, s, &middle[i])));
		else
			page_text(p, mem_printf("%s: %zu", middle[i].title,
			                        json_array_size(middle[i].list)));
	}
	put_blank(p, roomy);
	put_section(p, s, &changes, page_room(p));
}

static void
put_footer(struct page *p)
{
	while (p->f.n + 1 < p->height)
		page_text(p, mem_strdup(""));
	page_text(p, mem_strdup("q ends"));
}

static void
put_all(struct page *p, const struct screen *s, const char *clock)
{
	const json_t *change = json_object_get(s->status, "change");

	screen_put_head(p, s, clock);
	if (s->notice != NULL)
		page_wrapped(p, mem_strdup(s->notice), page_reason_lines(p), 0, true);
	if (json_is_object(change))
		screen_put_change(p, change);
	else
		screen_put_last(p, json_object_get(s->status, "last"));
	screen_put_rates(p, s);
	screen_put_totals(p, s);
	screen_put_warnings(p, json_object_get(s->status, "warnings"));
	if (page_room(p) > 0)
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
	screen_note_rates(s);
	screen_note_peaks(s);
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
	page_free_lines(f->line, f->n);
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
