/*
 * fuzz_stats: what a worker may write into its page of the statistics memory and the annex
 * beside it, and whoever reads there.
 *
 * The bytes are edits of a page that is in order: place, length and bytes, again and again;
 * with the top bit of the first byte set they are laid over all of it before.  All that reads
 * the memory must end, stay within bounds, and give the numbers of the others as they are: as
 * the master, as a process that has just mapped it, and after the page was folded.
 *
 * How it is built: tests/fuzz/run.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wire/board.h"
#include "wire/latency.h"
#include "wire/stats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NAMES_MAX (3 * STATS_NAMED) /* of the dead and two workers */
#define ROWS_MAX  64
#define CELLS_MAX 32
#define REQUESTS  7 /* of the honest worker */

/* An assertion that no NDEBUG takes away. */
#define MUST(what)                                                                             \
	do {                                                                                   \
		if (!(what))                                                                   \
			abort();                                                               \
	} while (0)

static struct stats *stats;
static struct stats_page *honest, *liar;

/* --- the worker --- */

static void
born(struct stats_page *page, int pid)
{
#ifdef STATS_VALUE_MAX
	stats_page_born(stats, page, pid);
#else
	page->pid = pid;
#endif
}

/* The page, then the annex. */
static char *
place(size_t at)
{
	size_t size;
	char *annex = stats_annex(stats, liar, &size);

	at %= STATS_PAGE_SIZE + size;
	return at < STATS_PAGE_SIZE ? (char *)liar + at : annex + (at - STATS_PAGE_SIZE);
}

static void
edit(const uint8_t *data, size_t size)
{
	while (size > 3) {
		size_t at = (size_t)data[0] << 8 | data[1], n = data[2];

		data += 3;
		size -= 3;
		for (n = n < size ? n : size; n > 0; n--, size--)
			*place(at++) = (char)*data++;
	}
}

static void
lie(const uint8_t *data, size_t size)
{
	size_t all;

	stats_annex(stats, liar, &all);
	all += STATS_PAGE_SIZE;
	if (data[0] & 128)
		for (size_t i = 0; i < all; i++)
			*place(i) = (char)data[i % size];
	edit(data + 1, size - 1);
}

/* --- readers --- */

struct names {
	size_t n;
	bool honest;
};

/* Volatile: every byte is looked at. */
static void
note_name(void *arg, const char name[STATS_NAME_MAX], uint64_t sum)
{
	struct names *names = arg;
	const volatile char *p = name;
	char copy[STATS_NAME_MAX + 1] = {0};

	for (size_t i = 0; i < STATS_NAME_MAX && p[i] != '\0'; i++)
		copy[i] = p[i];
	names->honest |= strcmp(copy, "honest") == 0 && sum >= 1;
	names->n++;
}

static void
read_names(struct stats *s)
{
	struct names names = {0};

	stats_named_each(s, note_name, &names);
	MUST(names.honest && names.n <= NAMES_MAX);
	MUST(stats_named_sum(s, "honest") >= 1);
}

static void
read_latency(struct stats *s)
{
	static struct latency sum[ROWS_MAX];
	size_t n = latency_sums(s, sum, ROWS_MAX);

	MUST(n >= 1 && n <= ROWS_MAX);
	for (size_t i = 0; i < n; i++) {
		MUST(memchr(sum[i].name, '\0', sizeof sum[i].name) != NULL);
		latency_count(&sum[i]);
		latency_quantile(&sum[i], 0);
		latency_quantile(&sum[i], 0.99);
		latency_quantile(&sum[i], 1);
	}
}

static void
read_breakers(struct stats *s)
{
	const struct stats_breaker *cell[CELLS_MAX];

	for (size_t k = 0; k < STATS_BREAKERS; k++) {
		size_t n = stats_breakers(s, liar->breaker[k].hash, cell, CELLS_MAX);

		MUST(n <= CELLS_MAX);
		for (size_t i = 0; i < n; i++)
			(void)atomic_load(&cell[i]->epoch);
	}
}

static void
read_pages(struct stats *s)
{
	const struct stats_page *page = NULL;
	unsigned n = 0;

	while ((page = stats_page_next(s, page)) != NULL) {
		MUST(++n <= 2);
		MUST(stats_state_name((enum stats_state)page->state) != NULL);
#ifdef STATS_VALUE_MAX
		struct stats_counts c;

		stats_counts(page, &c);
		MUST(c.fresh <= STATS_HELD_MAX && c.idle <= STATS_HELD_MAX);
		MUST(c.busy <= STATS_HELD_MAX && c.moving <= STATS_HELD_MAX);
		MUST(stats_counter_of(s, page, STATS_REQUESTS) <= STATS_VALUE_MAX);
#endif
	}
	MUST(stats_pages(s) <= STATS_BIRTHS);
	stats_page_find(s, 1);
	stats_page_find(s, UINT64_MAX);
}

static void
read_sums(struct stats *s)
{
	for (int c = 0; c < STATS_COUNTERS_N; c++) {
		uint64_t sum = stats_sum(s, (enum stats_counter)c);

#ifdef STATS_VALUE_MAX
		MUST(sum <= STATS_VALUE_MAX + REQUESTS);
		MUST(c != STATS_REQUESTS || sum >= REQUESTS);
#else
		(void)sum;
#endif
	}
}

static void
read_board(struct stats *s)
{
	uint64_t written;
	char *text = board_read(s, &written);

	MUST(text != NULL && strcmp(text, "{}") == 0);
	free(text);
}

static void
read_all(struct stats *s)
{
	struct stats_reading r;

	stats_read_begin(s, &r);
	do {
		read_sums(s);
		read_names(s);
		read_latency(s);
		read_breakers(s);
		read_pages(s);
	} while (stats_read_again(s, &r));
	read_board(s);
}

/* --- one run --- */

static void
begin(void)
{
	stats = stats_create(NULL);
	MUST(stats != NULL);
	honest = stats_page_open(stats, stats_next_birth(stats), 1, 0);
	liar = stats_page_open(stats, stats_next_birth(stats), 1, 1);
	MUST(honest != NULL && liar != NULL);
	born(honest, 1001);
	born(liar, 1002);
	stats_add(honest, STATS_REQUESTS, REQUESTS);
	stats_named(honest, "honest")->value = 1;
	latency_record(latency_row(stats, honest, "site"), 100);
	stats_add(liar, STATS_REQUESTS, 1);
	stats_named(liar, "honest")->value = 1;
	latency_record(latency_row(stats, liar, "site"), 100);
	board_write(stats, "{}", 2);
}

/* What another image, or the admin service, makes of it. */
static void
read_as_a_stranger(void)
{
	struct stats *other = stats_attach(dup(stats_fd(stats)), NULL);

	MUST(other != NULL);
#ifndef STATS_VALUE_MAX
	read_all(other);
#else
	/* nobody has claimed a page there: each is whose it says to be, but no number is wild
	 */
	for (int c = 0; c < STATS_COUNTERS_N; c++)
		MUST(stats_sum(other, (enum stats_counter)c) <= 2 * STATS_VALUE_MAX);
	read_names(other);
	read_latency(other);
	read_breakers(other);
	for (const struct stats_page *p = NULL; (p = stats_page_unclaimed(other, p)) != NULL;)
		(void)*(const volatile int32_t *)&p->pid;
	read_board(other);
#endif
	stats_free(&other);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	begin();
	lie(data, size);
	read_all(stats);
	read_as_a_stranger();
#ifdef STATS_VALUE_MAX
	stats_page_look(stats, liar);
	stats_page_look(stats, honest);
	read_all(stats);
	MUST(stats_page_find(stats, 2) == liar && stats_page_find(stats, 1) == honest);
#endif
	stats_page_fold(stats, liar);
	read_all(stats);
	liar = stats_page_open(stats, stats_next_birth(stats), 2, 1);
	MUST(liar != NULL && liar != honest && liar->counter[STATS_REQUESTS] == 0);
	read_all(stats);
	MUST(honest->birth == 1 && honest->counter[STATS_REQUESTS] == REQUESTS);
	stats_free(&stats);
	return 0;
}
