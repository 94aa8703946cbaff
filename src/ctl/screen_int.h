/*
 * screen_int: what the files of screen.h share: screen_page.c (lines that fit), screen_put.c
 * (what a line says), and above them screen.c (how many of them there is room for).
 */
#ifndef BATON_CTL_SCREEN_INT_H
#define BATON_CTL_SCREEN_INT_H

#include <jansson.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctl/rates.h"
#include "ctl/screen.h"

#define NARROW 60 /* columns: below, what is short is said in short */
#define INDENT 8  /* of what a line of a section goes on in */
#define ALL    SIZE_MAX

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

/* --- screen_page.c: each takes text over, and does nothing when the page is full --- */

void page_put(struct page *p, char *text, bool title);
void page_text(struct page *p, char *text);

/* On at most so many lines when it does not fit on one, all but the first indented. */
void page_wrapped(struct page *p, char *text, size_t lines, size_t indent, bool title);

/* Nothing is lost of it where there is room for more than what is said in short. */
void page_whole(struct page *p, char *text);

/* Lines for what has a reason in it: the reason may be long, and a small terminal has no room
 * for it. */
size_t page_reason_lines(const struct page *p);

/* Lines that are left. */
size_t page_room(const struct page *p);

void page_free_lines(struct screen_line *line, size_t n);

/* --- screen_put.c --- */

/* New data has come: what is remembered of it. */
void screen_note_peaks(struct screen *s);
void screen_note_rates(struct screen *s);

void screen_put_head(struct page *p, const struct screen *s, const char *clock);
void screen_put_rates(struct page *p, const struct screen *s);
void screen_put_totals(struct page *p, const struct screen *s);
void screen_put_change(struct page *p, const json_t *change);
void screen_put_last(struct page *p, const json_t *last);
void screen_put_warnings(struct page *p, const json_t *list);

/* Items of sections. */
void screen_put_generation(struct page *p, const struct screen *s, const json_t *g);
void screen_put_listener(struct page *p, const struct screen *s, const json_t *l);
void screen_put_service(struct page *p, const struct screen *s, const json_t *answers);
void screen_put_upstream(struct page *p, const struct screen *s, const json_t *u);
void screen_put_entry(struct page *p, const struct screen *s, const json_t *e);

#endif
