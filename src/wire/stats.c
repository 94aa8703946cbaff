#include "wire/stats.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "wire/stats_int.h"

static const char *const counter_names[] = {
#define X(id, name, unit, help) name,
    STATS_COUNTERS(X)
#undef X
};

static const char *const counter_units[] = {
#define X(id, name, unit, help) unit,
    STATS_COUNTERS(X)
#undef X
};

static const char *const counter_helps[] = {
#define X(id, name, unit, help) help,
    STATS_COUNTERS(X)
#undef X
};

static const char *const state_names[] = {"free",   "starting", "ready",  "active",
                                          "paused", "draining", "cutting"};

_Static_assert(sizeof state_names / sizeof *state_names == STATS_STATES_N, "a name each");

/* --- what is believed --- */

/* A worker that counts more has lied.  An order of magnitude or two beyond what a machine
 * does, so that totals stay in proportion whoever lies. */
#define BYTES_PER_MS  (UINT64_C(1) << 27)
#define EVENTS_PER_MS (UINT64_C(1) << 14)

static uint64_t
per_ms(int counter)
{
	return counter >= STATS_COUNTERS_N ||
	               strcmp(stats_counter_unit((enum stats_counter)counter), "bytes") == 0
	           ? BYTES_PER_MS
	           : EVENTS_PER_MS;
}

bool
stats_may_be(const struct seat *seat, int counter, uint64_t value, uint64_t now)
{
	uint64_t ms = (now > seat->seen_ms ? now - seat->seen_ms : 0) + STATS_GRACE_MS;

	return value >= seat->seen[counter] &&
	       value - seat->seen[counter] <= per_ms(counter) * ms;
}

uint64_t
stats_believed(const struct stats *stats, size_t i, int counter)
{
	const struct seat *seat = stats->seat[i];
	uint64_t value = stats_page_at(stats, i)->counter[counter];

	if (seat == NULL)
		return value <= STATS_VALUE_MAX ? value : 0;
	return stats_may_be(seat, counter, value, clock_ms()) ? value : seat->seen[counter];
}

uint64_t
stats_counter_of(const struct stats *stats, const struct stats_page *page, enum stats_counter c)
{
	return stats_believed(stats, stats_page_index(stats, page), (int)c);
}

static uint64_t
believed(const struct stats_named *named)
{
	uint64_t value = named->value;

	return value <= STATS_VALUE_MAX ? value : 0;
}

static struct stats_named *
find_named(struct stats_named *named, const char *name)
{
	for (size_t i = 0; i < STATS_NAMED; i++)
		if (named[i].used && strncmp(named[i].name, name, STATS_NAME_MAX) == 0)
			return &named[i];
	return NULL;
}

static struct stats_named *
make_named(struct stats_named *named, const char *name)
{
	struct stats_named *found = find_named(named, name);

	for (size_t i = 0; found == NULL && i < STATS_NAMED; i++) {
		if (named[i].used)
			continue;
		found = &named[i];
		strncpy(found->name, name, STATS_NAME_MAX);
		found->used = 1;
	}
	return found;
}

void
stats_fold_named(struct stats *stats, const struct stats_page *page)
{
	struct stats_head *h = stats_head(stats);

	for (size_t i = 0; i < STATS_NAMED; i++) {
		const struct stats_named *from = &page->named[i];
		struct stats_named *to;

		if (from->used && (to = make_named(h->named, from->name)) != NULL)
			to->value += believed(from);
	}
}

struct stats_named *
stats_named(struct stats_page *page, const char *name)
{
	size_t n = strlen(name);

	return n >= 1 && n <= STATS_NAME_MAX ? make_named(page->named, name) : NULL;
}

uint64_t
stats_named_sum(const struct stats *stats, const char *name)
{
	const struct stats_named *found = find_named(stats_head(stats)->named, name);
	uint64_t sum = found != NULL ? believed(found) : 0;

	for (size_t i = 1; i <= stats_pages(stats); i++) {
		struct stats_page *page = stats_page_at(stats, i);

		if (stats_is_living(stats, i) &&
		    (found = find_named(page->named, name)) != NULL)
			sum += believed(found);
	}
	return sum;
}

static bool
same_name(const struct stats_named *a, const struct stats_named *b)
{
	return strncmp(a->name, b->name, STATS_NAME_MAX) == 0;
}

/* Those of one page, or of the head, into *list. */
static void
sum_named(const struct stats_named *named, struct stats_named **list, size_t *n)
{
	for (size_t i = 0; i < STATS_NAMED; i++) {
		size_t k = 0;

		if (!named[i].used)
			continue;
		while (k < *n && !same_name(&(*list)[k], &named[i]))
			k++;
		if (k == *n) {
			*list = mem_grow(*list, *n, sizeof **list);
			memcpy((*list)[(*n)++].name, named[i].name, STATS_NAME_MAX);
			(*list)[k].value = 0;
		}
		(*list)[k].value += believed(&named[i]);
	}
}

void
stats_named_each(const struct stats *stats, stats_named_fn *fn, void *arg)
{
	struct stats_named *list = NULL;
	size_t n = 0;

	sum_named(stats_head(stats)->named, &list, &n);
	for (size_t i = 1; i <= stats_pages(stats); i++)
		if (stats_is_living(stats, i))
			sum_named(stats_page_at(stats, i)->named, &list, &n);
	for (size_t i = 0; i < n; i++)
		fn(arg, list[i].name, list[i].value);
	free(list);
}

size_t
stats_breakers(const struct stats *stats, uint64_t hash, const struct stats_breaker **cell,
               size_t max)
{
	size_t n = 0;

	for (size_t i = 1; i <= stats_pages(stats) && n < max; i++) {
		const struct stats_page *page = stats_page_at(stats, i);

		for (size_t k = 0; stats_is_living(stats, i) && k < STATS_BREAKERS && n < max;
		     k++)
			if (page->breaker[k].hash == hash)
				cell[n++] = &page->breaker[k];
	}
	return n;
}

/* --- flags --- */

#define FLAGS_OF_DEAD (FLAGS_PAGES * STATS_PAGE_SIZE / sizeof(struct stats_flag))

uint64_t
stats_hash(const char *name)
{
	uint64_t hash = 14695981039346656037ull;

	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * 1099511628211ull;
	return hash != 0 ? hash : 1;
}

/* Behind the rows of latencies, which leave so much. */
static struct stats_flag *
flags_of(const struct stats *stats, const struct stats_page *page)
{
	size_t size;
	char *annex = stats_annex(stats, page, &size);

	return (struct stats_flag *)(void *)(annex + size) - STATS_FLAGS;
}

static struct stats_flag *
flags_of_dead(const struct stats *stats)
{
	return (struct stats_flag *)(void *)(stats->map + FLAGS_FIRST * STATS_PAGE_SIZE);
}

struct stats_flag *
stats_flag(const struct stats *stats, struct stats_page *own, uint64_t hash)
{
	struct stats_flag *flag = flags_of(stats, own), *unused = NULL;

	for (size_t i = 0; i < STATS_FLAGS; i++) {
		if (flag[i].hash == hash)
			return &flag[i];
		if (flag[i].hash == 0 && unused == NULL)
			unused = &flag[i];
	}
	if (unused != NULL)
		unused->hash = hash;
	return unused;
}

void
stats_flag_set(struct stats_flag *flag, bool so, uint64_t now_ms)
{
	flag->value = now_ms << 1 | so;
}

void
stats_flag_give_back(struct stats_flag *flag)
{
	flag->value = 0;
	flag->hash = 0;
}

/* The latest of those that are not of the future; 0: there is none. */
static uint64_t
latest(const struct stats_flag *flag, size_t n, uint64_t hash, uint64_t now_ms)
{
	uint64_t best = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t value = flag[i].hash == hash ? flag[i].value : 0;

		if (value > best && value >> 1 <= now_ms)
			best = value;
	}
	return best;
}

bool
stats_flag_is_set(const struct stats *stats, uint64_t hash, uint64_t now_ms)
{
	uint64_t best = latest(flags_of_dead(stats), FLAGS_OF_DEAD, hash, now_ms);

	for (size_t i = 1; i <= stats_pages(stats); i++) {
		uint64_t value;

		if (!stats_is_living(stats, i))
			continue;
		value =
		    latest(flags_of(stats, stats_page_at(stats, i)), STATS_FLAGS, hash, now_ms);
		best = value > best ? value : best;
	}
	return (best & 1) != 0;
}

/* Its own place, else a free one, else that of whom nobody has spoken for longest. */
static struct stats_flag *
place_for(struct stats_flag *dead, uint64_t hash)
{
	struct stats_flag *oldest = dead;

	for (size_t i = 0; i < FLAGS_OF_DEAD; i++) {
		if (dead[i].hash == hash || dead[i].hash == 0)
			return &dead[i];
		if (dead[i].value < oldest->value)
			oldest = &dead[i];
	}
	oldest->value = 0;
	return oldest;
}

void
stats_fold_flags(struct stats *stats, const struct stats_page *page)
{
	const struct stats_flag *from = flags_of(stats, page);

	for (size_t i = 0; i < STATS_FLAGS; i++) {
		uint64_t hash = from[i].hash, value = from[i].value;
		struct stats_flag *to;

		if (hash == 0 || value == 0)
			continue;
		to = place_for(flags_of_dead(stats), hash);
		to->hash = hash;
		if (value > to->value)
			to->value = value;
	}
}

/* --- readers beside the master --- */

void
stats_read_begin(const struct stats *stats, struct stats_reading *r)
{
	r->seq = stats_head(stats)->folds;
	r->tries = 0;
	atomic_thread_fence(memory_order_seq_cst);
}

bool
stats_read_again(const struct stats *stats, struct stats_reading *r)
{
	uint64_t before = r->seq;

	atomic_thread_fence(memory_order_seq_cst);
	r->seq = stats_head(stats)->folds;
	return (before % 2 != 0 || before != r->seq) && r->tries++ < READ_TRIES;
}

void
stats_total_add(struct stats *stats, enum stats_counter c, uint64_t n)
{
	stats_head(stats)->total[c] += n;
}

uint64_t
stats_sum(const struct stats *stats, enum stats_counter c)
{
	uint64_t sum = stats_head(stats)->total[c];

	for (size_t i = 1; i <= stats_pages(stats); i++)
		if (stats_is_living(stats, i))
			sum += stats_believed(stats, i, (int)c);
	return sum;
}

const char *
stats_counter_name(enum stats_counter c)
{
	return counter_names[c];
}

const char *
stats_counter_unit(enum stats_counter c)
{
	return counter_units[c];
}

const char *
stats_counter_help(enum stats_counter c)
{
	return counter_helps[c];
}

const char *
stats_state_name(enum stats_state s)
{
	return s < STATS_STATES_N ? state_names[s] : "unknown";
}
