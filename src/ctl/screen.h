/*
 * screen: what `batonctl watch` shows, as lines of text for a terminal of any size.  Pure:
 * no clock, no terminal.
 *
 * What matters most comes first: who runs and whether it answers, what is under way, rates,
 * generations; of the changes and the listeners as many as there is room for.
 */
#ifndef BATON_CTL_SCREEN_H
#define BATON_CTL_SCREEN_H

#include <jansson.h>

#include <stdbool.h>
#include <stddef.h>

struct screen;

struct screen_line {
	char *text; /* no wider than asked for, and nothing in it that a terminal would obey */
	bool title;
};

struct screen_frame {
	struct screen_line *line;
	size_t n; /* no more than asked for */
};

struct screen *screen_new(void);

/* New data of `status` and of `history`; references are taken. */
void screen_set_status(struct screen *s, json_t *status);
void screen_set_history(struct screen *s, json_t *history);

/* A sentence about baton's answers that stands on top; NULL: none any more. */
void screen_notice(struct screen *s, const char *text);

/* clock: the time of day, for the corner. */
struct screen_frame screen_draw(const struct screen *s, size_t width, size_t height,
                                const char *clock);

void screen_frame_free(struct screen_frame *f);
void screen_free(struct screen **s);

#endif
