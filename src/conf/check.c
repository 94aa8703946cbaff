#include "conf/check.h"

#include <stdbool.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/errors.h"
#include "conf/keys.h"
#include "conf/paths.h"
#include "conf/suggest.h"
#include "conf/tree.h"
#include "conf/value.h"

/* One section under examination. */
struct seat {
	const struct conf *conf;
	struct conf_errors *errors;
	enum conf_section section;
	size_t index;
	unsigned types; /* of a service */
	int head;       /* line of its title */
	char *title;
	const void *base;
};

static const struct conf_origin *
origin_of(const struct seat *s, const struct keys_row *row)
{
	return conf_find_origin(s->conf, s->section, s->index, row->name);
}

static const struct keys_row *
next_row(const struct seat *s, const struct keys_row *row)
{
	for (row = row == NULL ? keys_table : row + 1; row < keys_table + keys_count; row++)
		if (row->section == s->section &&
		    keys_find(row->section, row->name, s->types) == row)
			return row;
	return NULL;
}

static void
check_required(const struct seat *s)
{
	for (const struct keys_row *row = NULL; (row = next_row(s, row)) != NULL;)
		if ((row->flags & KEYS_REQUIRED) && origin_of(s, row) == NULL)
			conf_error(s->errors, s->head, "%s needs '%s', such as '%s = %s'",
			           s->title, row->name, row->name, row->example);
}

/* "'respond' or 'root'" */
static char *
alternatives(const struct seat *s)
{
	char *list = mem_strdup("");

	for (const struct keys_row *row = NULL; (row = next_row(s, row)) != NULL;) {
		char *longer;

		if (!(row->flags & KEYS_ONE_OF) || !keys_fits(row, s->types))
			continue;
		longer = mem_printf("%s%s'%s'", list, *list != '\0' ? " or " : "", row->name);
		mem_free(&list);
		list = longer;
	}
	return list;
}

static void
check_exclusion(const struct seat *s, const struct conf_origin *a, const struct conf_origin *b)
{
	if (a->fate == CONF_GUESSED || b->fate == CONF_GUESSED)
		return;
	conf_error(s->errors, a->line > b->line ? a->line : b->line,
	           "'%s' and '%s' in %s exclude each other", a->key, b->key, s->title);
}

static void
check_one_of(const struct seat *s)
{
	const struct conf_origin *before = NULL;
	char *list;

	/* An unknown type has no known needs. */
	if (s->types == 0)
		return;
	for (const struct keys_row *row = NULL; (row = next_row(s, row)) != NULL;) {
		const struct conf_origin *o = origin_of(s, row);

		if (o == NULL || !(row->flags & KEYS_ONE_OF) || !keys_fits(row, s->types))
			continue;
		if (before != NULL)
			check_exclusion(s, before, o);
		before = o;
	}
	list = alternatives(s);
	if (before == NULL && *list != '\0')
		conf_error(s->errors, s->head, "%s needs %s", s->title, list);
	mem_free(&list);
}

/* The types that have a key, as "'http'". */
static char *
type_list(const struct keys_row *row)
{
	char *list = mem_strdup("");

	for (size_t i = 0; keys_service_types[i] != NULL; i++) {
		char *longer;

		if (!(row->types & keys_type_bit(keys_service_types[i])))
			continue;
		longer = mem_printf("%s%s'%s'", list, *list != '\0' ? " or " : "",
		                    keys_service_types[i]);
		mem_free(&list);
		list = longer;
	}
	return list;
}

static void
check_types(const struct seat *s)
{
	for (const struct keys_row *row = NULL; (row = next_row(s, row)) != NULL;) {
		const struct conf_origin *o = origin_of(s, row);
		char *list;

		if (o == NULL || o->fate == CONF_GUESSED || keys_fits(row, s->types))
			continue;
		list = type_list(row);
		conf_error(s->errors, o->line, "key '%s' in %s is of type %s, not of '%s'",
		           row->name, s->title, list, s->conf->service[s->index].type);
		mem_free(&list);
	}
}

/* Keys that only mean something beside another one. */
static void
check_behind(const struct seat *s)
{
	if (s->section != CONF_SERVICE || s->conf->service[s->index].nupstream > 0)
		return;
	for (const struct keys_row *row = NULL; (row = next_row(s, row)) != NULL;) {
		const struct conf_origin *o = origin_of(s, row);

		if (o != NULL && o->fate != CONF_GUESSED && (row->flags & KEYS_BEHIND) &&
		    keys_fits(row, s->types))
			conf_error(s->errors, o->line,
			           "key '%s' in %s means nothing without 'upstream'", row->name,
			           s->title);
	}
}

static void
check_section(const struct conf *conf, struct conf_errors *errors, enum conf_section section,
              size_t index)
{
	struct seat s = {.conf = conf, .errors = errors, .section = section, .index = index};

	s.types = conf_types(conf, section, index);
	s.base = conf_base(conf, section, index);
	s.title = conf_title(conf, section, index);
	if (keys_section_named(section))
		s.head = conf_head(conf, section, index);
	check_required(&s);
	check_one_of(&s);
	check_types(&s);
	check_behind(&s);
	mem_free(&s.title);
}

static void
check_service_of(const struct conf *conf, struct conf_errors *errors, size_t index)
{
	const char *name = conf->listen[index].service;
	const struct conf_origin *o = conf_find_origin(conf, CONF_LISTEN, index, "service");
	struct suggest s;
	char *title;

	if (name == NULL || conf_find_service(conf, name) != NULL)
		return;
	AN(o != NULL);
	s = suggest_for(name);
	for (size_t i = 0; i < conf->nservice; i++)
		suggest_offer(&s, conf->service[i].name);
	title = conf_title(conf, CONF_LISTEN, index);
	if (s.best != NULL)
		conf_error(errors, o->line, "unknown service '%s' in %s; did you mean '%s'?",
		           conf_word(name).text, title, conf_word(s.best).text);
	else
		conf_error(errors, o->line,
		           "unknown service '%s' in %s; there is no section [service:%s]",
		           conf_word(name).text, title, conf_word(name).text);
	mem_free(&title);
}

static void
no_such_tls(const struct conf *conf, struct conf_errors *errors, size_t index, char *name)
{
	int line = conf_line(conf, CONF_LISTEN, index, "tls");
	char *title = conf_title(conf, CONF_LISTEN, index);
	struct suggest s = suggest_for(name);

	for (size_t i = 0; i < conf->ntls; i++)
		suggest_offer(&s, conf->tls[i].name);
	if (s.best != NULL)
		conf_error(errors, line, "unknown tls '%s' in %s; did you mean '%s'?",
		           conf_word(name).text, title, conf_word(s.best).text);
	else
		conf_error(errors, line, "unknown tls '%s' in %s; there is no section [tls:%s]",
		           conf_word(name).text, title, conf_word(name).text);
	mem_free(&title);
}

/* A PROXY header stands in front of a handshake, where nobody looks for one yet. */
static void
check_tls_of(const struct conf *conf, struct conf_errors *errors, size_t index)
{
	const struct conf_listen *l = &conf->listen[index];
	const struct conf_service *s =
	    l->service != NULL ? conf_find_service(conf, l->service) : NULL;
	const char *list = l->tls, *at;
	size_t n;

	while (list != NULL && (n = conf_next_name(&list, &at)) > 0) {
		char *name = mem_strndup(at, n);

		if (conf_find_tls(conf, at, n) == NULL)
			no_such_tls(conf, errors, index, name);
		mem_free(&name);
	}
	if (l->tls != NULL && s != NULL && s->accept_proxy)
		conf_error(errors, conf_line(conf, CONF_LISTEN, index, "tls"),
		           "[listen:%s] has 'tls', and its service 'accept_proxy': a PROXY "
		           "header in front of TLS is not read",
		           conf_word(l->name).text);
}

/* Is it https, perhaps with a port? */
static bool
is_https(const char *text)
{
	int64_t port;

	if (strncmp(text, "https", 5) != 0)
		return false;
	if (text[5] == '\0')
		return true;
	return text[5] == ':' && value_int(text + 6, &port) == 0 && port >= 1 && port <= 65535;
}

static void
check_redirect(const struct conf *conf, struct conf_errors *errors, size_t index)
{
	const struct conf_listen *l = &conf->listen[index];
	const struct conf_service *s =
	    l->service != NULL ? conf_find_service(conf, l->service) : NULL;
	int line = conf_line(conf, CONF_LISTEN, index, "redirect");
	struct conf_word name = conf_word(l->name);

	if (l->redirect == NULL)
		return;
	if (!is_https(l->redirect))
		conf_error(errors, line,
		           "bad value '%s' for 'redirect' in [listen:%s]; expected https or "
		           "https:PORT",
		           conf_word(l->redirect).text, name.text);
	if (s != NULL && s->type != NULL && strcmp(s->type, "http") != 0)
		conf_error(errors, line,
		           "'redirect' in [listen:%s] needs a service of type 'http', not '%s'",
		           name.text, s->type);
}

static void
check_tls(const struct conf *conf, struct conf_errors *errors, size_t index)
{
	const struct conf_tls *t = &conf->tls[index];
	struct conf_word name = conf_word(t->name);

	if (t->ncertificate != t->nkey && t->ncertificate > 0 && t->nkey > 0)
		conf_error(errors, t->line, "[tls:%s] has %zu 'certificate' and %zu 'key'",
		           name.text, t->ncertificate, t->nkey);
	if (t->verify != CONF_VERIFY_NO && t->client_ca == NULL)
		conf_error(errors, conf_line(conf, CONF_TLS, index, "verify"),
		           "[tls:%s] asks clients for certificates, and needs 'client_ca'",
		           name.text);
}

/* Is there a like of the j-th address of a listener before it in the file? */
static void
check_address(const struct conf *conf, struct conf_errors *errors, size_t index, size_t j)
{
	const struct conf_addr *addr = &conf->listen[index].addr[j];

	for (size_t i = 0; i <= index; i++) {
		const struct conf_listen *other = &conf->listen[i];
		size_t n = i == index ? j : other->naddr;

		for (size_t k = 0; k < n; k++) {
			if (!value_addr_same(addr, &other->addr[k]))
				continue;
			conf_error(errors, addr->line,
			           "address '%s' is in line %d already, for [listen:%s]",
			           conf_word(addr->text).text, other->addr[k].line,
			           conf_word(other->name).text);
			return;
		}
	}
}

/* The line at which they become too many is told. */
static void
check_reserves(const struct conf *conf, struct conf_errors *errors)
{
	int64_t sum = 0, max = conf->server.max_connections;

	for (size_t i = 0; max != 0 && i < conf->nlisten; i++) {
		const struct conf_origin *o = conf_find_origin(conf, CONF_LISTEN, i, "reserve");
		bool was_good = sum <= max;

		sum += conf->listen[i].reserve;
		if (was_good && sum > max && o != NULL)
			conf_error(errors, o->line,
			           "the reserves up to [listen:%s] are %lld connections, and "
			           "max_connections is %lld",
			           conf_word(conf->listen[i].name).text, (long long)sum,
			           (long long)max);
	}
}

void
check_tree(const struct conf *conf, struct conf_errors *errors)
{
	for (int section = 0; keys_sections[section] != NULL; section++)
		for (size_t i = 0; i < conf_count(conf, (enum conf_section)section); i++)
			check_section(conf, errors, (enum conf_section)section, i);
	for (size_t i = 0; i < conf->nlisten; i++) {
		check_service_of(conf, errors, i);
		check_tls_of(conf, errors, i);
		check_redirect(conf, errors, i);
		for (size_t j = 0; j < conf->listen[i].naddr; j++)
			check_address(conf, errors, i, j);
	}
	for (size_t i = 0; i < conf->ntls; i++)
		check_tls(conf, errors, i);
	paths_check(conf, errors);
	check_reserves(conf, errors);
	if (conf->nlisten == 0)
		conf_error(errors, CONF_NO_LINE,
		           "nothing to serve: there is no section [listen:NAME]");
}
