#include "ctl/table.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "ctl/words.h"

#define GAP 2 /* columns of space */

struct table {
	const struct table_column *column;
	size_t ncolumns;
	char **cell;
	size_t ncells;
	size_t *width;
};

struct table *
table_new(const struct table_column *columns, size_t n)
{
	struct table *t = mem_alloc(sizeof *t);

	t->column = columns;
	t->ncolumns = n;
	t->width = mem_alloc(n * sizeof *t->width);
	for (size_t i = 0; i < n; i++)
		t->width[i] = words_width(columns[i].name);
	return t;
}

void
table_add(struct table *t, char *text)
{
	size_t *width = &t->width[t->ncells % t->ncolumns];
	char *clean = words_clean(text, "");

	if (words_width(clean) > *width)
		*width = words_width(clean);
	t->cell = mem_grow(t->cell, t->ncells, sizeof *t->cell);
	t->cell[t->ncells++] = clean;
	free(text);
}

/* blank: columns of space that are owed, and printed only before a text. */
static void
print_cell(const struct table *t, size_t i, const char *text, size_t *blank, FILE *out)
{
	size_t space = t->width[i] - words_width(text);
	bool right = t->column[i].align == 'r';

	*blank += (i > 0 ? GAP : 0) + (right ? space : 0);
	if (*text != '\0') {
		fprintf(out, "%*s%s", (int)*blank, "", text);
		*blank = 0;
	}
	*blank += right ? 0 : space;
}

static void
print_row(const struct table *t, char *const *cell, FILE *out)
{
	size_t blank = 0;

	for (size_t i = 0; i < t->ncolumns; i++)
		print_cell(t, i, cell != NULL ? cell[i] : t->column[i].name, &blank, out);
	putc('\n', out);
}

void
table_print(const struct table *t, FILE *out)
{
	AN(t->ncells % t->ncolumns == 0);
	print_row(t, NULL, out);
	for (size_t i = 0; i < t->ncells; i += t->ncolumns)
		print_row(t, &t->cell[i], out);
}

void
table_free(struct table **t)
{
	for (size_t i = 0; i < (*t)->ncells; i++)
		free((*t)->cell[i]);
	free((*t)->cell);
	free((*t)->width);
	mem_free(t);
}
