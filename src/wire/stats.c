#include "wire/stats.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "wire/latency.h"

#define STATS_MAGIC   0x6e6f7461622d7473ull /* "st-baton" */
#define STATS_VERSION 1
#define STATS_SIZE    ((size_t)STATS_PAGE_SIZE * STATS_PAGES)

/*
 * Which page is what.  The first versions knew pages of births only and took them from
 * the low end, so that what came later lies where they never got to:
 *
 *	0             the head
 *	1..1339       births
 *	1346..4023    their annexes, two pages each
 *	4024..4087    the board
 *	4088..4095    the annex of the dead
 */
#define ANNEX_PAGES 2
#define ANNEX_FIRST 1344 /* of page 0, so to speak */
#define BOARD_FIRST 4024
#define BOARD_PAGES 64
#define DEAD_FIRST  (BOARD_FIRST + BOARD_PAGES)
#define READ_TRIES  1000 /* of a page that seems to be folded */

_Static_assert(ANNEX_FIRST > STATS_BIRTHS, "births end before the annexes");
_Static_assert(ANNEX_FIRST + ANNEX_PAGES * (STATS_BIRTHS + 1) <= BOARD_FIRST,
               "the annexes end before the board");
_Static_assert(DEAD_FIRST < STATS_PAGES, "and all of it in the memory");

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

struct stats {
	int fd;
	char *map;
};

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

static struct stats_head *
head(const struct stats *stats)
{
	return (struct stats_head *)stats->map;
}

static struct stats_page *
page_at(const struct stats *stats, size_t i)
{
	return (struct stats_page *)(stats->map + i * STATS_PAGE_SIZE);
}

static struct stats *
map(int fd, int protection, char **cause)
{
	struct stats *stats;
	void *p = mmap(NULL, STATS_SIZE, protection, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED) {
		cause_set(cause, "cannot map the statistics memory: %s", strerror(errno));
		return NULL;
	}
	stats = mem_alloc(sizeof *stats);
	stats->fd = fd;
	stats->map = p;
	return stats;
}

struct stats *
stats_create(char **cause)
{
	int fd = memfd_create("baton-stats", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct stats *stats;

	if (fd < 0 || ftruncate(fd, (off_t)STATS_SIZE) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		cause_set(cause, "cannot make the statistics memory: %s", strerror(errno));
		fd_close(&fd);
		return NULL;
	}
	if ((stats = map(fd, PROT_READ | PROT_WRITE, cause)) == NULL) {
		fd_close(&fd);
		return NULL;
	}
	head(stats)->version = STATS_VERSION;
	head(stats)->magic = STATS_MAGIC;
	return stats;
}

static struct stats *
attach(int fd, int protection, char **cause)
{
	struct stat st;
	struct stats *stats;

	if (fstat(fd, &st) < 0 || (size_t)st.st_size != STATS_SIZE) {
		cause_set(cause, "descriptor %d is not statistics memory", fd);
		return NULL;
	}
	if ((stats = map(fd, protection, cause)) == NULL)
		return NULL;
	if (head(stats)->magic != STATS_MAGIC || head(stats)->version != STATS_VERSION) {
		cause_set(cause, "the statistics memory is of another version");
		munmap(stats->map, STATS_SIZE);
		mem_free(&stats);
		return NULL;
	}
	return stats;
}

struct stats *
stats_attach(int fd, char **cause)
{
	return attach(fd, PROT_READ | PROT_WRITE, cause);
}

struct stats *
stats_attach_to_read(int fd, char **cause)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stats *stats = NULL;

	if (seals < 0 || (seals & F_SEAL_SHRINK) == 0)
		cause_set(cause, "descriptor %d is not statistics memory", fd);
	else
		stats = attach(fd, PROT_READ, cause);
	if (stats == NULL)
		fd_close(&fd);
	return stats;
}

void
stats_free(struct stats **stats)
{
	if (*stats == NULL)
		return;
	munmap((*stats)->map, STATS_SIZE);
	fd_close(&(*stats)->fd);
	mem_free(stats);
}

int
stats_fd(const struct stats *stats)
{
	return stats->fd;
}

uint64_t
stats_next_birth(struct stats *stats)
{
	return ++head(stats)->last_birth;
}

uint32_t
stats_next_generation(struct stats *stats)
{
	return (uint32_t)++head(stats)->last_generation;
}

/* A master that was killed amid a fold has left it odd. */
static void
begin_fold(struct stats *stats)
{
	head(stats)->folds |= 1;
	atomic_thread_fence(memory_order_seq_cst);
}

static void
end_fold(struct stats *stats)
{
	atomic_thread_fence(memory_order_seq_cst);
	head(stats)->folds = (head(stats)->folds | 1) + 1;
}

struct stats_page *
stats_page_open(struct stats *stats, uint64_t birth, uint32_t generation, uint32_t slot)
{
	for (size_t i = 1; i <= STATS_BIRTHS; i++) {
		struct stats_page *page = page_at(stats, i);

		if (page->birth != 0)
			continue;
		begin_fold(stats); /* a master of another version may have left it */
		latency_fold(stats, page);
		end_fold(stats);
		if (i > head(stats)->pages)
			head(stats)->pages = i;
		memset(page, 0, sizeof *page);
		page->generation = generation;
		page->slot = slot;
		page->state = STATS_STARTING;
		page->birth = birth;
		return page;
	}
	return NULL;
}

struct stats_page *
stats_page_find(struct stats *stats, uint64_t birth)
{
	for (size_t i = 1; i <= head(stats)->pages; i++)
		if (page_at(stats, i)->birth == birth)
			return page_at(stats, i);
	return NULL;
}

struct stats_page *
stats_page_next(const struct stats *stats, const struct stats_page *page)
{
	size_t i = page != NULL
	               ? (size_t)((const char *)page - (char *)stats->map) / STATS_PAGE_SIZE
	               : 0;

	while (++i <= head(stats)->pages)
		if (page_at(stats, i)->birth != 0)
			return page_at(stats, i);
	return NULL;
}

struct stats_page *
stats_page_of_pid(struct stats *stats, int pid)
{
	for (size_t i = 1; i <= head(stats)->pages; i++)
		if (page_at(stats, i)->birth != 0 && page_at(stats, i)->pid == pid)
			return page_at(stats, i);
	return NULL;
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

static void
fold_named(struct stats_head *h, const struct stats_page *page)
{
	for (size_t i = 0; i < STATS_NAMED; i++) {
		const struct stats_named *from = &page->named[i];
		struct stats_named *to;

		if (from->used && (to = make_named(h->named, from->name)) != NULL)
			to->value += from->value;
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
	const struct stats_named *found = find_named(head(stats)->named, name);
	uint64_t sum = found != NULL ? found->value : 0;

	for (size_t i = 1; i <= head(stats)->pages; i++) {
		struct stats_page *page = page_at(stats, i);

		if (page->birth != 0 && (found = find_named(page->named, name)) != NULL)
			sum += found->value;
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
		(*list)[k].value += named[i].value;
	}
}

void
stats_named_each(const struct stats *stats, stats_named_fn *fn, void *arg)
{
	struct stats_named *list = NULL;
	size_t n = 0;

	sum_named(head(stats)->named, &list, &n);
	for (size_t i = 1; i <= head(stats)->pages; i++)
		if (page_at(stats, i)->birth != 0)
			sum_named(page_at(stats, i)->named, &list, &n);
	for (size_t i = 0; i < n; i++)
		fn(arg, list[i].name, list[i].value);
	free(list);
}

size_t
stats_breakers(const struct stats *stats, uint64_t hash, const struct stats_breaker **cell,
               size_t max)
{
	size_t n = 0;

	for (size_t i = 1; i <= head(stats)->pages && n < max; i++) {
		const struct stats_page *page = page_at(stats, i);

		for (size_t k = 0; page->birth != 0 && k < STATS_BREAKERS && n < max; k++)
			if (page->breaker[k].hash == hash)
				cell[n++] = &page->breaker[k];
	}
	return n;
}

void
stats_read_begin(const struct stats *stats, struct stats_reading *r)
{
	r->seq = head(stats)->folds;
	r->tries = 0;
	atomic_thread_fence(memory_order_seq_cst);
}

bool
stats_read_again(const struct stats *stats, struct stats_reading *r)
{
	uint64_t before = r->seq;

	atomic_thread_fence(memory_order_seq_cst);
	r->seq = head(stats)->folds;
	return (before % 2 != 0 || before != r->seq) && r->tries++ < READ_TRIES;
}

uint64_t
stats_page_fold(struct stats *stats, struct stats_page *page)
{
	uint64_t held = page->fresh + page->idle + page->busy;
	uint64_t others = page->moving + page->tasks;
	uint64_t lost = held > others ? held - others : 0;

	begin_fold(stats);
	stats_add(page, STATS_CLOSED, lost);
	stats_add(page, STATS_CUT, lost);
	for (int c = 0; c < STATS_SLOTS; c++)
		head(stats)->total[c] += page->counter[c];
	fold_named(head(stats), page);
	latency_fold(stats, page);
	memset(page, 0, sizeof *page);
	end_fold(stats);
	return lost;
}

void
stats_total_add(struct stats *stats, enum stats_counter c, uint64_t n)
{
	head(stats)->total[c] += n;
}

uint64_t
stats_sum(const struct stats *stats, enum stats_counter c)
{
	uint64_t sum = head(stats)->total[c];

	for (size_t i = 1; i <= head(stats)->pages; i++)
		if (page_at(stats, i)->birth != 0)
			sum += page_at(stats, i)->counter[c];
	return sum;
}

size_t
stats_pages(const struct stats *stats)
{
	uint64_t n = head(stats)->pages;

	return n < STATS_BIRTHS ? n : STATS_BIRTHS;
}

const struct stats_page *
stats_page_number(const struct stats *stats, size_t i)
{
	return page_at(stats, i);
}

void *
stats_annex(const struct stats *stats, const struct stats_page *page, size_t *size)
{
	size_t i =
	    page != NULL ? (size_t)((const char *)page - stats->map) / STATS_PAGE_SIZE : 0;
	size_t at = page != NULL ? ANNEX_FIRST + ANNEX_PAGES * i : DEAD_FIRST;

	AN(i <= STATS_BIRTHS);
	*size = STATS_PAGE_SIZE * (page != NULL ? ANNEX_PAGES : STATS_PAGES - DEAD_FIRST);
	return stats->map + at * STATS_PAGE_SIZE;
}

void *
stats_board(const struct stats *stats, size_t *size)
{
	*size = STATS_PAGE_SIZE * (size_t)BOARD_PAGES;
	return stats->map + (size_t)BOARD_FIRST * STATS_PAGE_SIZE;
}

void
stats_protect(struct stats *stats, const struct stats_page *own)
{
	size_t size;
	void *annex = stats_annex(stats, own, &size);

	if (mprotect(stats->map, STATS_SIZE, PROT_READ) < 0 ||
	    mprotect((void *)(uintptr_t)own, STATS_PAGE_SIZE, PROT_READ | PROT_WRITE) < 0 ||
	    mprotect(annex, size, PROT_READ | PROT_WRITE) < 0)
		log_fatal("cannot protect the statistics memory: %s", strerror(errno));
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
