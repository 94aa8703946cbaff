#include "base/process.h"

#include <sys/syscall.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

#define STARTED 20 /* the field, counted from the one behind the name */

uint64_t
process_started(pid_t pid)
{
	char path[32], text[1024], *p;
	FILE *f;
	size_t n;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	n = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	text[n] = '\0';
	p = strrchr(text, ')'); /* a name may hold anything */
	for (int i = 0; i < STARTED && p != NULL; i++)
		p = strchr(p + 1, ' ');
	return p != NULL ? strtoull(p, NULL, 10) : 0;
}

int
process_open(pid_t pid, uint64_t started, bool alive)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	uint64_t now = fd >= 0 ? process_started(pid) : 0;

	if (now != 0 ? now != started : !alive)
		fd_close(&fd);
	return fd;
}

void
process_signal(int pidfd, int sig)
{
	syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0);
}
