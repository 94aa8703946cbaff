/*
 * upstream: the servers behind a service, as a set that may change while it is in use.
 *
 * Each line of the file is one upstream; or each address of a name is one, where the set
 * dials addresses.  One that has left the set stays what it is for those who hold it, and
 * is not chosen any more.
 *
 * Of each it is known whether it can be used: for a moment after a failed connect it
 * can't, as long as its breaker is open, and while its check says no (balance.h).
 */
#ifndef BATON_SERVICE_UPSTREAM_UPSTREAM_H
#define BATON_SERVICE_UPSTREAM_UPSTREAM_H

#include <sys/socket.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct baton_breaker;
struct baton_pool;
struct conf_service;
struct dial_addr;
struct figures_row;
struct health;
struct pool_target;
struct resolve;
struct upstreams;

struct upstream {
	const char *text; /* of its line, as in the file */
	const char *host; /* as a Host header names it */
	char *name;       /* in messages: text, of a name with the address behind it */
	char *dialled;    /* the address alone; of a set with a pool the text */
	size_t line;      /* into conf.upstream */
	unsigned bit;     /* of those that were tried */
	unsigned holders; /* beside the set */
	bool gone;        /* from the set */
	socklen_t len;    /* 0: dialled by its name */
	struct sockaddr_storage sa;
	struct pool_target *target;    /* NULL: the set has no pool */
	struct baton_breaker *breaker; /* NULL: none is wanted, or there are too many */
	struct health *health;         /* NULL: not checked */
	struct figures_row *figures;   /* its line's; NULL: no room */
	uint64_t down_until_ms;        /* clock_tick_ms */
};

struct upstreams {
	const struct conf_service *conf;
	struct upstream **v;
	size_t n;
	size_t next;                  /* whose turn it is */
	unsigned next_bit;            /* of the next one that comes */
	struct baton_pool *pool;      /* the owner's; NULL: addresses are dialled */
	struct resolve *resolve;      /* NULL: with a pool, which looks up by itself */
	struct figures_row **figures; /* of each line */
	struct baton_timer *look;     /* what is so now, for the statistics */
};

/*
 * The set of a service.  pool: it keeps connections to them, by the texts of the file, and
 * outlives the set; NULL: addresses are dialled, and names looked up.  The runtime
 * has started; conf outlives the set.
 */
struct upstreams *upstreams_new(const struct conf_service *conf, struct baton_pool *pool);

/* *us becomes NULL; NULL is allowed.  Who holds one may go on to, and lets go of it later. */
void upstreams_free(struct upstreams **us);

/* The addresses of a line are these from now on.  What is known of one that stays, stays. */
void upstreams_replace(struct upstreams *us, size_t line, const struct dial_addr *addr,
                       size_t n);

/* The one with that address; NULL: none has it. */
struct upstream *upstreams_find(const struct upstreams *us, const struct sockaddr_storage *sa,
                                socklen_t len);

/* It is dialled or in use.  drop: *u becomes NULL; NULL is allowed. */
struct upstream *upstream_hold(struct upstream *u);
void upstream_drop(struct upstream **u);

/* How many connections are used, or being made. */
unsigned upstream_busy(const struct upstream *u);

/* A request, or a client, goes to it. */
void upstream_asked(struct upstream *u);

/* How an attempt has ended: well, or in a failure; down: it could not be reached. */
void upstream_good(struct upstream *u);
void upstream_bad(struct upstream *u, bool down);

#endif
