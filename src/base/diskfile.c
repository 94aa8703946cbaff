#include "base/diskfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#define HOLD (O_PATH | O_CLOEXEC | O_NOFOLLOW)

/* --- files --- */

/* Under another name yet. */
static int
write_temp(struct place *p, const char *text, mode_t mode, struct stat *st)
{
	ssize_t len = (ssize_t)strlen(text);
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, fd, result = -1;

	place_choose_temp(p->temp, sizeof p->temp);
	fd = openat(p->dir, p->temp, flags, mode);
	if (fd < 0) {
		p->temp[0] = '\0';
		return -1;
	}
	if (write(fd, text, (size_t)len) == len && fstat(fd, st) == 0)
		result = 0;
	fd_close(&fd);
	return result;
}

/* As place_make_way. */
static int
look_for_file(struct place *p, const char *path, struct stat *old, char **why)
{
	if (place_open(p, path) < 0)
		return cause_set(why, "%s", place_error(errno));
	return place_make_way(p, S_IFREG, old, why);
}

int
diskfile_write(const char *path, const char *text, mode_t mode, struct place_id *own,
               char **why)
{
	struct place p;
	struct stat old, st;
	int way = look_for_file(&p, path, &old, why), result = -1;

	if (way >= 0) {
		result = write_temp(&p, text, mode, &st);
		if (result == 0)
			result = place_publish(&p, way == 0 ? &old : NULL);
		if (result == 0)
			*own = (struct place_id){.device = st.st_dev, .inode = st.st_ino};
		else
			cause_set(why, "%s", strerror(errno));
		place_drop_temp(&p);
	}
	place_close(&p);
	return result;
}

int
diskfile_try(const char *path, const char *text, char **why)
{
	struct place p;
	struct stat old, st;
	int way = look_for_file(&p, path, &old, why);

	if (way >= 0) {
		way = write_temp(&p, text, 0600, &st);
		if (way < 0)
			cause_set(why, "%s", strerror(errno));
		place_drop_temp(&p);
	}
	place_close(&p);
	return way < 0 ? -1 : 0;
}

int
diskfile_open_lines(const char *path)
{
	struct place p;
	struct place_way w;
	struct stat st;
	int fd = -1, links, fifo;

	if (place_way_begin(&w, &p, path) < 0)
		return -1;
	if (place_way_on(&w) == 0) {
		links = place_way_in_proc(&p) ? 0 : O_NOFOLLOW;
		fifo = fstatat(p.dir, p.name, &st, links != 0 ? AT_SYMLINK_NOFOLLOW : 0) == 0 &&
		       S_ISFIFO(st.st_mode);
		fd = openat(p.dir, p.name,
		            O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | links |
		                (fifo ? O_RDWR : O_WRONLY),
		            0640);
	}
	place_close(&p);
	return fd;
}

/* --- looking only --- */

/* May something new be made there? */
static int
may_make(const struct place *p, char **why)
{
	if (fd_may(p->dir, ".", W_OK | X_OK))
		return 0;
	return cause_set(why, "%s", strerror(errno));
}

int
diskfile_may_write(const char *path, char **why)
{
	struct place p;
	struct stat old;
	int way = look_for_file(&p, path, &old, why);

	if (way >= 0)
		way = may_make(&p, why);
	place_close(&p);
	return way;
}

int
diskfile_may_open_lines(const char *path, char **why)
{
	struct place p;
	struct place_way w;
	struct stat st;
	int result = place_way_begin(&w, &p, path);

	if (result == 0)
		result = place_way_on(&w);
	if (result < 0)
		cause_set(why, "%s", place_error(errno));
	else if (fstatat(p.dir, p.name, &st, 0) < 0)
		result = may_make(&p, why);
	else if (S_ISDIR(st.st_mode))
		result = cause_set(why, "%s", strerror(EISDIR));
	else if (!fd_may(p.dir, p.name, S_ISFIFO(st.st_mode) ? R_OK | W_OK : W_OK))
		result = cause_set(why, "%s", strerror(errno));
	place_close(&p);
	return result;
}

char *
diskfile_barrier(const char *path)
{
	char *way = mem_strdup(path);

	for (char *end = strchr(way + 1, '/'); end != NULL; end = strchr(end + 1, '/')) {
		*end = '\0';
		if (access(way, X_OK) < 0)
			return way;
		*end = '/';
	}
	mem_free(&way);
	return NULL;
}

/* --- directories --- */

int
diskfile_open_directory(const char *path, bool links, bool *made)
{
	struct place p;
	struct place_way w;
	int fd = -1;

	*made = false;
	if (place_way_begin(&w, &p, path) < 0)
		return -1;
	if (mkdirat(p.dir, p.name, 0700) == 0)
		*made = true;
	else if (errno == EEXIST && (!links || place_way_on(&w) == 0))
		errno = 0;
	if (*made || errno == 0)
		fd = openat(p.dir, p.name,
		            (*made ? O_RDONLY | O_CLOEXEC | O_NOFOLLOW : HOLD) | O_DIRECTORY);
	place_close(&p);
	return fd;
}
