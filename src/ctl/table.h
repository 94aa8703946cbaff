/*
 * table: rows of text in aligned columns.  Cells are cleaned of what a terminal
 * would obey.
 */
#ifndef BATON_CTL_TABLE_H
#define BATON_CTL_TABLE_H

#include <stddef.h>
#include <stdio.h>

struct table_column {
	const char *name;
	char align; /* 'l' or 'r' */
};

struct table;

/* columns stay the caller's and live as long as the table. */
struct table *table_new(const struct table_column *columns, size_t n);

/* Add the next cell, row by row; takes text over. */
void table_add(struct table *t, char *text);

/* Print a header and the rows, which must be complete.  No line ends with blanks. */
void table_print(const struct table *t, FILE *out);

void table_free(struct table **t);

#endif
