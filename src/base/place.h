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

/* What stands there, links not followed.  0, or -1 with errno. */
int place_look(const struct place *p, struct stat *st);

/* Does what stands at path have that kind (S_IFSOCK, ...), and is it own? */
bool place_is_own(const char *path, const struct place_id *own, mode_t kind);

/* What stands at path: "a directory", "a symbolic link", ...; NULL: nothing, or nobody can
 * tell. */
const char *place_what(const char *path);

/* Remove it, if it does and is. */
void place_remove(const char *path, const struct place_id *own, mode_t kind);

/* --- the way to it, a link at a time --- */

struct place_way {
	struct place *place; /* as far as we are */
	char rest[PATH_MAX]; /* that is still to be gone */
	unsigned links;      /* followed so far */
};

/* Go to the directory of path.  0, or -1 with errno, and the place is closed. */
int place_way_begin(struct place_way *w, struct place *p, const char *path);

/* What stands there may be a link: go where it leads.  0, or -1 with errno. */
int place_way_on(struct place_way *w);

/* The links of proc lead where no text says, and nobody can put one there. */
bool place_way_in_proc(const struct place *p);

/* --- making something there --- */

/* A name that nobody else has thought of. */
void place_choose_temp(char *temp, size_t size);

/* Remove what stands under p->temp; errno stays. */
void place_drop_temp(struct place *p);

/* The thing gets its name.  old: what may be replaced; NULL: nothing.  0, or -1 with errno. */
int place_publish(struct place *p, const struct stat *old);

/* May a thing of that kind come here?  1: nothing is in its way; 0: what *old tells is; -1
 * with half a sentence in *why. */
int place_make_way(const struct place *p, mode_t kind, struct stat *old, char **why);

/* Is it own, and of that kind (S_IFSOCK, ...)? */
bool place_is(const struct stat *st, const struct place_id *own, mode_t kind);

#endif
