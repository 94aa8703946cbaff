/*
 * record: the plain members of a struct in a record of the state, as a table: what is saved and
 * what is restored can't differ.  Names and kinds never change (docs/compatibility.md).
 */
#ifndef BATON_MASTER_STATE_RECORD_H
#define BATON_MASTER_STATE_RECORD_H

#include <jansson.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum record_kind { RECORD_INT, RECORD_U32, RECORD_U64, RECORD_BOOL };

struct record_field {
	const char *name; /* NULL: the last one */
	size_t offset;
	enum record_kind kind;
	bool may_lack; /* builds before have not written it: the member stays as it is */
};

#define RECORD_KIND(member)                                                                    \
	_Generic((member), int                                                                 \
	         : RECORD_INT, uint32_t                                                        \
	         : RECORD_U32, uint64_t                                                        \
	         : RECORD_U64, bool                                                            \
	         : RECORD_BOOL)

/* A member under its own name, which every build writes; of an enum: an int is there. */
#define RECORD(type, member)                                                                   \
	{                                                                                      \
		.name = #member, .offset = offsetof(struct type, member),                      \
		.kind = RECORD_KIND(((struct type *)0)->member)                                \
	}
#define RECORD_LATER(type, member)                                                             \
	{                                                                                      \
		.name = #member, .offset = offsetof(struct type, member),                      \
		.kind = RECORD_KIND(((struct type *)0)->member), .may_lack = true              \
	}

/* A new object with them. */
json_t *record_save(const struct record_field *field, const void *from);

/* Into them.  -1: one is missing, or is of another kind, and nothing was changed. */
int record_restore(const struct record_field *field, const json_t *j, void *to);

#endif
