/*
 * control: the socket at which batonctl asks.
 *
 * One JSON line in, progress lines and one last line out (wire/control.h has
 * the form).  Only root and the master's own user are heard.  A client whose
 * answer is still owed lives on over an upgrade.
 */
#ifndef BATON_MASTER_CONTROL_H
#define BATON_MASTER_CONTROL_H

#include <jansson.h>

#include <stdbool.h>
#include <stdint.h>

struct control_client;
struct fdlist;

/* Listen at path (NULL: the default place).  0 or -1 with *cause. */
int control_start(const char *path, char **cause);

/* Close and unlink what is still our own socket. */
void control_stop(void);

/* The one last line; the client is gone afterwards.  data is stolen, may be NULL. */
void control_answer(struct control_client *client, int exit_code, json_t *data, const char *fmt,
                    ...) __attribute__((format(printf, 4, 5)));

/* The same with data that is JSON already; what is in the buffer is taken over. */
struct evbuffer;
void control_answer_bytes(struct control_client *client, int exit_code, struct evbuffer *data,
                          const char *fmt, ...) __attribute__((format(printf, 4, 5)));

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

/* After the requests are restored too: what only the image before knew (a survey, a
 * check) is done again for who is owed an answer. */
void control_after_restore(void);

#endif
