/*
 * place: names in directories that others may write.
 *
 * A path that is looked at once and used once more may be another file the second time.
 * So a place is a directory, held by its descriptor, and a name in it: everything is done
 * there, what is made is made under another name and renamed, and what is changed or removed
 * is known by its device and inode.  On the way to it a symbolic link is followed when it
 * is root's or our own, or stands where nobody else can put one; so a stranger's link leads
 * nobody anywhere.
 */
#ifndef BATON_BASE_PLACE_H
#define BATON_BASE_PLACE_H

#include <sys/stat.h>
#include <sys/types.h>

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct place {
	int dir; /* O_PATH */
	char name[NAME_MAX + 1];
	char temp[48]; /* under which a thing is made; empty: there is none */
};

/* What we have made.  Of an image that did not tell the device it is 0. */
struct place_id {
	dev_t device;
	ino_t inode; /* 0: nothing */
};

/* Hold the directory of path.  0, or -1 with errno. */
int place_open(struct place *p, const char *path);
void place_close(struct place *p);

/* As strerror, but of a link that is not followed (ELOOP) it says what is wrong. */
const char *place_error(int error);

/* "a directory", "a symbolic link", ... */
const char *place_kind(mode_t mode);

/* What stands there, links not followed.  0, or -1 with errno. */
int place_look(const struct place *p, struct stat *st);

/*
 * A unix stream socket that listens at path with that mode; with a backlog below 0 it does
 * not listen yet.  It replaces nothing but a socket that nobody answers at.  The socket and
 * *own; or -1 with half a sentence in *why, and errno EADDRINUSE if it is that somebody
 * answers.
 */
int place_listen(const char *path, mode_t mode, int backlog, struct place_id *own, char **why);

/* Could it listen there?  0, and all is as it was; or -1, as place_listen. */
int place_try_socket(const char *path, char **why);

/* A file of these bytes, whole or not at all.  It replaces nothing but a regular file.
 * 0 and *own, or -1 with half a sentence in *why. */
int place_write(const char *path, const char *text, mode_t mode, struct place_id *own,
                char **why);

/* Could it be written there?  0, and all is as it was; or -1 with half a sentence in *why. */
int place_try_file(const char *path, const char *text, char **why);

/* Does what stands at path have that kind (S_IFSOCK, ...), and is it own? */
bool place_is_own(const char *path, const struct place_id *own, mode_t kind);

/* Remove it, if it does and is. */
void place_remove(const char *path, const struct place_id *own, mode_t kind);

/* Put our own socket where nobody connects to it, and back; remove it from there.  0, or -1
 * with errno: EEXIST, another thing stands in its place. */
int place_hide(const char *path, const struct place_id *own);
int place_show(const char *path, const struct place_id *own);
bool place_is_hidden(const char *path, const struct place_id *own);
void place_remove_hidden(const char *path, const struct place_id *own);

/* Give our own socket at path another mode.  0; or -1 with half a sentence in *why, and
 * what stands there is as it was. */
int place_chmod(const char *path, const struct place_id *own, mode_t mode, char **why);

/* Open a file that lines are appended to; it is made if need be, and not waited for.  A
 * FIFO is opened for both: so it is there without a reader, and breaks with none.  -1 with
 * errno. */
int place_open_lines(const char *path);

/* Could place_write put a file there, or place_open_lines open one?  Looks only, and makes
 * nothing.  0, or -1 with half a sentence in *why. */
int place_may_write(const char *path, char **why);
int place_may_open_lines(const char *path, char **why);

/* The first directory on the way to path that may not be entered; malloc'd, NULL: there is
 * none. */
char *place_barrier(const char *path);

/* Open the directory at path, which is made for nobody but us if nothing is there; *made tells
 * whether it was.  links: it may be a link to one.  -1 with errno. */
int place_open_directory(const char *path, bool links, bool *made);

#endif
