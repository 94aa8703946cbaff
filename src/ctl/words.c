#include "ctl/words.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

/* Two units are enough for people. */
static char *
two_units(int64_t ms, int64_t big, const char *big_name, int64_t small, const char *small_name)
{
	return mem_printf("%" PRId64 "%s %" PRId64 "%s", ms / big, big_name, ms % big / small,
	                  small_name);
}

char *
words_duration(int64_t ms)
{
	if (ms < 0)
		return mem_strdup("-");
	if (ms < SECOND)
		return mem_printf("%" PRId64 "ms", ms);
	if (ms < 10 * SECOND)
		return mem_printf("%" PRId64 ".%" PRId64 "s", ms / SECOND, ms % SECOND / 100);
	if (ms < MINUTE)
		return mem_printf("%" PRId64 "s", ms / SECOND);
	if (ms < HOUR)
		return two_units(ms, MINUTE, "m", SECOND, "s");
	if (ms < DAY)
		return two_units(ms, HOUR, "h", MINUTE, "m");
	return two_units(ms, DAY, "d", HOUR, "h");
}

char *
words_bytes(int64_t n)
{
	const char *unit = "kMGTPE";
	int64_t tenths;

	if (n < 0)
		return mem_strdup("-");
	if (n < 1024)
		return mem_printf("%" PRId64, n);
	while (n >= 1024 * 1024) {
		n /= 1024;
		unit++;
	}
	tenths = n * 10 / 1024;
	if (tenths < 100)
		return mem_printf("%" PRId64 ".%" PRId64 "%c", tenths / 10, tenths % 10, *unit);
	return mem_printf("%" PRId64 "%c", tenths / 10, *unit);
}

static bool
is_control(unsigned char c)
{
	return c < 0x20 || c == 0x7f;
}

/* U+0080..U+009F: terminals obey some of these too. */
static bool
is_control_pair(const char *p)
{
	return (unsigned char)p[0] == 0xc2 && (unsigned char)p[1] >= 0x80 &&
	       (unsigned char)p[1] <= 0x9f;
}

char *
words_clean(const char *text, const char *keep)
{
	char *clean = mem_alloc(strlen(text) + 1), *to = clean;

	for (; *text != '\0'; text++) {
		if (is_control_pair(text)) {
			*to++ = '?';
			text++;
		} else {
			bool bad = is_control((unsigned char)*text) && !strchr(keep, *text);

			*to++ = bad ? '?' : *text;
		}
	}
	return clean;
}

/* The later bytes of a character add no column. */
static bool
starts_character(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

size_t
words_width(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += starts_character(*text);
	return n;
}

void
words_cut(char *text, size_t width)
{
	for (; *text != '\0'; text++)
		if (starts_character(*text) && width-- == 0)
			break;
	*text = '\0';
}
