#include "master/workers/accesslog.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/diskfile.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/place.h"
#include "conf/conf.h"
#include "master/workers/generation.h"
#include "master/workers/slot.h"
#include "wire/chan.h"

static int
open_one(const struct conf *conf, size_t i, char **cause)
{
	const char *path = conf->listen[i].access_log;
	int fd = diskfile_open_lines(path);

	if (fd >= 0)
		return fd;
	cause_set(cause, "cannot open access log %s: %s", path, place_error(errno));
	return conf_blame(conf, CONF_LISTEN, i, "access_log", cause);
}

/* The first listener with that path has the file. */
static bool
is_first(const struct conf *conf, size_t i)
{
	const char *path = conf->listen[i].access_log;

	for (size_t k = 0; path != NULL && k < i; k++)
		if (conf->listen[k].access_log != NULL &&
		    strcmp(conf->listen[k].access_log, path) == 0)
			return false;
	return path != NULL;
}

int *
accesslog_open(const struct conf *conf, char **cause)
{
	int *files = NULL;

	for (size_t i = 0; i < conf->nlisten && files == NULL; i++)
		if (conf->listen[i].access_log != NULL)
			files = mem_alloc(conf->nlisten * sizeof *files);
	for (size_t i = 0; files != NULL && i < conf->nlisten; i++)
		files[i] = is_first(conf, i) ? open_one(conf, i, cause) : -1;
	return files;
}

void
accesslog_close(const struct conf *conf, int **files)
{
	for (size_t i = 0; *files != NULL && i < conf->nlisten; i++)
		fd_close(&(*files)[i]);
	mem_free(files);
}
