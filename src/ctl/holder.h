/*
 * holder: which process listens at the path of a unix socket, when it takes no connection
 * that would tell.  The kernel knows the socket, and /proc who has it open.
 */
#ifndef BATON_CTL_HOLDER_H
#define BATON_CTL_HOLDER_H

#include <sys/types.h>

/* 0: nobody, or nobody whom we may look at. */
pid_t holder_of(const char *path);

#endif
