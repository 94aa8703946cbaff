/*
 * sandbox: what a worker may ask of the kernel while it serves.
 *
 * A seccomp allow-list, in force from READY to the end, and no_new_privs with it.  What
 * every service needs works on what the worker holds by then; what opens something new
 * (a file, a socket, a thread) is added for the services that need it.  Nobody may
 * execute or fork, look into other processes or signal them, or change mounts,
 * namespaces, users or the clock.
 *
 * What is not in the list fails with EPERM, and the log names it, once for each call.
 */
#ifndef BATON_WORKER_SANDBOX_SANDBOX_H
#define BATON_WORKER_SANDBOX_SANDBOX_H

/* Read what libraries read at their first use.  sandbox_enter does it, too. */
void sandbox_prepare(void);

/*
 * For all threads, and not to be left again.  needs: bits of enum service_needs.  0, or
 * -1 with *cause: the kernel has no such thing.
 */
int sandbox_enter(unsigned needs, char **cause);

#endif
