#include "wire/stats.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
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

/* A memfd that nobody can shrink; -1 with *cause. */
static int
make(const char *name, size_t size, char **cause)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		cause_set(cause, "cannot make the statistics memory: %s", strerror(errno));
		fd_close(&fd);
	}
	return fd;
}

int
stats_attach_figures(struct stats *stats, int fd, char **cause)
{
	struct stat st;
	void *p;

	if (fd >= 0 && (fstat(fd, &st) < 0 || (size_t)st.st_size != FIGURES_ALL))
		fd_close(&fd);
	if (fd < 0 && (fd = make("baton-figures", FIGURES_ALL, cause)) < 0)
		return -1;
	p = mmap(NULL, FIGURES_ALL, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		cause_set(cause, "cannot map the statistics memory: %s", strerror(errno));
		fd_close(&fd);
		return -1;
	}
	stats->figures_fd = fd;
	stats->figures = p;
	return 0;
}

int
stats_figures_fd(const struct stats *stats)
{
	return stats->figures_fd;
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
	stats->figures_fd = -1;
	return stats;
}

struct stats *
stats_create(char **cause)
{
	int fd = make("baton-stats", STATS_SIZE, cause);
	struct stats *stats;

	if (fd < 0)
		return NULL;
	if ((stats = map(fd, PROT_READ | PROT_WRITE, cause)) == NULL) {
		fd_close(&fd);
		return NULL;
	}
	stats_head(stats)->version = STATS_VERSION;
	stats_head(stats)->magic = STATS_MAGIC;
	if (stats_attach_figures(stats, -1, cause) < 0)
		stats_free(&stats);
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
	if (stats_head(stats)->magic != STATS_MAGIC ||
	    stats_head(stats)->version != STATS_VERSION) {
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
	stats_free_seats(*stats);
	munmap((*stats)->map, STATS_SIZE);
	if ((*stats)->figures != NULL)
		munmap((*stats)->figures, FIGURES_ALL);
	fd_close(&(*stats)->fd);
	fd_close(&(*stats)->figures_fd);
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
	return ++stats_head(stats)->last_birth;
}

uint32_t
stats_next_generation(struct stats *stats)
{
	return (uint32_t)++stats_head(stats)->last_generation;
}

/* For a reader beside the master a page's own word has to do. */
static bool
is_living(const struct stats *stats, size_t i)
{
	return stats->seat[i] != NULL || stats_page_at(stats, i)->birth != 0;
}

struct stats_page *
stats_page_next(const struct stats *stats, const struct stats_page *page)
{
	size_t i = page != NULL
	               ? (size_t)((const char *)page - (char *)stats->map) / STATS_PAGE_SIZE
	               : 0;

	while (++i <= stats_pages(stats))
		if (is_living(stats, i))
			return stats_page_at(stats, i);
	return NULL;
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

		if (is_living(stats, i) && (found = find_named(page->named, name)) != NULL)
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
		if (is_living(stats, i))
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

		for (size_t k = 0; is_living(stats, i) && k < STATS_BREAKERS && n < max; k++)
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
	struct stats_flag *flag = flags_of(stats, own);

	for (size_t i = 0; i < STATS_FLAGS; i++) {
		if (flag[i].hash == 0)
			flag[i].hash = hash;
		if (flag[i].hash == hash)
			return &flag[i];
	}
	return NULL;
}

void
stats_flag_set(struct stats_flag *flag, bool so, uint64_t now_ms)
{
	flag->value = now_ms << 1 | so;
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

		if (!is_living(stats, i))
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
		if (is_living(stats, i))
			sum += stats_believed(stats, i, (int)c);
	return sum;
}

size_t
stats_pages(const struct stats *stats)
{
	uint64_t n = stats_head(stats)->pages;

	return n < STATS_BIRTHS ? n : STATS_BIRTHS;
}

const struct stats_page *
stats_page_number(const struct stats *stats, size_t i)
{
	return stats_page_at(stats, i);
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

void
stats_clear_annex(struct stats *stats, const struct stats_page *page)
{
	size_t size;
	void *annex = stats_annex(stats, page, &size);

	memset(annex, 0, size);
}

void *
stats_board(const struct stats *stats, size_t *size)
{
	*size = STATS_PAGE_SIZE * (size_t)BOARD_PAGES;
	return stats->map + (size_t)BOARD_FIRST * STATS_PAGE_SIZE;
}

/* Without /proc it has to do with mprotect, which a worker can undo. */
static bool
read_only(int memory, char *map, size_t size)
{
	char path[32];
	int fd;
	void *p;

	snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return mprotect(map, size, PROT_READ) == 0;
	p = mmap(map, size, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
	fd_close(&fd);
	return p != MAP_FAILED;
}

/* size bytes at that offset of the memory that is mapped. */
static bool
writable(int memory, char *map, size_t offset, size_t size)
{
	return mmap(map + offset, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memory,
	            (off_t)offset) != MAP_FAILED;
}

void
stats_protect(struct stats *stats, const struct stats_page *own)
{
	size_t size;
	char *annex = stats_annex(stats, own, &size);
	size_t i = stats_page_index(stats, own);

	stats_free_seats(stats); /* the master's knowledge, and soon out of date */
	if (!read_only(stats->fd, stats->map, STATS_SIZE) ||
	    !writable(stats->fd, stats->map, i * STATS_PAGE_SIZE, STATS_PAGE_SIZE) ||
	    !writable(stats->fd, stats->map, (size_t)(annex - stats->map), size) ||
	    !read_only(stats->figures_fd, stats->figures, FIGURES_ALL) ||
	    !writable(stats->figures_fd, stats->figures, i * FIGURES_SIZE, FIGURES_SIZE))
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
