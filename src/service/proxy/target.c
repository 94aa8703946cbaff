#include "service/proxy/target.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "baton.h"
#include "conf/conf.h"
#include "worker/runtime/runtime.h"

#define DOWN_MS   1000
#define AGE_MS    30000 /* of an answer that is asked for again */
#define PAUSE_MS  1000  /* between two lookups of a name */
#define ADDRS_MAX 16    /* of a name */
#define THREADS   4     /* that look up */

/* What the thread works on: it may outlive the list. */
struct lookup {
	struct targets *list; /* NULL: it is gone */
	size_t upstream;
	char *host;
	char port[8];
	struct target found[ADDRS_MAX];
	size_t n;
	int fault; /* of getaddrinfo */
};

/* Of each upstream. */
struct name {
	struct lookup *lookup; /* under way */
	uint64_t asked_ms;     /* when the last one began; 0: never */
	bool failed;           /* which is in the log */
	const char *fault;     /* of the last one, in words that last; NULL: none */
};

struct targets {
	const struct conf_service *conf;
	struct target *v;
	size_t n;
	size_t next;
	struct name *name;
	size_t lookups; /* under way */
	TAILQ_HEAD(, target_wait) waiting;
};

static void
add(struct targets *list, const struct target *t)
{
	list->v = mem_grow(list->v, list->n, sizeof *list->v);
	list->v[list->n++] = *t;
}

/* --- looking up --- */

static int
work(void *arg)
{
	struct lookup *l = arg;
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found, *i;

	l->fault = getaddrinfo(l->host, l->port, &hints, &found);
	if (l->fault != 0)
		return BATON_UNREACHABLE;
	for (i = found; i != NULL && l->n < ADDRS_MAX; i = i->ai_next) {
		memcpy(&l->found[l->n].sa, i->ai_addr, i->ai_addrlen);
		l->found[l->n++].len = i->ai_addrlen;
	}
	freeaddrinfo(found);
	return 0;
}

static bool
is_same(const struct target *a, const struct target *b)
{
	return a->upstream == b->upstream && a->len == b->len &&
	       memcmp(&a->sa, &b->sa, a->len) == 0;
}

/* The addresses of one upstream, at most ADDRS_MAX, are others now.  Who was down still is. */
static void
replace(struct targets *list, const struct lookup *l)
{
	struct targets old = *list;

	list->v = NULL;
	list->n = 0;
	for (size_t i = 0; i < old.n; i++)
		if (old.v[i].upstream != l->upstream)
			add(list, &old.v[i]);
	for (size_t i = 0; i < l->n; i++) {
		struct target t = l->found[i];

		t.text = list->conf->upstream[l->upstream].text;
		t.upstream = l->upstream;
		for (size_t k = 0; k < old.n; k++)
			if (is_same(&old.v[k], &t))
				t.down_until_ms = old.v[k].down_until_ms;
		add(list, &t);
	}
	free(old.v);
}

/* Once, until it succeeds again. */
static void
tell(struct targets *list, size_t upstream, const char *why)
{
	struct name *name = &list->name[upstream];

	if (why != NULL && !name->failed)
		log_warn("service %s: cannot look up upstream %s: %s", list->conf->name,
		         list->conf->upstream[upstream].text, why);
	name->failed = why != NULL;
}

static void
wake(struct targets *list)
{
	struct target_wait *w;

	while (list->lookups == 0 && (w = TAILQ_FIRST(&list->waiting)) != NULL) {
		targets_wait_no_more(w);
		w->over(w->arg);
	}
}

static void
looked_up(void *arg, int status)
{
	struct lookup *l = arg;
	struct targets *list = l->list;

	if (list == NULL)
		return;
	l->list = NULL;
	list->name[l->upstream].lookup = NULL;
	list->lookups--;
	if (status == 0)
		replace(list, l);
	list->name[l->upstream].fault = status == 0                   ? NULL
	                                : status == BATON_UNREACHABLE ? gai_strerror(l->fault)
	                                                              : "it was given up";
	tell(list, l->upstream, list->name[l->upstream].fault);
	wake(list);
}

const char *
targets_fault(const struct targets *list)
{
	for (size_t i = 0; i < list->conf->nupstream; i++)
		if (list->name[i].fault != NULL)
			return list->name[i].fault;
	return NULL;
}

static void
release(void *arg)
{
	struct lookup *l = arg;

	free(l->host);
	free(l);
}

static void
look_up(struct targets *list, size_t upstream)
{
	const struct conf_addr *a = &list->conf->upstream[upstream];
	struct name *name = &list->name[upstream];
	struct lookup *l;
	struct baton_task task = {
	    .name = "getaddrinfo", .work = work, .done = looked_up, .release = release};

	if (a->kind != CONF_ADDR_NAME || name->lookup != NULL)
		return;
	name->asked_ms = clock_tick_ms();
	l = mem_alloc(sizeof *l);
	l->list = list;
	l->upstream = upstream;
	l->host = mem_strdup(a->name);
	snprintf(l->port, sizeof l->port, "%u", a->port);
	task.arg = l;
	if (baton_offload(NULL, &task) != 0) {
		release(l);
		tell(list, upstream, "too much waits for a thread");
		return;
	}
	name->lookup = l;
	list->lookups++;
}

static void
look_up_older_than(struct targets *list, size_t upstream, uint64_t ms)
{
	if (clock_tick_ms() - list->name[upstream].asked_ms >= ms)
		look_up(list, upstream);
}

bool
targets_wait(struct targets *list, struct target_wait *w)
{
	for (size_t i = 0; i < list->conf->nupstream; i++)
		if (list->name[i].failed)
			look_up_older_than(list, i, PAUSE_MS);
	if (list->lookups == 0)
		return false;
	w->list = list;
	TAILQ_INSERT_TAIL(&list->waiting, w, link);
	return true;
}

void
targets_wait_no_more(struct target_wait *w)
{
	if (w->list != NULL)
		TAILQ_REMOVE(&w->list->waiting, w, link);
	w->list = NULL;
}

/* --- the list --- */

struct targets *
targets_new(const struct conf_service *conf, struct event_base *base)
{
	struct runtime_limits limits = {.threads = THREADS, .queue = (unsigned)conf->nupstream};
	struct targets *list = mem_alloc(sizeof *list);

	list->conf = conf;
	list->name = mem_alloc((conf->nupstream + 1) * sizeof *list->name);
	TAILQ_INIT(&list->waiting);
	for (size_t i = 0; i < conf->nupstream; i++) {
		const struct conf_addr *a = &conf->upstream[i];

		if (a->kind == CONF_ADDR_NAME) {
			runtime_start(base, &limits);
			look_up(list, i);
			continue;
		}
		add(list, &(struct target){
		              .text = a->text, .sa = a->sa, .len = a->salen, .upstream = i});
	}
	return list;
}

void
targets_free(struct targets **list)
{
	struct targets *l = *list;

	if (l == NULL)
		return;
	for (size_t i = 0; i < l->conf->nupstream; i++)
		if (l->name[i].lookup != NULL)
			l->name[i].lookup->list = NULL;
	free(l->name);
	free(l->v);
	mem_free(list);
}

size_t
targets_count(const struct targets *list)
{
	return list->n;
}

static struct target *
next_of(struct targets *list)
{
	uint64_t now = clock_tick_ms();

	for (size_t i = 0; i < list->n; i++) {
		struct target *t = &list->v[(list->next + i) % list->n];

		if (t->down_until_ms > now)
			continue;
		list->next = (list->next + i + 1) % list->n;
		return t;
	}
	return &list->v[list->next++ % list->n];
}

void
targets_next(struct targets *list, struct target *t)
{
	AN(list->n > 0);
	*t = *next_of(list);
	look_up_older_than(list, t->upstream, AGE_MS);
}

void
targets_down(struct targets *list, const struct target *t)
{
	for (size_t i = 0; i < list->n; i++)
		if (is_same(&list->v[i], t))
			list->v[i].down_until_ms = clock_tick_ms() + DOWN_MS;
	look_up_older_than(list, t->upstream, PAUSE_MS);
}
