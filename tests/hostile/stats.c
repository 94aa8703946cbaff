/* The statistics memory: what is not its own, and lies in what is. */
#include "hostile.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "wire/latency.h"
#include "wire/stats.h"

#define MODULEKEYS_MAX ((size_t)256 << 10) /* more than this is not a worker's own memory */
#define MAGIC          0x6e6f7461622d7473ull
#define LATENCY_ROWS_N (STATS_PAGE_SIZE / sizeof(struct latency))

/* --- all of it --- */

static void
fill_random(char *at, size_t n)
{
	for (size_t i = 0; i + 8 <= n; i += 8) {
		uint64_t x = random64();

		memcpy(at + i, &x, 8);
	}
}

static void
fill_ff(char *at, size_t n)
{
	memset(at, 0xff, n);
}

static void
fill_zero(char *at, size_t n)
{
	memset(at, 0, n);
}

/* Pages of siblings: dead, without a heartbeat, of another birth, with counters that go back.
 */
static void
fill_lies(char *at, size_t n)
{
	for (size_t i = 0; i + STATS_PAGE_SIZE <= n; i += STATS_PAGE_SIZE) {
		struct stats_page *page = (struct stats_page *)(at + i);

		if (page->birth == 0 || page->birth == MAGIC || page->pid <= 0)
			continue;
		page->state = (uint32_t)random64() % 16;
		page->pid = random64() % 2 ? 1 : page->pid + 1;
		page->generation++;
		page->counter[random64() % STATS_COUNTERS_N] -= 1000;
		page->busy = random64();
	}
}

static void
fill_heartbeats(char *at, size_t n)
{
	for (size_t i = 0; i + STATS_PAGE_SIZE <= n; i += STATS_PAGE_SIZE) {
		struct stats_page *page = (struct stats_page *)(at + i);

		if (page->birth != 0 && page->birth != MAGIC && page->pid > 0)
			page->heartbeat_ms = 1;
	}
}

/* The first page: more pages than there are, and births that come again. */
static void
fill_head(char *at, size_t n)
{
	uint64_t *word = (uint64_t *)at;

	if (n < STATS_PAGE_SIZE || word[0] != MAGIC)
		return;
	word[2] = 0;
	word[3] = 0;
	word[4] = 1ull << 40;
}

static void
fill_magic(char *at, size_t n)
{
	uint64_t *word = (uint64_t *)at;

	if (n >= STATS_PAGE_SIZE && word[0] == MAGIC)
		word[0] = word[1] = 42;
}

/* One call for all of it, or page by page. */
static bool
make_writable(const struct region *r)
{
	size_t pages = 0;

	if (mprotect(r->at, r->n, PROT_READ | PROT_WRITE) == 0)
		return true;
	for (size_t at = 0; at < r->n; at += STATS_PAGE_SIZE)
		pages += mprotect(r->at + at, STATS_PAGE_SIZE, PROT_READ | PROT_WRITE) == 0;
	if (pages > 0)
		breach("%zu pages of shared memory can be made writable", pages);
	return false;
}

static void
scribble(void (*fill)(char *, size_t))
{
	bool open[REGIONS_MAX] = {false};
	size_t bytes = 0, own = 0;

	for (size_t i = 0; i < nregion; i++) {
		own += region[i].writable ? region[i].n : 0;
		if (!region[i].writable && make_writable(&region[i])) {
			open[i] = true;
			bytes += region[i].n;
		}
	}
	if (bytes > 0)
		breach("%zu kB of shared memory were made writable", bytes >> 10);
	if (own > MODULEKEYS_MAX)
		breach("%zu kB of shared memory are writable", own >> 10);
	while (time_left() && bytes > 0) {
		for (size_t i = 0; i < nregion; i++)
			if (open[i])
				fill(region[i].at, region[i].n);
		usleep(1000);
	}
}

#define SCRIBBLE(what)                                                                         \
	static void scribble_##what(void)                                                      \
	{                                                                                      \
		scribble(fill_##what);                                                         \
	}
SCRIBBLE(ff)
SCRIBBLE(zero)
SCRIBBLE(random)
SCRIBBLE(lies)
SCRIBBLE(heartbeats)
SCRIBBLE(head)
SCRIBBLE(magic)

/* --- ways to more of it --- */

/* The kernel writes for us: it says EFAULT where we would be killed. */
static bool
can_write(char *at)
{
	static int end[2] = {-1, -1};

	if (end[0] < 0 && pipe(end) < 0)
		return false;
	if (write(end[1], at, 1) != 1)
		return false;
	if (read(end[0], at, 1) == 1)
		return true;
	if (read(end[0], &(char){0}, 1) != 1)
		note("a byte is left");
	return false;
}

static void
scribble_behind(const char *what, char *p, size_t from, size_t to)
{
	size_t n = 0;

	for (size_t at = from; at < to; at += STATS_PAGE_SIZE) {
		if (!can_write(p + at))
			continue;
		fill_random(p + at, STATS_PAGE_SIZE);
		n++;
	}
	if (n > 0)
		breach("%s: %zu pages of others could be written", what, n);
}

/* A size of 0 makes a second mapping of what is shared; and a mapping may grow. */
static void
second_mappings(void)
{
	size_t size = (size_t)STATS_PAGE_SIZE * STATS_PAGES;

	for (size_t i = 0; i < nregion; i++) {
		struct region *r = &region[i];
		char *p = mremap(r->at, 0, size, MREMAP_MAYMOVE);

		if (p != MAP_FAILED && r->writable)
			scribble_behind("mremap of one's own", p, r->n, size);
		if (p != MAP_FAILED && !r->writable &&
		    mprotect(p, r->n, PROT_READ | PROT_WRITE) == 0)
			scribble_behind("mremap, then mprotect", p, 0, r->n);
		if (r->writable && mremap(r->at, r->n, r->n + STATS_PAGE_SIZE, 0) == r->at)
			scribble_behind("mremap in place", r->at, r->n, r->n + STATS_PAGE_SIZE);
	}
	while (time_left())
		usleep(1000);
}

static void
map_again(const char *what, int fd)
{
	size_t size = (size_t)STATS_PAGE_SIZE * STATS_PAGES;
	struct stat st;
	char *p;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink > 0)
		return; /* not a memfd */
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p != MAP_FAILED)
		scribble_behind(what, p, 0, size);
	if (ftruncate(fd, 0) == 0)
		breach("%s: it could be truncated", what);
	must_fail("a seal on shared memory", fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
}

static void
reopen(const char *format, ...)
{
	static const int how[] = {O_RDWR, O_RDONLY};
	char path[128];
	va_list ap;

	va_start(ap, format);
	vsnprintf(path, sizeof path, format, ap);
	va_end(ap);
	for (size_t i = 0; i < 2; i++) {
		int fd = (int)syscall(SYS_openat, AT_FDCWD, path, how[i], 0);

		map_again(path, fd);
		if (fd >= 0)
			close(fd);
	}
}

static void
by_other_names(void)
{
	for (size_t i = 0; i < nregion; i++) {
		unsigned long from = (unsigned long)region[i].at, to = from + region[i].n;

		reopen("/proc/self/map_files/%lx-%lx", from, to);
		reopen("/proc/%d/map_files/%lx-%lx", (int)master, from, to);
	}
	for (int fd = 0; fd < 64; fd++) {
		map_again("a descriptor that it holds", fd);
		reopen("/proc/self/fd/%d", fd);
		reopen("/proc/%d/fd/%d", (int)master, fd);
		reopen("/proc/%d/fd/%d", (int)board->sibling, fd);
	}
	while (time_left())
		usleep(1000);
}

/* A hole in what is shared; and memory that is told to be broken, by who may. */
static void
advice(void)
{
	static const int kinds[] = {MADV_REMOVE,         MADV_DONTNEED, MADV_FREE,
	                            MADV_POPULATE_WRITE, MADV_PAGEOUT,  MADV_COLD};
	char *nowhere = (char *)(uintptr_t)(1ull << 46);

	for (size_t i = 0; i < nregion; i++)
		for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
			madvise(region[i].at, region[i].n, kinds[k]);
	/* nothing is there to be broken: refused for that, or for who asks? */
	for (int kind = MADV_HWPOISON; kind <= MADV_HWPOISON + 1; kind++)
		if (madvise(nowhere, STATS_PAGE_SIZE, kind) == 0 || errno == EFAULT ||
		    errno == ENOMEM)
			breach("madvise(%d): shared pages can be taken away", kind);
	while (time_left())
		usleep(1000);
}

/* --- lies in its own page --- */

static void
lie_ff(struct stats_page *p)
{
	memset(p, 0xff, sizeof *p);
}

static void
lie_zero(struct stats_page *p)
{
	memset(p, 0, sizeof *p);
}

static void
lie_random(struct stats_page *p)
{
	fill_random((char *)p, STATS_PAGE_SIZE);
}

static void
lie_huge(struct stats_page *p)
{
	for (int c = 0; c < STATS_SLOTS; c++)
		p->counter[c] = UINT64_MAX - (uint64_t)c;
}

/* As far as a signed number goes, and a little more the next time. */
static void
lie_signed(struct stats_page *p)
{
	for (int c = 0; c < STATS_SLOTS; c++)
		p->counter[c] = (uint64_t)INT64_MAX + random64() % 3;
}

static void
lie_back(struct stats_page *p)
{
	for (int c = 0; c < STATS_SLOTS; c++)
		p->counter[c] = p->counter[c] > 5 ? 0 : 1000000;
}

static void
lie_counts(struct stats_page *p)
{
	p->fresh = UINT64_MAX / 2;
	p->idle = UINT64_MAX / 2;
	p->busy = UINT64_MAX / 3;
	p->moving = random64() % 2 ? UINT64_MAX : 0;
	p->tasks = UINT64_MAX - 1;
}

/* Somebody else: a sibling, the master, init, everybody. */
static void
lie_identity(struct stats_page *p)
{
	const int32_t pids[] = {board->sibling, (int32_t)master, 1, 0, -1};

	p->birth = random64() % 4;
	p->pid = pids[random64() % 5];
	p->slot = (uint32_t)random64();
	p->generation = (uint32_t)random64() % 100;
	p->started = random64();
}

static void
lie_state(struct stats_page *p)
{
	p->state = random64() % 2 ? (uint32_t)random64() : STATS_STATES_N;
}

static void
lie_gone(struct stats_page *p)
{
	p->birth = 0;
	p->state = STATS_FREE;
}

static void
lie_draining(struct stats_page *p)
{
	p->state = random64() % 2 ? STATS_DRAINING : STATS_CUTTING;
}

static void
lie_names(struct stats_page *p)
{
	for (size_t i = 0; i < STATS_NAMED; i++) {
		memset(p->named[i].name, i % 2 ? 0xfe : 'x', sizeof p->named[i].name);
		p->named[i].name[0] = (char)(i / 2);
		p->named[i].name[1] = i % 5 ? '"' : '\n';
		p->named[i].value = UINT64_MAX - i;
		p->named[i].used = (uint32_t)random64() | 1;
	}
}

static void
lie_breakers(struct stats_page *p)
{
	for (size_t i = 0; i < STATS_BREAKERS; i++) {
		uint64_t hash = p->breaker[i].hash;

		fill_random((char *)&p->breaker[i], sizeof p->breaker[i]);
		if (hash != 0)
			p->breaker[i].hash = hash;
		p->breaker[i].trial_ms = UINT64_MAX;
	}
}

static void
lie_doing(struct stats_page *p)
{
	p->doing = UINT64_MAX;
	p->doing_listener = UINT32_MAX - 1;
}

static void
lie_overdue(struct stats_page *p)
{
	for (size_t i = 0; i < STATS_OVERDUE_N; i++) {
		p->overdue[i].n = UINT64_MAX;
		p->overdue[i].since_ms = i % 2 ? 1 : UINT64_MAX;
	}
}

static void
lie_heartbeat(struct stats_page *p)
{
	p->heartbeat_ms = random64() % 2 ? UINT64_MAX : 1;
}

/* What else is its own: the annex. */
static void
annex(void (*lie)(struct latency *))
{
	for (size_t i = 0; i < nregion; i++)
		for (size_t at = 0; region[i].writable && at + STATS_PAGE_SIZE <= region[i].n;
		     at += STATS_PAGE_SIZE) {
			struct latency *row = (struct latency *)(region[i].at + at);

			for (size_t k = 0;
			     (char *)row != (char *)own_page() && k < LATENCY_ROWS_N; k++)
				lie(&row[k]);
		}
}

static void
row_random(struct latency *row)
{
	fill_random((char *)row, sizeof *row);
}

static void
row_lies(struct latency *row)
{
	memset(row->name, (int)(random64() % 256), sizeof row->name);
	row->used = random64() | 1;
	row->sum_us = UINT64_MAX;
	for (size_t i = 0; i < LATENCY_BUCKETS; i++)
		row->bucket[i] = UINT64_MAX / (i + 1);
}

static void
lie_annex(struct stats_page *p)
{
	(void)p;
	annex(random64() % 2 ? row_lies : row_random);
}

static void (*const lies[])(struct stats_page *) = {
    lie_huge,  lie_signed,   lie_back,  lie_counts,   lie_identity, lie_state,
    lie_gone,  lie_draining, lie_names, lie_breakers, lie_doing,    lie_overdue,
    lie_annex, lie_random,   lie_ff,    lie_zero};

#define LIE(what)                                                                              \
	static void tell_##what(void)                                                          \
	{                                                                                      \
		struct stats_page *p = own_page();                                             \
		if (p != NULL)                                                                 \
			lie_##what(p);                                                         \
	}
LIE(ff)
LIE(zero)
LIE(random)
LIE(huge)
LIE(signed)
LIE(back)
LIE(counts)
LIE(identity)
LIE(state)
LIE(gone)
LIE(draining)
LIE(names)
LIE(breakers)
LIE(doing)
LIE(overdue)
LIE(heartbeat)
LIE(annex)

/* Faster than anybody can look twice; and with a heart that beats. */
static void
tell_fast(void)
{
	struct stats_page *p = own_page();

	while (p != NULL && time_left())
		for (unsigned i = 0; i < 100; i++)
			lies[random64() % (sizeof lies / sizeof *lies)](p);
}

/* At a connection and a listener that are none, and stuck there. */
static void
stuck_with_a_lie(void)
{
	struct stats_page *p = own_page();
	uint64_t end = now_ms() + 30000;

	if (p == NULL)
		return;
	lie_doing(p);
	while (now_ms() < end)
		usleep(10000);
}

const struct payload payloads_stats[] = {{"stats-ff", scribble_ff, NULL},
                                         {"stats-zero", scribble_zero, NULL},
                                         {"stats-random", scribble_random, NULL},
                                         {"stats-lies", scribble_lies, NULL},
                                         {"stats-heartbeats", scribble_heartbeats, NULL},
                                         {"stats-head", scribble_head, NULL},
                                         {"stats-magic", scribble_magic, NULL},
                                         {"stats-mremap", second_mappings, NULL},
                                         {"stats-reopen", by_other_names, NULL},
                                         {"stats-madvise", advice, NULL},
                                         {"own-ff", NULL, tell_ff},
                                         {"own-zero", NULL, tell_zero},
                                         {"own-random", NULL, tell_random},
                                         {"own-huge", NULL, tell_huge},
                                         {"own-signed", NULL, tell_signed},
                                         {"own-back", NULL, tell_back},
                                         {"own-counts", NULL, tell_counts},
                                         {"own-identity", NULL, tell_identity},
                                         {"own-state", NULL, tell_state},
                                         {"own-gone", NULL, tell_gone},
                                         {"own-draining", NULL, tell_draining},
                                         {"own-names", NULL, tell_names},
                                         {"own-breakers", NULL, tell_breakers},
                                         {"own-doing", NULL, tell_doing},
                                         {"own-overdue", NULL, tell_overdue},
                                         {"own-heartbeat", NULL, tell_heartbeat},
                                         {"own-annex", NULL, tell_annex},
                                         {"own-fast", tell_fast, NULL},
                                         {"own-stuck", stuck_with_a_lie, NULL},
                                         {NULL, NULL, NULL}};
