/*
 * board: what only the master knows and every worker may read, without asking it.
 *
 * The master writes a text (the JSON of `batonctl status`) into one of two sides of the stats
 * memory and then points at it; a reader copies that side and looks whether it was
 * written meanwhile.  Nobody waits: a reader has a master's last words even when it is
 * dead or stuck, and how old they are.  Fields of the text are added, never renamed; the two
 * sides never change.
 */
#ifndef BATON_WIRE_BOARD_H
#define BATON_WIRE_BOARD_H

#include <stddef.h>
#include <stdint.h>

struct stats;

/* Bytes that a text may have. */
size_t board_room(const struct stats *stats);

/* Show n bytes instead of what was there; at most board_room.  For the master. */
void board_write(struct stats *stats, const char *text, size_t n);

/* What is shown, ended by NUL, malloc'd, and when it was written (clock_ms); NULL: nothing
 * was ever, or it could not be read in one piece. */
char *board_read(const struct stats *stats, uint64_t *written_ms);

/* Grows with each text: has it changed? */
uint64_t board_number(const struct stats *stats);

#endif
