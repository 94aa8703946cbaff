#include "base/logtarget.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/diskfile.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/place.h"

#define JOURNAL "/run/systemd/journal/socket"

bool
logtarget_is_journal(void)
{
	const char *env = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	if (env == NULL || sscanf(env, "%llu:%llu", &dev, &ino) != 2)
		return false;
	return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

int
logtarget_open_file(const char *path, char **cause)
{
	int fd = diskfile_open_lines(path);

	if (fd < 0)
		return cause_set(cause, "cannot open log file %s: %s", path,
		                 place_error(errno));
	return fd;
}

int
logtarget_open_journal(void)
{
	static const struct sockaddr_un sa = {.sun_family = AF_UNIX, .sun_path = JOURNAL};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && connect(fd, (const struct sockaddr *)&sa, sizeof sa) < 0)
		fd_close(&fd);
	return fd;
}

int
logtarget_open_stderr(void)
{
	struct stat st;

	if (fstat(STDERR_FILENO, &st) < 0 || !(S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)))
		return -1;
	return open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}
