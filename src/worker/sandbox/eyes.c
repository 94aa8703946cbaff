#include "worker/sandbox/eyes.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/diskfile.h"
#include "base/fd.h"
#include "conf/conf.h"
#include "conf/errors.h"

/* A directory's files are opened by name, so it need not be readable. */
static bool
may_enter(const char *path)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	bool yes = fd >= 0 && fd_may(fd, ".", X_OK);

	fd_close(&fd);
	return yes;
}

static bool
may_read(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	bool yes = fd >= 0 && fstat(fd, &st) == 0;

	if (yes && S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		yes = false;
	}
	fd_close(&fd);
	return yes;
}

/* The directory that is in the way is not always the last one. */
static void
tell(const struct conf *conf, size_t service, const char *key, const char *path,
     struct conf_errors *errors)
{
	int error = errno, line = conf_line(conf, CONF_SERVICE, service, key);
	struct conf_word name = conf_word(conf->service[service].name);
	char *barrier = error == EACCES ? diskfile_barrier(path) : NULL;

	if (error != EACCES)
		conf_error(errors, line, "[service:%s]: %s %s: %s", name.text, key, path,
		           strerror(error));
	else
		conf_error(
		    errors, line,
		    "[service:%s]: %s %s: %s: workers run as uid %u gid %u, which may not "
		    "%s %s",
		    name.text, key, path, strerror(error), (unsigned)geteuid(),
		    (unsigned)getegid(),
		    barrier != NULL || strcmp(key, "root") == 0 ? "enter" : "read",
		    barrier != NULL ? barrier : "it");
	free(barrier);
}

bool
eyes_look(const struct conf *conf, size_t service, struct conf_errors *errors)
{
	const struct conf_service *s = &conf->service[service];
	bool root_is_good = s->root == NULL || may_enter(s->root), path_is_good;

	if (!root_is_good)
		tell(conf, service, "root", s->root, errors);
	path_is_good = s->path == NULL || may_read(s->path);
	if (!path_is_good)
		tell(conf, service, "path", s->path, errors);
	return root_is_good && path_is_good;
}
