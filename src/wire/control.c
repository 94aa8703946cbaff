#include "wire/control.h"

#include <sys/stat.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/diskfile.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/place.h"

#define SYSTEM_PATH "/run/baton/control.sock"

struct list {
	char **paths; /* ended by NULL */
	size_t n;
};

static void
add(struct list *l, char *path)
{
	l->paths = mem_grow(l->paths, l->n, sizeof *l->paths);
	l->paths[l->n++] = path;
}

/* The environment is only believed where it names an absolute directory. */
static const char *
directory_from(const char *variable)
{
	const char *value = getenv(variable);

	return value != NULL && *value == '/' ? value : NULL;
}

static char *
private_directory(void)
{
	return mem_printf("/tmp/baton-%lu", (unsigned long)geteuid());
}

static void
add_private(struct list *l)
{
	const char *xdg = directory_from("XDG_RUNTIME_DIR");
	char *tmp = private_directory();

	if (xdg != NULL)
		add(l, mem_printf("%s/baton/control.sock", xdg));
	add(l, mem_printf("%s/control.sock", tmp));
	free(tmp);
}

char **
control_path_candidates(void)
{
	const char *runtime = directory_from("RUNTIME_DIRECTORY");
	struct list l = {0};

	/* systemd separates several directories by ':'. */
	if (runtime != NULL)
		add(&l, mem_printf("%.*s/control.sock", (int)strcspn(runtime, ":"), runtime));
	if (geteuid() != 0)
		add_private(&l);
	add(&l, mem_strdup(SYSTEM_PATH));
	add(&l, NULL);
	return l.paths;
}

void
control_path_candidates_free(char ***paths)
{
	for (char **p = *paths; *p != NULL; p++)
		free(*p);
	mem_free(paths);
}

char *
control_path_default(void)
{
	char **paths = control_path_candidates();
	char *first = mem_strdup(paths[0]);

	control_path_candidates_free(&paths);
	return first;
}

/* NULL: path is in the root or in the working directory; both are there. */
static char *
directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL || slash == path ? NULL
	                                      : mem_strndup(path, (size_t)(slash - path));
}

/* /tmp is everybody's: what was found there may be a trap. */
static int
check_private(int fd, const char *directory, char **cause)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return cause_set(cause, "%s: %s", directory, strerror(errno));
	if (st.st_uid != geteuid())
		return cause_set(cause, "%s belongs to uid %lu, not to uid %lu", directory,
		                 (unsigned long)st.st_uid, (unsigned long)geteuid());
	if ((st.st_mode & 07777) != 0700)
		return cause_set(cause, "%s has mode %04o, and must have 0700", directory,
		                 (unsigned)(st.st_mode & 07777));
	return 0;
}

/* Ours since a moment, and below /run nobody else's: the umask does not decide who may look
 * for us. */
static int
check_public(int fd, bool made, const char *directory, char **cause)
{
	struct stat st;

	if (!made || geteuid() != 0 || strncmp(directory, "/run/", 5) != 0)
		return 0;
	if (fstat(fd, &st) == 0 && st.st_uid == 0 && fchmod(fd, 0755) == 0)
		return 0;
	return cause_set(cause, "cannot open directory %s to others: %s", directory,
	                 strerror(errno));
}

static int
make(const char *directory, bool *made, char **cause)
{
	char *tmp = private_directory();
	bool private = strcmp(directory, tmp) == 0;
	int fd = diskfile_open_directory(directory, !private, made), result;

	free(tmp);
	if (fd < 0 && errno == ENOTDIR)
		return cause_set(cause, "%s is not a directory; somebody may have put it there",
		                 directory);
	if (fd < 0)
		return cause_set(cause, "cannot make directory %s: %s", directory,
		                 place_error(errno));
	result = private ? check_private(fd, directory, cause)
	                 : check_public(fd, *made, directory, cause);
	fd_close(&fd);
	return result;
}

int
control_make_directory(const char *path, bool *made, char **cause)
{
	char *directory = directory_of(path);
	bool new = false;
	int result = directory != NULL ? make(directory, &new, cause) : 0;

	if (made != NULL)
		*made = new;
	free(directory);
	return result;
}

void
control_remove_directory(const char *path)
{
	char *directory = directory_of(path);

	if (directory != NULL)
		rmdir(directory);
	free(directory);
}
