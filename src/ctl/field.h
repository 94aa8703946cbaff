/*
 * field: the master's data, field by field.  One that is missing or of another type (the
 * master may be older or newer) shows as "-".  What comes back as char * is the caller's.
 */
#ifndef BATON_CTL_FIELD_H
#define BATON_CTL_FIELD_H

#include <jansson.h>

#include <stdint.h>

/* "-": there is none.  Lives as long as j. */
const char *field_string(const json_t *j, const char *key);

/* Below zero: there is none. */
int64_t field_integer(const json_t *j, const char *key);

char *field_number(const json_t *j, const char *key);
char *field_duration(const json_t *j, const char *key);

/* The JSON's names are words with '_'. */
char *field_plain(const char *name);

/* In one line: "a.ini:3: bad; a.ini:4: worse". */
char *field_one_line(const char *text);

/* How many workers a generation has: "4", or "3 of 4" while one is missing. */
char *field_workers(const json_t *generation);

#endif
