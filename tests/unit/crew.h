/*
 * crew: generations and their workers as the master knows them, without processes: what each is
 * told arrives at its far end.
 */
#ifndef BATON_TESTS_CREW_H
#define BATON_TESTS_CREW_H

#include <check.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "master/core/env.h"
#include "master/workers/generation.h"
#include "master/listen/listener.h"
#include "wire/chan.h"
#include "wire/stats.h"

#define WORKERS_MAX 8
#define LIST_MAX    16

static const struct program program = {.version = "test"};

/* A worker, and what it has been told. */
static struct far {
	struct worker worker;
	struct chan *chan;
	size_t norders; /* what to accept on; and the last of them */
	size_t naccept;
	uint32_t accept[LIST_MAX];
	size_t ngiven; /* sockets */
	size_t npairs; /* ends of channels; and whose they were */
	struct msg_peer pair[LIST_MAX];
	size_t naimed; /* orders of whom to give to; and the last of them */
	size_t naims;
	uint64_t aims[LIST_MAX];
	size_t ndrains; /* and the last of them */
	struct msg_drain drain;
	size_t nresumed;
} far[WORKERS_MAX];

static void
crew_hear(struct chan *ch, struct msg *m, void *arg)
{
	struct far *f = arg;

	(void)ch;
	ck_assert_ptr_nonnull(m);
	switch ((int)m->type) {
	case MSG_SOCKETS:
		f->ngiven += m->nfd;
		break;
	case MSG_ACCEPT:
		f->norders++;
		f->naccept = m->len / sizeof *f->accept;
		ck_assert_uint_le(f->naccept, LIST_MAX);
		memcpy(f->accept, m->data, m->len);
		break;
	case MSG_PEER:
		ck_assert_uint_lt(f->npairs, LIST_MAX);
		memcpy(&f->pair[f->npairs++], m->data, m->len);
		break;
	case MSG_SUCCESSORS:
		f->naimed++;
		f->naims = m->len / sizeof *f->aims;
		ck_assert_uint_le(f->naims, LIST_MAX);
		memcpy(f->aims, m->data, m->len);
		break;
	case MSG_DRAIN:
		f->ndrains++;
		memcpy(&f->drain, m->data, m->len);
		break;
	case MSG_RESUME:
		f->nresumed++;
		break;
	default:
		ck_abort_msg("a message that nobody expects: %s", msg_name(m->type));
	}
}

static void
crew_set_up(void)
{
	char *cause = NULL;

	memset(far, 0, sizeof far);
	env = (struct env){.program = &program, .base = event_base_new(), .image = 1};
	env.stats = stats_create(&cause);
	ck_assert_msg(env.stats != NULL, "%s", cause);
}

static void
crew_gone(const struct generation *g)
{
	(void)g;
}

static void
crew_tear_down(void)
{
	struct generation *g;

	TAILQ_FOREACH (g, generation_all(), link)
		TAILQ_INIT(&g->workers); /* they are ours */
	for (size_t i = 0; i < WORKERS_MAX; i++) {
		if (far[i].worker.chan != NULL)
			chan_free(&far[i].worker.chan);
		if (far[i].chan != NULL)
			chan_free(&far[i].chan);
		free(far[i].worker.held);
		free(far[i].worker.had);
		free(far[i].worker.aims);
	}
	generation_free_all(crew_gone);
	listener_stop();
	stats_free(&env.stats);
	event_base_free(env.base);
}

#define OWN    "address = 127.0.0.1:0\n"
#define SHARED "address = 127.0.0.1:0\nreuseport = no\n"

/* A generation for a file with such lines of a "listen", and more sections. */
static __attribute__((unused)) struct generation *
crew_generation(const char *listen, uint32_t slots, const char *more)
{
	struct conf_errors errors = {0};
	char *text =
	    mem_printf("[listen:a]\n%sservice = s\n[service:s]\ntype = echo\n%s", listen, more);
	struct conf *conf = conf_parse("c.ini", text, strlen(text), &errors);
	struct generation *g;
	char *cause = NULL;

	ck_assert_msg(conf != NULL, "%s", errors.n > 0 ? errors.at[0].text : "");
	conf_errors_free(&errors);
	free(text);
	g = generation_new(conf, slots);
	ck_assert_msg(generation_acquire(g, &cause) == 0, "%s", cause);
	return g;
}

/* far[i] is in a slot of g; its birth is i + 1. */
static __attribute__((unused)) struct worker *
crew_join(struct generation *g, size_t i, uint32_t slot, bool ready)
{
	struct worker *w = &far[i].worker;
	int end[2];

	ck_assert_int_eq(chan_pair(end), 0);
	*w = (struct worker){
	    .gen = g, .slot = slot, .birth = i + 1, .ready = ready, .pidfd = -1};
	w->chan = chan_new(env.base, end[0], crew_hear, &far[i]);
	far[i].chan = chan_new(env.base, end[1], crew_hear, &far[i]);
	TAILQ_INSERT_TAIL(&g->workers, w, link);
	return w;
}

/* What they were told arrives. */
static __attribute__((unused)) void
crew_listen(void)
{
	for (int i = 0; i < 8; i++)
		event_base_loop(env.base, EVLOOP_NONBLOCK);
}

#endif
