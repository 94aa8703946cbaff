/*
 * stats_int: the inside of the statistics memory, for the files that make it up, each above
 * the one before: memory.c (the map), stats.c (sums, names, what is believed), births.c
 * (who has which page).
 */
#ifndef BATON_WIRE_STATS_INT_H
#define BATON_WIRE_STATS_INT_H

#include <stdbool.h>

#include "wire/figures.h"
#include "wire/stats.h"

#define STATS_MAGIC   0x6e6f7461622d7473ull /* "st-baton" */
#define STATS_VERSION 1
#define STATS_SIZE    ((size_t)STATS_PAGE_SIZE * STATS_PAGES)

/*
 * Which page is what.  The first versions knew pages of births only and took them from
 * the low end, so that what came later lies where they never got to:
 *
 *	0             the head
 *	1..1339       births
 *	1340..1343    flags of the dead
 *	1346..4023    their annexes, two pages each
 *	4024..4087    the board
 *	4088..4095    the annex of the dead
 */
#define ANNEX_PAGES    2
#define ANNEX_FIRST    1344 /* of page 0, so to speak */
#define FLAGS_FIRST    1340 /* of the dead; of a living worker they are the end of its annex */
#define FLAGS_PAGES    4
#define BOARD_FIRST    4024
#define BOARD_PAGES    64
#define DEAD_FIRST     (BOARD_FIRST + BOARD_PAGES)
#define STATS_GRACE_MS 1000 /* a look may be late */
#define READ_TRIES     1000 /* of a page that seems to be folded */

_Static_assert(ANNEX_FIRST > STATS_BIRTHS, "births end before the annexes");
_Static_assert(FLAGS_FIRST > STATS_BIRTHS &&
                   FLAGS_FIRST + FLAGS_PAGES <= ANNEX_FIRST + ANNEX_PAGES,
               "the flags of the dead lie between births and annexes");
_Static_assert(ANNEX_FIRST + ANNEX_PAGES * (STATS_BIRTHS + 1) <= BOARD_FIRST,
               "the annexes end before the board");
_Static_assert(DEAD_FIRST < STATS_PAGES, "and all of it in the memory");

/* The other memory (figures.h): so many bytes of each page's worker, by its number; then those
 * of the dead. */
#define FIGURES_SIZE      16384
#define FIGURES_DEAD_SIZE (16 * FIGURES_SIZE)
#define FIGURES_ALL       ((size_t)FIGURES_SIZE * (STATS_BIRTHS + 1) + FIGURES_DEAD_SIZE)

/* Page 0.  Grows at the end only. */
struct stats_head {
	uint64_t magic;
	uint64_t version;
	uint64_t last_birth;
	uint64_t last_generation;
	uint64_t pages; /* pages 1..pages have been used; the rest is untouched memory */
	_Atomic uint64_t total[STATS_SLOTS];
	struct stats_named named[STATS_NAMED]; /* totals of the dead; no room: lost */
	_Atomic uint64_t folds;                /* odd: a page is being folded */
};

_Static_assert(sizeof(struct stats_head) <= STATS_PAGE_SIZE, "the head is one page");

/* What the master itself knows of a birth, in memory of its own: a page is written by its
 * worker, which may be in hostile hands. */
struct seat {
	uint64_t birth;
	uint32_t generation;
	uint32_t slot;
	int32_t pid; /* 0: not forked yet */
	uint64_t started;
	uint64_t seen_ms; /* of the last look, or its birth */
	bool lied;
	uint64_t seen[STATS_SLOTS]; /* its counters at that look */
};

struct stats {
	int fd;
	char *map;
	int figures_fd;
	char *figures;
	struct seat *seat[STATS_BIRTHS + 1]; /* by number of the page; NULL in readers */
};

static inline struct stats_head *
stats_head(const struct stats *stats)
{
	return (struct stats_head *)(void *)stats->map;
}

static inline struct stats_page *
stats_page_at(const struct stats *stats, size_t i)
{
	return (struct stats_page *)(void *)(stats->map + i * STATS_PAGE_SIZE);
}

/* For a reader beside the master a page's own word has to do. */
static inline bool
stats_is_living(const struct stats *stats, size_t i)
{
	return stats->seat[i] != NULL || stats_page_at(stats, i)->birth != 0;
}

/* The counters of modules: add those of a page to the dead's. */
void stats_fold_named(struct stats *stats, const struct stats_page *page);

/* The flags of a page to those of the dead. */
void stats_fold_flags(struct stats *stats, const struct stats_page *page);

/* What a page's worker has counted by name to the dead's; and its rows are free. */
void figures_fold(struct stats *stats, size_t page);
void figures_clear(struct stats *stats, size_t page);

/* Can that be true of a counter, after what was seen of it before? */
bool stats_may_be(const struct seat *seat, int counter, uint64_t value, uint64_t now);

/* A counter of page number i, as far as it is believed. */
uint64_t stats_believed(const struct stats *stats, size_t i, int counter);

#endif
