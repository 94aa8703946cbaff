#include "master/requests.h"

#include <sys/queue.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "master/asker.h"
#include "master/control.h"
#include "master/generation.h"
#include "wire/stats.h"

/* Somebody who waits for an answer. */
struct request {
	TAILQ_ENTRY(request) link;
	struct control_client *client; /* NULL: a signal, or it hung up */
	struct asker by;               /* abort: a rollback is its success */
	bool wait;                     /* for the generations before, too */
	uint32_t gen;                  /* waits until those before this one are gone */
	uint64_t cut;                  /* connections cut in those gone since */
};

TAILQ_HEAD(request_list, request);

static struct request_list lists[REQUESTS_N] = {
    TAILQ_HEAD_INITIALIZER(lists[REQUESTS_NOW]),
    TAILQ_HEAD_INITIALIZER(lists[REQUESTS_NEXT]),
    TAILQ_HEAD_INITIALIZER(lists[REQUESTS_WAITING]),
};

/* The client hung up: its request goes on. */
static void
client_gone(void *owed)
{
	struct request *r = owed;

	r->client = NULL;
}

static void
owe(struct request *r, struct control_client *client)
{
	r->client = client;
	if (client != NULL)
		control_owe(client, client_gone, r);
}

static struct request *
add(enum requests_list which, const struct asker *by, bool wait)
{
	struct request *r = mem_alloc(sizeof *r);

	r->by = *by;
	owe(r, by->client);
	r->wait = wait;
	TAILQ_INSERT_TAIL(&lists[which], r, link);
	return r;
}

void
requests_add(enum requests_list which, const struct asker *by, bool wait)
{
	add(which, by, wait);
}

void
requests_add_abort(const struct asker *by)
{
	add(REQUESTS_NOW, by, false)->by.abort = true;
}

static bool
is_listed(const json_t *list, const json_t *asker)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (json_equal(json_array_get(list, i), asker))
			return true;
	return false;
}

json_t *
requests_askers(void)
{
	json_t *list = json_array();
	const struct request *r;

	TAILQ_FOREACH (r, &lists[REQUESTS_NOW], link) {
		json_t *asker = asker_json(&r->by);

		if (!is_listed(list, asker))
			json_array_append(list, asker);
		json_decref(asker);
	}
	return list;
}

bool
requests_any(enum requests_list which)
{
	return !TAILQ_EMPTY(&lists[which]);
}

void
requests_take_next(void)
{
	TAILQ_CONCAT(&lists[REQUESTS_NOW], &lists[REQUESTS_NEXT], link);
}

void
requests_answer(enum requests_list which, int exit_code, const char *text)
{
	struct request_list *list = &lists[which];
	struct request *r;

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
answer_waited(struct request *r)
{
	struct control_client *client = r->client;
	uint64_t cut = r->cut;
	uint32_t gen = r->gen;

	TAILQ_REMOVE(&lists[REQUESTS_WAITING], r, link);
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
	struct request *r, *next;

	for (r = TAILQ_FIRST(&lists[REQUESTS_WAITING]); r != NULL; r = next) {
		next = TAILQ_NEXT(r, link);
		if (!older_lives(r->gen))
			answer_waited(r);
	}
}

void
requests_generation_gone(const struct generation *g)
{
	struct request *r;

	TAILQ_FOREACH (r, &lists[REQUESTS_WAITING], link)
		if (g->id < r->gen)
			r->cut += g->cut;
	answer_those_who_waited();
}

void
requests_aborted(uint32_t gen)
{
	struct request *r, *next;

	for (r = TAILQ_FIRST(&lists[REQUESTS_WAITING]); r != NULL; r = next) {
		struct control_client *client = r->client;

		next = TAILQ_NEXT(r, link);
		if (r->gen <= gen)
			continue;
		TAILQ_REMOVE(&lists[REQUESTS_WAITING], r, link);
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
	struct request *r, *next;

	for (r = TAILQ_FIRST(&lists[REQUESTS_NOW]); r != NULL; r = next) {
		next = TAILQ_NEXT(r, link);
		if (!r->wait)
			continue;
		TAILQ_REMOVE(&lists[REQUESTS_NOW], r, link);
		r->gen = gen;
		TAILQ_INSERT_TAIL(&lists[REQUESTS_WAITING], r, link);
	}
}

void
requests_committed(uint32_t gen, const char *text)
{
	to_waiting(gen);
	requests_answer(REQUESTS_NOW, 0, text);
	answer_those_who_waited();
}

static const char *const list_names[REQUESTS_N] = {"now", "next", "waiting"};

static json_t *
save_requests(const struct request_list *list)
{
	json_t *j = json_array();
	const struct request *r;

	TAILQ_FOREACH (r, list, link)
		json_array_append_new(
		    j, json_pack("{s:i, s:b, s:b, s:i, s:I, s:o}", "client",
		                 r->client != NULL ? (int)control_id(r->client) : 0, "wait",
		                 r->wait, "abort", r->by.abort, "gen", (int)r->gen, "cut",
		                 (json_int_t)r->cut, "by", asker_json(&r->by)));
	return j;
}

static void
restore_requests(enum requests_list which, const json_t *j)
{
	size_t i;
	json_t *one;

	json_array_foreach ((json_t *)(uintptr_t)j, i, one) {
		int client, wait, abort, gen;
		json_int_t cut;
		struct request *r;
		struct asker by = asker_read(json_object_get(one, "by"));

		if (json_unpack(one, "{s:i, s:b, s:b, s:i, s:I}", "client", &client, "wait",
		                &wait, "abort", &abort, "gen", &gen, "cut", &cut) < 0)
			continue;
		by.client = control_find((uint32_t)client);
		by.abort = abort;
		r = add(which, &by, wait);
		r->gen = (uint32_t)gen;
		r->cut = (uint64_t)cut;
	}
}

json_t *
requests_save(void)
{
	json_t *j = json_object();

	for (int i = 0; i < REQUESTS_N; i++)
		json_object_set_new(j, list_names[i], save_requests(&lists[i]));
	return j;
}

void
requests_restore(const json_t *j)
{
	for (enum requests_list i = 0; i < REQUESTS_N; i++)
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
tell(const struct request *r, const char *text, int percent)
{
	if (r->client != NULL)
		control_progress(r->client, text, percent);
}

void
requests_tell_progress(const char *text, int percent)
{
	struct request *r;

	TAILQ_FOREACH (r, &lists[REQUESTS_NOW], link)
		tell(r, text, percent);
	TAILQ_FOREACH (r, &lists[REQUESTS_NEXT], link)
		tell(r, "waiting for the change before", 0);
	TAILQ_FOREACH (r, &lists[REQUESTS_WAITING], link)
		tell(r, drain_progress(r->gen), 100);
}
