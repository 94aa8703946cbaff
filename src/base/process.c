#include "base/process.h"

#include <sys/syscall.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

/* Fields of stat, counted from the one behind the name. */
#define PARENT  2
#define STARTED 20

#define FILE_MAX_BYTES 1024 /* what is read of a file of /proc */

/* The beginning of /proc/PID/NAME; empty: there is none, or it is hidden from us. */
struct text {
	char bytes[FILE_MAX_BYTES];
};

static struct text
read_file(pid_t pid, const char *name)
{
	struct text text = {{0}};
	char path[64];
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	f = fopen(path, "re");
	if (f == NULL)
		return text;
	text.bytes[fread(text.bytes, 1, sizeof text.bytes - 1, f)] = '\0';
	fclose(f);
	return text;
}

static uint64_t
stat_field(pid_t pid, int field)
{
	struct text text = read_file(pid, "stat");
	const char *p = strrchr(text.bytes, ')'); /* a name may hold anything */

	for (int i = 0; i < field && p != NULL; i++)
		p = strchr(p + 1, ' ');
	return p != NULL ? strtoull(p, NULL, 10) : 0;
}

uint64_t
process_started(pid_t pid)
{
	return stat_field(pid, STARTED);
}

bool
process_login(pid_t pid, uid_t *uid)
{
	struct text text = read_file(pid, "loginuid");
	unsigned long n = strtoul(text.bytes, NULL, 10);

	*uid = (uid_t)n;
	return *text.bytes != '\0' && n < UINT32_MAX;
}

bool
process_has_name(pid_t pid, const char *name)
{
	struct text text = read_file(pid, "comm");
	size_t n = strlen(name);

	return strncmp(text.bytes, name, n) == 0 &&
	       (text.bytes[n] == '\n' || text.bytes[n] == '\0');
}

bool
process_is_beside(pid_t pid)
{
	struct text its = read_file(pid, "cgroup"), ours = read_file(getpid(), "cgroup");

	return *its.bytes != '\0' && strcmp(its.bytes, ours.bytes) == 0 &&
	       stat_field(pid, PARENT) == (uint64_t)getppid();
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

int
process_signal(int pidfd, int sig)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0);
}
