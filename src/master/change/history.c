#include "master/change/history.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "master/control/requester.h"
#include "master/state/jsontext.h"

/* Each as a text: a tenth of what an object takes, in a process that is to stay small. */
static json_t *entries; /* oldest first; NULL: none yet */
static json_t *last;    /* the last change, as the status shows it; NULL: none yet */
static json_int_t seq;  /* of the newest */

/* A crash is an event in the life, not a change that somebody asked for. */
static bool
is_change(const json_t *entry)
{
	const char *what = json_string_value(json_object_get(entry, "what"));

	return what != NULL && strcmp(what, "crash") != 0;
}

/* The public part of a change: without who asked. */
static json_t *
in_short(const json_t *entry)
{
	static const char *const keys[] = {"seq",    "what",    "outcome",
	                                   "reason", "took_ms", "at_ms"};
	json_t *j = json_object();

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		json_object_set(j, keys[i], json_object_get(entry, keys[i]));
	return j;
}

static json_t *
packed(const json_t *entry)
{
	char *text = json_dumps(entry, JSON_COMPACT);
	json_t *j = json_string(text);

	AN(j != NULL);
	free(text);
	return j;
}

/* NULL: it is none; the caller's. */
static json_t *
unpacked(const json_t *text)
{
	json_t *entry = NULL;

	if (json_is_string(text))
		entry = json_loads(json_string_value(text), 0, NULL);
	if (json_is_object(entry))
		return entry;
	json_decref(entry);
	return NULL;
}

/* A file can have very many errors; all of them are told until something else happens. */
static void
shorten_newest(void)
{
	size_t newest = json_array_size(entries) - 1;
	json_t *e = unpacked(json_array_get(entries, newest));
	const char *reason = json_string_value(json_object_get(e, "reason"));

	if (reason != NULL && strlen(reason) > HISTORY_REASON_MAX) {
		json_object_set_new(e, "reason", jsontext_shown(reason, HISTORY_REASON_MAX));
		json_array_set_new(entries, newest, packed(e));
	}
	json_decref(e);
}

/* Takes entry over. */
static void
append(json_t *entry)
{
	if (entries == NULL)
		entries = json_array();
	if (json_array_size(entries) > 0)
		shorten_newest();
	json_array_append_new(entries, packed(entry));
	while (json_array_size(entries) > HISTORY_MAX)
		json_array_remove(entries, 0);
	if (is_change(entry)) {
		json_decref(last);
		last = in_short(entry);
	}
	json_decref(entry);
}

void
history_add(const struct history_entry *e)
{
	append(json_pack("{s:I, s:s, s:s, s:o, s:I, s:I, s:i, s:o, s:o}", "seq", ++seq, "what",
	                 e->what, "outcome", e->outcome, "reason",
	                 jsontext_shown(e->reason, SIZE_MAX), "took_ms", (json_int_t)e->took_ms,
	                 "at_ms", (json_int_t)e->at_ms, "generation", (int)e->generation, "by",
	                 e->by != NULL ? e->by : json_array(), "steps",
	                 e->steps != NULL ? e->steps : json_null()));
}

json_t *
history_last(void)
{
	return last != NULL ? json_incref(last) : json_null();
}

json_t *
history_json(void)
{
	json_t *list = json_array(), *text;
	size_t i;

	json_array_foreach (entries, i, text)
		json_array_append_new(list, unpacked(text));
	return json_pack("{s:o}", "history", list);
}

/* For the page of `type = admin`: users as numbers. */
static void
add_askers(json_t *to, const json_t *entry)
{
	char *by = requester_text(json_object_get(entry, "by"));

	json_object_set_new(to, "by", jsontext_shown(by, SIZE_MAX));
	json_object_set(to, "generation", json_object_get(entry, "generation"));
	free(by);
}

json_t *
history_list(void)
{
	json_t *list = json_array();

	for (size_t i = json_array_size(entries); i > 0; i--) {
		json_t *entry = unpacked(json_array_get(entries, i - 1));

		if (is_change(entry) && json_array_size(list) < HISTORY_SHORT) {
			json_t *one = in_short(entry);

			add_askers(one, entry);
			json_array_insert_new(list, 0, one);
		}
		json_decref(entry);
	}
	return list;
}

json_t *
history_save(void)
{
	json_t *j;

	if (entries == NULL)
		return json_null();
	j = last != NULL ? json_copy(last) : json_object();
	json_object_set_new(j, "seq", json_integer(seq));
	json_object_set(j, "entries", entries);
	return j;
}

static void
restore_list(const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);
		json_t *entry = json_is_object(one) ? json_deep_copy(one) : unpacked(one);

		if (json_is_string(json_object_get(entry, "what")))
			append(entry);
		else
			json_decref(entry);
	}
}

void
history_restore(const json_t *j)
{
	const json_t *list = json_object_get(j, "entries");

	if (list == NULL)
		list = json_object_get(j, "list"); /* its name once */
	history_stop();
	seq = json_integer_value(json_object_get(j, "seq"));
	if (json_is_array(list))
		restore_list(list);
	else if (json_is_string(json_object_get(j, "what")))
		append(json_deep_copy(j));
}

void
history_stop(void)
{
	json_decref(entries);
	json_decref(last);
	entries = last = NULL;
	seq = 0;
}
