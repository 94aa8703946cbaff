#include "master/survey.h"

#include <sys/queue.h>

#include <stdlib.h>

#include <event2/event.h>
#include <jansson.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "master/control.h"
#include "master/generation.h"
#include "master/master.h"
#include "master/record.h"
#include "wire/msg.h"

#define LIMIT_MS 80 /* batonctl names the holders within 100 ms */

/* A worker that is asked. */
struct asked {
	uint64_t birth;
	uint32_t generation;
	uint32_t slot;
	int pid;
	bool answered;
};

struct survey {
	TAILQ_ENTRY(survey) link;
	uint64_t token;
	struct control_client *client;
	struct asked *asked;
	size_t n;
	json_t *lines;
	struct event *timer;
};

static TAILQ_HEAD(, survey) all = TAILQ_HEAD_INITIALIZER(all);
static uint64_t last_token;

static void
destroy(struct survey *s)
{
	TAILQ_REMOVE(&all, s, link);
	event_free(s->timer);
	json_decref(s->lines);
	free(s->asked);
	free(s);
}

static void
answer(struct survey *s)
{
	struct control_client *client = s->client;
	json_t *lines = json_incref(s->lines), *silent = json_array();
	size_t n = json_array_size(lines);

	for (size_t i = 0; i < s->n; i++)
		if (!s->asked[i].answered)
			json_array_append_new(silent, json_pack("{s:i, s:i, s:i}", "generation",
			                                        (int)s->asked[i].generation,
			                                        "slot", (int)s->asked[i].slot,
			                                        "pid", s->asked[i].pid));
	destroy(s);
	control_answer(
	    client, 0, json_pack("{s:o, s:o}", "connections", lines, "silent", silent),
	    "%zu connection%s hold%s a drain", n, n == 1 ? "" : "s", n == 1 ? "s" : "");
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	answer(arg);
}

static bool
complete(const struct survey *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (!s->asked[i].answered)
			return false;
	return true;
}

static void
ask(struct survey *s, struct worker *w)
{
	s->asked = mem_grow(s->asked, s->n, sizeof *s->asked);
	s->asked[s->n++] = (struct asked){
	    .birth = w->birth, .generation = w->gen->id, .slot = w->slot, .pid = (int)w->pid};
	slot_tell(w, MSG_LIST, &s->token, sizeof s->token);
}

void
survey_begin(struct control_client *client)
{
	struct timeval tv = {.tv_usec = LIMIT_MS * 1000};
	struct survey *s = mem_alloc(sizeof *s);
	struct generation *g;
	struct worker *w;

	/* Beyond what an image before us can have given: its answers may come late. */
	if (last_token == 0)
		last_token = clock_ms() << 10;
	s->token = ++last_token;
	s->client = client;
	s->lines = json_array();
	s->timer = evtimer_new(master.base, on_timer, s);
	TAILQ_INSERT_TAIL(&all, s, link);
	TAILQ_FOREACH (g, generation_all(), link)
		TAILQ_FOREACH (w, &g->workers, link)
			if (w->leaving)
				ask(s, w);
	event_add(s->timer, &tv);
	if (complete(s))
		answer(s);
}

void
survey_forget(const struct control_client *client)
{
	struct survey *s, *next;

	for (s = TAILQ_FIRST(&all); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		if (s->client == client)
			destroy(s);
	}
}

void
survey_line(const struct worker *w, const struct msg_conn *m)
{
	const struct conf *conf = w->gen->conf;
	struct survey *s;

	TAILQ_FOREACH (s, &all, link)
		if (s->token == m->token)
			break;
	if (s == NULL)
		return;
	json_array_append_new(
	    s->lines,
	    json_pack("{s:I, s:o, s:s, s:i, s:i, s:i, s:I, s:o, s:I, s:I, s:I, s:i, s:o, s:I}",
	              "id", (json_int_t)m->id, "peer", record_shown(m->peer, sizeof m->peer),
	              "listener",
	              m->listener < conf->nlisten ? conf->listen[m->listener].name : "?",
	              "generation", (int)w->gen->id, "pid", (int)w->pid, "slot", (int)w->slot,
	              "age_ms", (json_int_t)m->age_ms, "state",
	              record_shown(m->state, sizeof m->state), "state_ms",
	              (json_int_t)m->state_ms, "bytes_in", (json_int_t)m->bytes_in, "bytes_out",
	              (json_int_t)m->bytes_out, "requests", (int)m->requests, "why",
	              record_shown(m->why, sizeof m->why), "left_ms", (json_int_t)m->left_ms));
}

static bool
note_end(struct survey *s, uint64_t birth)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->asked[i].birth == birth && !s->asked[i].answered)
			return s->asked[i].answered = true;
	return false;
}

void
survey_end(const struct worker *w, uint64_t token)
{
	struct survey *s, *next;

	for (s = TAILQ_FIRST(&all); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		if ((token == 0 || s->token == token) && note_end(s, w->birth) && complete(s))
			answer(s);
	}
}

void
survey_stop(void)
{
	struct survey *s;

	while ((s = TAILQ_FIRST(&all)) != NULL)
		destroy(s);
}
