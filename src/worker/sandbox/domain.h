/*
 * domain: what a worker may reach in the file system and in other processes, by the kernel's
 * Landlock.
 *
 * In force before the services start, and so for every thread that there will be.  Other
 * processes, the master and siblings among them, cannot be traced or signalled, and their
 * memory not opened, whoever's user they are.  A worker without modules opens nothing to write,
 * and reads only below its roots and what the resolver needs.  A second lock beside the seccomp
 * filter (sandbox.h); where the kernel has none the filter stands alone.
 */
#ifndef BATON_WORKER_SANDBOX_DOMAIN_H
#define BATON_WORKER_SANDBOX_DOMAIN_H

struct conf;

/* needs: bits of enum service_needs.  0, or -1 with *cause. */
int domain_enter(const struct conf *conf, unsigned needs, char **cause);

#endif
