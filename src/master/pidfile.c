#include "master/pidfile.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "master/record.h"

static char *current;
static ino_t inode;

static int
write_file(const char *temp, const char *path)
{
	char text[16];
	int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	int n = snprintf(text, sizeof text, "%d\n", (int)getpid());
	int result = fd >= 0 && write(fd, text, (size_t)n) == n ? rename(temp, path) : -1;

	fd_close(&fd);
	return result;
}

int
pidfile_set(const char *path, char **cause)
{
	char *temp;
	struct stat st;
	int result;

	if (current != NULL && (path == NULL || strcmp(path, current) != 0))
		pidfile_stop();
	if (path == NULL)
		return 0;
	temp = mem_printf("%s.new", path);
	result = write_file(temp, path);
	if (result < 0)
		cause_set(cause, "cannot write pid file %s: %s", path, strerror(errno));
	else if (current == NULL)
		current = mem_strdup(path);
	if (result == 0 && lstat(path, &st) == 0)
		inode = st.st_ino;
	mem_free(&temp);
	return result;
}

void
pidfile_stop(void)
{
	struct stat st;

	if (current != NULL && lstat(current, &st) == 0 && st.st_ino == inode)
		unlink(current);
	mem_free(&current);
}

json_t *
pidfile_save(void)
{
	if (current == NULL)
		return json_null();
	return json_pack("{s:o, s:I}", "path", record_text(current), "inode",
	                 (json_int_t)inode);
}

void
pidfile_restore(const json_t *j)
{
	current = record_read_text(json_object_get(j, "path"));
	inode = (ino_t)json_integer_value(json_object_get(j, "inode"));
}
