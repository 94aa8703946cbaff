/*
 * response_head: heads of answers, and the short bodies of errors.  Pure but for the
 * date, which is told.
 */
#ifndef BATON_SERVICE_HTTP_RESPONSE_HEAD_H
#define BATON_SERVICE_HTTP_RESPONSE_HEAD_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define RESPONSE_HEAD_DATE_LEN 29    /* "Sun, 06 Nov 1994 08:49:37 GMT" */
#define RESPONSE_HEAD_MAX      10240 /* status line and headers, the longest Location included */

/* How the Connection header reads. */
enum response_head_connection {
	RESPONSE_HEAD_KEEP,       /* HTTP/1.1 keeps without a word */
	RESPONSE_HEAD_CLOSE,      /* "close" */
	RESPONSE_HEAD_KEEP_ALIVE, /* "keep-alive", for HTTP/1.0 */
	RESPONSE_HEAD_CONNECTIONS_N
};

/* The header's line, "" for RESPONSE_HEAD_KEEP. */
const char *response_head_connection_line(enum response_head_connection c);

/* "Not Found"; "Unknown" for a code that is not ours. */
const char *response_head_reason(int status);

/* The date of t as HTTP writes it: RESPONSE_HEAD_DATE_LEN bytes and NUL into buf. */
void response_head_date(time_t t, char *buf);

/*
 * Begin a head: status line, Date, Connection.  Each of these returns the new
 * length of what stands in buf (RESPONSE_HEAD_MAX bytes).
 */
size_t response_head_begin(char *buf, int status, const char *date,
                           enum response_head_connection c);
size_t response_head_header(char *buf, size_t len, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
size_t response_head_vheader(char *buf, size_t len, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));
size_t response_head_end(char *buf, size_t len);

/* A whole error: head and a one-line body (left out for HEAD, 304 and the like). */
size_t response_head_error(char *buf, int status, const char *date,
                           enum response_head_connection c, bool head_only);

#endif
