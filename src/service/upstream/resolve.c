#include "service/upstream/resolve.h"

#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "baton.h"
#include "conf/conf.h"
#include "worker/runtime/dial.h"

#define AGE_MS    30000 /* of an answer that is asked for again */
#define PAUSE_MS  1000  /* between two lookups of a name */
#define ADDRS_MAX 16    /* of a name */

/* The thread's own copy: it may outlive the rest. */
struct lookup {
	struct resolve *of; /* NULL: it is gone */
	size_t line;
	char *host;
	char port[8];
	struct dial_addr found[ADDRS_MAX];
	size_t n;
	bool more; /* than there is room for */
	int fault; /* of getaddrinfo */
};

/* Of each upstream. */
struct name {
	struct lookup *lookup; /* under way */
	uint64_t asked_ms;     /* when the last one began; 0: never */
	bool failed;           /* which is in the log */
	bool more;             /* than ADDRS_MAX, likewise */
	const char *fault;     /* of the last one, in words that last; NULL: none */
};

struct resolve {
	const struct conf_service *conf;
	resolve_fn *found;
	void *arg;
	struct name *name;
	size_t lookups; /* under way */
	TAILQ_HEAD(, resolve_wait) waiting;
};

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
	l->more = i != NULL;
	freeaddrinfo(found);
	return 0;
}

/* Once, until it succeeds again. */
static void
tell(struct resolve *r, size_t line, const char *why)
{
	struct name *name = &r->name[line];

	if (why != NULL && !name->failed)
		log_warn("service %s: cannot look up upstream %s: %s", r->conf->name,
		         r->conf->upstream[line].text, why);
	name->failed = why != NULL;
}

/* Once. */
static void
tell_more(struct resolve *r, struct name *name, const struct lookup *l)
{
	if (l->more && !name->more)
		log_warn(
		    "service %s: upstream %s has more than %d addresses: the first are used",
		    r->conf->name, r->conf->upstream[l->line].text, ADDRS_MAX);
	name->more = l->more;
}

static void
wake(struct resolve *r)
{
	struct resolve_wait *w;

	while (r->lookups == 0 && (w = TAILQ_FIRST(&r->waiting)) != NULL) {
		resolve_wait_no_more(w);
		w->over(w->arg);
	}
}

static void
looked_up(void *arg, int status)
{
	struct lookup *l = arg;
	struct resolve *r = l->of;
	struct name *name;

	if (r == NULL)
		return;
	l->of = NULL;
	name = &r->name[l->line];
	name->lookup = NULL;
	r->lookups--;
	if (status == 0)
		r->found(r->arg, l->line, l->found, l->n);
	tell_more(r, name, l);
	name->fault = status == 0                   ? NULL
	              : status == BATON_UNREACHABLE ? gai_strerror(l->fault)
	                                            : "it was given up";
	tell(r, l->line, name->fault);
	wake(r);
}

static void
release(void *arg)
{
	struct lookup *l = arg;

	free(l->host);
	free(l);
}

static void
look_up(struct resolve *r, size_t line)
{
	const struct conf_addr *a = &r->conf->upstream[line];
	struct name *name = &r->name[line];
	struct lookup *l;
	struct baton_task task = {
	    .name = "getaddrinfo", .work = work, .done = looked_up, .release = release};

	if (a->kind != CONF_ADDR_NAME || name->lookup != NULL)
		return;
	name->asked_ms = clock_tick_ms();
	l = mem_alloc(sizeof *l);
	l->of = r;
	l->line = line;
	l->host = mem_strdup(a->name);
	snprintf(l->port, sizeof l->port, "%u", a->port);
	task.arg = l;
	if (baton_offload(NULL, &task) != 0) {
		release(l);
		tell(r, line, "no thread can look it up now");
		return;
	}
	name->lookup = l;
	r->lookups++;
}

static void
look_up_older_than(struct resolve *r, size_t line, uint64_t ms)
{
	if (clock_tick_ms() - r->name[line].asked_ms >= ms)
		look_up(r, line);
}

void
resolve_used(struct resolve *r, size_t line)
{
	look_up_older_than(r, line, AGE_MS);
}

void
resolve_failed(struct resolve *r, size_t line)
{
	look_up_older_than(r, line, PAUSE_MS);
}

bool
resolve_wait(struct resolve *r, struct resolve_wait *w)
{
	for (size_t i = 0; i < r->conf->nupstream; i++)
		if (r->name[i].failed)
			look_up_older_than(r, i, PAUSE_MS);
	if (r->lookups == 0)
		return false;
	w->of = r;
	TAILQ_INSERT_TAIL(&r->waiting, w, link);
	return true;
}

void
resolve_wait_no_more(struct resolve_wait *w)
{
	if (w->of != NULL)
		TAILQ_REMOVE(&w->of->waiting, w, link);
	w->of = NULL;
}

const char *
resolve_fault(const struct resolve *r)
{
	for (size_t i = 0; i < r->conf->nupstream; i++)
		if (r->name[i].fault != NULL)
			return r->name[i].fault;
	return NULL;
}

struct resolve *
resolve_new(const struct conf_service *conf, resolve_fn *found, void *arg)
{
	struct resolve *r = mem_alloc(sizeof *r);

	r->conf = conf;
	r->found = found;
	r->arg = arg;
	r->name = mem_alloc((conf->nupstream + 1) * sizeof *r->name);
	TAILQ_INIT(&r->waiting);
	for (size_t i = 0; i < conf->nupstream; i++)
		look_up(r, i);
	return r;
}

void
resolve_free(struct resolve **r)
{
	if (*r == NULL)
		return;
	for (size_t i = 0; i < (*r)->conf->nupstream; i++)
		if ((*r)->name[i].lookup != NULL)
			(*r)->name[i].lookup->of = NULL;
	free((*r)->name);
	mem_free(r);
}
