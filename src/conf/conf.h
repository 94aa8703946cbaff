/*
 * conf: the configuration as an immutable tree.
 *
 * A file is read once; its bytes are parsed into a tree that keeps them, so
 * that a generation can be rebuilt later from exactly what it was born with.
 * Nothing here touches the network, looks at a directory or changes anything;
 * a tree is only returned when the whole file has no error.
 *
 * The way of a file: conf_read -> lines (bytes to lines, by inih) -> build
 * (lines to tree, by the table in keys) -> check (rules across keys).
 */
#ifndef BATON_CONF_CONF_H
#define BATON_CONF_CONF_H

#include <stddef.h>

#include "conf/errors.h"
#include "conf/tree.h"

#define CONF_FILE_MAX          (4u << 20) /* bytes; a larger file is an error */
#define CONF_DEFAULT_PATH_NAME "baton/server.ini"

/* Read path and parse it.  The tree, owned by the caller, or NULL with at
 * least one sentence in *errors. */
struct conf *conf_load(const char *path, struct conf_errors *errors);

/* The same from len bytes of memory; path is only used in sentences. */
struct conf *conf_parse(const char *path, const char *text, size_t len,
                        struct conf_errors *errors);

/* The same, from the file when text is NULL, with the errors that look finds beside them; those
 * cost no tree. */
typedef void conf_look_fn(const struct conf *conf, struct conf_errors *errors);
struct conf *conf_examine(const char *path, const char *text, size_t len, conf_look_fn *look,
                          struct conf_errors *errors);

/* Read the bytes of a configuration file, with the checks that need no parser
 * (a directory, too large).  malloc'd text, or NULL with a sentence added. */
char *conf_read(const char *path, size_t *len, struct conf_errors *errors);

/* Every key with value, default and origin, as an INI file that parses to the
 * same tree; malloc'd. */
char *conf_print(const struct conf *conf);

/* The sample server.ini, made from the table of keys; malloc'd. */
char *conf_sample(void);

#endif
