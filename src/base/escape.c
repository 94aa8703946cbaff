#include "base/escape.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static bool
has_room(const struct escape_out *o, size_t n)
{
	return (size_t)(o->end - o->at) >= n;
}

void
escape_plain(struct escape_out *o, const char *text, size_t n)
{
	if (!has_room(o, n))
		n = (size_t)(o->end - o->at);
	memcpy(o->at, text, n);
	o->at += n;
}

/* All of it or nothing; after nothing the line is full. */
static bool
whole(struct escape_out *o, const char *text, size_t n)
{
	if (!has_room(o, n)) {
		o->end = o->at;
		return false;
	}
	memcpy(o->at, text, n);
	o->at += n;
	return true;
}

static bool
hex(struct escape_out *o, const char *before, unsigned char byte)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = strlen(before);
	char text[8];

	memcpy(text, before, n);
	text[n] = digits[byte >> 4];
	text[n + 1] = digits[byte & 15];
	return whole(o, text, n + 2);
}

static bool
is_control(unsigned char c)
{
	return c < 0x20 || c == 0x7f;
}

void
escape_quoted(struct escape_out *o, const char *text, size_t n)
{
	for (size_t i = 0; i < n && has_room(o, 1); i++) {
		unsigned char c = (unsigned char)text[i];

		if (is_control(c) || c >= 0x80 || c == '"' || c == '\\')
			hex(o, "\\x", c);
		else
			*o->at++ = (char)c;
	}
}

/* The control characters U+0080 to U+009F. */
static bool
is_c1(const char *text, size_t left)
{
	return left >= 2 && (unsigned char)text[0] == 0xc2 && (unsigned char)text[1] < 0xa0;
}

/* The length of a UTF-8 character, by its first byte. */
static size_t
length(unsigned char c)
{
	return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

void
escape_text(struct escape_out *o, const char *text, size_t n)
{
	bool utf8 = utf8_valid_bytes(text, n);

	for (size_t i = 0; i < n && has_room(o, 1); i++) {
		unsigned char c = (unsigned char)text[i];
		size_t len = length(c);

		if (c == '\n') {
			whole(o, "\n\t", 2);
		} else if ((is_control(c) && c != '\t') || (c >= 0x80 && !utf8)) {
			hex(o, "\\x", c);
		} else if (is_c1(text + i, n - i)) {
			hex(o, "\\x", (unsigned char)text[++i]);
		} else {
			whole(o, text + i, len);
			i += len - 1;
		}
	}
}

static void
json_ascii(struct escape_out *o, char c)
{
	char pair[2] = {'\\', c};

	if (c == '"' || c == '\\')
		whole(o, pair, 2);
	else if (c == '\n')
		whole(o, "\\n", 2);
	else if (c == '\t')
		whole(o, "\\t", 2);
	else if (is_control((unsigned char)c))
		hex(o, "\\u00", (unsigned char)c);
	else
		*o->at++ = c;
}

void
escape_json(struct escape_out *o, const char *text, size_t n)
{
	bool utf8 = utf8_valid_bytes(text, n);

	for (size_t i = 0; i < n && has_room(o, 1); i++) {
		unsigned char c = (unsigned char)text[i];
		size_t len = length(c);

		if (c < 0x80) {
			json_ascii(o, (char)c);
		} else if (!utf8) {
			hex(o, "\\u00", c);
		} else if (is_c1(text + i, n - i)) {
			hex(o, "\\u00", (unsigned char)text[++i]);
		} else {
			whole(o, text + i, len);
			i += len - 1;
		}
	}
}
