#include "ctl/stale.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "wire/board.h"
#include "wire/stats.h"

#define MEMORY "/memfd:baton-stats (deleted)" /* as proc shows it */

/* Nobody is waited for: it may have become something else since we looked. */
static int
open_memory(DIR *dir)
{
	struct dirent *e;

	while ((e = readdir(dir)) != NULL) {
		char target[64] = "";

		if (readlinkat(dirfd(dir), e->d_name, target, sizeof target - 1) > 0 &&
		    strcmp(target, MEMORY) == 0)
			return openat(dirfd(dir), e->d_name,
			              O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	}
	errno = ENOENT;
	return -1;
}

static struct stats *
attach(pid_t pid, char **cause)
{
	char *path = mem_printf("/proc/%d/fd", (int)pid);
	DIR *dir = opendir(path);
	int fd;

	free(path);
	fd = dir != NULL ? open_memory(dir) : -1;
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		cause_set(cause, "only root may look into its memory");
	else if (fd < 0)
		cause_set(cause, "it has no statistics memory");
	if (dir != NULL)
		closedir(dir);
	return fd >= 0 ? stats_attach_to_read(fd, cause) : NULL;
}

static json_t *
read_board(const struct stats *stats, char **cause)
{
	uint64_t written_ms = 0, now = clock_ms();
	char *text = board_read(stats, &written_ms);
	json_t *j = text != NULL ? json_loads(text, 0, NULL) : NULL;

	free(text);
	if (!json_is_object(j)) {
		json_decref(j);
		cause_set(cause, "it has told nothing that can be read");
		return NULL;
	}
	json_object_del(j, "history"); /* that is another verb's */
	json_object_set_new(
	    j, "stale_ms", json_integer(now > written_ms ? (json_int_t)(now - written_ms) : 0));
	return j;
}

json_t *
stale_status(pid_t pid, char **cause)
{
	struct stats *stats;
	json_t *j;

	if (pid <= 0) {
		cause_set(cause, "its pid is unknown here");
		return NULL;
	}
	if ((stats = attach(pid, cause)) == NULL)
		return NULL;
	j = read_board(stats, cause);
	stats_free(&stats);
	return j;
}
