#include "conf/tree.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/errors.h"
#include "conf/keys.h"

static void
free_service(struct conf_service *s)
{
	for (size_t i = 0; i < s->nown; i++) {
		mem_free(&s->own[i].key);
		mem_free(&s->own[i].value);
	}
	mem_free(&s->own);
	mem_free(&s->name);
}

const struct conf_service *
conf_find_service(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->nservice; i++)
		if (strcmp(conf->service[i].name, name) == 0)
			return &conf->service[i];
	return NULL;
}

size_t
conf_count(const struct conf *conf, enum conf_section section)
{
	switch (section) {
	case CONF_LISTEN:
		return conf->nlisten;
	case CONF_SERVICE:
		return conf->nservice;
	case CONF_TLS:
		return conf->ntls;
	case CONF_SERVER:
	case CONF_DRAIN:
		break;
	}
	return 1;
}

const void *
conf_base(const struct conf *conf, enum conf_section section, size_t index)
{
	AN(index < conf_count(conf, section));
	switch (section) {
	case CONF_SERVER:
		return &conf->server;
	case CONF_DRAIN:
		return &conf->drain;
	case CONF_LISTEN:
		return &conf->listen[index];
	case CONF_SERVICE:
		return &conf->service[index];
	case CONF_TLS:
		return &conf->tls[index];
	}
	log_panic("no section %d", (int)section);
}

const char *
conf_name(const struct conf *conf, enum conf_section section, size_t index)
{
	AN(keys_section_named(section) && index < conf_count(conf, section));
	if (section == CONF_LISTEN)
		return conf->listen[index].name;
	return section == CONF_SERVICE ? conf->service[index].name : conf->tls[index].name;
}

int
conf_head(const struct conf *conf, enum conf_section section, size_t index)
{
	AN(keys_section_named(section) && index < conf_count(conf, section));
	if (section == CONF_LISTEN)
		return conf->listen[index].line;
	return section == CONF_SERVICE ? conf->service[index].line : conf->tls[index].line;
}

char *
conf_title(const struct conf *conf, enum conf_section section, size_t index)
{
	const char *kind = keys_sections[section];

	if (!keys_section_named(section))
		return mem_printf("[%s]", kind);
	return mem_printf("[%s:%s]", kind, conf_word(conf_name(conf, section, index)).text);
}

unsigned
conf_types(const struct conf *conf, enum conf_section section, size_t index)
{
	return section == CONF_SERVICE ? keys_type_bit(conf->service[index].type) : 0;
}

struct conf_origin *
conf_find_origin(const struct conf *conf, enum conf_section section, size_t index,
                 const char *key)
{
	/* From the end, where the parser's present section is. */
	for (size_t i = conf->norigin; i > 0; i--) {
		struct conf_origin *o = &conf->origin[i - 1];

		if (o->index == index && o->section == section && strcmp(o->key, key) == 0)
			return o;
	}
	return NULL;
}

int
conf_line(const struct conf *conf, enum conf_section section, size_t index, const char *key)
{
	const struct conf_origin *o = conf_find_origin(conf, section, index, key);

	return o != NULL && o->line > 0 ? o->line : CONF_NO_LINE;
}

int
conf_blame(const struct conf *conf, enum conf_section section, size_t index, const char *key,
           char **cause)
{
	return conf_blame_line(conf, conf_line(conf, section, index, key), cause);
}

int
conf_blame_line(const struct conf *conf, int line, char **cause)
{
	char *where, *said = *cause;

	if (line == CONF_NO_LINE)
		return -1;
	where = conf_escape(conf->path);
	*cause = mem_printf("%s:%d: %s", where, line, said);
	mem_free(&where);
	mem_free(&said);
	return -1;
}

/* It may be changed by whoever may change conf. */
void *
conf_own_base(struct conf *conf, enum conf_section section, size_t index)
{
	return (void *)(uintptr_t)conf_base(conf, section, index);
}

void
conf_free(struct conf **confp)
{
	struct conf *conf = *confp;

	if (conf == NULL)
		return;
	for (int section = 0; keys_sections[section] != NULL; section++)
		for (size_t i = 0; i < conf_count(conf, (enum conf_section)section); i++)
			keys_clear((enum conf_section)section,
			           conf_own_base(conf, (enum conf_section)section, i));
	for (size_t i = 0; i < conf->nlisten; i++)
		mem_free(&conf->listen[i].name);
	for (size_t i = 0; i < conf->nservice; i++)
		free_service(&conf->service[i]);
	for (size_t i = 0; i < conf->nlisten; i++)
		mem_free(&conf->listen[i].tls_ix);
	for (size_t i = 0; i < conf->ntls; i++)
		mem_free(&conf->tls[i].name);
	mem_free(&conf->listen);
	mem_free(&conf->tls);
	mem_free(&conf->service);
	mem_free(&conf->origin);
	mem_free(&conf->text);
	mem_free(&conf->path);
	mem_free(confp);
}

void
conf_link_services(struct conf *conf)
{
	for (size_t i = 0; i < conf->nlisten; i++) {
		const char *name = conf->listen[i].service;
		const struct conf_service *service =
		    name != NULL ? conf_find_service(conf, name) : NULL;

		if (service != NULL)
			conf->listen[i].service_ix = (size_t)(service - conf->service);
	}
}

size_t
conf_next_name(const char **list, const char **name)
{
	size_t n;

	*list += strspn(*list, ", \t");
	*name = *list;
	n = strcspn(*list, ", \t");
	*list += n;
	return n;
}

size_t
conf_tls_files(const struct conf_tls *tls)
{
	AN(tls->ncertificate == tls->nkey);
	return 2 * tls->ncertificate + 2;
}

size_t
conf_tls_files_of_all(const struct conf *conf)
{
	size_t n = 0;

	for (size_t i = 0; i < conf->ntls; i++)
		n += conf_tls_files(&conf->tls[i]);
	return n;
}

const char *
conf_tls_file(const struct conf_tls *tls, size_t i)
{
	size_t pairs = 2 * tls->ncertificate;

	AN(i < conf_tls_files(tls));
	if (i >= pairs)
		return i == pairs ? tls->client_ca : tls->staple;
	return (i % 2 == 0 ? tls->certificate : tls->key)[i / 2].text;
}

const struct conf_tls *
conf_find_tls(const struct conf *conf, const char *name, size_t n)
{
	for (size_t i = 0; i < conf->ntls; i++)
		if (strlen(conf->tls[i].name) == n && memcmp(conf->tls[i].name, name, n) == 0)
			return &conf->tls[i];
	return NULL;
}

void
conf_link_tls(struct conf *conf)
{
	for (size_t i = 0; i < conf->nlisten; i++) {
		struct conf_listen *l = &conf->listen[i];
		const char *list = l->tls, *name;
		size_t n;

		while (list != NULL && (n = conf_next_name(&list, &name)) > 0) {
			const struct conf_tls *tls = conf_find_tls(conf, name, n);

			if (tls == NULL || l->ntls == CONF_SECTIONS_MAX)
				continue;
			l->tls_ix = mem_grow(l->tls_ix, l->ntls, sizeof *l->tls_ix);
			l->tls_ix[l->ntls++] = (size_t)(tls - conf->tls);
		}
	}
}
