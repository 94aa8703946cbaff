#include "service/module/modulekeys.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/errors.h"
#include "conf/keys.h"
#include "conf/suggest.h"

/* The owner of the key, for messages. */
struct reading {
	const struct conf_service *conf;
	struct conf_errors *errors;
	bool bad;
};

static const enum keys_type type_of[] = {
    [BATON_KEY_BOOL] = KEYS_BOOL, [BATON_KEY_NUMBER] = KEYS_INT,
    [BATON_KEY_SIZE] = KEYS_SIZE, [BATON_KEY_DURATION] = KEYS_DURATION,
    [BATON_KEY_TEXT] = KEYS_TEXT, [BATON_KEY_PATH] = KEYS_PATH,
    [BATON_KEY_WORD] = KEYS_WORD,
};

#define NAME_BYTES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"
#define TYPES_N    (sizeof type_of / sizeof *type_of)

static size_t
count(const struct baton_key *keys)
{
	size_t n = 0;

	while (keys != NULL && keys[n].name != NULL)
		n++;
	return n;
}

int
modulekeys_find(const struct baton_key *keys, const char *name)
{
	for (size_t i = 0; i < count(keys); i++)
		if (strcmp(keys[i].name, name) == 0)
			return (int)i;
	return -1;
}

/* The module's row as one of ours. */
static struct keys_row
row_of(const struct baton_key *key)
{
	struct keys_row row = {.section = CONF_SERVICE,
	                       .name = key->name,
	                       .type = type_of[key->type],
	                       .min = key->min,
	                       .max = key->max,
	                       .words = key->words};

	if (row.type > KEYS_ENUM)
		row.offset = offsetof(struct own_value, text);
	if (row.type <= KEYS_ENUM && row.min == 0 && row.max == 0)
		row.max = INT64_MAX;
	return row;
}

static void
tell(struct reading *a, int line, const char *text)
{
	a->bad = true;
	conf_error(a->errors, line, "%s", text);
}

static void
tell_unknown(struct reading *a, const struct conf_own *own, const struct baton_key *keys)
{
	struct suggest s = suggest_for(own->key);
	char *text;

	for (size_t i = 0; i < count(keys); i++)
		suggest_offer(&s, keys[i].name);
	for (const struct keys_row *row = keys_table; row < keys_table + keys_count; row++)
		if (row->section == CONF_SERVICE && keys_fits(row, keys_type_bit("module")))
			suggest_offer(&s, row->name);
	text = mem_printf("unknown key '%s' in [service:%s]%s%s%s", conf_word(own->key).text,
	                  a->conf->name, s.best != NULL ? "; did you mean '" : "",
	                  s.best != NULL ? s.best : "", s.best != NULL ? "'?" : "");
	tell(a, own->line, text);
	mem_free(&text);
}

static void
tell_bad(struct reading *a, const struct conf_own *own, const char *cause)
{
	char *text =
	    *own->value == '\0'
	        ? mem_printf("empty value for '%s' in [service:%s]; %s", own->key,
	                     a->conf->name, cause)
	        : mem_printf("bad value '%s' for '%s' in [service:%s]; %s",
	                     conf_word(own->value).text, own->key, a->conf->name, cause);

	tell(a, own->line, text);
	mem_free(&text);
}

static const struct conf_own *
find_line(const struct conf_service *conf, const char *name)
{
	for (size_t i = 0; i < conf->nown; i++)
		if (strcmp(conf->own[i].key, name) == 0)
			return &conf->own[i];
	return NULL;
}

static bool
has_words(const struct baton_key *key)
{
	return key->words != NULL && key->words[0] != NULL;
}

/* A table that contradicts itself is the module's fault, whatever the file says. */
static bool
row_is_sound(struct reading *a, const struct baton_key *keys, const struct baton_key *key)
{
	char *text = NULL;

	if (*key->name == '\0' || key->name[strspn(key->name, NAME_BYTES)] != '\0')
		text = mem_printf("the module's key '%s' has a name that no file can have; "
		                  "it has letters, digits, '-', '.' and '_'",
		                  conf_word(key->name).text);
	else if (modulekeys_find(keys, key->name) < key - keys)
		text = mem_printf("the module has two keys '%s'", key->name);
	else if ((size_t)key->type >= TYPES_N ||
	         (key->type == BATON_KEY_WORD && !has_words(key)))
		text = mem_printf("the module's key '%s' is of no known type", key->name);
	else if (keys_find(CONF_SERVICE, key->name, 0) != NULL)
		text = mem_printf("the module's key '%s' is one that baton has", key->name);
	if (text == NULL)
		return true;
	tell(a, a->conf->line, text);
	mem_free(&text);
	return false;
}

static void
read_key(struct reading *a, const struct baton_key *keys, const struct baton_key *key,
         struct own_value *value)
{
	const struct conf_own *own = find_line(a->conf, key->name);
	struct keys_row row;
	char *cause = NULL, *text;

	if (!row_is_sound(a, keys, key))
		return;
	row = row_of(key);
	if (own != NULL && keys_set(&row, value, own->line, own->value, &cause) < 0)
		tell_bad(a, own, cause);
	mem_free(&cause);
	if (own != NULL)
		return;
	if (key->dflt != NULL && keys_set(&row, value, 0, key->dflt, &cause) < 0)
		text = mem_printf("the module's default for '%s' is bad: %s", key->name, cause);
	else if (key->dflt == NULL && key->required)
		text = mem_printf("[service:%s] needs '%s': %s", a->conf->name, key->name,
		                  key->help != NULL ? key->help : "its module wants it");
	else
		return;
	tell(a, a->conf->line, text);
	mem_free(&text);
	mem_free(&cause);
}

struct own_value *
modulekeys_read(const struct conf_service *conf, const struct baton_key *keys,
                struct conf_errors *errors)
{
	struct reading a = {.conf = conf, .errors = errors};
	struct own_value *values = mem_alloc((count(keys) + 1) * sizeof *values);

	for (size_t i = 0; i < count(keys); i++)
		read_key(&a, keys, &keys[i], &values[i]);
	for (size_t i = 0; i < conf->nown; i++)
		if (modulekeys_find(keys, conf->own[i].key) < 0)
			tell_unknown(&a, &conf->own[i], keys);
	if (a.bad)
		modulekeys_free(&values, keys);
	return values;
}

void
modulekeys_free(struct own_value **values, const struct baton_key *keys)
{
	if (*values == NULL)
		return;
	for (size_t i = 0; i < count(keys); i++)
		mem_free(&(*values)[i].text);
	mem_free(values);
}
