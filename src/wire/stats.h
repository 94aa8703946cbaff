/*
 * stats: counters in memory that every process of baton shares.
 *
 * One page per birth, one page of totals into which the pages of the dead are
 * folded: what a reader sums up never goes back, over reloads, upgrades and
 * kill -9.  A page has one writer, its worker; the head has one, the master.  A worker cannot
 * write anything else, but whatever it likes into its page: each number of it is read once
 * and bounded, and no reader believes more of it than that.
 * The layout is part of the wire: fields and counters are appended, never
 * moved, so that a binary of another version reads the same numbers.
 */
#ifndef BATON_WIRE_STATS_H
#define BATON_WIRE_STATS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATS_PAGE_SIZE 4096
#define STATS_PAGES     4096 /* all there are; which is what: stats.c */
#define STATS_BIRTHS    1339 /* workers alive at one time */
#define STATS_SLOTS     192  /* room for counters in a page */

/* Limits for the numbers of a page; no honest worker gets there. */
#define STATS_HELD_MAX  (UINT64_C(1) << 24) /* connections of one worker */
#define STATS_VALUE_MAX (UINT64_C(1) << 56) /* of a counter */

/* name, unit, help: the table that status, metrics and manual come from. */
#define STATS_COUNTERS(X)                                                                      \
	X(ACCEPTED, "accepted", "connections", "connections accepted")                         \
	X(CLOSED, "closed", "connections", "connections closed, for any reason")               \
	X(CUT, "cut", "connections",                                                           \
	  "connections closed by force: drain deadline or death of their worker")              \
	X(HANDED_OFF, "handed_off", "connections", "connections handed to another process")    \
	X(REFUSED, "refused", "connections",                                                   \
	  "connections of a proxy closed unserved: limits, or no upstream")                    \
	X(REQUESTS, "requests", "requests",                                                    \
	  "requests received in full or answered with an error")                               \
	X(BYTES_IN, "bytes_in", "bytes", "bytes read from clients")                            \
	X(BYTES_OUT, "bytes_out", "bytes", "bytes written to clients")                         \
	X(WORKER_DEATHS, "worker_deaths", "workers",                                           \
	  "workers that ended without being asked to")                                         \
	X(RELOADS_COMMITTED, "reloads_committed", "changes", "reloads that were committed")    \
	X(RELOADS_REFUSED, "reloads_refused", "changes", "reloads refused: nothing changed")   \
	X(RELOADS_ROLLED_BACK, "reloads_rolled_back", "changes",                               \
	  "reloads after which the generation before took over again")                         \
	X(UPGRADES_COMMITTED, "upgrades_committed", "changes", "upgrades that were committed") \
	X(UPGRADES_REFUSED, "upgrades_refused", "changes",                                     \
	  "upgrades refused: nothing changed")                                                 \
	X(UPGRADES_ROLLED_BACK, "upgrades_rolled_back", "changes",                             \
	  "upgrades after which the binary before took over again")                            \
	X(ABORTS, "aborts", "changes", "changes undone by request after their commit")         \
	X(LOG_DROPPED, "log_dropped", "lines", "lines of the log that nobody took in time")    \
	X(ACCESS_DROPPED, "access_dropped", "lines",                                           \
	  "lines of access logs that were not written in time")                                \
	X(EVICTED, "evicted", "connections", "idle connections closed to make room")           \
	X(HANDSHAKES, "handshakes", "handshakes", "TLS handshakes that were completed")        \
	X(HANDSHAKES_RESUMED, "handshakes_resumed", "handshakes",                              \
	  "TLS handshakes that went on with a session from before")                            \
	X(HANDSHAKES_FAILED, "handshakes_failed", "handshakes", "TLS handshakes that failed")

enum stats_counter {
#define X(id, name, unit, help) STATS_##id,
	STATS_COUNTERS(X)
#undef X
	    STATS_COUNTERS_N
};

/* The state of a page's worker. */
enum stats_state {
	STATS_FREE,
	STATS_STARTING,
	STATS_READY,
	STATS_ACTIVE,
	STATS_PAUSED,
	STATS_DRAINING,
	STATS_CUTTING, /* past the deadline, closing what is left, spread */
	STATS_STATES_N
};

#define STATS_NAMED    32 /* counters of modules in a page, found by their names */
#define STATS_NAME_MAX 27 /* bytes of a name */
#define STATS_BREAKERS 16

/* A counter that a module has named; its place differs from page to page. */
struct stats_named {
	char name[STATS_NAME_MAX + 1];
	_Atomic uint32_t used; /* set after the name */
	_Atomic uint64_t value;
};

/* A worker's view of a breaker (worker/runtime/breaker.h); times are clock_ms. */
struct stats_breaker {
	_Atomic uint64_t hash;      /* of its name; 0: none */
	_Atomic uint64_t epoch;     /* the closing since which it counts */
	_Atomic uint64_t opened_ms; /* the last time that this worker opened it */
	_Atomic uint64_t closed_ms;
	_Atomic uint64_t trial_ms; /* a trial of this worker began; 0: none runs */
	_Atomic uint32_t window;   /* the number of the present window */
	_Atomic uint32_t good, bad;
	_Atomic uint32_t good_before, bad_before; /* of the window before it */
};

/* Something that is so or not, by name, as a worker says. */
struct stats_flag {
	_Atomic uint64_t hash;  /* of its name; 0: none */
	_Atomic uint64_t value; /* clock_ms, times 2, and whether it is so */
};

#define STATS_FLAGS 25 /* of a worker */

/* Things that may be older than their limit. */
enum stats_overdue_kind {
	STATS_OVERDUE_CONN,       /* busy, and nothing moves */
	STATS_OVERDUE_CTX,        /* ended, and somebody still holds it */
	STATS_OVERDUE_OFFLOAD,    /* runs on though nobody waits, or for too long */
	STATS_OVERDUE_BACKGROUND, /* there, after the drain's deadline */
	STATS_OVERDUE_LINK,       /* out for longer than what it was got for */
	STATS_OVERDUE_N
};

struct stats_overdue {
	_Atomic uint64_t n;        /* at the last look */
	_Atomic uint64_t since_ms; /* CLOCK_MONOTONIC; since when the first of them is */
};

struct stats_page {
	uint64_t birth; /* 0: the page is free */
	uint32_t generation;
	uint32_t slot;
	int32_t pid;
	_Atomic uint32_t state;        /* enum stats_state, written by the worker */
	_Atomic uint64_t heartbeat_ms; /* CLOCK_MONOTONIC at the last loop turn seen */
	_Atomic uint64_t fresh;        /* connections NEW: no byte yet */
	_Atomic uint64_t idle;         /* between requests */
	_Atomic uint64_t busy;         /* must finish */
	_Atomic uint64_t counter[STATS_SLOTS];
	_Atomic uint64_t moving; /* of the above: offered to or by another worker, undecided */
	_Atomic uint64_t tasks;  /* of busy: tasks of handlers, which are no connections */
	struct stats_named named[STATS_NAMED];
	struct stats_breaker breaker[STATS_BREAKERS];
	uint64_t started; /* the time of the process's start (base/process.h) */
	struct stats_overdue overdue[STATS_OVERDUE_N];
	_Atomic uint64_t doing;          /* the id of the connection that it is with; 0: none */
	_Atomic uint32_t doing_listener; /* and its listener */
};

_Static_assert(sizeof(struct stats_page) <= STATS_PAGE_SIZE, "a page holds its counters");
_Static_assert(STATS_COUNTERS_N <= STATS_SLOTS, "room for every counter");

struct stats; /* the whole memory, as one process sees it */

/* A fresh memory, in a memfd, and another for figures.  NULL with a sentence in *cause. */
struct stats *stats_create(char **cause);

/* What is counted by name (figures.h) comes along by a descriptor of its own: attach to it,
 * after stats_attach.  fd, which the result owns, may be -1 or no such memory (from a build
 * that had none): then it begins anew.  0, or -1 with *cause. */
int stats_attach_figures(struct stats *stats, int fd, char **cause);
int stats_figures_fd(const struct stats *stats);

/* Attach to the memory behind fd, which the result owns.  NULL with *cause. */
struct stats *stats_attach(int fd, char **cause);

/* The same for who only looks, from outside: nothing in it can be written, and it is no
 * memory that could shrink under him.  fd is closed in any case. */
struct stats *stats_attach_to_read(int fd, char **cause);

/* Unmap and close. */
void stats_free(struct stats **stats);

int stats_fd(const struct stats *stats);

/* The next birth and generation number; each is given out once in the life of
 * the memory, whichever binary asks. */
uint64_t stats_next_birth(struct stats *stats);
uint32_t stats_next_generation(struct stats *stats);

/* A page for a new worker; NULL when all are taken. */
struct stats_page *stats_page_open(struct stats *stats, uint64_t birth, uint32_t generation,
                                   uint32_t slot);

/* Its process is there; and it is ready, so that it has told when it was started
 * (base/process.h), as long as no client could have a say in it. */
void stats_page_born(struct stats *stats, struct stats_page *page, int pid);
void stats_page_ready(struct stats *stats, const struct stats_page *page);

/* The number of a page, for stats_page_claim of another image. */
size_t stats_page_index(const struct stats *stats, const struct stats_page *page);

/* Facts that the master before us knew about a worker. */
struct stats_claim {
	uint64_t birth;
	uint32_t generation;
	uint32_t slot;
	int32_t pid;
	uint64_t started; /* 0: it did not tell */
	uint64_t since_ms;
};

/* The page with that number is that worker's from now on; 0: it is looked for by the birth
 * that stands in it.  NULL: there is none, or it is another's. */
struct stats_page *stats_page_claim(struct stats *stats, size_t index,
                                    const struct stats_claim *claim);

/* When the process of a page was started; 0: it has not told yet. */
uint64_t stats_page_start_time(const struct stats *stats, const struct stats_page *page);

/* The page of a birth; NULL when there is none. */
struct stats_page *stats_page_find(struct stats *stats, uint64_t birth);

/* The pages of the living, one after the other: NULL begins, and ends. */
struct stats_page *stats_page_next(const struct stats *stats, const struct stats_page *page);

/* Likewise those that say to be somebody's, and nobody has opened or claimed. */
struct stats_page *stats_page_unclaimed(const struct stats *stats,
                                        const struct stats_page *page);

/* The worker's current numbers, each read once and at most STATS_HELD_MAX. */
struct stats_counts {
	uint64_t fresh, idle, busy, moving, tasks;
};
void stats_counts(const struct stats_page *page, struct stats_counts *n);

/* One of its counters: what stands there, if that can be true. */
uint64_t stats_counter_of(const struct stats *stats, const struct stats_page *page,
                          enum stats_counter c);

/*
 * For the master, now and then: does the page say what no worker writes?  A literal, or NULL.
 * From then on its last good numbers count.
 */
const char *stats_page_look(struct stats *stats, const struct stats_page *page);

/*
 * The worker of the page is gone: what it still held is counted as closed and
 * cut, its counters are added to the totals, the page is free.  What it had offered
 * to another worker lives on there.  What cannot be true of its numbers is left out.  Returns
 * the number of connections that went with it.
 */
uint64_t stats_page_fold(struct stats *stats, struct stats_page *page);

/* Add to the totals directly: what the master itself counts. */
void stats_total_add(struct stats *stats, enum stats_counter c, uint64_t n);

/* Totals of the dead plus every live page. */
uint64_t stats_sum(const struct stats *stats, enum stats_counter c);

/* A module's counter in a page, made if need be; NULL: no room, or no name of 1 to
 * STATS_NAME_MAX bytes.  By the page's worker. */
struct stats_named *stats_named(struct stats_page *page, const char *name);

/* Its sum over the dead and the living. */
uint64_t stats_named_sum(const struct stats *stats, const char *name);

/* Every such name with its sum, each once; the first of them first seen among the dead,
 * then the living.  A name need not end with a NUL, and may hold any bytes. */
typedef void stats_named_fn(void *arg, const char name[STATS_NAME_MAX], uint64_t sum);
void stats_named_each(const struct stats *stats, stats_named_fn *fn, void *arg);

/* The cells of a breaker in the pages of the living: at most max, into cell; how many. */
size_t stats_breakers(const struct stats *stats, uint64_t hash,
                      const struct stats_breaker **cell, size_t max);

/* The hash of a name; never 0. */
uint64_t stats_hash(const char *name);

/* The worker's own flag, made if need be; NULL: no room. */
struct stats_flag *stats_flag(const struct stats *stats, struct stats_page *own, uint64_t hash);
void stats_flag_set(struct stats_flag *flag, bool so, uint64_t now_ms);

/* It is not spoken of any more: its place is free. */
void stats_flag_give_back(struct stats_flag *flag);

/* Is it so, as who spoke last of it says, the dead included?  Who speaks of the future isn't
 * heard.  False: nobody has spoken. */
bool stats_flag_is_set(const struct stats *stats, uint64_t hash, uint64_t now_ms);

/*
 * For readers beside the master: while a page is folded its numbers stand in two places.
 * What was read between the two calls counts if `again` says no; it does not say yes without
 * end, as the writer may be dead.
 */
struct stats_reading {
	uint64_t seq;
	unsigned tries;
};
void stats_read_begin(const struct stats *stats, struct stats_reading *r);
bool stats_read_again(const struct stats *stats, struct stats_reading *r);

/* Memory beside the pages, for wire/ only: what a worker records of its services
 * (latency.h; NULL page: of the dead) and what the master has to tell (board.h). */
size_t stats_pages(const struct stats *stats); /* that have been used */
const struct stats_page *stats_page_number(const struct stats *stats, size_t i);
void *stats_annex(const struct stats *stats, const struct stats_page *page, size_t *size);
void stats_clear_annex(struct stats *stats, const struct stats_page *page);
void *stats_board(const struct stats *stats, size_t *size);

/*
 * In a worker: every page but own and its annex can only be read from now on.  They are
 * mapped afresh from a descriptor that is open for reading, so mprotect(2) does not bring them
 * back; the sandbox keeps the mapping of its own page from growing (mremap).
 */
void stats_protect(struct stats *stats, const struct stats_page *own);

const char *stats_counter_name(enum stats_counter c);
const char *stats_counter_unit(enum stats_counter c);
const char *stats_counter_help(enum stats_counter c);
const char *stats_state_name(enum stats_state s);

/* One writer per page: no locked instruction needed. */
static inline void
stats_add(struct stats_page *page, enum stats_counter c, uint64_t n)
{
	uint64_t v = atomic_load_explicit(&page->counter[c], memory_order_relaxed);

	atomic_store_explicit(&page->counter[c], v + n, memory_order_relaxed);
}

#endif
