/*
 * client: one request to a master, and its answer.
 *
 * Connecting has a time limit, and so has the answer to what takes no time; another takes as
 * long as the drain takes.
 * No failure ends the process; each is a sentence and an exit status.
 */
#ifndef BATON_CTL_CLIENT_H
#define BATON_CTL_CLIENT_H

#include <sys/types.h>

#include <jansson.h>

#include <stdbool.h>
#include <stdint.h>

#include "wire/control.h"

struct client;

struct client_answer {
	enum control_exit exit;
	char *text;   /* one sentence, never NULL */
	json_t *data; /* NULL: none */
	bool silent;  /* there was none; the text is our own */
};

/* A progress report of the master; percent below 0: unknown. */
typedef void client_progress_fn(const char *text, int percent);

/* Connect to path, or to the first default place where somebody answers (NULL).
 * NULL with the places tried and why in *cause; and in *full, malloc'd, the first of them that
 * had no room for us in all that time. */
struct client *client_connect(const char *path, char **full, char **cause);

/* The same at one place, where who has no room for us at once is not waited for. */
struct client *client_connect_now(const char *path, char **cause);

#define CLIENT_SILENCE_MS 5000 /* then a master that should answer at once is stuck */

/* Send the request, wait for the last line, but for no more than silence_ms without any
 * (0: without limit).  Fills *answer in any case. */
void client_ask(struct client *c, const char *request, uint64_t silence_ms,
                client_progress_fn *progress, struct client_answer *answer);

/*
 * The same in steps, for who has more to wait for: send the request; and whenever there is
 * something to read at the descriptor, take it: true when *answer is filled in.
 */
void client_send(struct client *c, const char *request);
int client_fd(const struct client *c);
bool client_take(struct client *c, client_progress_fn *progress, struct client_answer *answer);

/* Where it is connected to; as long as c. */
const char *client_path(const struct client *c);
pid_t client_pid(const struct client *c);

/* The master has said that it ends: wait until it has.  It is a matter of
 * milliseconds; one that takes longer is not waited for. */
void client_wait_gone(const struct client *c);

void client_free(struct client **c);

void client_answer_free(struct client_answer *answer);

#endif
