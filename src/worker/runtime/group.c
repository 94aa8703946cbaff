#include "worker/runtime/group.h"

#include <sys/queue.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "baton.h"
#include "worker/runtime/ctx.h"
#include "worker/runtime/loop.h"

struct baton_group {
	TAILQ_ENTRY(baton_group) link;
	const char *place;
	uint64_t born_ms;
	struct baton_ctx *ctx;
	unsigned members;
	bool closed;
	int status; /* the first error */
	void (*done)(void *arg, int status);
	void *arg;
};

static TAILQ_HEAD(, baton_group) all = TAILQ_HEAD_INITIALIZER(all);

/* A task that is a member. */
struct member {
	struct baton_group *group;
	struct baton_task task;
};

struct baton_group *
baton_group_new_at(struct baton_ctx *parent, void (*done)(void *arg, int status), void *arg,
                   const char *place)
{
	struct baton_group *g = mem_alloc(sizeof *g);

	ON_LOOP();
	g->ctx = baton_ctx_new_at(parent, 0, place);
	g->place = place;
	g->born_ms = clock_ms();
	g->done = done;
	g->arg = arg;
	TAILQ_INSERT_TAIL(&all, g, link);
	return g;
}

struct baton_ctx *
baton_group_ctx(struct baton_group *group)
{
	return group->ctx;
}

/* That nobody failed does not mean much if somebody else has ended it meanwhile: members
 * may have given up without an error. */
static void
finish(void *arg)
{
	struct baton_group *g = arg;
	int status = g->status != 0 ? g->status : baton_ctx_cause(g->ctx);

	TAILQ_REMOVE(&all, g, link);
	baton_ctx_cancel(g->ctx, BATON_CANCELLED);
	baton_ctx_drop(&g->ctx);
	g->done(g->arg, status);
	free(g);
}

static void
look(struct baton_group *g)
{
	if (g->closed && g->members == 0)
		baton_post(finish, g);
}

void
baton_group_begin(struct baton_group *group)
{
	ON_LOOP();
	AN(!group->closed || group->members > 0);
	group->members++;
}

void
baton_group_end(struct baton_group *group, int status)
{
	ON_LOOP();
	AN(group->members > 0);
	if (status != 0 && group->status == 0) {
		group->status = status;
		baton_ctx_cancel(group->ctx, status); /* our own hold of a member keeps it */
	}
	group->members--;
	look(group);
}

void
baton_group_close(struct baton_group *group)
{
	ON_LOOP();
	AN(!group->closed);
	group->closed = true;
	look(group);
}

static int
member_work(void *arg)
{
	struct member *m = arg;

	return m->task.work(m->task.arg);
}

static void
member_done(void *arg, int status)
{
	struct member *m = arg;

	if (m->task.done != NULL)
		m->task.done(m->task.arg, status);
	baton_group_end(m->group, status);
}

static void
member_release(void *arg)
{
	struct member *m = arg;

	if (m->task.release != NULL)
		m->task.release(m->task.arg);
	free(m);
}

int
baton_group_offload_at(struct baton_group *group, const struct baton_task *task,
                       const char *place)
{
	struct member *m = mem_alloc(sizeof *m);
	struct baton_task t = *task;
	int status;

	ON_LOOP();
	m->group = group;
	m->task = *task;
	t.work = member_work;
	t.done = member_done;
	t.release = member_release;
	t.arg = m;
	baton_group_begin(group);
	status = baton_offload_at(group->ctx, &t, place);
	if (status != 0) {
		free(m);
		baton_group_end(group, status);
	}
	return status;
}

void
group_each(runtime_task_fn *fn, void *arg)
{
	struct baton_group *g;
	char state[64];

	TAILQ_FOREACH (g, &all, link) {
		snprintf(state, sizeof state, "%u member%s%s%s", g->members,
		         g->members == 1 ? "" : "s", g->closed ? "" : ", more may come",
		         ctx_ended_ms(g->ctx) != 0 ? "; cancelled" : "");
		fn(arg, &(struct runtime_task){.kind = MSG_TASK_GROUP,
		                               .name = "",
		                               .place = g->place,
		                               .state = state,
		                               .born_ms = g->born_ms,
		                               .since_ms = g->born_ms,
		                               .deadline_ms = ctx_deadline_ms(g->ctx)});
	}
}
