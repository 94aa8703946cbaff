#include "master/verbs/listing.h"

#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <jansson.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "master/control/control.h"
#include "master/core/env.h"
#include "master/state/jsontext.h"
#include "master/workers/generation.h"

#define TOTAL_MS  10000              /* of a worker that never ends its list */
#define BYTES_MAX ((size_t)64 << 20) /* of an answer; what is beyond is counted only */

/* A verb: what its list is called, and how long a worker may say nothing. */
static const struct kind {
	const char *name;
	const char *one, *many; /* the sentence, with the number before it */
	uint64_t limit_ms;
} kinds[] = {
    /* batonctl names the holders within 100 ms */
    [MSG_LIST_HOLDERS] = {"connections", "connection holds a drain", "connections hold a drain",
                          80},
    [MSG_LIST_CONNS] = {"connections", "connection", "connections", 1000},
    [MSG_LIST_TASKS] = {"tasks", "task", "tasks", 1000},
};

_Static_assert(TOTAL_MS > 2 * 1000, "a worker that says something has time for more");

/* A worker that is asked. */
struct asked {
	uint64_t birth;
	uint32_t generation;
	uint32_t slot;
	int pid;
	bool answered;
	uint64_t heard_ms;
	struct evbuffer *lines; /* NULL: none */
	uint64_t n;
};

struct listing {
	TAILQ_ENTRY(listing) link;
	uint64_t token;
	enum msg_list_what what;
	struct control_client *client;
	struct asked *asked;
	size_t n;
	size_t bytes;
	uint64_t left_off;
	uint64_t begun_ms;
	struct event *timer;
};

static TAILQ_HEAD(, listing) all = TAILQ_HEAD_INITIALIZER(all);
static uint64_t last_token;

static void
drop_lines(struct listing *s, struct asked *a)
{
	if (a->lines == NULL)
		return;
	s->bytes -= evbuffer_get_length(a->lines);
	evbuffer_free(a->lines);
	a->lines = NULL;
	a->n = 0;
}

static void
destroy(struct listing *s)
{
	TAILQ_REMOVE(&all, s, link);
	control_owe(s->client, NULL, NULL);
	event_free(s->timer);
	for (size_t i = 0; i < s->n; i++)
		drop_lines(s, &s->asked[i]);
	free(s->asked);
	free(s);
}

/* --- the answer --- */

static int
add_bytes(const char *bytes, size_t n, void *arg)
{
	return evbuffer_add(arg, bytes, n);
}

/* j is stolen. */
static void
add_json(struct evbuffer *to, json_t *j)
{
	AN(j != NULL && json_dump_callback(j, add_bytes, to, JSON_COMPACT) == 0);
	json_decref(j);
}

static json_t *
silent_workers(const struct listing *s)
{
	json_t *silent = json_array();

	for (size_t i = 0; i < s->n; i++)
		if (!s->asked[i].answered)
			json_array_append_new(silent, json_pack("{s:i, s:i, s:i}", "generation",
			                                        (int)s->asked[i].generation,
			                                        "slot", (int)s->asked[i].slot,
			                                        "pid", s->asked[i].pid));
	return silent;
}

static struct evbuffer *
all_lines(struct listing *s, uint64_t *n)
{
	struct evbuffer *data = evbuffer_new();

	AN(data != NULL);
	evbuffer_add_printf(data, "{\"%s\":[", kinds[s->what].name);
	for (size_t i = 0; i < s->n; i++) {
		struct asked *a = &s->asked[i];

		if (a->n == 0)
			continue;
		if (*n > 0)
			evbuffer_add(data, ",", 1);
		*n += a->n;
		evbuffer_add_buffer(data, a->lines);
	}
	evbuffer_add_printf(data,
	                    "],\"left_off\":%llu,\"silent\":", (unsigned long long)s->left_off);
	add_json(data, silent_workers(s));
	evbuffer_add(data, "}", 1);
	return data;
}

static void
answer(struct listing *s)
{
	struct control_client *client = s->client;
	const struct kind *kind = &kinds[s->what];
	uint64_t n = 0;
	struct evbuffer *data = all_lines(s, &n);

	s->bytes = 0;
	destroy(s);
	control_answer_bytes(client, 0, data, "%llu %s", (unsigned long long)n,
	                     n == 1 ? kind->one : kind->many);
	evbuffer_free(data);
}

/* --- asking --- */

static bool
complete(const struct listing *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (!s->asked[i].answered)
			return false;
	return true;
}

static void
set_timer(struct listing *s, uint64_t ms)
{
	struct timeval tv = {.tv_sec = (time_t)(ms / 1000),
	                     .tv_usec = (suseconds_t)(ms % 1000 * 1000)};

	event_add(s->timer, &tv);
}

/* Wait for a worker that is still talking, but only so long. */
static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct listing *s = arg;
	uint64_t now = clock_ms(), limit = kinds[s->what].limit_ms, latest = 0;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < s->n; i++)
		if (!s->asked[i].answered && s->asked[i].heard_ms > latest)
			latest = s->asked[i].heard_ms;
	if (latest + limit > now && now - s->begun_ms < TOTAL_MS)
		set_timer(s, latest + limit - now);
	else
		answer(s);
}

static void
ask(struct listing *s, struct worker *w)
{
	struct msg_list order = {.token = s->token, .what = s->what};
	/* An older worker knows this list only, and this form of asking for it. */
	size_t len = s->what == MSG_LIST_HOLDERS ? sizeof order.token : sizeof order;

	s->asked = mem_grow(s->asked, s->n, sizeof *s->asked);
	s->asked[s->n++] = (struct asked){.birth = w->birth,
	                                  .generation = w->gen->id,
	                                  .slot = w->slot,
	                                  .pid = (int)w->pid,
	                                  .heard_ms = s->begun_ms};
	slot_ask(w, &order, len);
}

/* One that is starting holds nothing yet, and may not listen. */
static bool
is_asked(const struct worker *w, enum msg_list_what what)
{
	return what == MSG_LIST_HOLDERS ? w->leaving : w->ready;
}

static void
client_gone(void *owed)
{
	destroy(owed);
}

void
listings_begin(struct control_client *client, enum msg_list_what what)
{
	struct listing *s = mem_alloc(sizeof *s);
	struct generation *g;
	struct worker *w;

	/* Beyond what an image before us can have given: its answers may come late. */
	if (last_token == 0)
		last_token = clock_ms() << 10;
	s->token = ++last_token;
	s->what = what;
	s->client = client;
	control_owe(client, client_gone, s);
	s->begun_ms = clock_ms();
	s->timer = evtimer_new(env.base, on_timer, s);
	TAILQ_INSERT_TAIL(&all, s, link);
	TAILQ_FOREACH (g, generation_all(), link)
		TAILQ_FOREACH (w, &g->workers, link)
			if (is_asked(w, what))
				ask(s, w);
	set_timer(s, kinds[what].limit_ms);
	if (complete(s))
		answer(s);
}

/* --- what comes in: of a length that was checked, with any bytes --- */

/* Any number may come, but JSON has none above this. */
static void
leave_off(struct listing *s, uint64_t n)
{
	uint64_t room = (uint64_t)INT64_MAX - s->left_off;

	s->left_off += n < room ? n : room;
}

static struct listing *
find(uint64_t token)
{
	struct listing *s;

	TAILQ_FOREACH (s, &all, link)
		if (s->token == token)
			return s;
	return NULL;
}

static struct asked *
find_asked(struct listing *s, uint64_t birth)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->asked[i].birth == birth && !s->asked[i].answered)
			return &s->asked[i];
	return NULL;
}

static const char *
state_of(const struct msg_conn *m)
{
	if (m->flags & MSG_CONN_LINGERING)
		return "lingering";
	if (m->flags & MSG_CONN_MOVING)
		return "moving";
	return m->flags & MSG_CONN_HELD ? "held" : NULL;
}

static json_t *
named(const struct conf *conf, const struct msg_conn *m, bool service)
{
	const struct conf_listen *l;

	if (m->listener >= conf->nlisten)
		return json_string("?");
	l = &conf->listen[m->listener];
	return jsontext_shown(service ? l->service : l->name, SIZE_MAX);
}

/* null: an older worker does not say it. */
static json_t *
quiet(const struct msg_conn *m)
{
	return m->flags & MSG_CONN_QUIET ? json_integer((json_int_t)m->quiet_ms) : json_null();
}

static json_t *
holder(const struct worker *w, const struct msg_conn *m)
{
	return json_pack(
	    "{s:I, s:o, s:o, s:i, s:i, s:i, s:I, s:o, s:I, s:I, s:I, s:I, s:o, s:I, s:o}", "id",
	    (json_int_t)m->id, "peer", jsontext_shown(m->peer, sizeof m->peer), "listener",
	    named(w->gen->conf, m, false), "generation", (int)w->gen->id, "pid", (int)w->pid,
	    "slot", (int)w->slot, "age_ms", (json_int_t)m->age_ms, "state",
	    jsontext_shown(m->state, sizeof m->state), "state_ms", (json_int_t)m->state_ms,
	    "bytes_in", (json_int_t)m->bytes_in, "bytes_out", (json_int_t)m->bytes_out,
	    "requests", (json_int_t)m->requests, "why", jsontext_shown(m->why, sizeof m->why),
	    "left_ms", (json_int_t)m->left_ms, "quiet_ms", quiet(m));
}

static json_t *
birth_place(const struct worker *w, const struct msg_conn *m)
{
	bool here = m->from_birth == 0;

	return json_pack("{s:s, s:i, s:I}", "how", here ? "accepted" : "handed off",
	                 "generation", here ? (int)w->gen->id : (int)m->from_generation,
	                 "birth", (json_int_t)(here ? w->birth : m->from_birth));
}

static json_t *
conn(const struct worker *w, const struct msg_conn *m)
{
	const char *state = state_of(m);

	return json_pack(
	    "{s:I, s:i, s:i, s:i, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}",
	    "id", (json_int_t)m->id, "generation", (int)w->gen->id, "slot", (int)w->slot, "pid",
	    (int)w->pid, "listener", named(w->gen->conf, m, false), "service",
	    named(w->gen->conf, m, true), "peer", jsontext_shown(m->peer, sizeof m->peer),
	    "state",
	    state != NULL ? json_string(state) : jsontext_shown(m->state, sizeof m->state),
	    "age_ms", (json_int_t)m->age_ms, "state_ms", (json_int_t)m->state_ms, "requests",
	    (json_int_t)m->requests, "bytes_in", (json_int_t)m->bytes_in, "bytes_out",
	    (json_int_t)m->bytes_out, "born", birth_place(w, m), "warning",
	    jsontext_shown(m->why, sizeof m->why), "quiet_ms", quiet(m));
}

static json_t *
task(const struct worker *w, const struct msg_task *m)
{
	return json_pack(
	    "{s:s, s:i, s:i, s:i, s:o, s:o, s:I, s:I, s:o, s:o, s:o}", "kind",
	    msg_task_name(m->kind), "generation", (int)w->gen->id, "slot", (int)w->slot, "pid",
	    (int)w->pid, "name", jsontext_shown(m->name, sizeof m->name), "state",
	    jsontext_shown(m->state, sizeof m->state), "age_ms", (json_int_t)m->age_ms,
	    "state_ms", (json_int_t)m->state_ms, "left_ms",
	    m->left_ms != UINT64_MAX ? json_integer((json_int_t)m->left_ms) : json_null(),
	    "born", jsontext_shown(m->place, sizeof m->place), "warning",
	    jsontext_shown(m->warning, sizeof m->warning));
}

static json_t *
read_line(const struct listing *s, const struct worker *w, const struct msg *m)
{
	struct msg_conn c = {0}; /* an older worker says less */

	if ((m->type == MSG_TASK) != (s->what == MSG_LIST_TASKS))
		return NULL;
	if (m->type == MSG_TASK)
		return task(w, m->data);
	memcpy(&c, m->data, m->len < sizeof c ? m->len : sizeof c);
	return s->what == MSG_LIST_HOLDERS ? holder(w, &c) : conn(w, &c);
}

static void
keep(struct listing *s, struct asked *a, json_t *line)
{
	size_t before;

	if (a->lines == NULL && (a->lines = evbuffer_new()) == NULL)
		log_fatal("no memory for an answer");
	before = evbuffer_get_length(a->lines);
	if (a->n++ > 0)
		evbuffer_add(a->lines, ",", 1);
	add_json(a->lines, line);
	s->bytes += evbuffer_get_length(a->lines) - before;
}

void
listings_line(const struct worker *w, const struct msg *m)
{
	struct listing *s = find(*(const uint64_t *)m->data);
	struct asked *a = s != NULL ? find_asked(s, w->birth) : NULL;
	json_t *line = a != NULL ? read_line(s, w, m) : NULL;

	if (line == NULL)
		return;
	a->heard_ms = clock_ms();
	if (s->bytes < BYTES_MAX) {
		keep(s, a, line);
	} else {
		json_decref(line);
		leave_off(s, 1);
	}
}

void
listings_end(const struct worker *w, const struct msg *m)
{
	struct msg_list_end end = {0};
	struct listing *s;
	struct asked *a;

	memcpy(&end, m->data, m->len < sizeof end ? m->len : sizeof end);
	s = find(end.token);
	a = s != NULL ? find_asked(s, w->birth) : NULL;
	if (a == NULL)
		return;
	a->answered = true;
	leave_off(s, end.left_off);
	if (complete(s))
		answer(s);
}

/* Forget its lines. */
void
listings_gone(const struct worker *w)
{
	struct listing *s, *next;
	struct asked *a;

	for (s = TAILQ_FIRST(&all); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		if ((a = find_asked(s, w->birth)) == NULL)
			continue;
		a->answered = true;
		drop_lines(s, a);
		if (complete(s))
			answer(s);
	}
}

void
listings_stop(void)
{
	struct listing *s;

	while ((s = TAILQ_FIRST(&all)) != NULL)
		destroy(s);
}
