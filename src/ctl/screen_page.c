/* screen_page: lines of text that fit into a page. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ctl/screen_int.h"
#include "ctl/words.h"

#define TALL         20 /* lines of a terminal with room for reasons */
#define REASON_LINES 3
#define BREAK_BACK   24 /* columns: so far from the end a line is broken at a blank */

void
page_put(struct page *p, char *text, bool title)
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

void
page_text(struct page *p, char *text)
{
	page_put(p, text, false);
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

void
page_wrapped(struct page *p, char *text, size_t lines, size_t indent, bool title)
{
	char *clean = words_clean(text, ""), *rest = clean;
	size_t before = 0;

	do {
		size_t n = line_length(rest, p->width - before);

		page_put(p, mem_printf("%*s%.*s", (int)before, "", (int)n, rest), title);
		rest += n;
		rest += *rest == ' ' && n > 0;
		before = p->width > 2 * indent ? indent : 0;
	} while (*rest != '\0' && --lines > 0 && p->width > 0);
	free(clean);
	free(text);
}

void
page_whole(struct page *p, char *text)
{
	page_wrapped(p, text, p->width < NARROW ? 1 : ALL, INDENT, false);
}

size_t
page_reason_lines(const struct page *p)
{
	return p->height < TALL ? 1 : REASON_LINES;
}

size_t
page_room(const struct page *p)
{
	return p->height - p->f.n;
}

void
page_free_lines(struct screen_line *line, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(line[i].text);
	free(line);
}
