#include "ctl/table.h"

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

static void
print_cell(const struct table *t, size_t i, const char *text, FILE *out)
{
	int space = (int)(t->width[i] - words_width(text));

	if (i > 0)
		fprintf(out, "%*s", GAP, "");
	if (t->column[i].align == 'r')
		fprintf(out, "%*s", space, "");
	fputs(text, out);
	if (i == t->ncolumns - 1)
		putc('\n', out);
	else if (t->column[i].align == 'l')
		fprintf(out, "%*s", space, "");
}

void
table_print(const struct table *t, FILE *out)
{
	AN(t->ncells % t->ncolumns == 0);
	for (size_t i = 0; i < t->ncolumns; i++)
		print_cell(t, i, t->column[i].name, out);
	for (size_t i = 0; i < t->ncells; i++)
		print_cell(t, i % t->ncolumns, t->cell[i], out);
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
