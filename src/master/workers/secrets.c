#include "master/workers/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/place.h"
#include "conf/conf.h"
#include "master/state/fdlist.h"

static int
open_one(const struct conf *conf, size_t section, size_t i, int *fd, char **cause)
{
	const char *path = conf_tls_file(&conf->tls[section], i);

	*fd = -1;
	if (path == NULL)
		return 0;
	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (*fd >= 0)
		return 0;
	cause_set(cause, "[tls:%s]: cannot open %s: %s", conf->tls[section].name, path,
	          place_error(errno));
	return conf_blame_line(conf, conf->tls[section].line, cause);
}

int
secrets_open(const struct conf *conf, int **files, char **cause)
{
	size_t n = conf_tls_files_of_all(conf), at = 0;
	int *fd;

	if (n == 0 || *files != NULL)
		return 0;
	fd = mem_alloc(n * sizeof *fd);
	for (size_t i = 0; i < n; i++)
		fd[i] = -1;
	for (size_t i = 0; i < conf->ntls; i++)
		for (size_t k = 0; k < conf_tls_files(&conf->tls[i]); k++)
			if (open_one(conf, i, k, &fd[at++], cause) < 0) {
				secrets_close(conf, &fd);
				return -1;
			}
	*files = fd;
	return 0;
}

void
secrets_close(const struct conf *conf, int **files)
{
	for (size_t i = 0; *files != NULL && i < conf_tls_files_of_all(conf); i++)
		fd_close(&(*files)[i]);
	mem_free(files);
}

json_t *
secrets_save(const struct conf *conf, const int *files, struct fdlist *fds)
{
	json_t *list = json_array();

	for (size_t i = 0; files != NULL && i < conf_tls_files_of_all(conf); i++)
		json_array_append_new(list, fdlist_put(fds, files[i]));
	return list;
}

int *
secrets_restore(const struct conf *conf, const json_t *j)
{
	size_t n = conf_tls_files_of_all(conf);
	bool whole = n > 0 && json_array_size(j) == n;
	int *fd = whole ? mem_alloc(n * sizeof *fd) : NULL;

	for (size_t i = 0; fd != NULL && i < n; i++) {
		const json_t *one = json_array_get(j, i);

		fd[i] = fdlist_get(one);
		whole &= fd[i] >= 0 || json_is_null(one);
	}
	if (fd != NULL && !whole)
		secrets_close(conf, &fd);
	return fd;
}
