#include "base/utf8.h"

/* What a character may begin with, how its second byte is bounded (no overlong form,
 * no surrogate, nothing beyond U+10FFFF), and how many bytes it has. */
static const struct lead {
	unsigned char from, to;
	unsigned char second_from, second_to;
	size_t len;
} leads[] = {
    {0x01, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
    {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

static const struct lead *
lead_of(unsigned char c)
{
	for (size_t i = 0; i < sizeof leads / sizeof *leads; i++)
		if (c >= leads[i].from && c <= leads[i].to)
			return &leads[i];
	return NULL;
}

/* Bytes of the character at s; 0: none is there.  The final NUL fits nowhere. */
static size_t
character(const char *s)
{
	const unsigned char *b = (const unsigned char *)s;
	const struct lead *lead = lead_of(b[0]);

	if (lead == NULL)
		return 0;
	if (lead->len > 1 && (b[1] < lead->second_from || b[1] > lead->second_to))
		return 0;
	for (size_t i = 2; i < lead->len; i++)
		if ((b[i] & 0xc0) != 0x80)
			return 0;
	return lead->len;
}

bool
utf8_valid(const char *text)
{
	size_t n;

	while (*text != '\0' && (n = character(text)) > 0)
		text += n;
	return *text == '\0';
}

bool
utf8_valid_bytes(const char *bytes, size_t n)
{
	size_t i = 0;

	while (i < n) {
		const struct lead *lead = lead_of((unsigned char)bytes[i]);

		if (lead == NULL || lead->len > n - i || character(bytes + i) == 0)
			return false;
		i += lead->len;
	}
	return true;
}

void
utf8_repair(char *text)
{
	while (*text != '\0') {
		size_t n = character(text);

		if (n == 0)
			*text = '?';
		text += n > 0 ? n : 1;
	}
}
