#include "master/verbs/dispatch.h"

#include <sys/wait.h>

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "master/change/preflight.h"
#include "master/core/env.h"
#include "master/verbs/listing.h"
#include "master/workers/certificates.h"
#include "master/workers/generation.h"
#include "master/workers/mend.h"
#include "master/workers/slot.h"
#include "master/workers/successors.h"
#include "wire/chan.h"
#include "wire/stats.h"

#define ENDED_KEPT 256
#define ENDED_MS   60000

/* --- what workers say --- */

/* True: facts have changed. */
static bool
heard(struct worker *w, const struct msg *m)
{
	if (m->birth != w->birth) {
		if (chan_may_log(w->chan))
			log_warn("message '%s' of birth %llu came from birth %llu; dropped",
			         msg_name(m->type), (unsigned long long)m->birth,
			         (unsigned long long)w->birth);
		return false;
	}
	switch (m->type) {
	case MSG_READY:
		slot_became_ready(w);
		return true;
	case MSG_FAILED:
		slot_take_last_words(w, m);
		return true;
	case MSG_LEAVING:
		slot_wants_to_leave(w);
		return true;
	case MSG_SWEPT:
		slot_swept(w);
		return true;
	case MSG_NO_FDS:
		w->unsure = true;
		successors_again(w);
		return true;
	case MSG_CERTIFICATE:
		return certificates_heard(w->gen, m);
	case MSG_CONN:
	case MSG_TASK:
		listings_line(w, m);
		return false;
	case MSG_LIST_END:
		listings_end(w, m);
		return false;
	default:
		if (chan_may_log(w->chan))
			log_warn("message '%s' is not for a master; dropped",
			         msg_name(m->type));
		return false;
	}
}

static void
died(struct worker *w, uint64_t lived_ms, const char *cause)
{
	generation_note_death(w->gen, w->slot, lived_ms, cause);
}

static void
gone(struct worker *w)
{
	mend_lost_holder();
	listings_gone(w);
}

void
dispatch_start(void)
{
	static const struct slot_rules rules = {.heard = heard, .died = died, .gone = gone};

	slot_use(&rules);
}

/* --- how they end --- */

struct worker *
dispatch_worker(pid_t pid)
{
	struct generation *g;
	struct worker *w;

	TAILQ_FOREACH (g, generation_all(), link)
		TAILQ_FOREACH (w, &g->workers, link)
			if (w->pid == pid)
				return w;
	return NULL;
}

/* The last ones that have ended, as what they have said may be heard later. */
static struct {
	pid_t pid;
	uint64_t at_ms;
} ended[ENDED_KEPT];

static void
note_end(pid_t pid)
{
	static size_t next;

	ended[next].pid = pid;
	ended[next].at_ms = clock_ms();
	next = (next + 1) % ENDED_KEPT;
}

/* Told by the snapshot of a master that has ended; their number is that of its workers. */
static struct {
	pid_t *pid;
	size_t n;
} left;

void
dispatch_left(pid_t pid)
{
	left.pid = mem_grow(left.pid, left.n, sizeof *left.pid);
	left.pid[left.n++] = pid;
}

static bool
was_left(pid_t pid)
{
	struct stats_page *page = NULL;

	for (size_t i = 0; i < left.n; i++)
		if (left.pid[i] == pid)
			return true;
	while ((page = stats_page_unclaimed(env.stats, page)) != NULL)
		if (page->pid == pid)
			return true;
	return false;
}

bool
dispatch_was_ours(pid_t pid)
{
	for (size_t i = 0; i < ENDED_KEPT; i++)
		if (ended[i].pid == pid && clock_ms() - ended[i].at_ms < ENDED_MS)
			return true;
	return was_left(pid);
}

/* A child of an image that was rolled back: nobody knows it but its page. */
static void
bury_unlisted(pid_t pid)
{
	struct stats_page *page = NULL;

	while ((page = stats_page_unclaimed(env.stats, page)) != NULL)
		if (page->pid == pid)
			stats_page_fold(env.stats, page);
}

void
dispatch_reap(void)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct worker *w = dispatch_worker(pid);

		note_end(pid);
		if (w != NULL)
			slot_buried(w, status);
		else if (!preflight_reaped(pid, status))
			bury_unlisted(pid);
		env_converge();
	}
}
