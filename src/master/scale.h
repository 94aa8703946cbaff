/*
 * scale: another number of workers, and who waits until it is so.
 */
#ifndef BATON_MASTER_SCALE_H
#define BATON_MASTER_SCALE_H

#include <stdint.h>

struct control_client;

/* client (NULL: a signal) is answered when every slot has a ready worker and the
 * surplus ones were told to leave, or when that takes too long. */
void scale_request(uint32_t workers, struct control_client *client);

/* The same for a client whose number holds already. */
void scale_wait(uint32_t workers, struct control_client *client);

/* One worker more or less, by signal. */
void scale_step(int step);

/* Facts have changed. */
void scale_settle(void);

/* The client hung up. */
void scale_forget(const struct control_client *client);

void scale_stop(void);

#endif
