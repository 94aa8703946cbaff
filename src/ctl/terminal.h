/*
 * terminal: the whole of it for a while, and afterwards as it was.
 *
 * A few sequences that every terminal of today obeys (ECMA-48, and xterm's other screen):
 * no library, and no description of terminals, is needed for them.  Lines that have not
 * changed are not written again and one frame is one write, so that nothing flickers.
 */
#ifndef BATON_CTL_TERMINAL_H
#define BATON_CTL_TERMINAL_H

#include <stddef.h>

#include "ctl/screen.h"

/* stdin and stdout are one.  0, or -1 with a sentence in *cause. */
int terminal_check(char **cause);

/* Take it: the other screen, no echo, no cursor.  Whatever ends the process by exit() gives it
 * back. */
void terminal_enter(void);
void terminal_leave(void);

/* Columns and lines as they are now; never 0. */
void terminal_size(size_t *width, size_t *height);

/* Show the frame, instead of the one before; a terminal that takes nothing now is left
 * alone until the next one. */
void terminal_show(const struct screen_frame *f);

/* Somebody else has written there: the next frame is written as a whole. */
void terminal_forget(void);

#endif
