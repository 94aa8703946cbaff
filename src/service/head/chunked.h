/*
 * chunked: the framing of a chunked body, read strictly.  Pure.
 *
 * Bytes are counted, and kept if somebody wants them; extensions and trailers are bounded.
 * Each byte is looked at once, and chunks of one byte cost no more than that.
 */
#ifndef BATON_SERVICE_HEAD_CHUNKED_H
#define BATON_SERVICE_HEAD_CHUNKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Beside its data: bytes of blanks, zeros and extensions in the line of one chunk, and of the
 * trailers. */
#define CHUNKED_LINE_MAX    4096
#define CHUNKED_TRAILER_MAX 16384

/* Starts as zeroes. */
struct chunked {
	int state;
	uint64_t left;   /* of the chunk */
	uint64_t total;  /* of the body so far, the present chunk included */
	size_t extra;    /* beside its data, of this line or of the trailers */
	unsigned digits; /* behind the zeros */
	bool sized;      /* the line has a digit */
	size_t trailed;  /* bytes of the trailers: the last ones of what the last call used */
};

enum chunked_result { CHUNKED_MORE, CHUNKED_DONE, CHUNKED_BAD };

/* Take up to len bytes; *used tells how many.  A body whose announced chunks exceed
 * the caller's limit shows in total before the bytes come. */
enum chunked_result chunked_feed(struct chunked *c, const char *bytes, size_t len,
                                 size_t *used);

/* The same, and the body's own bytes go to `to`, which has room for len and may be where
 * bytes are; *taken tells how many. */
enum chunked_result chunked_take(struct chunked *c, const char *bytes, size_t len, size_t *used,
                                 char *to, size_t *taken);

#endif
