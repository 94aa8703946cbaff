#include "master/history.h"

#include <string.h>
#include <time.h>

#include "master/master.h"
#include "master/record.h"
#include "wire/stats.h"

#define KEPT 20

static json_t *list; /* the newest last; NULL: none yet */

/* Reloads and upgrades are counted by their outcomes. */
static void
count(const char *what, const char *outcome)
{
	enum stats_counter first = STATS_RELOADS_COMMITTED;

	if (strcmp(what, "abort") == 0) {
		stats_total_add(master.stats, STATS_ABORTS, 1);
		return;
	}
	if (strcmp(what, "upgrade") == 0)
		first = STATS_UPGRADES_COMMITTED;
	if (strcmp(outcome, "refused") == 0)
		first += STATS_RELOADS_REFUSED - STATS_RELOADS_COMMITTED;
	else if (strcmp(outcome, "rolled_back") == 0)
		first += STATS_RELOADS_ROLLED_BACK - STATS_RELOADS_COMMITTED;
	stats_total_add(master.stats, first, 1);
}

_Static_assert(STATS_UPGRADES_REFUSED - STATS_UPGRADES_COMMITTED ==
                   STATS_RELOADS_REFUSED - STATS_RELOADS_COMMITTED,
               "the outcomes stand in one order");

static json_int_t
wall_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (json_int_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* The newest; borrowed. */
static json_t *
last(void)
{
	return json_array_get(list, json_array_size(list) - 1);
}

static void
append(json_t *change)
{
	if (list == NULL)
		list = json_array();
	json_array_append_new(list, change);
	if (json_array_size(list) > KEPT)
		json_array_remove(list, 0);
}

void
history_add(const char *what, const char *outcome, const char *reason, uint64_t took_ms)
{
	json_int_t seq = json_integer_value(json_object_get(last(), "seq")) + 1;

	count(what, outcome);
	append(json_pack("{s:I, s:s, s:s, s:o, s:I, s:I}", "seq", seq, "what", what, "outcome",
	                 outcome, "reason", record_shown(reason, SIZE_MAX), "took_ms",
	                 (json_int_t)took_ms, "at_ms", wall_ms()));
}

json_t *
history_last(void)
{
	return list != NULL ? json_incref(last()) : json_null();
}

json_t *
history_list(void)
{
	return list != NULL ? json_incref(list) : json_array();
}

/* As the versions before the list wrote it, which knew the last one only. */
json_t *
history_save(void)
{
	json_t *j = json_deep_copy(last());

	if (j == NULL)
		return json_null();
	json_object_set(j, "list", list);
	return j;
}

void
history_restore(const json_t *j)
{
	json_t *saved = json_deep_copy(json_object_get(j, "list"));

	history_stop();
	if (json_array_size(saved) > 0)
		list = saved;
	else if (json_is_object(j))
		append(json_deep_copy(j));
	if (list != saved)
		json_decref(saved);
}

void
history_stop(void)
{
	json_decref(list);
	list = NULL;
}
