/*
 * fault: places where a test may break us.  Only the test build (BATON_FAULTY)
 * has them; elsewhere FAULT() is nothing.
 *
 * The orders stand in the file that is named like the program with ".fault"
 * appended, one `place=action` a line, and are read at each place: so a test
 * breaks one binary of several, and only while it wants to.  Actions: abort,
 * segv, exit, _exit, hang (signals are still handled), spin, stop (SIGSTOP), kill.
 * FAULT_IS asks for one more, which the place itself obeys.
 *
 * LEDGER appends to the file that is named like the program with ".ledger" appended, if it is
 * there: what must not be done twice, by whichever process.
 */
#ifndef BATON_BASE_FAULT_H
#define BATON_BASE_FAULT_H

#include <stdbool.h>
#include <stddef.h>

#ifdef BATON_FAULTY
void fault_init(const char *program);
void fault_hit(const char *place);
bool fault_is(const char *place, const char *action);
void fault_ledger(const void *bytes, size_t n);
#	define FAULT(place)            fault_hit(place)
#	define FAULT_IS(place, action) fault_is(place, action)
#	define LEDGER(bytes, n)        fault_ledger(bytes, n)
#else
#	define fault_init(program)     ((void)(program))
#	define FAULT(place)            ((void)0)
#	define FAULT_IS(place, action) false
#	define LEDGER(bytes, n)        ((void)0)
#endif

#endif
