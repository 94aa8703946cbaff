/*
 * file: the files below a root directory.
 *
 * A name is resolved beneath the directory (beneath.h), so no path or link leads
 * out of it.  Directories answer with their index.
 */
#ifndef BATON_SERVICE_HTTP_FILE_H
#define BATON_SERVICE_HTTP_FILE_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define FILE_ETAG_MAX 48

struct file {
	int fd; /* -1: none */
	uint64_t size;
	time_t modified;
	char etag[FILE_ETAG_MAX];
	const char *type; /* content type */
};

/* Open the root.  A descriptor, or -1 with *cause. */
int file_open_root(const char *dir, char **cause);

/* Does the root's name lead to another directory by now, one that may be entered? */
bool file_root_is_replaced(int root, const char *dir);

/*
 * Open path (decoded, no leading slash).  0 and *f with a descriptor that is the
 * caller's; or the status of the answer: 301 means that path is a directory and
 * lacks its slash, 403, 404, 503.
 */
int file_open(int root, const char *path, const char *index, struct file *f);

/* Close what file_open opened.  Allowed when there is none. */
void file_close(struct file *f);

#endif
