/* births: who has which page of the statistics memory, and what of a page is believed. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "wire/latency.h"
#include "wire/stats_int.h"

/* --- who has which --- */

/* A master that was killed amid a fold has left it odd. */
static void
begin_fold(struct stats *stats)
{
	stats_head(stats)->folds |= 1;
	atomic_thread_fence(memory_order_seq_cst);
}

static void
end_fold(struct stats *stats)
{
	atomic_thread_fence(memory_order_seq_cst);
	stats_head(stats)->folds = (stats_head(stats)->folds | 1) + 1;
}

static struct seat *
seat_new(struct stats *stats, size_t i, uint64_t birth)
{
	struct seat *seat = mem_alloc(sizeof *seat);

	seat->birth = birth;
	seat->seen_ms = clock_ms();
	stats->seat[i] = seat;
	return seat;
}

/* Without a seat, a page is all we know of its worker. */
static bool
is_free(const struct stats *stats, size_t i)
{
	return stats->seat[i] == NULL && stats_page_at(stats, i)->birth == 0;
}

struct stats_page *
stats_page_open(struct stats *stats, uint64_t birth, uint32_t generation, uint32_t slot)
{
	for (size_t i = 1; i <= STATS_BIRTHS; i++) {
		struct stats_page *page = stats_page_at(stats, i);
		struct seat *seat;

		if (!is_free(stats, i))
			continue;
		begin_fold(stats); /* a master of another version may have left it */
		latency_fold(stats, page);
		figures_fold(stats, i);
		figures_clear(stats, i);
		end_fold(stats);
		if (i > stats_head(stats)->pages)
			stats_head(stats)->pages = i;
		memset(page, 0, sizeof *page);
		page->generation = generation;
		page->slot = slot;
		page->state = STATS_STARTING;
		page->birth = birth;
		seat = seat_new(stats, i, birth);
		seat->generation = generation;
		seat->slot = slot;
		return page;
	}
	return NULL;
}

void
stats_page_born(struct stats *stats, struct stats_page *page, int pid)
{
	stats->seat[stats_page_index(stats, page)]->pid = page->pid = pid;
}

void
stats_page_ready(struct stats *stats, const struct stats_page *page)
{
	stats->seat[stats_page_index(stats, page)]->started = page->started;
}

struct stats_page *
stats_page_claim(struct stats *stats, size_t index, const struct stats_claim *claim)
{
	struct stats_page *page;
	struct seat *seat;

	for (size_t i = 1; index == 0 && i <= stats_pages(stats); i++)
		if (stats->seat[i] == NULL && stats_page_at(stats, i)->birth == claim->birth)
			index = i;
	if (index == 0 || index > stats_pages(stats) || stats->seat[index] != NULL)
		return NULL;
	page = stats_page_at(stats, index);
	if (claim->started == 0 && page->pid != claim->pid)
		return NULL; /* told by a version that knew no more */
	seat = seat_new(stats, index, claim->birth);
	seat->generation = claim->generation;
	seat->slot = claim->slot;
	seat->pid = claim->pid;
	seat->started = claim->started != 0 ? claim->started : page->started;
	seat->seen_ms = claim->since_ms;
	return page;
}

uint64_t
stats_page_start_time(const struct stats *stats, const struct stats_page *page)
{
	const struct seat *seat = stats->seat[stats_page_index(stats, page)];

	return seat != NULL ? seat->started : page->started;
}

struct stats_page *
stats_page_find(struct stats *stats, uint64_t birth)
{
	for (size_t i = 1; i <= stats_pages(stats); i++)
		if (stats->seat[i] != NULL ? stats->seat[i]->birth == birth
		                           : stats_page_at(stats, i)->birth == birth)
			return stats_page_at(stats, i);
	return NULL;
}

struct stats_page *
stats_page_unclaimed(const struct stats *stats, const struct stats_page *page)
{
	size_t i = page != NULL ? stats_page_index(stats, page) : 0;

	while (++i <= stats_pages(stats))
		if (stats->seat[i] == NULL && stats_page_at(stats, i)->birth != 0)
			return stats_page_at(stats, i);
	return NULL;
}

/* --- what is believed --- */

static uint64_t
held_max(uint64_t n)
{
	return n < STATS_HELD_MAX ? n : STATS_HELD_MAX;
}

void
stats_counts(const struct stats_page *page, struct stats_counts *n)
{
	*n = (struct stats_counts){.fresh = held_max(page->fresh),
	                           .idle = held_max(page->idle),
	                           .busy = held_max(page->busy),
	                           .moving = held_max(page->moving),
	                           .tasks = held_max(page->tasks)};
}

static bool
names_another(const struct seat *seat, const struct stats_page *page)
{
	return page->birth != seat->birth || page->generation != seat->generation ||
	       page->slot != seat->slot || (seat->pid != 0 && page->pid != seat->pid) ||
	       (seat->started != 0 && page->started != seat->started) ||
	       page->state == STATS_FREE;
}

static bool
holds_too_many(const struct stats_page *page)
{
	struct stats_counts n;

	stats_counts(page, &n);
	return n.fresh == STATS_HELD_MAX || n.idle == STATS_HELD_MAX ||
	       n.busy == STATS_HELD_MAX || n.tasks == STATS_HELD_MAX;
}

const char *
stats_page_look(struct stats *stats, const struct stats_page *page)
{
	struct seat *seat = stats->seat[stats_page_index(stats, page)];
	uint64_t now = clock_ms();
	const char *lie = NULL;

	if (names_another(seat, page))
		lie = "its page names another worker";
	else if (holds_too_many(page))
		lie = "it claims to hold more connections than there can be";
	else if (page->heartbeat_ms > now + STATS_GRACE_MS)
		lie = "its heartbeat is of the future";
	for (int c = 0; c < STATS_SLOTS; c++) {
		uint64_t value = page->counter[c];

		if (stats_may_be(seat, c, value, now))
			seat->seen[c] = value;
		else
			lie = "its counters went back, or grew faster than anything can";
	}
	seat->seen_ms = now;
	seat->lied |= lie != NULL;
	return lie;
}

uint64_t
stats_page_fold(struct stats *stats, struct stats_page *page)
{
	size_t i = stats_page_index(stats, page);
	struct stats_head *h = stats_head(stats);
	struct stats_counts n;
	uint64_t held, others, lost;

	stats_counts(page, &n);
	held = n.fresh + n.idle + n.busy;
	others = n.moving + n.tasks;
	lost = held > others ? held - others : 0;
	if (stats->seat[i] != NULL && (stats->seat[i]->lied || lost >= STATS_HELD_MAX))
		lost = 0; /* nobody knows */
	begin_fold(stats);
	for (int c = 0; c < STATS_SLOTS; c++)
		h->total[c] += stats_believed(stats, i, c);
	h->total[STATS_CLOSED] += lost;
	h->total[STATS_CUT] += lost;
	if (stats->seat[i] == NULL || !stats->seat[i]->lied) {
		stats_fold_named(stats, page);
		stats_fold_flags(stats, page);
		figures_fold(stats, i);
		latency_fold(stats, page);
	}
	stats_clear_annex(stats, page);
	figures_clear(stats, i);
	memset(page, 0, sizeof *page);
	end_fold(stats);
	mem_free(&stats->seat[i]);
	return lost;
}
