/*
 * record: bytes in the state that goes to the next image.
 *
 * JSON is UTF-8, and a path, a configuration or what a client has sent need not be:
 * jansson would give NULL for them, and the record would be missing.  So they travel
 * in hexadecimal.
 */
#ifndef BATON_MASTER_RECORD_H
#define BATON_MASTER_RECORD_H

#include <jansson.h>

#include <stddef.h>

/* Never NULL. */
json_t *record_bytes(const void *bytes, size_t len);

/* text NULL: null. */
json_t *record_text(const char *text);

/* The bytes, with a NUL behind them, owned by the caller.  NULL: null, or nothing
 * that record_bytes has written. */
char *record_read(const json_t *j, size_t *len);

/* The same where nobody asks for the length. */
char *record_read_text(const json_t *j);

#endif
