#include "conf/keys.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/nets.h"
#include "conf/suggest.h"
#include "conf/value.h"

bool
keys_section_named(enum conf_section section)
{
	return section >= CONF_LISTEN;
}

unsigned
keys_type_bit(const char *type)
{
	for (size_t i = 0; type != NULL && keys_service_types[i] != NULL; i++)
		if (strcmp(type, keys_service_types[i]) == 0)
			return 1u << i;
	return 0;
}

bool
keys_fits(const struct keys_row *row, unsigned types)
{
	return row->types == 0 || types == 0 || (row->types & types) != 0;
}

bool
keys_is_behind(const struct keys_row *row)
{
	return (row->flags & KEYS_BEHIND) || strcmp(row->name, "upstream") == 0;
}

const struct keys_row *
keys_find(enum conf_section section, const char *name, unsigned types)
{
	const struct keys_row *found = NULL;

	for (const struct keys_row *row = keys_table; row < keys_table + keys_count; row++) {
		if (row->section != section || strcmp(row->name, name) != 0)
			continue;
		if (keys_fits(row, types))
			return row;
		if (found == NULL)
			found = row;
	}
	return found;
}

static void *
field(const struct keys_row *row, void *base)
{
	return (char *)base + row->offset;
}

static const void *
const_field(const struct keys_row *row, const void *base)
{
	return (const char *)base + row->offset;
}

/* The sentence of a refused value: what was probably meant, or what may be. */
static int
refuse(const struct keys_row *row, const char *value, char **cause)
{
	struct suggest s = suggest_for(value);
	char *expected;

	if (row->words != NULL)
		suggest_offer_all(&s, row->words);
	if (row->zero != NULL)
		suggest_offer(&s, row->zero);
	if (s.best != NULL)
		return cause_set(cause, "did you mean '%s'?", s.best);
	expected = keys_expect(row);
	cause_set(cause, "expected %s", expected);
	mem_free(&expected);
	return -1;
}

/* The index of value among the words, or -1. */
static int
find_word(const char *const *words, const char *value)
{
	for (int i = 0; words != NULL && words[i] != NULL; i++)
		if (strcmp(words[i], value) == 0)
			return i;
	return -1;
}

static int
read_number(const struct keys_row *row, const char *value, int64_t *out)
{
	if (row->zero != NULL && strcmp(value, row->zero) == 0) {
		*out = 0;
		return 0;
	}
	switch (row->type) {
	case KEYS_INT:
		return value_int(value, out);
	case KEYS_MODE:
		return value_octal(value, out);
	case KEYS_SIZE:
		return value_size(value, out);
	case KEYS_DURATION:
		return value_duration(value, out);
	case KEYS_ENUM:
		*out = find_word(row->words, value);
		return *out < 0 ? -1 : 0;
	default:
		log_panic("key '%s' is not a number", row->name);
	}
}

static int
set_number(const struct keys_row *row, int64_t *to, const char *value, char **cause)
{
	int64_t n;

	if (read_number(row, value, &n) != 0)
		return refuse(row, value, cause);
	if (row->type != KEYS_ENUM && (n < row->min || n > row->max) &&
	    !(n == 0 && row->zero != NULL && strcmp(value, row->zero) == 0))
		return refuse(row, value, cause);
	*to = n;
	return 0;
}

/* Only bytes that show, and none of those in `without`. */
static bool
is_plain(const char *value, const char *without)
{
	for (; *value != '\0'; value++)
		if ((unsigned char)*value <= ' ' || *value == 0x7f ||
		    strchr(without, *value) != NULL)
			return false;
	return true;
}

static bool
text_is_good(const struct keys_row *row, const char *value)
{
	struct nets nets;

	if (row->max != 0 && strlen(value) > (size_t)row->max)
		return false;
	switch (row->type) {
	case KEYS_WORD:
		return find_word(row->words, value) >= 0;
	case KEYS_PATH:
		return *value == '/' || find_word(row->words, value) >= 0;
	case KEYS_URL:
		return (*value == '/' && is_plain(value, "?#")) ||
		       find_word(row->words, value) >= 0;
	case KEYS_FILE:
		return strchr(value, '/') == NULL && strcmp(value, ".") != 0 &&
		       strcmp(value, "..") != 0;
	case KEYS_USER:
		return is_plain(value, ":/");
	case KEYS_NETS:
		return nets_read(value, &nets, NULL) == 0;
	case KEYS_HOST:
		return is_plain(value, "/?#@\\\"<>,;");
	default:
		return true;
	}
}

static int
set_text(const struct keys_row *row, char **to, const char *value, char **cause)
{
	if (*value != '\0' && !text_is_good(row, value))
		return refuse(row, value, cause);
	mem_free(to);
	if (*value != '\0')
		*to = mem_strdup(value);
	return 0;
}

/* The structs that have a list of addresses have its number right behind it. */
struct addrs {
	struct conf_addr *v;
	size_t n;
};

_Static_assert(offsetof(struct conf_listen, naddr) ==
                   offsetof(struct conf_listen, addr) + offsetof(struct addrs, n),
               "addresses and their number");
_Static_assert(offsetof(struct conf_service, nupstream) ==
                   offsetof(struct conf_service, upstream) + offsetof(struct addrs, n),
               "upstreams and their number");
_Static_assert(offsetof(struct conf_tls, ncertificate) ==
                   offsetof(struct conf_tls, certificate) + offsetof(struct addrs, n),
               "certificates and their number");
_Static_assert(offsetof(struct conf_tls, nkey) ==
                   offsetof(struct conf_tls, key) + offsetof(struct addrs, n),
               "keys and their number");

const struct conf_addr *
keys_addrs(const struct keys_row *row, const void *base, size_t *n)
{
	const struct addrs *list = const_field(row, base);

	AN(row->type >= KEYS_ADDR);
	*n = list->n;
	return list->v;
}

static int
read_addr(const struct keys_row *row, struct conf_addr *addr, const char *value, char **cause)
{
	if (row->type == KEYS_ADDR)
		return value_addr(value, addr, cause);
	if (row->type == KEYS_UPSTREAM)
		return value_upstream(value, addr, cause);
	if (*value != '/')
		return refuse(row, value, cause);
	*addr = (struct conf_addr){.text = mem_strdup(value)};
	return 0;
}

static int
add_addr(const struct keys_row *row, struct addrs *to, int line, const char *value,
         char **cause)
{
	struct conf_addr addr;

	if (read_addr(row, &addr, value, cause) != 0)
		return -1;
	addr.line = line;
	to->v = mem_grow(to->v, to->n, sizeof *to->v);
	to->v[to->n++] = addr;
	return 0;
}

int
keys_set(const struct keys_row *row, void *base, int line, const char *value, char **cause)
{
	if (*value == '\0' && !(row->flags & KEYS_MAY_EMPTY))
		return refuse(row, value, cause);
	switch (row->type) {
	case KEYS_BOOL:
		if (value_bool(value, field(row, base)) != 0)
			return refuse(row, value, cause);
		return 0;
	case KEYS_INT:
	case KEYS_MODE:
	case KEYS_SIZE:
	case KEYS_DURATION:
	case KEYS_ENUM:
		return set_number(row, field(row, base), value, cause);
	case KEYS_WORD:
	case KEYS_TEXT:
	case KEYS_PATH:
	case KEYS_URL:
	case KEYS_FILE:
	case KEYS_USER:
	case KEYS_HOST:
	case KEYS_NETS:
		return set_text(row, field(row, base), value, cause);
	case KEYS_ADDR:
	case KEYS_UPSTREAM:
	case KEYS_PATHS:
		return add_addr(row, field(row, base), line, value, cause);
	}
	log_panic("key '%s' has no type", row->name);
}

void
keys_set_default(const struct keys_row *row, void *base)
{
	if (row->dflt != NULL)
		AN(keys_set(row, base, 0, row->dflt, NULL) == 0);
}

int64_t
keys_number(const struct keys_row *row, const void *base)
{
	const void *from = const_field(row, base);

	AN(row->type <= KEYS_ENUM);
	return row->type == KEYS_BOOL ? *(const bool *)from : *(const int64_t *)from;
}

static char *
number_text(const struct keys_row *row, int64_t n)
{
	if (n == 0 && row->zero != NULL)
		return mem_strdup(row->zero);
	switch (row->type) {
	case KEYS_BOOL:
		return mem_strdup(n != 0 ? "yes" : "no");
	case KEYS_INT:
		return mem_printf("%lld", (long long)n);
	case KEYS_MODE:
		return mem_printf("%04llo", (unsigned long long)n);
	case KEYS_SIZE:
		return value_size_text(n);
	case KEYS_DURATION:
		return value_duration_text(n);
	case KEYS_ENUM:
		return mem_strdup(row->words[n]);
	default:
		log_panic("key '%s' is not a number", row->name);
	}
}

char *
keys_text(const struct keys_row *row, const void *base, size_t i)
{
	const char *text;
	size_t n;

	if (row->type >= KEYS_ADDR) {
		const struct conf_addr *list = keys_addrs(row, base, &n);

		return i < n ? mem_strdup(list[i].text) : NULL;
	}
	if (row->type <= KEYS_ENUM)
		return number_text(row, keys_number(row, base));
	text = *(char *const *)const_field(row, base);
	return text != NULL ? mem_strdup(text) : NULL;
}

/* "auto, stderr or an absolute path", "echo or http". */
static char *
words_text(const char *const *words, const char *last)
{
	char *list = mem_strdup("");
	size_t n = 0;

	while (words != NULL && words[n] != NULL)
		n++;
	n += last != NULL;
	for (size_t i = 0; i < n; i++) {
		const char *before = i == 0 ? "" : i == n - 1 ? " or " : ", ";
		const char *word = i == n - 1 && last != NULL ? last : words[i];
		char *longer = mem_printf("%s%s%s", list, before, word);

		mem_free(&list);
		list = longer;
	}
	return list;
}

static char *
range_text(const struct keys_row *row, const char *what, const char *like)
{
	char *min = number_text(row, row->min), *max = number_text(row, row->max);
	bool ends = row->max < INT64_MAX;
	char *text =
	    mem_printf("%s%s%s %s %s%s%s%s", row->zero != NULL ? row->zero : "",
	               row->zero != NULL ? " or " : "", what, ends ? "from" : "of at least",
	               min, ends ? " to " : "", ends ? max : "", like);

	mem_free(&min);
	mem_free(&max);
	return text;
}

static char *
path_text(const struct keys_row *row)
{
	if (row->max != 0)
		return mem_printf("an absolute path of at most %d bytes", (int)row->max);
	return words_text(row->words, "an absolute path");
}

char *
keys_expect(const struct keys_row *row)
{
	switch (row->type) {
	case KEYS_BOOL:
		return mem_strdup("yes or no");
	case KEYS_INT:
		return range_text(row, "a number", "");
	case KEYS_MODE:
		return range_text(row, "octal permissions", "");
	case KEYS_SIZE:
		return range_text(row, "a size", ", like 64k, 1m or plain bytes");
	case KEYS_DURATION:
		return range_text(row, "a duration", ", like 250ms, 30s, 5m or 1h");
	case KEYS_ENUM:
	case KEYS_WORD:
		return words_text(row->words, NULL);
	case KEYS_TEXT:
		return mem_strdup("some text");
	case KEYS_PATH:
		return path_text(row);
	case KEYS_URL:
		return words_text(row->words,
		                  "a path that begins with '/', without blanks, '?' and '#'");
	case KEYS_FILE:
		return mem_strdup("a file name without '/'");
	case KEYS_USER:
		return mem_strdup("a name or a number");
	case KEYS_HOST:
		return words_text(row->words, "HOST or HOST:PORT");
	case KEYS_NETS:
		return mem_strdup("addresses and networks, like 10.0.0.0/8, ::1 or unix");
	case KEYS_ADDR:
		return mem_strdup("HOST:PORT, [IPV6]:PORT, unix:/PATH or systemd:NAME");
	case KEYS_UPSTREAM:
		return mem_strdup("HOST:PORT, [IPV6]:PORT or unix:/PATH");
	case KEYS_PATHS:
		return mem_strdup("an absolute path");
	}
	log_panic("key '%s' has no type", row->name);
}

static void
clear_addrs(struct addrs *list)
{
	for (size_t i = 0; i < list->n; i++)
		value_addr_clear(&list->v[i]);
	mem_free(&list->v);
	list->n = 0;
}

void
keys_clear(enum conf_section section, void *base)
{
	for (const struct keys_row *row = keys_table; row < keys_table + keys_count; row++) {
		if (row->section != section)
			continue;
		if (row->type >= KEYS_ADDR)
			clear_addrs(field(row, base));
		else if (row->type > KEYS_ENUM)
			mem_free(field(row, base));
	}
}
