/*
 * scale: another number of workers, and who waits until it is so.
 */
#ifndef BATON_MASTER_CHANGE_SCALE_H
#define BATON_MASTER_CHANGE_SCALE_H

#include <stdint.h>

struct conf;
struct control_client;
struct generation;

/* client (NULL: a signal) is answered when every slot has a ready worker and the
 * surplus ones were told to leave, or when that takes too long. */
void scale_request(uint32_t workers, struct control_client *client);

/* The same for a client whose number holds already. */
void scale_wait(uint32_t workers, struct control_client *client);

/* One worker more or less, by signal. */
void scale_step(int step);

/* A change to conf begins: a number given by `scale` holds until the file names another
 * one itself. */
void scale_begin_change(const struct conf *conf);

/* The change failed: restore the number set by `scale`, unless a newer one was given. */
void scale_undo_change(void);

/* g takes over again: with as many workers as are wanted by now. */
void scale_want_again(struct generation *g);

/* How many workers conf will have when its change begins. */
uint32_t scale_ahead(const struct conf *conf);

/* Facts have changed. */
void scale_settle(void);

/* Workers wanted by conf under the present scale. */
uint32_t scale_workers(const struct conf *conf);

#endif
