/*
 * fault: places where a test may break us.  Only the test build (BATON_FAULTY)
 * has them; elsewhere FAULT() is nothing.
 *
 * The orders stand in the file that is named like the program with ".fault"
 * appended, one `place=action` a line, and are read at each place: so a test
 * breaks one binary of several, and only while it wants to.  Actions: abort,
 * segv, exit, _exit, hang (signals are still handled), spin, stop (SIGSTOP), kill.
 */
#ifndef BATON_BASE_FAULT_H
#define BATON_BASE_FAULT_H

#ifdef BATON_FAULTY
void fault_init(const char *program);
void fault_hit(const char *place);
#	define FAULT(place) fault_hit(place)
#else
#	define fault_init(program) ((void)(program))
#	define FAULT(place)        ((void)0)
#endif

#endif
