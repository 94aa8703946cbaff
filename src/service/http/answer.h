/*
 * answer: heads of answers, and the short bodies of errors.  Pure but for the
 * date, which is told.
 */
#ifndef BATON_SERVICE_HTTP_ANSWER_H
#define BATON_SERVICE_HTTP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define ANSWER_DATE_LEN 29    /* "Sun, 06 Nov 1994 08:49:37 GMT" */
#define ANSWER_HEAD_MAX 10240 /* status line and headers, the longest Location included */

/* How the Connection header reads. */
enum answer_connection {
	ANSWER_KEEP,       /* HTTP/1.1 keeps without a word */
	ANSWER_CLOSE,      /* "close" */
	ANSWER_KEEP_ALIVE, /* "keep-alive", for HTTP/1.0 */
	ANSWER_CONNECTIONS_N
};

/* The header's line, "" for ANSWER_KEEP. */
const char *answer_connection_line(enum answer_connection c);

/* "Not Found"; "Unknown" for a code that is not ours. */
const char *answer_reason(int status);

/* The date of t as HTTP writes it: ANSWER_DATE_LEN bytes and NUL into buf. */
void answer_date(time_t t, char *buf);

/*
 * Begin a head: status line, Date, Connection.  Each of these returns the new
 * length of what stands in buf (ANSWER_HEAD_MAX bytes).
 */
size_t answer_begin(char *buf, int status, const char *date, enum answer_connection c);
size_t answer_header(char *buf, size_t len, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
size_t answer_end(char *buf, size_t len);

/* A whole error: head and a one-line body (left out for HEAD, 304 and the like). */
size_t answer_error(char *buf, int status, const char *date, enum answer_connection c,
                    bool head_only);

#endif
