/*
 * preflight: a child tries what might go wrong, so that the master need not.
 *
 * The child says yes or no, with a reason; one that dies, hangs or says nothing
 * means no.  Nothing it does touches the master.
 */
#ifndef BATON_MASTER_CHANGE_PREFLIGHT_H
#define BATON_MASTER_CHANGE_PREFLIGHT_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conf;
struct conf_errors;
struct preflight;

/* text: on no, the reason (one or more sentences); on yes what the child said.
 * The preflight is over and freed. */
typedef void preflight_fn(void *arg, bool yes, const char *text);

/* The requester of a check, and its time limit: after that the answer is no. */
struct preflight_asker {
	uint64_t limit_ms;
	preflight_fn *fn;
	void *arg;
};

/* What a check by hand can look at of the master's side: the users, and the places it writes
 * to. */
void preflight_look(const struct conf *conf, struct conf_errors *errors);

/* Is this text, or the file when text is NULL, a configuration that this binary
 * can serve?  NULL with *cause. */
struct preflight *preflight_conf(const char *path, const char *text, size_t len,
                                 const struct preflight_asker *asker, char **cause);

/* Can this binary take over the state behind the descriptor? */
struct preflight *preflight_binary(const char *binary, int state, const char *conf_path,
                                   const struct preflight_asker *asker, char **cause);

/* Kill the child; fn is not called. */
void preflight_cancel(struct preflight **p);

/* A child was reaped.  False: not one of ours. */
bool preflight_reaped(pid_t pid, int status);

/* In the child that was executed by preflight_binary: answer and exit. */
_Noreturn void preflight_answer(bool yes, const char *text);

#endif
