#include "worker/core/service.h"

#include <string.h>

static const struct service_type *const *types;

void
service_types_use(const struct service_type *const *table)
{
	types = table;
}

const struct service_type *
service_type_find(const char *name)
{
	for (size_t i = 0; types[i] != NULL; i++)
		if (strcmp(types[i]->name, name) == 0)
			return types[i];
	return NULL;
}
