#include "master/state/record.h"

#include "base/log.h"

static json_t *
value_of(const struct record_field *f, const void *from)
{
	const void *at = (const char *)from + f->offset;

	switch (f->kind) {
	case RECORD_INT:
		return json_integer(*(const int *)at);
	case RECORD_U32:
		return json_integer(*(const uint32_t *)at);
	case RECORD_U64:
		return json_integer((json_int_t) * (const uint64_t *)at);
	case RECORD_BOOL:
		return json_boolean(*(const bool *)at);
	}
	log_panic("record '%s' has no kind", f->name);
}

json_t *
record_save(const struct record_field *field, const void *from)
{
	json_t *j = json_object();

	for (; field->name != NULL; field++)
		AN(json_object_set_new(j, field->name, value_of(field, from)) == 0);
	return j;
}

static bool
is_good(const struct record_field *f, const json_t *v)
{
	if (v == NULL)
		return f->may_lack;
	return f->kind == RECORD_BOOL ? json_is_boolean(v) : json_is_integer(v);
}

static void
set(const struct record_field *f, const json_t *v, void *to)
{
	void *at = (char *)to + f->offset;

	switch (f->kind) {
	case RECORD_INT:
		*(int *)at = (int)json_integer_value(v);
		break;
	case RECORD_U32:
		*(uint32_t *)at = (uint32_t)json_integer_value(v);
		break;
	case RECORD_U64:
		*(uint64_t *)at = (uint64_t)json_integer_value(v);
		break;
	case RECORD_BOOL:
		*(bool *)at = json_is_true(v);
		break;
	}
}

int
record_restore(const struct record_field *field, const json_t *j, void *to)
{
	for (const struct record_field *f = field; f->name != NULL; f++)
		if (!is_good(f, json_object_get(j, f->name)))
			return -1;
	for (const struct record_field *f = field; f->name != NULL; f++)
		if (json_object_get(j, f->name) != NULL)
			set(f, json_object_get(j, f->name), to);
	return 0;
}
