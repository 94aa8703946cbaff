/*
 * stop: how the whole of it ends, and how that is called off.
 */
#ifndef BATON_MASTER_CHANGE_STOP_H
#define BATON_MASTER_CHANGE_STOP_H

#include <stdbool.h>
#include <stdint.h>

/* Stop: drain, or at once.  A second call means at once. */
void stop_begin(bool now);

/* Call a stop off.  0 or -1 with *cause. */
int stop_call_off(char **cause);

/* The steps that the policy asks for: drop bare SYNs; then drain everything. */
void stop_filter(void);
void stop_drain(void);

/* Is it the one that would go on if a drain were called off? */
bool stop_keeps(uint32_t generation);

/* A worker is killed: that counts, unless force was asked for. */
void stop_note_kill(void);

/* The last words, which last, and the process's exit status. */
const char *stop_farewell(int *exit_code);

#endif
