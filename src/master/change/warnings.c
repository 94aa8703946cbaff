#include "master/change/warnings.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "master/control/socketfile.h"
#include "master/listen/listener.h"
#include "master/state/pidfile.h"
#include "master/workers/certificates.h"
#include "master/workers/generation.h"

#define STILL_MS 3000 /* a loop that has not turned for so long; it beats twice a second */

static const struct text {
	const char *one, *many;
	const char *verb; /* that names them */
} texts[] = {
    [STATS_OVERDUE_CONN] = {"connection is busy for longer than its service's limits allow",
                            "connections are busy for longer than their service's limits allow",
                            "conns"},
    [STATS_OVERDUE_CTX] = {"ctx has ended and is still held",
                           "ctxs have ended and are still held", "tasks"},
    [STATS_OVERDUE_OFFLOAD] = {"offload task runs on for longer than it may",
                               "offload tasks run on for longer than they may", "tasks"},
    [STATS_OVERDUE_BACKGROUND] = {"background task was told to end and has not",
                                  "background tasks were told to end and have not", "tasks"},
    [STATS_OVERDUE_LINK] =
        {"pooled connection is out for longer than what it was asked for",
         "pooled connections are out for longer than what they were asked for", "tasks"},
};

_Static_assert(sizeof texts / sizeof *texts == STATS_OVERDUE_N, "a text each");

char *
warnings_overdue(enum stats_overdue_kind kind, uint64_t n, uint64_t ms)
{
	const struct text *t = &texts[kind];

	if (n == 0)
		return NULL;
	return mem_printf("%llu %s, %s%llu s; see `batonctl %s`", (unsigned long long)n,
	                  n == 1 ? t->one : t->many, n == 1 ? "for " : "the first for ",
	                  (unsigned long long)(ms / 1000), t->verb);
}

/* text is freed; NULL: nothing. */
static void
add(json_t *list, const struct worker *w, char *text)
{
	char *sentence;

	if (text == NULL)
		return;
	sentence = mem_printf("worker %u of generation %u (pid %d): %s", w->slot, w->gen->id,
	                      (int)w->pid, text);
	json_array_append_new(list, json_string(sentence));
	free(sentence);
	free(text);
}

/* A page is its worker's: any number may stand there. */
static uint64_t
age(uint64_t since_ms, uint64_t now)
{
	return now > since_ms ? now - since_ms : 0;
}

static void
look_at(json_t *list, const struct worker *w, uint64_t now)
{
	uint64_t still = age(w->page->heartbeat_ms, now);

	if (w->ready && still >= STILL_MS)
		add(list, w,
		    mem_printf(
		        "its loop has not turned for %llu s: it is stopped, or a handler "
		        "blocks it",
		        (unsigned long long)(still / 1000)));
	for (int kind = 0; kind < STATS_OVERDUE_N; kind++)
		add(list, w,
		    warnings_overdue((enum stats_overdue_kind)kind, w->page->overdue[kind].n,
		                     age(w->page->overdue[kind].since_ms, now)));
}

json_t *
warnings_of_paths(void)
{
	json_t *list = json_array();

	listener_warn(list);
	socketfile_warn(list);
	pidfile_warn(list);
	return list;
}

json_t *
warnings_json(void)
{
	json_t *list = warnings_of_paths();
	uint64_t now = clock_ms();
	struct generation *g;
	struct worker *w;

	TAILQ_FOREACH (g, generation_all(), link)
		TAILQ_FOREACH (w, &g->workers, link)
			look_at(list, w, now);
	certificates_warn(list);
	return list;
}
