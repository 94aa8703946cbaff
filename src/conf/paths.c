#include "conf/paths.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/errors.h"
#include "conf/tree.h"
#include "conf/value.h"

enum kind { OTHER, ADDRESS, ACCESS, LOG };

struct claim {
	char *path; /* plain */
	enum kind kind;
	const char *key;
	enum conf_section section;
	size_t index;
	int line;
};

struct claims {
	struct claim *claim;
	size_t n;
};

static void
add(struct claims *c, const char *path, struct claim claim)
{
	if (path == NULL || *path != '/')
		return;
	claim.path = value_plain_path(path);
	c->claim = mem_grow(c->claim, c->n, sizeof *c->claim);
	c->claim[c->n++] = claim;
}

static void
add_key(const struct conf *conf, struct claims *c, const char *path, struct claim claim)
{
	const struct conf_origin *o =
	    conf_find_origin(conf, claim.section, claim.index, claim.key);

	claim.line = o != NULL ? o->line : 0;
	add(c, path, claim);
}

static void
collect(const struct conf *conf, struct claims *c)
{
	const struct conf_server *s = &conf->server;

	add_key(conf, c, s->control, (struct claim){.key = "control", .section = CONF_SERVER});
	add_key(conf, c, s->pid_file,
	        (struct claim){.key = "pid_file", .section = CONF_SERVER});
	add_key(conf, c, s->log,
	        (struct claim){.key = "log", .section = CONF_SERVER, .kind = LOG});
	for (size_t i = 0; i < conf->nlisten; i++) {
		const struct conf_listen *l = &conf->listen[i];
		struct claim claim = {.section = CONF_LISTEN, .index = i};

		claim.key = "access_log";
		claim.kind = ACCESS;
		add_key(conf, c, l->access_log, claim);
		claim.key = "address";
		claim.kind = ADDRESS;
		for (size_t k = 0; k < l->naddr; k++) {
			claim.line = l->addr[k].line;
			if (l->addr[k].kind == CONF_ADDR_UNIX)
				add(c, l->addr[k].text + strlen("unix:"), claim);
		}
	}
}

/* Several listeners may have one access log, and a device is no file of anybody's.  Two equal
 * addresses are told elsewhere (check.c). */
static bool
may_share(const struct claim *a, const struct claim *b)
{
	if (a->kind == b->kind)
		return a->kind != OTHER;
	return a->kind >= ACCESS && b->kind >= ACCESS &&
	       (strncmp(a->path, "/dev/", 5) == 0 || strncmp(a->path, "/proc/", 6) == 0);
}

/* a is the one that stands first in the file. */
static void
tell(const struct conf *conf, struct conf_errors *errors, const struct claim *a,
     const struct claim *b)
{
	char *title = conf_title(conf, a->section, a->index);

	conf_error(errors, b->line, "path '%s' is in line %d already, for '%s' in %s",
	           conf_word(b->path).text, a->line, a->key, title);
	mem_free(&title);
}

static int
by_line(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;

	return (x->line > y->line) - (x->line < y->line);
}

static void
compare(const struct conf *conf, struct conf_errors *errors, const struct claims *c, size_t i)
{
	const struct claim *b = &c->claim[i];

	for (size_t k = 0; k < i; k++) {
		const struct claim *a = &c->claim[k];

		if (strcmp(a->path, b->path) != 0 || may_share(a, b))
			continue;
		tell(conf, errors, a, b);
		return;
	}
}

void
paths_check(const struct conf *conf, struct conf_errors *errors)
{
	struct claims c = {0};

	collect(conf, &c);
	if (c.n > 0)
		qsort(c.claim, c.n, sizeof *c.claim, by_line);
	for (size_t i = 0; i < c.n; i++)
		compare(conf, errors, &c, i);
	for (size_t i = 0; i < c.n; i++)
		mem_free(&c.claim[i].path);
	mem_free(&c.claim);
}
