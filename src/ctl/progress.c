#include "ctl/progress.h"

#include <sys/ioctl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "ctl/words.h"

#define BAR         20 /* columns of a full bar */
#define BAR_MIN     60 /* columns of a terminal that has room for it */
#define WIDTH_USUAL 80 /* of a terminal that does not say */

static size_t drawn; /* columns that stand on the line */

/* The last column stays free: some terminals begin a new line after it. */
static size_t
room(void)
{
	struct winsize ws;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &ws) < 0 || ws.ws_col == 0)
		return WIDTH_USUAL - 1;
	return ws.ws_col - 1u;
}

static char *
compose(const char *text, int percent, size_t width)
{
	static const char full[] = "####################";
	int n = percent > 100 ? 100 : percent;

	_Static_assert(sizeof full == BAR + 1, "the full bar has its length");
	if (percent < 0)
		return mem_strdup(text);
	if (width < BAR_MIN)
		return mem_printf("%3d%% %s", n, text);
	return mem_printf("[%-*.*s] %3d%% %s", BAR, n * BAR / 100, full, n, text);
}

/* Spaces instead of an escape sequence: they work on every terminal. */
static void
draw(const char *line)
{
	size_t width = words_width(line);
	int rest = drawn > width ? (int)(drawn - width) : 0;

	fprintf(stderr, "\r%s%*s", line, rest, "");
	if (rest > 0)
		fprintf(stderr, "\r%s", line);
	fflush(stderr);
	drawn = width;
}

void
progress_show(const char *text, int percent)
{
	char *clean, *line;
	size_t width;

	if (!isatty(STDERR_FILENO))
		return;
	width = room();
	clean = words_clean(text, "");
	line = compose(clean, percent, width);
	words_cut(line, width);
	/* A terminal that has become narrower has wrapped what was there. */
	if (drawn > width)
		drawn = width;
	draw(line);
	free(clean);
	free(line);
}

void
progress_end(void)
{
	if (drawn == 0)
		return;
	draw("");
	fputs("\r", stderr);
	fflush(stderr);
}
