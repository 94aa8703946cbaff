/*
 * confine: what a process gives up before it runs what clients or modules bring.
 *
 * In this order: the user; then new privileges, the sight of others, capabilities (of root, who
 * keeps them) and the reach of files (domain.h); and, when all is opened that is to be opened,
 * the system calls (sandbox.h).  A worker starts its services between the last two; a check of
 * a file does all at once before it loads a module.  `sandbox = no` leaves the user and
 * no_new_privs.
 */
#ifndef BATON_WORKER_SANDBOX_CONFINE_H
#define BATON_WORKER_SANDBOX_CONFINE_H

struct conf;
struct heritage;

/* Become the workers' user, for good.  0, or -1 with *cause. */
int confine_user(const struct heritage *h, char **cause);

int confine_reach(const struct conf *conf, char **cause);

int confine_calls(const struct conf *conf, char **cause);

#endif
