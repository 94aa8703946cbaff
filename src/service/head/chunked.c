#include "service/head/chunked.h"

#include <ctype.h>
#include <string.h>

enum {
	SIZE,
	PAD, /* blanks behind the size */
	EXTENSION,
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER_START,
	TRAILER,
	TRAILER_LF,
	END_LF,
	BAD,
};

#define DIGITS_MAX 15 /* a size that fits without overflow; zeros before it are none */

static int
extra(struct chunked *c, size_t max, int state)
{
	return ++c->extra > max ? BAD : state;
}

/* Blanks are read where an extension follows (RFC 9112, 7.1.1), and nowhere else. */
static int
after_size(struct chunked *c, char ch)
{
	if (!c->sized)
		return BAD;
	if (ch == ';')
		return extra(c, CHUNKED_LINE_MAX, EXTENSION);
	if (ch == ' ' || ch == '\t')
		return extra(c, CHUNKED_LINE_MAX, PAD);
	return ch == '\r' && c->state == SIZE ? SIZE_LF : BAD;
}

static int
size_digit(struct chunked *c, char ch)
{
	unsigned value;

	if (!isxdigit((unsigned char)ch))
		return after_size(c, ch);
	c->sized = true;
	if (ch == '0' && c->left == 0)
		return extra(c, CHUNKED_LINE_MAX, SIZE);
	if (++c->digits > DIGITS_MAX)
		return BAD;
	value = isdigit((unsigned char)ch) ? (unsigned)(ch - '0')
	                                   : (unsigned)((ch | 0x20) - 'a' + 10);
	c->left = c->left * 16 + value;
	return SIZE;
}

static int
text(struct chunked *c, char ch, size_t max, int same, int at_cr)
{
	if (ch == '\r')
		return at_cr;
	if (((unsigned char)ch < 0x20 && ch != '\t') || ch == 0x7f)
		return BAD;
	return extra(c, max, same);
}

static int
chunk_begins(struct chunked *c)
{
	c->digits = 0;
	c->sized = false;
	c->extra = 0;
	c->total += c->left;
	return c->left > 0 ? DATA : TRAILER_START;
}

/* One byte that is not chunk data. */
static int
step(struct chunked *c, char ch)
{
	switch (c->state) {
	case SIZE:
		return size_digit(c, ch);
	case PAD:
		return after_size(c, ch);
	case EXTENSION:
		return text(c, ch, CHUNKED_LINE_MAX, EXTENSION, SIZE_LF);
	case SIZE_LF:
		return ch == '\n' ? chunk_begins(c) : BAD;
	case DATA_CR:
		return ch == '\r' ? DATA_LF : BAD;
	case DATA_LF:
		return ch == '\n' ? SIZE : BAD;
	case TRAILER_START:
		return text(c, ch, CHUNKED_TRAILER_MAX, TRAILER, END_LF);
	case TRAILER:
		return text(c, ch, CHUNKED_TRAILER_MAX, TRAILER, TRAILER_LF);
	case TRAILER_LF:
		return ch == '\n' ? TRAILER_START : BAD;
	default:
		return BAD;
	}
}

enum chunked_result
chunked_feed(struct chunked *c, const char *bytes, size_t len, size_t *used)
{
	return chunked_take(c, bytes, len, used, NULL, NULL);
}

enum chunked_result
chunked_take(struct chunked *c, const char *bytes, size_t len, size_t *used, char *to,
             size_t *taken)
{
	size_t i = 0;

	if (to != NULL)
		*taken = 0;
	c->trailed = 0;
	while (i < len && c->state != BAD) {
		if (c->state == DATA) {
			size_t n = len - i < c->left ? len - i : (size_t)c->left;

			if (to != NULL) {
				memmove(to + *taken, bytes + i, n);
				*taken += n;
			}
			i += n;
			c->left -= n;
			if (c->left == 0)
				c->state = DATA_CR;
			continue;
		}
		c->trailed += c->state >= TRAILER_START;
		if (c->state == END_LF) {
			*used = i + 1;
			if (bytes[i] == '\n')
				return CHUNKED_DONE;
			c->state = BAD;
			return CHUNKED_BAD;
		}
		c->state = step(c, bytes[i++]);
	}
	*used = i;
	return c->state == BAD ? CHUNKED_BAD : CHUNKED_MORE;
}
