/*
 * table: the routes of a module, as those of this baton.h, whatever version of it the module
 * was built with.
 */
#ifndef BATON_SERVICE_MODULE_TABLE_H
#define BATON_SERVICE_MODULE_TABLE_H

#include <stdbool.h>

#include "baton.h"

#define TABLE_OLDEST_ABI 2

/* The routes of a module of version TABLE_OLDEST_ABI to BATON_ABI, ended by one without path;
 * malloc'd.  NULL: it has none. */
struct baton_route *table_read(const struct baton_module *m);

/* What is wrong with one of them?  0, or -1 with *cause. */
int table_judge(const struct baton_route *routes, char **cause);

/* Give blocking routes the handler that takes them to a thread. */
void table_prepare(struct baton_route *routes);

#endif
