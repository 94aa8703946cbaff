/*
 * jsontext: texts of any bytes in JSON, which is UTF-8.
 *
 * A path, a configuration or what somebody has said need not be: jansson would give
 * NULL for it, and the record or the answer would be missing.  In the state that goes
 * to the next image they travel in hexadecimal; what is shown has '?' in their place.
 */
#ifndef BATON_MASTER_STATE_JSONTEXT_H
#define BATON_MASTER_STATE_JSONTEXT_H

#include <jansson.h>

#include <stddef.h>

/* Never NULL. */
json_t *jsontext_bytes(const void *bytes, size_t len);

/* text NULL: null. */
json_t *jsontext_text(const char *text);

/* To be shown.  room: of an array that need not end with a NUL; SIZE_MAX. */
json_t *jsontext_shown(const char *text, size_t room);

/* The bytes, with a NUL behind them, owned by the caller.  NULL: null, or nothing
 * that jsontext_bytes has written. */
char *jsontext_read(const json_t *j, size_t *len);

/* The same where nobody asks for the length. */
char *jsontext_read_text(const json_t *j);

#endif
