#include "ctl/field.h"

#include <string.h>

#include "base/mem.h"
#include "ctl/words.h"

const char *
field_string(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s != NULL ? s : "-";
}

int64_t
field_integer(const json_t *j, const char *key)
{
	const json_t *value = json_object_get(j, key);

	return json_is_integer(value) ? json_integer_value(value) : -1;
}

char *
field_number(const json_t *j, const char *key)
{
	int64_t n = field_integer(j, key);

	return n < 0 ? mem_strdup("-") : mem_printf("%lld", (long long)n);
}

char *
field_duration(const json_t *j, const char *key)
{
	return words_duration(field_integer(j, key));
}

char *
field_plain(const char *name)
{
	char *text = words_clean(name, "");

	for (char *p = text; *p != '\0'; p++)
		if (*p == '_')
			*p = ' ';
	return text;
}

char *
field_one_line(const char *text)
{
	char *line = mem_alloc(strlen(text) * 2 + 1), *to = line;

	for (; *text != '\0'; text++) {
		if (*text != '\n') {
			*to++ = *text;
		} else if (text[1] != '\0') {
			*to++ = ';';
			*to++ = ' ';
		}
	}
	return line;
}

char *
field_workers(const json_t *generation)
{
	const json_t *list = json_object_get(generation, "workers");
	int64_t want = field_integer(generation, "slots");
	int64_t have = (int64_t)json_array_size(list);

	if (!json_is_array(list))
		return mem_strdup("-");
	if (want > have)
		return mem_printf("%lld of %lld", (long long)have, (long long)want);
	return mem_printf("%lld", (long long)have);
}
