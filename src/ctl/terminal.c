#include "ctl/terminal.h"

#include <sys/ioctl.h>

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/mem.h"
#include "ctl/words.h"

/* The other screen, no cursor, no wrapping of what is too long for a line. */
#define ENTER "\033[?1049h\033[?25l\033[?7l\033[H\033[2J"
#define LEAVE "\033[0m\033[?7h\033[?25h\033[?1049l"

static struct {
	bool entered;
	bool guarded; /* atexit knows */
	struct termios before;
	struct screen_frame shown; /* what stands there */
	size_t width, height;      /* when it was written */
	char *out;                 /* what is to be written in one go */
	size_t len, room;
} te;

int
terminal_check(char **cause)
{
	const char *kind = getenv("TERM");

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return cause_set(cause, "watch needs a terminal; for a program, status --json "
		                        "and history --json tell the same");
	if (kind != NULL && strcmp(kind, "dumb") == 0)
		return cause_set(cause, "watch needs a terminal that can move its cursor, and "
		                        "TERM says 'dumb'");
	return 0;
}

void
terminal_size(size_t *width, size_t *height)
{
	struct winsize ws = {0};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) < 0 || ws.ws_col == 0 || ws.ws_row == 0) {
		ws.ws_col = 80;
		ws.ws_row = 24;
	}
	*width = ws.ws_col;
	*height = ws.ws_row;
}

/* --- writing --- */

static void
add(const char *text)
{
	size_t len = strlen(text);

	if (te.len + len > te.room) {
		te.room = (te.len + len) * 2;
		te.out = mem_realloc(te.out, te.room);
	}
	memcpy(te.out + te.len, text, len);
	te.len += len;
}

/* A terminal that has gone is told of by a signal. */
static void
flush(void)
{
	const char *p = te.out;

	while (te.len > 0) {
		ssize_t n = write(STDOUT_FILENO, p, te.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		p += n;
		te.len -= (size_t)n;
	}
	te.len = 0;
}

static bool
takes_more(void)
{
	struct pollfd pfd = {.fd = STDOUT_FILENO, .events = POLLOUT};

	return poll(&pfd, 1, 0) > 0 && (pfd.revents & POLLOUT) != 0;
}

void
terminal_forget(void)
{
	screen_frame_free(&te.shown);
	te.width = te.height = 0;
}

/* --- the whole of it --- */

void
terminal_enter(void)
{
	struct termios raw;

	if (te.entered || tcgetattr(STDIN_FILENO, &te.before) < 0)
		return;
	if (!te.guarded)
		atexit(terminal_leave);
	te.guarded = te.entered = true;
	raw = te.before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	add(ENTER);
	flush();
	terminal_forget();
}

void
terminal_leave(void)
{
	if (!te.entered)
		return;
	te.entered = false;
	te.len = 0;
	add(LEAVE);
	flush();
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &te.before);
	terminal_forget();
	mem_free(&te.out);
	te.room = 0;
}

/* --- frames --- */

static void
add_line(size_t row, size_t width, const struct screen_line *line)
{
	char *at = mem_printf("\033[%zu;1H", row + 1);

	add(at);
	if (line != NULL && line->title)
		add("\033[1m");
	if (line != NULL)
		add(line->text);
	if (line != NULL && line->title)
		add("\033[0m");
	/* At the last column the cursor stands on what was written there. */
	if (line == NULL || words_width(line->text) < width)
		add("\033[K");
	free(at);
}

static const struct screen_line *
line_of(const struct screen_frame *f, size_t row)
{
	return row < f->n ? &f->line[row] : NULL;
}

static bool
same(const struct screen_line *a, const struct screen_line *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return a->title == b->title && strcmp(a->text, b->text) == 0;
}

static void
remember(const struct screen_frame *f)
{
	screen_frame_free(&te.shown);
	for (size_t i = 0; i < f->n; i++) {
		struct screen_line copy = f->line[i];

		copy.text = mem_strdup(copy.text);
		te.shown.line = mem_grow(te.shown.line, te.shown.n, sizeof copy);
		te.shown.line[te.shown.n++] = copy;
	}
}

void
terminal_show(const struct screen_frame *f)
{
	size_t width, height;

	if (!te.entered || !takes_more())
		return;
	terminal_size(&width, &height);
	if (width != te.width || height != te.height) {
		terminal_forget();
		add("\033[2J");
	}
	for (size_t row = 0; row < height; row++)
		if (!same(line_of(f, row), line_of(&te.shown, row)))
			add_line(row, width, line_of(f, row));
	flush();
	remember(f);
	te.width = width;
	te.height = height;
}
