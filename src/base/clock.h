/*
 * clock: milliseconds of CLOCK_MONOTONIC.  The value is the same in every
 * process of the machine and goes on over fork and exec, so absolute times may
 * be handed over.
 */
#ifndef BATON_BASE_CLOCK_H
#define BATON_BASE_CLOCK_H

#include <stdint.h>

/* Now, in ms, exact. */
uint64_t clock_ms(void);

/* A time and a duration, which may be UINT64_MAX: never. */
static inline uint64_t
clock_add(uint64_t ms, uint64_t more_ms)
{
	return more_ms > UINT64_MAX - ms ? UINT64_MAX : ms + more_ms;
}

/* Now, in us, exact. */
uint64_t clock_us(void);

/* Now by the wall clock, in ms since 1970: for people only, it can jump. */
uint64_t clock_wall_ms(void);

/* Now, in ms, as of the last timer tick (at most 10 ms old) and without a
 * system call: for the hot path. */
uint64_t clock_tick_ms(void);

#endif
