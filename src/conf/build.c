#include "conf/build.h"

#include <stdbool.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "conf/errors.h"
#include "conf/keys.h"
#include "conf/lines.h"
#include "conf/suggest.h"
#include "conf/tree.h"

#define NAME_BYTES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

#define MODULEKEYS_MAX 256 /* keys of a module's own */
#define ADMIN_RESERVE  8

struct build {
	struct conf *conf;
	struct conf_errors *errors;
	bool titled; /* a title has been seen */
	bool open;   /* the section is known: keys go to (section, index) */
	enum conf_section section;
	size_t index;
	int head;     /* line of its title */
	int first[2]; /* lines where [server] and [drain] stood first; 0: not yet */
	size_t naddr; /* addresses of all listeners */
	char *title;  /* of the section, for sentences */
};

/* The kind that a title begins with, or of a misspelled one what was probably
 * meant, or -1. */
static int
section_kind(struct build *b, int line, const char *title, size_t len)
{
	char *kind = mem_strndup(title, len);
	struct suggest s = suggest_for(kind);
	int found;

	suggest_offer_all(&s, keys_sections);
	for (found = 0; keys_sections[found] != NULL; found++)
		if (s.best == keys_sections[found])
			break;
	if (s.best == NULL) {
		found = -1;
		conf_error(b->errors, line,
		           "unknown section [%s]; there are [server], [drain], "
		           "[listen:NAME], [service:NAME] and [tls:NAME]",
		           conf_word(title).text);
	} else if (strcmp(s.best, kind) != 0) {
		const char *name = title[len] == ':' ? title + len + 1 : "NAME";
		bool named = keys_section_named((enum conf_section)found);

		conf_error(b->errors, line, "unknown section [%s]; did you mean [%s%s%s]?",
		           conf_word(title).text, s.best, named ? ":" : "",
		           named ? conf_word(name).text : "");
	}
	mem_free(&kind);
	return found;
}

/* name is NULL when the title has no ':'. */
static void
check_name(struct build *b, int line, const char *title, const char *name)
{
	const char *kind = keys_sections[b->section];

	if (!keys_section_named(b->section)) {
		if (name != NULL)
			conf_error(b->errors, line, "section [%s] takes no name; write [%s]",
			           conf_word(title).text, kind);
	} else if (name == NULL || *name == '\0') {
		conf_error(b->errors, line, "section [%s] needs a name: [%s:NAME]", kind, kind);
	} else if (strlen(name) > CONF_NAME_MAX) {
		conf_error(b->errors, line, "the name '%s' is longer than %d bytes",
		           conf_word(name).text, CONF_NAME_MAX);
	} else if (name[strspn(name, NAME_BYTES)] != '\0') {
		conf_error(b->errors, line,
		           "the name '%s' may only have letters, digits, '-', '_' and '.'",
		           conf_word(name).text);
	}
}

/* The line where the section stood first, 0 when it is new. */
static int
first_line(struct build *b, const char *name)
{
	const struct conf *conf = b->conf;

	if (!keys_section_named(b->section))
		return b->first[b->section];
	for (size_t i = 0; i < conf_count(conf, b->section); i++)
		if (strcmp(conf_name(conf, b->section, i), name) == 0)
			return conf_head(conf, b->section, i);
	return 0;
}

static void
add_section(struct build *b, int line, const char *name)
{
	struct conf *conf = b->conf;

	b->index = 0;
	if (b->section == CONF_LISTEN) {
		conf->listen = mem_grow(conf->listen, conf->nlisten, sizeof *conf->listen);
		b->index = conf->nlisten++;
		conf->listen[b->index] =
		    (struct conf_listen){.name = mem_strdup(name), .line = line};
	} else if (b->section == CONF_SERVICE) {
		conf->service = mem_grow(conf->service, conf->nservice, sizeof *conf->service);
		b->index = conf->nservice++;
		conf->service[b->index] =
		    (struct conf_service){.name = mem_strdup(name), .line = line};
	} else if (b->section == CONF_TLS) {
		conf->tls = mem_grow(conf->tls, conf->ntls, sizeof *conf->tls);
		b->index = conf->ntls++;
		conf->tls[b->index] = (struct conf_tls){.name = mem_strdup(name), .line = line};
	} else if (b->first[b->section] == 0) {
		b->first[b->section] = line;
	}
	mem_free(&b->title);
	b->title = conf_title(conf, b->section, b->index);
}

static void
open_section(struct build *b, int line, const char *name)
{
	size_t count = keys_section_named(b->section) ? conf_count(b->conf, b->section) : 0;
	int first = *name != '\0' || !keys_section_named(b->section) ? first_line(b, name) : 0;

	if (count >= CONF_SECTIONS_MAX) {
		conf_error(b->errors, line, "more than %d sections [%s:NAME]",
		           CONF_SECTIONS_MAX, keys_sections[b->section]);
		return;
	}
	b->open = true;
	b->head = line;
	add_section(b, line, name);
	if (first != 0)
		conf_error(b->errors, line,
		           "duplicate section %s; it stands in line %d already", b->title,
		           first);
}

static void
build_section(void *arg, int line, const char *title)
{
	struct build *b = arg;
	size_t len = strcspn(title, ":");
	const char *name = title[len] == ':' ? title + len + 1 : "";
	int kind = section_kind(b, line, title, len);

	b->titled = true;
	b->open = false;
	if (kind < 0)
		return;
	b->section = (enum conf_section)kind;
	if (strncmp(title, keys_sections[kind], len) == 0 && keys_sections[kind][len] == '\0')
		check_name(b, line, title, title[len] == ':' ? name : NULL);
	open_section(b, line, name);
}

/* Remember that a line names a key; of several the first, but rather one that
 * is spelled well. */
static void
note_origin(struct build *b, int line, const char *key, enum conf_fate fate)
{
	struct conf *conf = b->conf;
	struct conf_origin *o = conf_find_origin(conf, b->section, b->index, key);

	if (o == NULL) {
		conf->origin = mem_grow(conf->origin, conf->norigin, sizeof *conf->origin);
		o = &conf->origin[conf->norigin++];
	} else if (o->fate != CONF_GUESSED && o->head == b->head) {
		return;
	}
	*o = (struct conf_origin){.section = b->section,
	                          .index = b->index,
	                          .head = b->head,
	                          .line = line,
	                          .key = key,
	                          .fate = fate};
}

/* The section other than the present one that has such a key, or -1. */
static int
other_home(const struct build *b, const char *name)
{
	for (int i = 0; keys_sections[i] != NULL; i++)
		if (i != (int)b->section && keys_find((enum conf_section)i, name, 0) != NULL)
			return i;
	return -1;
}

static void
unknown_key(struct build *b, int line, const char *name)
{
	struct suggest s = suggest_for(name);
	struct conf_word word = conf_word(name);
	int home = other_home(b, name);

	for (const struct keys_row *row = keys_table; row < keys_table + keys_count; row++)
		if (row->section == b->section)
			suggest_offer(&s, row->name);
	if (home >= 0) {
		conf_error(b->errors, line, "unknown key '%s' in %s; it belongs in [%s%s]",
		           word.text, b->title, keys_sections[home],
		           keys_section_named((enum conf_section)home) ? ":NAME" : "");
	} else if (s.best != NULL) {
		conf_error(b->errors, line, "unknown key '%s' in %s; did you mean '%s'?",
		           word.text, b->title, s.best);
		note_origin(b, line, s.best, CONF_GUESSED);
	} else {
		conf_error(b->errors, line, "unknown key '%s' in %s", word.text, b->title);
	}
}

/* A key that may be a module's own: what the section's type is shows at its end. */
static bool
keep_own(struct build *b, int line, const char *name, const char *value)
{
	struct conf_service *s;

	if (b->section != CONF_SERVICE)
		return false;
	s = &b->conf->service[b->index];
	if (s->nown == MODULEKEYS_MAX)
		return false;
	s->own = mem_grow(s->own, s->nown, sizeof *s->own);
	s->own[s->nown++] = (struct conf_own){
	    .key = mem_strdup(name), .value = mem_strdup(value), .line = line, .head = b->head};
	return true;
}

/* Why a value was refused. */
static void
bad_value(struct build *b, int line, const char *key, const char *value, const char *cause)
{
	/* `4 # four` is a comment of another format. */
	const char *hint =
	    strstr(value, " #") != NULL ? " (a comment after a value begins with ' ;')" : "";

	if (*value == '\0')
		conf_error(b->errors, line, "empty value for '%s' in %s; %s", key, b->title,
		           cause);
	else
		conf_error(b->errors, line, "bad value '%s' for '%s' in %s; %s%s",
		           conf_word(value).text, key, b->title, cause, hint);
}

/* May this line set the key, which others may have set before? */
static bool
admit(struct build *b, int line, const struct keys_row *row)
{
	const struct conf_origin *o =
	    conf_find_origin(b->conf, b->section, b->index, row->name);

	if (row->type >= KEYS_ADDR && ++b->naddr > CONF_ADDR_MAX) {
		if (b->naddr == CONF_ADDR_MAX + 1)
			conf_error(b->errors, line, "more than %d addresses", CONF_ADDR_MAX);
		return false;
	}
	if (o == NULL || o->fate == CONF_GUESSED || o->head != b->head ||
	    (row->flags & KEYS_REPEAT))
		return true;
	conf_error(b->errors, line, "duplicate key '%s' in %s; it is set in line %d already",
	           row->name, b->title, o->line);
	return false;
}

/* Values go into answers, which are JSON. */
static int
set(struct build *b, int line, const struct keys_row *row, const char *value, char **cause)
{
	if (keys_set(row, conf_own_base(b->conf, b->section, b->index), line, value, cause) < 0)
		return -1;
	return utf8_valid(value) ? 0 : cause_set(cause, "expected UTF-8");
}

/* `/srv # the site` is a comment, or lacks its quotes: refuse it rather than drop half of it
 * silently. */
static bool
looks_commented(struct build *b, int line, const char *name, const char *value, bool quoted)
{
	if (quoted || !lines_look_commented(value))
		return false;
	conf_error(
	    b->errors, line,
	    "bad value '%s' for '%s' in %s; a comment after a value begins with ' ;', and a "
	    "'#' that belongs to it stands in quotes",
	    conf_word(value).text, name, b->title);
	return true;
}

static void
build_key(void *arg, int line, const char *name, const char *value, bool quoted)
{
	struct build *b = arg;
	const struct keys_row *row;
	char *cause = NULL;

	if (!b->titled)
		conf_error(b->errors, line,
		           "key '%s' stands before any section, such as [server]",
		           conf_word(name).text);
	if (!b->open)
		return;
	row = keys_find(b->section, name, 0);
	if (row == NULL) {
		if (!keep_own(b, line, name, value))
			unknown_key(b, line, name);
		else
			looks_commented(b, line, name, value, quoted);
		return;
	}
	if (!admit(b, line, row))
		return;
	if (set(b, line, row, value, &cause) == 0) {
		note_origin(b, line, row->name,
		            looks_commented(b, line, name, value, quoted) ? CONF_BAD
		                                                          : CONF_SET);
		return;
	}
	note_origin(b, line, row->name, CONF_BAD);
	bad_value(b, line, row->name, value, cause);
	mem_free(&cause);
}

/* It counts as given. */
static void
build_malformed(void *arg, int line, const char *name)
{
	struct build *b = arg;
	const struct keys_row *row = b->open ? keys_find(b->section, name, 0) : NULL;

	if (row != NULL && admit(b, line, row))
		note_origin(b, line, row->name, CONF_BAD);
}

/* Lower a default that would exceed the key it may not exceed. */
static void
cap_default(struct build *b, const struct keys_row *row, void *base)
{
	const struct keys_row *limit = keys_find(row->section, row->cap, row->types);
	char *text;

	AN(limit != NULL);
	if (keys_number(row, base) <= keys_number(limit, base))
		return;
	text = keys_text(limit, base, 0);
	if (keys_set(row, base, 0, text, NULL) == 0)
		note_origin(b, 0, row->name, CONF_CAPPED);
	mem_free(&text);
}

/* Defaults for what no line of the section has set.  They wait until the type
 * of a service is known. */
static void
fill_section(struct build *b)
{
	unsigned types = conf_types(b->conf, b->section, b->index);
	void *base = conf_own_base(b->conf, b->section, b->index);

	b->head = 0;
	for (const struct keys_row *row = keys_table; row < keys_table + keys_count; row++) {
		const struct conf_origin *o =
		    conf_find_origin(b->conf, b->section, b->index, row->name);

		if (row->section != b->section ||
		    keys_find(row->section, row->name, types) != row ||
		    (o != NULL && o->fate == CONF_SET))
			continue;
		keys_set_default(row, base);
		if (row->cap != NULL && o == NULL)
			cap_default(b, row, base);
	}
}

static void
fill_all(struct build *b)
{
	for (int section = 0; keys_sections[section] != NULL; section++) {
		b->section = (enum conf_section)section;
		for (b->index = 0; b->index < conf_count(b->conf, b->section); b->index++)
			fill_section(b);
	}
}

static const struct conf_own *
find_before(const struct conf_service *s, const struct conf_own *own)
{
	for (const struct conf_own *o = s->own; o < own; o++)
		if (strcmp(o->key, own->key) == 0 && o->head == own->head)
			return o;
	return NULL;
}

/* Only the module can judge the value. */
static void
check_own(struct build *b, const struct conf_service *s, const struct conf_own *own)
{
	const struct conf_own *before = find_before(s, own);

	if (before != NULL)
		conf_error(b->errors, own->line,
		           "duplicate key '%s' in %s; it is set in line %d already",
		           conf_word(own->key).text, b->title, before->line);
	else if (!utf8_valid(own->key) || !utf8_valid(own->value))
		bad_value(b, own->line, conf_word(own->key).text, own->value, "expected UTF-8");
}

/* Only a module may have keys of its own. */
static void
settle_own(struct build *b)
{
	b->section = CONF_SERVICE;
	for (b->index = 0; b->index < b->conf->nservice; b->index++) {
		struct conf_service *s = &b->conf->service[b->index];
		bool module = s->type != NULL && strcmp(s->type, "module") == 0;

		mem_free(&b->title);
		b->title = conf_title(b->conf, b->section, b->index);
		for (size_t i = 0; i < s->nown; i++) {
			b->head = s->own[i].head;
			if (module)
				check_own(b, s, &s->own[i]);
			else
				unknown_key(b, s->own[i].line, s->own[i].key);
		}
	}
}

static bool
is_admin(const struct conf *conf, const struct conf_listen *l)
{
	const struct conf_service *s =
	    l->service != NULL ? conf_find_service(conf, l->service) : NULL;

	return s != NULL && s->type != NULL && strcmp(s->type, "admin") == 0;
}

/* Take at most half of what the file's own reserves leave. */
static int64_t
implied_reserve(int64_t max, int64_t reserved)
{
	int64_t half = max > reserved ? (max - reserved) / 2 : 0;

	return max == 0 || half > ADMIN_RESERVE ? ADMIN_RESERVE : half;
}

/* An operator must get in when the server is full. */
static void
reserve_for_admins(struct build *b)
{
	int64_t reserved = 0;

	b->section = CONF_LISTEN;
	b->head = 0;
	for (size_t i = 0; i < b->conf->nlisten; i++)
		reserved += b->conf->listen[i].reserve;
	for (b->index = 0; b->index < b->conf->nlisten; b->index++) {
		struct conf_listen *l = &b->conf->listen[b->index];

		if (!is_admin(b->conf, l) ||
		    conf_find_origin(b->conf, CONF_LISTEN, b->index, "reserve") != NULL)
			continue;
		l->reserve = implied_reserve(b->conf->server.max_connections, reserved);
		reserved += l->reserve;
		note_origin(b, 0, "reserve", CONF_IMPLIED);
	}
}

void
build_tree(struct conf *conf, struct conf_errors *errors)
{
	struct build b = {.conf = conf, .errors = errors};
	struct lines_sink sink = {.section = build_section,
	                          .key = build_key,
	                          .malformed = build_malformed,
	                          .arg = &b};

	lines_read(conf->text, conf->len, &sink, errors);
	settle_own(&b);
	fill_all(&b);
	conf_link_services(conf);
	conf_link_tls(conf);
	reserve_for_admins(&b);
	mem_free(&b.title);
}
