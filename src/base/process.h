/*
 * process: who a pid is.  A pid may be given to another process; its pidfd, and the time of
 * its start, may not.
 */
#ifndef BATON_BASE_PROCESS_H
#define BATON_BASE_PROCESS_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

/* When it was started, in clock ticks since the boot; 0: there is no such process, or it is
 * hidden from us. */
uint64_t process_started(pid_t pid);

/* Who had logged in where this process came from: su and sudo leave it as it is.  False:
 * nobody, or the kernel does not tell. */
bool process_login(pid_t pid, uid_t *uid);

/* Is there a process with that pid, and is that its name (comm)? */
bool process_has_name(pid_t pid, const char *name);

/* Was it started by our parent, and is it in our cgroup?  False also when it is hidden. */
bool process_is_beside(pid_t pid);

/* A pidfd of the process with that pid, if it was started at that time; else -1.  Where /proc
 * hides it (ProtectProc=, and it cannot be traced) alive decides: another sign of its life. */
int process_open(pid_t pid, uint64_t started, bool alive);

/* Send a signal to the process behind a pidfd. */
int process_signal(int pidfd, int sig);

#endif
