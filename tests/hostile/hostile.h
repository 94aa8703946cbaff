/*
 * hostile: what somebody does who has taken over a worker.
 *
 * A library that is preloaded into baton by tests/flow/90-hostile.  It changes nothing in the
 * master; in a worker it waits until seccomp_load has succeeded there, and from then on looks
 * for orders in each epoll_wait, in the worker's own thread and with what the filter leaves.
 * Orders and outcomes stand in one page of a file that is mapped before the fork: a worker in
 * its sandbox opens nothing.
 *
 * stats.c memory.c files.c channel.c sockets.c resources.c: the payloads, by what they attack.
 */
#ifndef TESTS_HOSTILE_H
#define TESTS_HOSTILE_H

#include <sys/types.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 90-hostile knows these places, too. */
struct hostile_board {
	/* by the test; seq is written last */
	_Atomic uint32_t seq;
	int32_t pid;     /* who obeys */
	uint32_t ms;     /* for how long */
	uint32_t thread; /* in a thread of its own */
	int32_t sibling; /* another worker */
	/* by the payload */
	_Atomic uint32_t begun, done; /* the order's seq */
	_Atomic uint32_t breaches;    /* what was reached and must not be */
	_Atomic uint32_t rounds;      /* how often it was done */
	uint32_t zero;
	/* by the test again */
	char payload[40];
	char canary[256]; /* a folder that the worker's user may write */
	char secret[256]; /* a file that it may read, outside of what is served */
	char root[256];   /* a folder that may be served */
	/* by the payload */
	char text[2048];
	/* by the test, once more */
	char control[256]; /* the master's socket for batonctl */
};

_Static_assert(offsetof(struct hostile_board, payload) == 40, "the test knows it");
_Static_assert(offsetof(struct hostile_board, text) == 848, "the test knows it");
_Static_assert(offsetof(struct hostile_board, control) == 2896, "the test knows it");

/* Either once, which may take its time, or in each turn of the loop until the time is over. */
struct payload {
	const char *name;
	void (*once)(void);
	void (*turn)(void);
};

extern const struct payload payloads_stats[], payloads_memory[], payloads_files[],
    payloads_channel[], payloads_sockets[], payloads_resources[];

extern struct hostile_board *board;

/* Memory that was shared when the filter was loaded, but for the board. */
struct region {
	char *at;
	size_t n;
	bool writable;
};

#define REGIONS_MAX 64
#define FDS_MAX     4096 /* descriptors are looked for below */

extern struct region region[REGIONS_MAX];
extern size_t nregion;
extern int channel;  /* to the master; -1: not found */
extern pid_t master; /* its pid */
extern bool is_root;
extern char notify[108]; /* where the service manager listens, or "" */

/* There is time for another round; counts it, and keeps the worker's heart beating. */
bool time_left(void);
void beat(void);
uint64_t now_ms(void);

/* One more thing reached that must not be. */
void breach(const char *format, ...) __attribute__((format(printf, 1, 2)));
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A call that must not succeed has returned this. */
void must_fail(const char *what, long result);

/* The worker's own page; NULL: not found. */
struct stats_page *own_page(void);

/* What a descriptor is. */
bool fd_is_listening(int fd);
bool fd_is_client(int fd); /* a TCP connection */
bool fd_is_pair(int fd);   /* to another worker */
bool fd_is_file(int fd);

/* A client's connection whose close takes an hour: unsent data, and told to wait for it.
 * -1: there is none.  `nth`: of several. */
int lingering(int nth);

/* Send a message, whatever it may be.  False: not now. */
bool send_message(int fd, unsigned type, uint64_t birth, const void *body, size_t len,
                  const int *fds, size_t nfds);

uint64_t random64(void);

#endif
