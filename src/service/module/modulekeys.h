/*
 * modulekeys: the keys that a module has of its own, checked by its table and with the same
 * sentences as those of baton.
 */
#ifndef BATON_SERVICE_MODULE_MODULEKEYS_H
#define BATON_SERVICE_MODULE_MODULEKEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "baton.h"
#include "conf/conf.h"

struct own_value {
	union {
		int64_t number;
		bool flag;
	} as;
	char *text; /* of text, path, word; NULL: not set */
};

/*
 * The values of a section, one for each key of the table (NULL: no keys), or NULL with
 * sentences in *errors.
 */
struct own_value *modulekeys_read(const struct conf_service *conf, const struct baton_key *keys,
                                  struct conf_errors *errors);

/* Free them; *values becomes NULL. */
void modulekeys_free(struct own_value **values, const struct baton_key *keys);

/* The place of a key in the table, or -1. */
int modulekeys_find(const struct baton_key *keys, const char *name);

#endif
