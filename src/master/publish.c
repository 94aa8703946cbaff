#include "master/publish.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "master/history.h"
#include "master/master.h"
#include "master/status.h"
#include "wire/board.h"

#define EVERY_MS 10 /* not more often */

static uint64_t told_ms;
static struct event *later; /* what was too early */

/* With more workers than there is room for, they are left out. */
static char *
text(void)
{
	json_t *status = status_json(), *generation;
	char *s;
	size_t i;

	json_object_set_new(status, "history", history_list());
	s = json_dumps(status, JSON_COMPACT);
	if (s != NULL && strlen(s) > board_room(master.stats)) {
		free(s);
		json_array_foreach(json_object_get(status, "generations"), i, generation)
		    json_object_set_new(generation, "workers", json_array());
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

	if (later == NULL && (later = evtimer_new(master.base, on_later, NULL)) == NULL)
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
	if (s != NULL && strlen(s) <= board_room(master.stats))
		board_write(master.stats, s, strlen(s));
	free(s);
}

void
publish_stop(void)
{
	if (later != NULL)
		event_free(later);
	later = NULL;
}
