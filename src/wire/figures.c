#include "wire/figures.h"

#include <string.h>

#include "base/mem.h"
#include "wire/stats_int.h"

#define ROWS      (FIGURES_SIZE / sizeof(struct figures_row))
#define DEAD_ROWS (FIGURES_DEAD_SIZE / sizeof(struct figures_row))

const char *const figures_class[FIGURES_CLASSES_N] = {"1xx", "2xx", "3xx", "4xx", "5xx"};

static struct figures_row *
rows_of(const struct stats *stats, size_t page)
{
	return (struct figures_row *)(void *)(stats->figures + FIGURES_SIZE * page);
}

static struct figures_row *
rows_of_dead(const struct stats *stats)
{
	return rows_of(stats, STATS_BIRTHS + 1);
}

/* From where its hash says; the first one that has it or is free.  NULL: all are others'. */
static struct figures_row *
place(struct figures_row *rows, size_t n, uint64_t hash)
{
	for (size_t i = 0; i < n; i++) {
		struct figures_row *row = &rows[(hash + i) % n];

		if (row->hash == hash || row->hash == 0)
			return row;
	}
	return NULL;
}

static uint64_t
hash_of(struct figures_name n)
{
	char *whole = mem_printf("%s %s %s", n.kind, n.name, n.part != NULL ? n.part : "");
	uint64_t hash = stats_hash(whole);

	mem_free(&whole);
	return hash;
}

struct figures_row *
figures_row(const struct stats *stats, const struct stats_page *own, struct figures_name name)
{
	uint64_t hash = hash_of(name);
	struct figures_row *row =
	    place(rows_of(stats, stats_page_index(stats, own)), ROWS, hash);

	if (row != NULL)
		row->hash = hash;
	return row;
}

static uint64_t
believed(uint64_t value)
{
	return value <= STATS_VALUE_MAX ? value : 0;
}

static void
add(struct figures_sum *sum, const struct figures_row *row, int n)
{
	sum->rows++;
	for (int i = 0; i < n; i++)
		sum->v[i] += believed(row->v[i]);
}

void
figures_sum(const struct stats *stats, struct figures_name name, struct figures_sum *sum)
{
	uint64_t hash = hash_of(name), ill;
	const struct figures_row *row = place(rows_of_dead(stats), DEAD_ROWS, hash);
	const struct stats_page *page = NULL;

	memset(sum, 0, sizeof *sum);
	if (row != NULL && row->hash == hash)
		add(sum, row, FIGURES_COUNTERS_N);
	while ((page = stats_page_next(stats, page)) != NULL) {
		row = place(rows_of(stats, stats_page_index(stats, page)), ROWS, hash);
		if (row == NULL || row->hash != hash)
			continue;
		add(sum, row, FIGURES_ILL);
		ill = row->v[FIGURES_ILL];
		sum->ill += (ill & FIGURES_CHECK_FAILS) != 0;
		sum->open += (ill & FIGURES_BREAKER_OPEN) != 0;
		sum->bare += (ill & FIGURES_NO_BREAKER) != 0;
	}
}

void
figures_fold(struct stats *stats, size_t page)
{
	const struct figures_row *from = rows_of(stats, page);

	for (size_t i = 0; i < ROWS; i++) {
		uint64_t hash = from[i].hash;
		struct figures_row *to =
		    hash != 0 ? place(rows_of_dead(stats), DEAD_ROWS, hash) : NULL;

		if (to == NULL)
			continue;
		to->hash = hash;
		for (int v = 0; v < FIGURES_COUNTERS_N; v++)
			to->v[v] += believed(from[i].v[v]);
	}
}

void
figures_clear(struct stats *stats, size_t page)
{
	memset(rows_of(stats, page), 0, FIGURES_SIZE);
}
