#include "master/verbs/publish.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "master/change/history.h"
#include "master/core/env.h"
#include "master/verbs/status.h"
#include "wire/board.h"

#define EVERY_MS 10 /* not more often */

static uint64_t told_ms;
static struct event *later; /* what was too early */

/* The parts that are dropped first when there is no room for all. */
static const char *const spare[] = {"workers", "history", "upstreams", "answers", "certificates", "listeners"};

static void
empty(json_t *status, const char *list)
{
	json_t *generation;
	size_t i;

	if (strcmp(list, "workers") != 0) {
		json_object_set_new(status, list, json_array());
		return;
	}
	json_array_foreach (json_object_get(status, "generations"), i, generation)
		json_object_set_new(generation, list, json_array());
}

/* It says so itself: an empty list would be a lie. */
static void
leave_out(json_t *status, const char *list)
{
	json_t *left_out = json_object_get(status, "left_out");

	if (left_out == NULL) {
		left_out = json_array();
		json_object_set_new(status, "left_out", left_out);
	}
	empty(status, list);
	json_array_append_new(left_out, json_string(list));
	json_array_append_new(
	    json_object_get(status, "warnings"),
	    json_sprintf("there is too much to tell here: the %s are left out; "
	                 "batonctl tells all",
	                 list));
}

static char *
text(void)
{
	size_t room = board_room(env.stats);
	json_t *status = status_json();
	char *s;

	json_object_set_new(status, "history", history_list());
	s = json_dumps(status, JSON_COMPACT);
	for (size_t i = 0; s != NULL && strlen(s) > room && i < sizeof spare / sizeof *spare;
	     i++) {
		free(s);
		leave_out(status, spare[i]);
		s = json_dumps(status, JSON_COMPACT);
	}
	json_decref(status);
	return s;
}

static void
on_later(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	publish();
}

static void
wait(void)
{
	struct timeval tv = {.tv_usec = EVERY_MS * 1000};

	if (later == NULL && (later = evtimer_new(env.base, on_later, NULL)) == NULL)
		log_fatal("cannot make a timer");
	if (!evtimer_pending(later, NULL))
		evtimer_add(later, &tv);
}

void
publish(void)
{
	uint64_t now = clock_ms();
	char *s;

	if (now - told_ms < EVERY_MS) {
		wait();
		return;
	}
	told_ms = now;
	s = text();
	if (s != NULL && strlen(s) <= board_room(env.stats))
		board_write(env.stats, s, strlen(s));
	free(s);
}

void
publish_stop(void)
{
	if (later != NULL)
		event_free(later);
	later = NULL;
}
