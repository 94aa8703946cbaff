/*
 * spawn: the birth of a process.  Signals are blocked around the fork, and stay
 * blocked in the child until it has installed what it wants: a HUP that is sent
 * to the whole group a moment after the fork must not kill a worker.
 */
#ifndef BATON_BASE_SPAWN_H
#define BATON_BASE_SPAWN_H

#include <sys/types.h>

#include <stddef.h>

/* fork(); the child has default handlers and every signal blocked. */
pid_t spawn_fork(void);

/*
 * Close descriptors that came from a process that is not trusted where no close can wait: in
 * the end of another process.  A socket may linger, and so may one that is in the queue of a
 * socket.  All are closed here, and -1, when it returns; if there can be no process, they
 * are closed as fd_discard does.
 *
 * empty: called for each of them in that process first, to take what is in its queue and leave
 * it open; NULL: nothing.  It is waited for, up to BURY_MS: whoever else has a copy of a socket
 * (the service manager, in its store) may then close it without waiting, too.
 */
#define BURY_MS 1000
void spawn_bury(int *fd, size_t n, void (*empty)(int fd));

/* Empty the signal mask: the child's last step before it works or executes. */
void spawn_unblock_signals(void);

/* Remove LISTEN_*, NOTIFY_SOCKET and WATCHDOG_* from the environment. */
void spawn_scrub_environment(void);

/* The status of a process that is not our child: unknown. */
#define SPAWN_UNKNOWN (-1)

/* One phrase for a wait status, or SPAWN_UNKNOWN: "exit status 1", "signal 9 (Killed)".  The
 * text stands in a static buffer until the next call. */
const char *spawn_status_text(int status);

#endif
