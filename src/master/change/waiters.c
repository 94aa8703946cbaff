#include "master/change/waiters.h"

#include <sys/queue.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "master/control/control.h"
#include "master/control/requester.h"
#include "master/state/record.h"
#include "master/workers/generation.h"
#include "wire/stats.h"

/* Somebody who waits for an answer. */
struct waiter {
	TAILQ_ENTRY(waiter) link;
	struct control_client *client; /* NULL: a signal, or it hung up */
	struct requester by;           /* abort: a rollback is its success */
	bool wait;                     /* for the generations before, too */
	uint32_t gen;                  /* waits until those before this one are gone */
	uint64_t cut;                  /* connections cut in those gone since */
	uint32_t workers;              /* of a scale: so many are wanted */
	uint64_t until_ms;             /* it is answered by then */
};

TAILQ_HEAD(waiter_list, waiter);

static struct waiter_list lists[WAITERS_N] = {
    TAILQ_HEAD_INITIALIZER(lists[WAITERS_NOW]),
    TAILQ_HEAD_INITIALIZER(lists[WAITERS_NEXT]),
    TAILQ_HEAD_INITIALIZER(lists[WAITERS_WAITING]),
    TAILQ_HEAD_INITIALIZER(lists[WAITERS_SCALE]),
};

/* The client hung up: its request goes on. */
static void
client_gone(void *owed)
{
	struct waiter *r = owed;

	AN(r->client != NULL);
	r->client = NULL;
}

static void
owe(struct waiter *r, struct control_client *client)
{
	r->client = client;
	if (client != NULL)
		control_owe(client, client_gone, r);
}

static struct waiter *
add(enum waiters_list which, const struct requester *by, bool wait)
{
	struct waiter *r = mem_alloc(sizeof *r);

	AN(which < WAITERS_N);
	r->by = *by;
	owe(r, by->client);
	r->wait = wait;
	TAILQ_INSERT_TAIL(&lists[which], r, link);
	return r;
}

void
waiters_add(enum waiters_list which, const struct requester *by, bool wait)
{
	add(which, by, wait);
}

void
waiters_add_abort(const struct requester *by)
{
	add(WAITERS_NOW, by, false)->by.abort = true;
}

/* --- numbers of workers --- */

void
waiters_add_scale(struct control_client *client, uint32_t workers, uint64_t until_ms)
{
	const struct requester by = {.client = client};
	struct waiter *r = add(WAITERS_SCALE, &by, false);

	r->workers = workers;
	r->until_ms = until_ms;
}

void
waiters_judge_scale(waiters_judge *is_answered)
{
	struct waiter *r, *next;

	for (r = TAILQ_FIRST(&lists[WAITERS_SCALE]); r != NULL; r = next) {
		next = TAILQ_NEXT(r, link);
		if (!is_answered(r->client, r->workers, r->until_ms))
			continue;
		TAILQ_REMOVE(&lists[WAITERS_SCALE], r, link);
		free(r);
	}
}

void
waiters_stop(void)
{
	struct waiter *r;

	while ((r = TAILQ_FIRST(&lists[WAITERS_SCALE])) != NULL) {
		TAILQ_REMOVE(&lists[WAITERS_SCALE], r, link);
		if (r->client != NULL)
			control_owe(r->client, NULL, NULL);
		free(r);
	}
}

/* --- changes --- */

static bool
is_listed(const json_t *list, const json_t *requester)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (json_equal(json_array_get(list, i), requester))
			return true;
	return false;
}

json_t *
waiters_requesters(void)
{
	json_t *list = json_array();
	const struct waiter *r;

	TAILQ_FOREACH (r, &lists[WAITERS_NOW], link) {
		json_t *requester = requester_json(&r->by);

		if (!is_listed(list, requester))
			json_array_append(list, requester);
		json_decref(requester);
	}
	return list;
}

bool
waiters_any(enum waiters_list which)
{
	return !TAILQ_EMPTY(&lists[which]);
}

void
waiters_take_next(void)
{
	AN(TAILQ_EMPTY(&lists[WAITERS_NOW]));
	TAILQ_CONCAT(&lists[WAITERS_NOW], &lists[WAITERS_NEXT], link);
}

void
waiters_answer(enum waiters_list which, int exit_code, const char *text)
{
	struct waiter_list *list = &lists[which];
	struct waiter *r;

	while ((r = TAILQ_FIRST(list)) != NULL) {
		struct control_client *client = r->client;
		bool abort = r->by.abort;

		TAILQ_REMOVE(list, r, link);
		free(r);
		if (client == NULL)
			continue;
		if (abort)
			control_answer(client, 0, NULL, "the old generation takes over again");
		else
			control_answer(client, exit_code, NULL, "%s", text);
	}
}

static bool
older_lives(uint32_t gen)
{
	struct generation *g;

	TAILQ_FOREACH (g, generation_all(), link)
		if (g->id < gen)
			return true;
	return false;
}

static void
answer_waited(struct waiter *r)
{
	struct control_client *client = r->client;
	uint64_t cut = r->cut;
	uint32_t gen = r->gen;

	AN(r->wait && !older_lives(gen));
	TAILQ_REMOVE(&lists[WAITERS_WAITING], r, link);
	free(r);
	if (client == NULL)
		return;
	if (cut == 0)
		control_answer(client, 0, NULL,
		               "generation %u serves, the ones before it are gone", gen);
	else
		control_answer(
		    client, 4, NULL,
		    "generation %u serves; %llu connections of the ones before it had "
		    "to be cut",
		    gen, (unsigned long long)cut);
}

static void
answer_those_who_waited(void)
{
	struct waiter *r, *next;

	for (r = TAILQ_FIRST(&lists[WAITERS_WAITING]); r != NULL; r = next) {
		next = TAILQ_NEXT(r, link);
		if (!older_lives(r->gen))
			answer_waited(r);
	}
}

void
waiters_generation_gone(const struct generation *g)
{
	struct waiter *r;

	TAILQ_FOREACH (r, &lists[WAITERS_WAITING], link)
		if (g->id < r->gen)
			r->cut += g->cut;
	answer_those_who_waited();
}

void
waiters_aborted(uint32_t gen)
{
	struct waiter *r, *next;

	for (r = TAILQ_FIRST(&lists[WAITERS_WAITING]); r != NULL; r = next) {
		struct control_client *client = r->client;

		next = TAILQ_NEXT(r, link);
		if (r->gen <= gen)
			continue;
		TAILQ_REMOVE(&lists[WAITERS_WAITING], r, link);
		if (client != NULL)
			control_answer(client, 1, NULL,
			               "generation %u served, but was aborted: generation %u "
			               "takes over again",
			               r->gen, gen);
		free(r);
	}
}

static void
to_waiting(uint32_t gen)
{
	struct waiter *r, *next;

	for (r = TAILQ_FIRST(&lists[WAITERS_NOW]); r != NULL; r = next) {
		next = TAILQ_NEXT(r, link);
		if (!r->wait)
			continue;
		TAILQ_REMOVE(&lists[WAITERS_NOW], r, link);
		r->gen = gen;
		TAILQ_INSERT_TAIL(&lists[WAITERS_WAITING], r, link);
	}
}

void
waiters_committed(uint32_t gen, const char *text)
{
	to_waiting(gen);
	waiters_answer(WAITERS_NOW, 0, text);
	answer_those_who_waited();
}

/* Scale requests are not saved: the next image runs them again (control_after_restore). */
static const char *const list_names[] = {"now", "next", "waiting"};

#define SAVED_N (sizeof list_names / sizeof *list_names)

static const struct record_field fields[] = {
    RECORD(waiter, wait), RECORD(waiter, gen), RECORD(waiter, cut), {.name = NULL}};

static json_t *
save_one(const struct waiter *r)
{
	json_t *j = record_save(fields, r);
	uint32_t client = r->client != NULL ? control_id(r->client) : 0;

	json_object_set_new(j, "client", json_integer(client));
	json_object_set_new(j, "abort", json_boolean(r->by.abort));
	json_object_set_new(j, "by", requester_json(&r->by));
	return j;
}

static json_t *
save_requests(const struct waiter_list *list)
{
	json_t *j = json_array();
	const struct waiter *r;

	TAILQ_FOREACH (r, list, link)
		json_array_append_new(j, save_one(r));
	return j;
}

static void
restore_one(enum waiters_list which, const json_t *j)
{
	const json_t *client = json_object_get(j, "client"),
	             *abort = json_object_get(j, "abort");
	struct requester by = requester_read(json_object_get(j, "by"));
	struct waiter told = {.wait = false}, *r;

	if (!json_is_integer(client) || !json_is_boolean(abort) ||
	    record_restore(fields, j, &told) < 0)
		return;
	by.client = control_find((uint32_t)json_integer_value(client));
	by.abort = json_is_true(abort);
	r = add(which, &by, told.wait);
	r->gen = told.gen;
	r->cut = told.cut;
}

static void
restore_requests(enum waiters_list which, const json_t *j)
{
	size_t i;
	json_t *one;

	json_array_foreach ((json_t *)(uintptr_t)j, i, one)
		restore_one(which, one);
}

json_t *
waiters_save(void)
{
	json_t *j = json_object();

	for (size_t i = 0; i < SAVED_N; i++)
		json_object_set_new(j, list_names[i], save_requests(&lists[i]));
	return j;
}

void
waiters_restore(const json_t *j)
{
	for (enum waiters_list i = 0; i < SAVED_N; i++)
		restore_requests(i, json_object_get(j, list_names[i]));
}

static const char *
drain_progress(uint32_t gen)
{
	static char text[96];
	struct stats_counts held;
	struct generation *g;
	struct worker *w;
	uint64_t n = 0;
	unsigned gens = 0;

	TAILQ_FOREACH (g, generation_all(), link) {
		if (g->id >= gen)
			continue;
		gens++;
		TAILQ_FOREACH (w, &g->workers, link) {
			stats_counts(w->page, &held);
			n += held.fresh + held.idle + held.busy;
		}
	}
	snprintf(text, sizeof text, "%u old generation%s with %llu connections", gens,
	         gens == 1 ? "" : "s", (unsigned long long)n);
	return text;
}

static void
tell(const struct waiter *r, const char *text, int percent)
{
	if (r->client != NULL)
		control_progress(r->client, text, percent);
}

void
waiters_tell_progress(const char *text, int percent)
{
	struct waiter *r;

	TAILQ_FOREACH (r, &lists[WAITERS_NOW], link)
		tell(r, text, percent);
	TAILQ_FOREACH (r, &lists[WAITERS_NEXT], link)
		tell(r, "waiting for the change before", 0);
	TAILQ_FOREACH (r, &lists[WAITERS_WAITING], link)
		tell(r, drain_progress(r->gen), 100);
}
