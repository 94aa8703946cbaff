/*
 * master: the clerk.  One thread, one loop, no client byte ever.
 *
 * This file holds what the parts of the master share, and the loop.  Each part
 * has a file with a start/stop pair; master.c lists the pairs, and is where the
 * policy's actions are performed.
 */
#ifndef BATON_MASTER_MASTER_H
#define BATON_MASTER_MASTER_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"
#include "master/policy.h"

#define MASTER_PULSE_MS 200 /* progress, status line, heartbeats, systemd's patience */

struct event_base;
struct heritage;
struct stats;

/* What main knows and the master may not see: the worker's side. */
struct program {
	const char *version;
	int (*worker)(const struct heritage *heritage);
	/* What --check does beyond parsing: does what the file names exist?  Adds
	 * sentences. */
	void (*check)(const struct conf *conf, struct conf_errors *errors);
};

struct master {
	const struct program *program;
	struct event_base *base;
	struct stats *stats;
	char *conf_path; /* absolute */
	char *exe_path;  /* what baton was started by; resolved afresh at an upgrade */
	uint64_t started_ms;
	uint32_t image; /* counts the executables of this pid's life */
	uint32_t scale; /* number of workers by `scale`; 0: what the file says */
	enum policy_stop stop;
	uint64_t stop_since_ms;
	bool adopts;          /* what a master before it left, which has crashed */
	uint64_t cut_at_stop; /* totals.cut when the stop began */
};

extern struct master master;

/* The life of the process; returns its exit status. */
int master_main(const struct program *program, const char *conf_path, const char *exe_path);

/* Facts have changed: ask the policy and act, from the loop's top level. */
void master_converge(void);

/* Stop: drain, or at once.  A second call means at once. */
void master_stop(bool now);

/* Call a stop off.  0 or -1 with *cause. */
int master_unstop(char **cause);

/* Workers wanted by conf under the present scale. */
uint32_t master_workers(const struct conf *conf);

/* "running", "reloading", "upgrading", "stopping". */
const char *master_state_name(void);

#endif
