#include "master/state/pidfile.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/diskfile.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/place.h"
#include "base/process.h"
#include "master/state/jsontext.h"

#define PIDFILE_MAX 32 /* bytes; a longer file is none */

static char *current;
static struct place_id own;
static pid_t told; /* what stands in it */

static int
cannot(const char *path, char *why, char **cause)
{
	cause_set(cause, "cannot write pid file %s: %s", path, why);
	free(why);
	return -1;
}

static void
number(char text[16])
{
	snprintf(text, 16, "%d\n", (int)getpid());
}

bool
pidfile_is(const char *path)
{
	return current != NULL && strcmp(path, current) == 0;
}

/* Its first bytes, ended by NUL; "": there are none, or it is no file. */
static void
read_file(const char *path, char bytes[PIDFILE_MAX + 1])
{
	struct place p;
	int fd = place_open(&p, path) == 0
	             ? openat(p.dir, p.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
	             : -1;
	ssize_t n = fd >= 0 ? read(fd, bytes, PIDFILE_MAX) : 0;

	bytes[n > 0 ? n : 0] = '\0';
	fd_close(&fd);
	place_close(&p);
}

/* The inode of one that was removed may be another's by now. */
static bool
is_ours(void)
{
	char bytes[PIDFILE_MAX + 1], text[16];

	number(text);
	read_file(current, bytes);
	return place_is_own(current, &own, S_IFREG) && strcmp(bytes, text) == 0;
}

int
pidfile_may_replace(const char *path, char **why)
{
	char bytes[PIDFILE_MAX + 1];

	read_file(path, bytes);
	if (bytes[strspn(bytes, "0123456789 \n")] == '\0' && strlen(bytes) < PIDFILE_MAX)
		return 0;
	return cause_set(why, "what stands there is no pid file");
}

static int
judge_old(const char *path, char **cause)
{
	char bytes[PIDFILE_MAX + 1], *why = NULL;
	pid_t pid;

	if (pidfile_may_replace(path, &why) < 0)
		return cannot(path, why, cause);
	read_file(path, bytes);
	pid = (pid_t)strtol(bytes, NULL, 10);
	if (pid > 0 && pid != getpid() && process_has_name(pid, "baton"))
		return cannot(path,
		              mem_printf("it is that of another baton, with pid %d", (int)pid),
		              cause);
	return 0;
}

int
pidfile_try(const char *path, char **cause)
{
	char text[16], *why = NULL;

	if (path == NULL || pidfile_is(path))
		return 0;
	if (judge_old(path, cause) < 0)
		return -1;
	number(text);
	return diskfile_try(path, text, &why) < 0 ? cannot(path, why, cause) : 0;
}

/* The new one first: there is always one that is right. */
int
pidfile_set(const char *path, char **cause)
{
	struct place_id made = {0};
	char text[16], *why = NULL;

	if (path != NULL && pidfile_is(path) && told == getpid() && is_ours())
		return 0;
	if (path != NULL && judge_old(path, cause) < 0)
		return -1;
	number(text);
	if (path != NULL && diskfile_write(path, text, 0644, &made, &why) < 0)
		return cannot(path, why, cause);
	if (path == NULL || !pidfile_is(path))
		pidfile_stop();
	if (path != NULL && current == NULL)
		current = mem_strdup(path);
	own = made;
	told = getpid();
	return 0;
}

void
pidfile_warn(json_t *list)
{
	char *sentence;

	if (current == NULL || is_ours())
		return;
	sentence =
	    mem_printf("pid file %s is not there any more; a reload writes it anew", current);
	json_array_append_new(list, jsontext_shown(sentence, SIZE_MAX));
	free(sentence);
}

void
pidfile_stop(void)
{
	if (current != NULL && is_ours())
		place_remove(current, &own, S_IFREG);
	mem_free(&current);
}

json_t *
pidfile_save(void)
{
	if (current == NULL)
		return json_null();
	return json_pack("{s:o, s:I, s:I, s:i}", "path", jsontext_text(current), "inode",
	                 (json_int_t)own.inode, "device", (json_int_t)own.device, "pid",
	                 (int)told);
}

void
pidfile_restore(const json_t *j)
{
	current = jsontext_read_text(json_object_get(j, "path"));
	own.inode = (ino_t)json_integer_value(json_object_get(j, "inode"));
	own.device = (dev_t)json_integer_value(json_object_get(j, "device"));
	told = (pid_t)json_integer_value(json_object_get(j, "pid"));
}
