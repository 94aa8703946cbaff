/*
 * figures: what is counted by name: of an upstream, of a service, of a listener.
 *
 * A memory of its own beside the statistics (stats.h), with the same owners: a worker has so
 * many rows, found by the hash of a name, and so have the dead.  Nobody reads names from
 * it: a reader asks for those that he knows.  The layout is part of the wire: a row's
 * numbers keep their places, and unused ones are for later.
 */
#ifndef BATON_WIRE_FIGURES_H
#define BATON_WIRE_FIGURES_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct stats;
struct stats_page;

/* Counters, which the dead leave behind, then what is so now, which goes with its worker. */
enum {
	/* of "upstream SERVICE ADDRESS" */
	FIGURES_ASKED = 0, /* requests that were sent there; of a TCP proxy, connections */
	FIGURES_FAILED,    /* of them, and of connections that could not be made */
	/* of "service NAME" and "listener NAME" */
	FIGURES_1XX = 0,
	FIGURES_2XX,
	FIGURES_3XX,
	FIGURES_4XX,
	FIGURES_5XX, /* and what is beyond */
	FIGURES_COUNTERS_N = 6,
	/* of an upstream */
	FIGURES_BUSY = 6, /* connections in use, or being made */
	FIGURES_IDLE,
	FIGURES_ILL, /* bits: */
	FIGURES_N
};

#define FIGURES_CHECK_FAILS  1u
#define FIGURES_BREAKER_OPEN 2u
#define FIGURES_NO_BREAKER   4u /* there was no room for one */

#define FIGURES_CLASSES_N 5 /* of answers, from FIGURES_1XX on */
extern const char *const figures_class[FIGURES_CLASSES_N];

struct figures_row {
	_Atomic uint64_t hash; /* 0: none */
	_Atomic uint64_t v[FIGURES_N];
};

/* A sum over the dead and the living. */
struct figures_sum {
	uint64_t v[FIGURES_N];
	unsigned rows;      /* that there are; 0: nobody had room, and nothing is known */
	unsigned ill, open; /* workers whose check fails; whose breaker is open */
	unsigned bare;      /* workers that have no breaker for it */
};

/* Whose they are: a service's ("service", "api", NULL), a listener's ("listener", "web", NULL),
 * an upstream's ("upstream", "api", "127.0.0.1:80"). */
struct figures_name {
	const char *kind, *name, *part;
};

/* The worker's own row, made if need be; NULL: no room. */
struct figures_row *figures_row(const struct stats *stats, const struct stats_page *own,
                                struct figures_name name);

/* All that is known of it.  Each number is read once, and bounded. */
void figures_sum(const struct stats *stats, struct figures_name name, struct figures_sum *sum);

/* One more.  row NULL: nothing.  One writer per row: no locked instruction needed. */
static inline void
figures_count(struct figures_row *row, int counter)
{
	if (row != NULL)
		atomic_store_explicit(
		    &row->v[counter],
		    atomic_load_explicit(&row->v[counter], memory_order_relaxed) + 1,
		    memory_order_relaxed);
}

/* An answer of that status, of a service or listener. */
static inline void
figures_answer(struct figures_row *row, unsigned status)
{
	unsigned c = status / 100;

	figures_count(row, c < 1 ? FIGURES_1XX : c > 5 ? FIGURES_5XX : (int)c - 1);
}

#endif
