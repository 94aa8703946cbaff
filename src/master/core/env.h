/*
 * env: the facts of the whole master, and the wish that its rules be asked again.  Stands on
 * nothing, so that every file may know them.
 */
#ifndef BATON_MASTER_CORE_ENV_H
#define BATON_MASTER_CORE_ENV_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"
#include "master/core/policy.h"

#define ENV_PULSE_MS 200 /* progress, status line, heartbeats, systemd's patience */

struct event;
struct event_base;
struct heritage;
struct stats;

/* The worker's side, which main knows and the master may not include. */
struct program {
	const char *version;
	int (*worker)(const struct heritage *heritage);
	/* Check that what the file names exists.  Adds errors. */
	void (*check)(const struct conf *conf, struct conf_errors *errors);
};

struct env {
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

extern struct env env;

/* Facts have changed: ask the policy and act, from the loop's top level. */
void env_converge(void);

/* The event that env_converge makes active. */
void env_on_converge(struct event *ev);

#endif
