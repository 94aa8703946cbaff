#include "master/state/jsontext.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

static const char digits[] = "0123456789abcdef";

json_t *
jsontext_bytes(const void *bytes, size_t len)
{
	const unsigned char *b = bytes;
	char *hex = mem_alloc(len * 2 + 1);
	json_t *j;

	for (size_t i = 0; i < len; i++) {
		hex[2 * i] = digits[b[i] >> 4];
		hex[2 * i + 1] = digits[b[i] & 15];
	}
	j = json_stringn(hex, len * 2);
	free(hex);
	return j;
}

json_t *
jsontext_text(const char *text)
{
	return text != NULL ? jsontext_bytes(text, strlen(text)) : json_null();
}

json_t *
jsontext_shown(const char *text, size_t room)
{
	char *copy = mem_strndup(text, strnlen(text, room));
	json_t *j;

	utf8_repair(copy);
	j = json_string(copy);
	free(copy);
	return j;
}

/* -1: no hexadecimal digit. */
static int
digit(char c)
{
	const char *at = c != '\0' ? strchr(digits, c) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

char *
jsontext_read(const json_t *j, size_t *len)
{
	const char *hex = json_string_value(j);
	size_t n = json_string_length(j);
	char *bytes;

	if (hex == NULL || n % 2 != 0)
		return NULL;
	bytes = mem_alloc(n / 2 + 1);
	for (size_t i = 0; i < n / 2; i++) {
		int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);

		if (high < 0 || low < 0) {
			free(bytes);
			return NULL;
		}
		bytes[i] = (char)(high << 4 | low);
	}
	*len = n / 2;
	return bytes;
}

char *
jsontext_read_text(const json_t *j)
{
	size_t len;

	return jsontext_read(j, &len);
}
