#include "wire/control.h"

#include <sys/stat.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

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

/* /tmp is everybody's: what was found there may be a trap.  lstat, because a
 * symbolic link is the trap. */
static int
check_private(const char *directory, char **cause)
{
	struct stat st;

	if (lstat(directory, &st) < 0)
		return cause_set(cause, "%s: %s", directory, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return cause_set(cause, "%s is not a directory; somebody may have put it there",
		                 directory);
	if (st.st_uid != geteuid())
		return cause_set(cause, "%s belongs to uid %lu, not to uid %lu", directory,
		                 (unsigned long)st.st_uid, (unsigned long)geteuid());
	if ((st.st_mode & 07777) != 0700)
		return cause_set(cause, "%s has mode %04o, and must have 0700", directory,
		                 (unsigned)(st.st_mode & 07777));
	return 0;
}

static int
make(const char *directory, char **cause)
{
	bool public = geteuid() == 0 && strncmp(directory, "/run/", 5) == 0;
	struct stat st;

	if (mkdir(directory, 0700) == 0) {
		/* Ours since a moment, and below /run nobody else's: the umask
		 * does not decide who may look for us. */
		if (public && chmod(directory, 0755) < 0)
			return cause_set(cause, "cannot open directory %s to others: %s",
			                 directory, strerror(errno));
		return 0;
	}
	if (errno != EEXIST)
		return cause_set(cause, "cannot make directory %s: %s", directory,
		                 strerror(errno));
	if (stat(directory, &st) < 0)
		return cause_set(cause, "%s: %s", directory, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return cause_set(cause, "%s is not a directory", directory);
	return 0;
}

int
control_make_directory(const char *path, char **cause)
{
	char *directory = directory_of(path), *tmp = private_directory();
	int result = 0;

	if (directory != NULL)
		result = make(directory, cause);
	if (result == 0 && directory != NULL && strcmp(directory, tmp) == 0)
		result = check_private(directory, cause);
	free(tmp);
	free(directory);
	return result;
}
