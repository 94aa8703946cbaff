#include "master/history.h"

#include "master/record.h"

static json_t *last; /* NULL: none yet */

void
history_add(const char *what, const char *outcome, const char *reason, uint64_t took_ms)
{
	json_int_t seq = json_integer_value(json_object_get(last, "seq")) + 1;

	history_stop();
	last =
	    json_pack("{s:I, s:s, s:s, s:o, s:I}", "seq", seq, "what", what, "outcome", outcome,
	              "reason", record_shown(reason, SIZE_MAX), "took_ms", (json_int_t)took_ms);
}

json_t *
history_last(void)
{
	return last != NULL ? json_incref(last) : json_null();
}

json_t *
history_save(void)
{
	return history_last();
}

void
history_restore(const json_t *j)
{
	history_stop();
	if (json_is_object(j))
		last = json_deep_copy(j);
}

void
history_stop(void)
{
	json_decref(last);
	last = NULL;
}
