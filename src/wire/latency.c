#include "wire/latency.h"

#include <string.h>

#include "wire/stats.h"

#define LAYOUT     1
#define BUCKET_MAX (UINT64_C(1) << 48) /* of a worker: a sum of all fits */

/* The head of a memory of rows. */
struct annex {
	_Atomic uint64_t layout; /* 0: nothing has been written yet */
	uint64_t unused;
	struct latency row[];
};

static struct annex *
annex_of(const struct stats *stats, const struct stats_page *page, size_t *rows)
{
	size_t size;
	struct annex *a = stats_annex(stats, page, &size);

	*rows = (size - sizeof *a) / sizeof *a->row;
	return a;
}

_Static_assert((2 * STATS_PAGE_SIZE - sizeof(struct annex)) % sizeof(struct latency) >=
                   STATS_FLAGS * sizeof(struct stats_flag),
               "behind the rows of a worker there is room for its flags");

static uint64_t
bounded(uint64_t n, uint64_t max)
{
	return n < max ? n : max;
}

static struct latency *
find(struct latency *row, size_t rows, const char *name)
{
	for (size_t i = 0; i < rows && row[i].used; i++)
		if (strcmp(row[i].name, name) == 0)
			return &row[i];
	return NULL;
}

static struct latency *
make(struct annex *a, size_t rows, const char *name)
{
	struct latency *l = find(a->row, rows, name);

	if (a->layout != 0 && a->layout != LAYOUT)
		return NULL;
	a->layout = LAYOUT;
	for (size_t i = 0; l == NULL && i < rows; i++) {
		if (a->row[i].used)
			continue;
		l = &a->row[i];
		strncpy(l->name, name, LATENCY_NAME_MAX);
		l->used = 1;
	}
	return l;
}

struct latency *
latency_row(const struct stats *stats, struct stats_page *own, const char *name)
{
	size_t rows;
	struct annex *a = annex_of(stats, own, &rows);

	return strlen(name) <= LATENCY_NAME_MAX ? make(a, rows, name) : NULL;
}

/* A worker may write into its rows what it likes, at any time: each number is read once, and
 * the name ends. */
static void
read_row(const struct latency *from, struct latency *to)
{
	memcpy(to->name, from->name, LATENCY_NAME_MAX);
	to->name[LATENCY_NAME_MAX] = '\0';
	to->sum_us = bounded(from->sum_us, STATS_VALUE_MAX);
	for (unsigned b = 0; b < LATENCY_BUCKETS; b++)
		to->bucket[b] = bounded(from->bucket[b], BUCKET_MAX);
}

static void
add(struct latency *to, const struct latency *from)
{
	to->sum_us += from->sum_us;
	for (unsigned b = 0; b < LATENCY_BUCKETS; b++)
		to->bucket[b] += from->bucket[b];
}

void
latency_fold(struct stats *stats, const struct stats_page *page)
{
	size_t rows, dead_rows;
	struct annex *a = annex_of(stats, page, &rows);
	struct annex *dead = annex_of(stats, NULL, &dead_rows);
	struct latency row;

	if (a->layout == 0)
		return;
	for (size_t i = 0; a->layout == LAYOUT && i < rows && a->row[i].used; i++) {
		struct latency *to;

		read_row(&a->row[i], &row);
		to = make(dead, dead_rows, row.name);
		if (to != NULL)
			add(to, &row);
	}
	memset(a, 0, sizeof *a + rows * sizeof *a->row);
}

/* Add the rows of an annex to what is there; the new number. */
static size_t
collect(const struct annex *a, size_t rows, struct latency *sum, size_t n, size_t max)
{
	struct latency row;

	for (size_t i = 0; a->layout == LAYOUT && i < rows && a->row[i].used; i++) {
		size_t k = 0;

		read_row(&a->row[i], &row);
		while (k < n && strcmp(sum[k].name, row.name) != 0)
			k++;
		if (k == max)
			continue;
		if (k == n) {
			memset(&sum[n++], 0, sizeof *sum);
			memcpy(sum[k].name, row.name, sizeof row.name);
		}
		add(&sum[k], &row);
	}
	return n;
}

/* Annexes of pages without a birth count as well: a master of another version has freed
 * the page and knew nothing of them. */
size_t
latency_sums(const struct stats *stats, struct latency *sum, size_t max)
{
	size_t rows, n, pages;
	const struct annex *a = annex_of(stats, NULL, &rows);

	n = collect(a, rows, sum, 0, max);
	pages = stats_pages(stats);
	for (size_t i = 1; i <= pages; i++) {
		a = annex_of(stats, stats_page_number(stats, i), &rows);
		n = collect(a, rows, sum, n, max);
	}
	return n;
}

uint64_t
latency_count(const struct latency *l)
{
	uint64_t n = 0;

	for (unsigned b = 0; b < LATENCY_BUCKETS; b++)
		n += l->bucket[b];
	return n;
}

uint64_t
latency_end(unsigned bucket)
{
	unsigned octave = LATENCY_FIRST + (bucket - 1) / LATENCY_PARTS;
	unsigned part = (bucket - 1) % LATENCY_PARTS;

	if (bucket == 0)
		return 1u << LATENCY_FIRST;
	if (bucket >= LATENCY_BUCKETS - 1)
		return UINT64_MAX;
	return (uint64_t)(LATENCY_PARTS + part + 1) << (octave - 2);
}

uint64_t
latency_quantile(const struct latency *l, double share)
{
	uint64_t n = latency_count(l), seen = 0, want = (uint64_t)(share * (double)n);

	if (n == 0)
		return 0;
	want = want < n ? want + 1 : n;
	for (unsigned b = 0; b < LATENCY_BUCKETS - 1; b++)
		if ((seen += l->bucket[b]) >= want)
			return latency_end(b);
	return latency_end(LATENCY_BUCKETS - 2);
}
