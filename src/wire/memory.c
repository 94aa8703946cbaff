/* memory: the statistics memory itself: how it is made, mapped, protected, and what lies where.
 */
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

static void
free_seats(struct stats *stats)
{
	for (size_t i = 0; i <= STATS_BIRTHS; i++)
		mem_free(&stats->seat[i]);
}

void
stats_free(struct stats **stats)
{
	if (*stats == NULL)
		return;
	free_seats(*stats);
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

size_t
stats_page_index(const struct stats *stats, const struct stats_page *page)
{
	return (size_t)((const char *)page - stats->map) / STATS_PAGE_SIZE;
}

struct stats_page *
stats_page_next(const struct stats *stats, const struct stats_page *page)
{
	size_t i = page != NULL
	               ? (size_t)((const char *)page - (char *)stats->map) / STATS_PAGE_SIZE
	               : 0;

	while (++i <= stats_pages(stats))
		if (stats_is_living(stats, i))
			return stats_page_at(stats, i);
	return NULL;
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

	free_seats(stats); /* the master's knowledge, and soon out of date */
	if (!read_only(stats->fd, stats->map, STATS_SIZE) ||
	    !writable(stats->fd, stats->map, i * STATS_PAGE_SIZE, STATS_PAGE_SIZE) ||
	    !writable(stats->fd, stats->map, (size_t)(annex - stats->map), size) ||
	    !read_only(stats->figures_fd, stats->figures, FIGURES_ALL) ||
	    !writable(stats->figures_fd, stats->figures, i * FIGURES_SIZE, FIGURES_SIZE))
		log_fatal("cannot protect the statistics memory: %s", strerror(errno));
}
