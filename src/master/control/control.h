/*
 * control: the socket at which batonctl asks.
 *
 * One JSON line in, progress lines and one last line out (wire/control.h has
 * the form).  Only root and the master's own user are heard.  A client whose
 * answer is still owed lives on over an upgrade.
 */
#ifndef BATON_MASTER_CONTROL_CONTROL_H
#define BATON_MASTER_CONTROL_CONTROL_H

#include <jansson.h>

#include <stdbool.h>
#include <stdint.h>

struct control_client;
struct fdlist;
struct ucred;

/* The requests themselves are handled by verbs.c. */
struct control_rules {
	/* May this process ask? */
	bool (*admits)(const struct ucred *peer);

	/* Does the answer to this line come later?  Those who wait have so many places. */
	bool (*waits)(const char *line);

	/* Answer it (control_answer), or owe it (control_owe). */
	void (*run)(struct control_client *client, const char *line);

	/* The image before was asked, and nobody in this one owes the answer.  line may be
	 * NULL. */
	void (*again)(struct control_client *client, const char *line);
};

/* Before anything else. */
void control_use(const struct control_rules *rules);

/* Listen at path (NULL: the default place).  0 or -1 with *cause. */
int control_start(const char *path, char **cause);

/* It can't be made now: the next reload tries again, and status warns until then. */
void control_start_later(const char *path);

/* Close and unlink what is still our own socket. */
void control_stop(void);

/* The one last line; the client is gone afterwards.  data is stolen, may be NULL. */
void control_answer(struct control_client *client, int exit_code, json_t *data, const char *fmt,
                    ...) __attribute__((format(printf, 4, 5)));

/* The same with data that is JSON already; what is in the buffer is taken over. */
struct evbuffer;
void control_answer_bytes(struct control_client *client, int exit_code, struct evbuffer *data,
                          const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Somebody owes the answer: gone(owed) is called if the client hangs up before it.  The last
 * call counts; gone NULL: nobody does. */
void control_owe(struct control_client *client, void (*gone)(void *owed), void *owed);

/* Its answer is control_answer_stop's. */
void control_await_stop(struct control_client *client);

/* Its socket. */
int control_fd(const struct control_client *client);

/* A line on the way. */
void control_progress(struct control_client *client, const char *text, int percent);

/* Answer everybody who waits for a stop. */
void control_answer_stop(int exit_code, const char *text);

/* A progress line to everybody who waits for a stop. */
void control_tell_stop(const char *text);

/* By number, for the records of requests; NULL. */
struct control_client *control_find(uint32_t id);
uint32_t control_id(const struct control_client *client);

json_t *control_save(struct fdlist *fds);
int control_restore(const json_t *j, char **cause);

/* After those who owe answers are restored: the rules are told of the clients that nobody owes
 * one. */
void control_after_restore(void);

#endif
