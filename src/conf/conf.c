#include "conf/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/build.h"
#include "conf/check.h"
#include "conf/errors.h"
#include "conf/keys.h"
#include "conf/lines.h"

#define REMARK_COLUMN 31  /* where the comment after a value begins */
#define TIGHT_LENGTH  256 /* longer values get their comment on a line before */

static int
open_regular(const char *path, size_t *size, char **cause)
{
	struct stat st;
	/* Without O_NONBLOCK a FIFO would keep us here until somebody writes. */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

	if (fd < 0 && errno == ENOENT)
		return cause_set(cause, "there is no such file");
	if (fd < 0)
		return cause_set(cause, "cannot be opened: %s", strerror(errno));
	if (fstat(fd, &st) != 0)
		cause_set(cause, "cannot be read: %s", strerror(errno));
	else if (S_ISDIR(st.st_mode))
		cause_set(cause, "is a directory, not a file");
	else if (!S_ISREG(st.st_mode))
		cause_set(cause, "is not a regular file");
	else if (st.st_size > CONF_FILE_MAX)
		cause_set(cause, "is larger than %u bytes", CONF_FILE_MAX);
	else {
		*size = (size_t)st.st_size;
		return fd;
	}
	fd_close(&fd);
	return -1;
}

/* All of fd, or NULL; the file may grow or shrink meanwhile. */
static char *
read_all(int fd, size_t size, size_t *len, char **cause)
{
	char *text = mem_alloc(size + 1);
	ssize_t got = 0;

	*len = 0;
	while (*len <= CONF_FILE_MAX) {
		if (*len == size)
			text = mem_realloc(text, (size += 4096) + 1);
		got = read(fd, text + *len, size - *len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		*len += (size_t)got;
	}
	text[*len] = '\0';
	if (*len <= CONF_FILE_MAX && got == 0)
		return text;
	if (*len > CONF_FILE_MAX)
		cause_set(cause, "is larger than %u bytes", CONF_FILE_MAX);
	else
		cause_set(cause, "cannot be read: %s", strerror(errno));
	mem_free(&text);
	return NULL;
}

char *
conf_read(const char *path, size_t *len, struct conf_errors *errors)
{
	char *cause = NULL, *text = NULL;
	size_t size = 0;
	int fd = open_regular(path, &size, &cause);

	if (fd >= 0)
		text = read_all(fd, size, len, &cause);
	fd_close(&fd);
	if (text == NULL) {
		errors->path = path;
		conf_error(errors, CONF_NO_LINE, "%s", cause);
	}
	mem_free(&cause);
	return text;
}

static struct conf *
parse(const char *path, const char *text, size_t len, conf_look_fn *look,
      struct conf_errors *errors)
{
	struct conf *conf = mem_alloc(sizeof *conf);
	bool sound;

	errors->path = path;
	conf->path = mem_strdup(path);
	conf->text = mem_alloc(len + 1);
	memcpy(conf->text, text, len);
	conf->len = len;
	if (len == 0) {
		conf_error(errors, CONF_NO_LINE,
		           "the file is empty, there is nothing to serve");
	} else {
		build_tree(conf, errors);
		check_tree(conf, errors);
	}
	sound = errors->n == 0;
	if (look != NULL && len > 0)
		look(conf, errors);
	if (!sound)
		conf_free(&conf);
	return conf;
}

struct conf *
conf_parse(const char *path, const char *text, size_t len, struct conf_errors *errors)
{
	return parse(path, text, len, NULL, errors);
}

struct conf *
conf_load(const char *path, struct conf_errors *errors)
{
	return conf_examine(path, NULL, 0, NULL, errors);
}

struct conf *
conf_examine(const char *path, const char *text, size_t len, conf_look_fn *look,
             struct conf_errors *errors)
{
	struct conf *conf = NULL;
	char *read;

	if (text != NULL)
		return parse(path, text, len, look, errors);
	read = conf_read(path, &len, errors);
	if (read != NULL)
		conf = parse(path, read, len, look, errors);
	mem_free(&read);
	return conf;
}

/* One line `before key = value    ; remark`. */
static void
print_line(FILE *out, const char *before, const char *key, const char *value,
           const char *remark)
{
	/* A value that begins with ';' is none after a blank. */
	bool tight = *value == ';' && !lines_look_commented(value);
	char *text = tight ? mem_strdup(value) : lines_quote(value);

	/* A long line must not become longer than a file's lines may be. */
	if (tight || strlen(text) > TIGHT_LENGTH)
		fprintf(out, "; %s\n%s%s=%s\n", remark, before, key, text);
	else
		fprintf(out, "%s%s = %-*s ; %s\n", before, key,
		        REMARK_COLUMN - 4 - (int)strlen(before) - (int)strlen(key), text,
		        remark);
	mem_free(&text);
}

/* The value as in a file.  An untouched default looks like the table's, "60s"
 * and not "1m". */
static char *
value_of(const struct keys_row *row, const void *base, size_t i,
         const struct conf_origin *origin)
{
	if (origin == NULL && row->dflt != NULL)
		return mem_strdup(row->dflt);
	return keys_text(row, base, i);
}

/* Where the value comes from: "default", "server.ini:3 (default auto)". */
static char *
remark_of(const struct keys_row *row, const char *where, int line,
          const struct conf_origin *origin)
{
	if (origin == NULL)
		return mem_strdup("default");
	if (origin->fate == CONF_IMPLIED)
		return mem_strdup("default of an admin");
	if (origin->fate == CONF_CAPPED)
		return mem_printf("default %s, but at most %s", row->dflt, row->cap);
	if (row->dflt == NULL)
		return mem_printf("%s:%d", where, line);
	return mem_printf("%s:%d (default %s)", where, line, row->dflt);
}

/* Each address has a line of its own. */
static int
line_of(const struct keys_row *row, const void *base, size_t i,
        const struct conf_origin *origin)
{
	size_t n;

	if (row->type >= KEYS_ADDR)
		return origin != NULL ? keys_addrs(row, base, &n)[i].line : 0;
	return origin != NULL ? origin->line : 0;
}

static void
print_key(FILE *out, const struct conf *conf, const struct keys_row *row, size_t index,
          const char *where)
{
	const struct conf_origin *origin =
	    conf_find_origin(conf, row->section, index, row->name);
	const void *base = conf_base(conf, row->section, index);
	char *value = value_of(row, base, 0, origin);

	if (value == NULL && origin == NULL) {
		print_line(out, "; ", row->name, "", "not set");
		return;
	}
	for (size_t i = 0; i == 0 || value != NULL; i++) {
		int line = line_of(row, base, i, origin);
		char *remark = remark_of(row, where, line, origin);

		print_line(out, "", row->name, value != NULL ? value : "", remark);
		mem_free(&remark);
		mem_free(&value);
		if (row->flags & KEYS_REPEAT)
			value = value_of(row, base, i + 1, origin);
	}
}

/* Keys that only the module knows, as they are written. */
static void
print_own(FILE *out, const struct conf_service *s, const char *where)
{
	for (size_t i = 0; i < s->nown; i++) {
		char *remark = mem_printf("%s:%d", where, s->own[i].line);

		print_line(out, "", s->own[i].key, s->own[i].value, remark);
		mem_free(&remark);
	}
}

static void
print_section(FILE *out, const struct conf *conf, enum conf_section section, size_t index,
              const char *where)
{
	unsigned types = conf_types(conf, section, index);
	char *title = conf_title(conf, section, index);
	bool behind = section == CONF_SERVICE && conf->service[index].nupstream > 0;

	fprintf(out, "\n%s\n", title);
	mem_free(&title);
	for (const struct keys_row *row = keys_table; row < keys_table + keys_count; row++)
		if (row->section == section && keys_find(section, row->name, types) == row &&
		    keys_fits(row, types) && (behind || !keys_is_behind(row)))
			print_key(out, conf, row, index, where);
	if (section == CONF_SERVICE)
		print_own(out, &conf->service[index], where);
}

static FILE *
open_text(char **text, size_t *len)
{
	FILE *out = open_memstream(text, len);

	if (out == NULL)
		log_fatal("out of memory: a text");
	return out;
}

char *
conf_print(const struct conf *conf)
{
	char *text, *where = conf_escape(conf->path);
	size_t len;
	FILE *out = open_text(&text, &len);

	fprintf(out, "; every key, its value, and where it comes from\n");
	for (int section = 0; keys_sections[section] != NULL; section++)
		for (size_t i = 0; i < conf_count(conf, (enum conf_section)section); i++)
			print_section(out, conf, (enum conf_section)section, i, where);
	mem_free(&where);
	fclose(out);
	return text;
}

#define SAMPLE_SET 4

/* The sections of the sample, and the keys that are set there. */
struct sample {
	enum conf_section section;
	const char *name;
	const char *type;
	bool brief; /* only the keys that are set */
	bool off;   /* a comment as a whole, of the keys that only its type has */
	struct {
		const char *key, *value;
	} set[SAMPLE_SET];
};

static const struct sample samples[] = {
    {.section = CONF_SERVER},
    {.section = CONF_DRAIN},
    {.section = CONF_LISTEN,
     .name = "web",
     .set = {{"address", "127.0.0.1:8080"}, {"service", "site"}}},
    {.section = CONF_SERVICE,
     .name = "site",
     .type = "http",
     .set = {{"type", "http"}, {"respond", "hello, world"}}},
    {.section = CONF_SERVICE,
     .name = "api",
     .type = "http",
     .off = true,
     .set = {{"type", "http"},
             {"upstream", "127.0.0.1:9000"},
             {"balance", "least_busy"},
             {"check", "/health"}}},
    {.section = CONF_LISTEN,
     .name = "echo",
     .brief = true,
     .set = {{"address", "127.0.0.1:7000"}, {"service", "echo"}}},
    {.section = CONF_SERVICE, .name = "echo", .type = "echo", .set = {{"type", "echo"}}},
    {.section = CONF_SERVICE,
     .name = "db",
     .type = "proxy",
     .set = {{"type", "proxy"}, {"upstream", "127.0.0.1:5432"}}},
    {.section = CONF_SERVICE,
     .name = "room",
     .type = "module",
     .off = true,
     .set = {{"type", "module"}}},
    {.section = CONF_TLS,
     .name = "example",
     .off = true,
     .set = {{"certificate", "/etc/ssl/example.pem"}, {"key", "/etc/ssl/private/example.key"}}},
    {.section = CONF_LISTEN,
     .name = "admin",
     .brief = true,
     .off = true,
     .set = {{"address", "127.0.0.1:9180"}, {"service", "admin"}}},
    {.section = CONF_SERVICE,
     .name = "admin",
     .type = "admin",
     .off = true,
     .set = {{"type", "admin"}}},
};

static bool
sample_sets(const struct sample *sample, const char *key)
{
	for (size_t i = 0; i < SAMPLE_SET && sample->set[i].key != NULL; i++)
		if (strcmp(sample->set[i].key, key) == 0)
			return true;
	return false;
}

/* Explain a key once per type, not in each section of that type. */
static bool
is_shown(const struct sample *sample, const struct keys_row *row)
{
	bool behind = keys_is_behind(row);

	if (sample->brief || (behind && !sample_sets(sample, "upstream")))
		return false;
	if (sample->off && sample_sets(sample, "upstream"))
		return behind && row->types == keys_type_bit(sample->type);
	return !sample->off || row->types == keys_type_bit(sample->type);
}

static void
sample_key(FILE *out, const struct sample *sample, const struct keys_row *row)
{
	for (size_t i = 0; i < SAMPLE_SET && sample->set[i].key != NULL; i++) {
		if (strcmp(sample->set[i].key, row->name) != 0)
			continue;
		print_line(out, sample->off ? "; " : "", row->name, sample->set[i].value,
		           row->help);
		return;
	}
	if (is_shown(sample, row))
		print_line(out, "; ", row->name, row->dflt != NULL ? row->dflt : row->example,
		           row->help);
}

static void
sample_section(FILE *out, const struct sample *sample)
{
	unsigned types = keys_type_bit(sample->type);

	fprintf(out, "\n%s[%s%s%s]\n", sample->off ? "; " : "", keys_sections[sample->section],
	        sample->name != NULL ? ":" : "", sample->name != NULL ? sample->name : "");
	for (const struct keys_row *row = keys_table; row < keys_table + keys_count; row++)
		if (row->section == sample->section && keys_fits(row, types))
			sample_key(out, sample, row);
}

char *
conf_sample(void)
{
	char *text;
	size_t len;
	FILE *out = open_text(&text, &len);

	fprintf(out, "; server.ini: what baton serves, and how.  Try it: baton -c server.ini\n"
	             "; Lines that begin with ';' are comments: most keys stand here as one,\n"
	             "; with their default or an example.  After a change: batonctl reload\n");
	for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
		sample_section(out, &samples[i]);
	fclose(out);
	return text;
}
