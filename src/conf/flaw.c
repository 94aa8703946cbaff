#include "conf/flaw.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* Bytes of *c written to out, which has room for four and a NUL. */
static size_t
escape_byte(char *out, unsigned char c)
{
	if (c >= 0x20 && c < 0x7f) {
		out[0] = (char)c;
		out[1] = '\0';
		return 1;
	}
	return (size_t)snprintf(out, 5, "\\x%02x", c);
}

char *
flaw_escape(const char *s)
{
	char *out = mem_alloc(strlen(s) * 4 + 1);
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += escape_byte(out + n, (unsigned char)*s);
	return out;
}

struct flaw_word
flaw_word(const char *s)
{
	struct flaw_word w;
	size_t len = strlen(s), show = len, n = 0;

	if (len > FLAW_WORD_MAX)
		show = FLAW_WORD_MAX - 3;
	w.text[0] = '\0';
	for (size_t i = 0; i < show; i++)
		n += escape_byte(w.text + n, (unsigned char)s[i]);
	if (show < len)
		memcpy(w.text + n, "...", sizeof "...");
	return w;
}

/* Room for a flaw of this line, or NULL when enough earlier ones are known. */
static struct flaw *
flaw_place(struct flaws *flaws, int line)
{
	size_t i;

	if (flaws->n == FLAWS_MAX) {
		flaws->more++;
		if (flaws->at[FLAWS_MAX - 1].line <= line)
			return NULL;
		mem_free(&flaws->at[--flaws->n].text);
	}
	for (i = flaws->n; i > 0 && flaws->at[i - 1].line > line; i--)
		flaws->at[i] = flaws->at[i - 1];
	flaws->n++;
	flaws->at[i].line = line;
	return &flaws->at[i];
}

void
flaw_add(struct flaws *flaws, int line, const char *fmt, ...)
{
	struct flaw *place = flaw_place(flaws, line);
	va_list ap;

	if (place == NULL)
		return;
	va_start(ap, fmt);
	place->text = mem_vprintf(fmt, ap);
	va_end(ap);
}

void
flaw_clear(struct flaws *flaws)
{
	for (size_t i = 0; i < flaws->n; i++)
		mem_free(&flaws->at[i].text);
	flaws->n = 0;
	flaws->more = 0;
}
