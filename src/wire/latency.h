/*
 * latency: how long requests took, per service, in buckets whose width grows with the
 * time: four to each doubling from 8 us to 134 s, so that a bucket's end is at most a quarter
 * above what it holds.
 *
 * Each worker has rows of its own beside its stats page (stats.h), found by the service's
 * name, and there are rows of the dead.  Likewise part of the wire: a memory whose `layout`
 * is another one is left alone.
 */
#ifndef BATON_WIRE_LATENCY_H
#define BATON_WIRE_LATENCY_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct stats;
struct stats_page;

#define LATENCY_PARTS    4 /* buckets to a doubling */
#define LATENCY_FIRST    3 /* the first bucket ends at 2^3 us */
#define LATENCY_OCTAVES  24
#define LATENCY_BUCKETS  (1 + LATENCY_OCTAVES * LATENCY_PARTS + 1)
#define LATENCY_NAME_MAX 63

_Static_assert(LATENCY_PARTS == 4, "two bits of a time select a part");

struct latency {
	char name[LATENCY_NAME_MAX + 1];
	_Atomic uint64_t used; /* set after the name */
	_Atomic uint64_t sum_us;
	_Atomic uint64_t bucket[LATENCY_BUCKETS];
};

/* The worker's own row of a service, made if need be; NULL: no room. */
struct latency *latency_row(const struct stats *stats, struct stats_page *own,
                            const char *name);

/* The rows of a page go to those of the dead; for the master. */
void latency_fold(struct stats *stats, const struct stats_page *page);

/* The sums of all services that have been recorded, in the order of their appearance: at most
 * max, into sum; how many. */
size_t latency_sums(const struct stats *stats, struct latency *sum, size_t max);

/* Requests of a row. */
uint64_t latency_count(const struct latency *l);

/* The time in us that a share of the requests (0..1) did not exceed: a bucket's end; 0 of
 * none. */
uint64_t latency_quantile(const struct latency *l, double share);

/* The end of a bucket in us; UINT64_MAX of the last. */
uint64_t latency_end(unsigned bucket);

static inline unsigned
latency_bucket(uint64_t us)
{
	unsigned octave;

	if (us < 1u << LATENCY_FIRST)
		return 0;
	octave = 63 - (unsigned)__builtin_clzll(us);
	if (octave >= LATENCY_FIRST + LATENCY_OCTAVES)
		return LATENCY_BUCKETS - 1;
	return 1 + (octave - LATENCY_FIRST) * LATENCY_PARTS + (us >> (octave - 2) & 3);
}

/* One writer per row: no locked instruction needed. */
static inline void
latency_record(struct latency *l, uint64_t us)
{
	_Atomic uint64_t *b = &l->bucket[latency_bucket(us)];
	uint64_t n = atomic_load_explicit(b, memory_order_relaxed);
	uint64_t sum = atomic_load_explicit(&l->sum_us, memory_order_relaxed);

	atomic_store_explicit(b, n + 1, memory_order_relaxed);
	atomic_store_explicit(&l->sum_us, sum + us, memory_order_relaxed);
}

#endif
