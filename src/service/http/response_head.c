#include "service/http/response_head.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	int status;
	const char *reason;
} reasons[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

static const char *const connections[] = {"", "Connection: close\r\n",
                                          "Connection: keep-alive\r\n"};

_Static_assert(sizeof connections / sizeof *connections == RESPONSE_HEAD_CONNECTIONS_N,
               "one each");

const char *
response_head_connection_line(enum response_head_connection c)
{
	return connections[c];
}

const char *
response_head_reason(int status)
{
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

#define DATE_MAX INT64_C(253402300799) /* the end of the year 9999, which a file may claim */

/* Not strftime: its names follow the locale. */
void
response_head_date(time_t t, char *buf)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	char whole[96];
	struct tm tm;

	if (t < 0 || t > DATE_MAX)
		t = t < 0 ? 0 : DATE_MAX;
	gmtime_r(&t, &tm);
	snprintf(whole, sizeof whole, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
	         days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900,
	         tm.tm_hour, tm.tm_min, tm.tm_sec);
	memcpy(buf, whole, RESPONSE_HEAD_DATE_LEN);
	buf[RESPONSE_HEAD_DATE_LEN] = '\0';
}

size_t
response_head_begin(char *buf, int status, const char *date, enum response_head_connection c)
{
	return (size_t)snprintf(buf, RESPONSE_HEAD_MAX, "HTTP/1.1 %d %s\r\nDate: %s\r\n%s",
	                        status, response_head_reason(status), date, connections[c]);
}

size_t
response_head_vheader(char *buf, size_t len, const char *fmt, va_list ap)
{
	int n = vsnprintf(buf + len, RESPONSE_HEAD_MAX - len, fmt, ap);

	return len + (size_t)n < RESPONSE_HEAD_MAX - 2 ? len + (size_t)n : len;
}

size_t
response_head_header(char *buf, size_t len, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	len = response_head_vheader(buf, len, fmt, ap);
	va_end(ap);
	return len;
}

size_t
response_head_end(char *buf, size_t len)
{
	memcpy(buf + len, "\r\n", 2);
	return len + 2;
}

size_t
response_head_error(char *buf, int status, const char *date, enum response_head_connection c,
                    bool head_only)
{
	size_t len = response_head_begin(buf, status, date, c), body;
	char text[64];

	if (status == 304)
		return response_head_end(buf, len);
	body = (size_t)snprintf(text, sizeof text, "%d %s\n", status,
	                        response_head_reason(status));
	if (status == 405)
		len = response_head_header(buf, len, "Allow: GET, HEAD\r\n");
	len = response_head_header(buf, len,
	                           "Content-Type: text/plain\r\nContent-Length: %zu\r\n", body);
	len = response_head_end(buf, len);
	if (head_only)
		return len;
	memcpy(buf + len, text, body);
	return len + body;
}
