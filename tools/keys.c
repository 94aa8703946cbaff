/*
 * keys: puts the keys of the configuration into a manual page.
 *
 * Copies stdin to stdout.  A line `@keys SECTION@` becomes the list of that section's keys
 * in mdoc, made from the table of keys; a service's keys are listed by type, and those that
 * several types have are described at the first.  Fails when a section was not asked for,
 * so that none can be forgotten.  With --list: "SECTION KEY" for each row, for tests.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/keys.h"

#define SECTIONS_MAX 16

/* What is special to roff; '-' would become a hyphen, which is no part of any value. */
static void
put(const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", stdout);
	for (; *text != '\0'; text++) {
		if (*text == '\\')
			fputs("\\e", stdout);
		else if (*text == '-')
			fputs("\\-", stdout);
		else
			putchar(*text);
	}
}

/* Without the examples at its end: the page's head has them. */
static void
put_expected(const struct keys_row *row)
{
	char *expected = keys_expect(row), *like = strstr(expected, ", like ");

	if (like != NULL)
		*like = '\0';
	fputs("Takes ", stdout);
	put(expected);
	puts(row->flags & KEYS_MAY_EMPTY ? ", or nothing: not set." : ".");
	mem_free(&expected);
}

/* A word or value behind a macro, whatever it looks like. */
static void
put_macro(const char *macro, const char *value, const char *behind)
{
	printf(".%s \"\\&", macro);
	put(value);
	printf("\"%s\n", behind);
}

static bool
is_one_of(const struct keys_row *row)
{
	return (row->flags & KEYS_ONE_OF) != 0;
}

/* "One of respond, root or upstream is needed." */
static void
put_one_of(unsigned type)
{
	size_t n = 0, i = 0;

	for (const struct keys_row *row = keys_table; row < keys_table + keys_count; row++)
		n += is_one_of(row) && (row->types & type) != 0;
	if (n < 2) {
		puts("Required.");
		return;
	}
	puts("Exactly one of");
	for (const struct keys_row *row = keys_table; row < keys_table + keys_count; row++) {
		if (!is_one_of(row) || !(row->types & type))
			continue;
		i++;
		put_macro("Ic", row->name, i + 1 < n ? " ," : "");
		if (i + 1 == n)
			puts("and");
	}
	puts("is needed.");
}

static void
put_flags(const struct keys_row *row, unsigned type)
{
	if (row->flags & KEYS_REQUIRED)
		puts("Required.");
	if (is_one_of(row))
		put_one_of(type);
	if (row->flags & KEYS_REPEAT)
		puts("May stand more than once.");
	if (row->flags & KEYS_BEHIND && row->types & keys_type_bit("http"))
		puts("Means nothing without\n.Ic upstream .");
}

static void
put_default(const struct keys_row *row)
{
	if (row->dflt != NULL) {
		puts("The default is");
		put_macro("Cm", row->dflt, row->cap != NULL ? " ," : " .");
	}
	if (row->cap != NULL)
		printf("but not more than\n.Ic %s .\n", row->cap);
	if (row->example != NULL) {
		puts("For example:");
		put_macro("Cm", row->example, " .");
	}
}

static void
put_row(const struct keys_row *row, unsigned type)
{
	printf(".It Ic %s\n", row->name);
	put(row->help); /* goes on from the name */
	puts(".");
	put_expected(row);
	put_default(row);
	put_flags(row, type);
}

/* The first of the types that have the row; 0: all have it. */
static unsigned
first_type(const struct keys_row *row)
{
	return row->types & ~(row->types - 1);
}

/* Keys that an earlier type has as well.  apart: something stands before them. */
static void
put_shared(unsigned type, bool apart)
{
	for (size_t i = 0; keys_service_types[i] != NULL; i++) {
		unsigned other = 1u << i;
		const char *before = NULL;

		for (const struct keys_row *row = keys_table; row < keys_table + keys_count;
		     row++) {
			if (other >= type || !(row->types & type) || first_type(row) != other)
				continue;
			if (before == NULL)
				printf("%sAs with type\n.Cm %s :\n", apart ? ".Pp\n" : "",
				       keys_service_types[i]);
			else
				put_macro("Ic", before, " ,");
			before = row->name;
		}
		if (before != NULL)
			put_macro("Ic", before, " .");
		apart |= before != NULL;
	}
}

/* Of rows of a section those that are described at this type; 0: at none.  False: there are
 * none. */
static bool
put_list(enum conf_section section, unsigned type)
{
	bool begun = false;

	for (const struct keys_row *row = keys_table; row < keys_table + keys_count; row++) {
		if (row->section != section || first_type(row) != type)
			continue;
		if (!begun)
			puts(".Bl -tag -width Ds");
		begun = true;
		put_row(row, type);
	}
	if (begun)
		puts(".El");
	return begun;
}

static void
put_section(enum conf_section section)
{
	put_list(section, 0);
	if (section != CONF_SERVICE)
		return;
	for (size_t i = 0; keys_service_types[i] != NULL; i++) {
		printf(".Ss Keys of type %s\n", keys_service_types[i]);
		put_shared(1u << i, put_list(section, 1u << i));
	}
}

/* The section that the line asks for; -1: none, it is text. */
static int
asked(const char *line)
{
	static const char mark[] = "@keys ";
	const char *name = line + sizeof mark - 1;

	if (strncmp(line, mark, sizeof mark - 1) != 0)
		return -1;
	for (int i = 0; keys_sections[i] != NULL; i++) {
		size_t n = strlen(keys_sections[i]);

		if (strncmp(name, keys_sections[i], n) == 0 && strcmp(name + n, "@\n") == 0)
			return i;
	}
	fprintf(stderr, "keys: unknown section in %s", line);
	exit(1);
}

static int
fill(void)
{
	bool seen[SECTIONS_MAX] = {false};
	char line[1024];
	int section;

	while (fgets(line, sizeof line, stdin) != NULL) {
		section = asked(line);
		if (section < 0) {
			fputs(line, stdout);
			continue;
		}
		put_section((enum conf_section)section);
		seen[section] = true;
	}
	for (int i = 0; keys_sections[i] != NULL; i++) {
		if (!seen[i]) {
			fprintf(stderr, "keys: the page lacks the line '@keys %s@'\n",
			        keys_sections[i]);
			return 1;
		}
	}
	return fflush(stdout) == 0 ? 0 : 1;
}

static int
list(void)
{
	for (const struct keys_row *row = keys_table; row < keys_table + keys_count; row++)
		printf("%s %s\n", keys_sections[row->section], row->name);
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc == 1)
		return fill();
	if (argc == 2 && strcmp(argv[1], "--list") == 0)
		return list();
	fputs("usage: keys [--list] <TEMPLATE\n", stderr);
	return 2;
}
