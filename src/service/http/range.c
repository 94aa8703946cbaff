#include "service/http/range.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define HUGE_NUMBER (UINT64_MAX - 1) /* more than any file has bytes */

/* Digits at *p; the number, at most HUGE_NUMBER, or UINT64_MAX when there is none. */
static uint64_t
number(const char **p, const char *end)
{
	uint64_t n = 0;
	const char *begin = *p;

	for (; *p < end && isdigit((unsigned char)**p); (*p)++)
		n = n > HUGE_NUMBER / 10 - 1 ? HUGE_NUMBER : n * 10 + (uint64_t)(**p - '0');
	return *p == begin ? UINT64_MAX : n;
}

static enum range_result
suffix(uint64_t n, uint64_t size, uint64_t *first, uint64_t *last)
{
	if (n == 0)
		return RANGE_UNSATISFIABLE;
	if (size == 0)
		return RANGE_WHOLE; /* satisfied, and without a part to tell (RFC 9110, 14.1.2)
		                     */
	*first = n < size ? size - n : 0;
	*last = size - 1;
	return RANGE_PART;
}

enum range_result
range_parse(const struct request_text *value, uint64_t size, uint64_t *first, uint64_t *last)
{
	const char *p = value->p, *end;
	uint64_t a, b;

	if (value->p == NULL || value->n < 7 || strncasecmp(p, "bytes=", 6) != 0 ||
	    memchr(p, ',', value->n) != NULL)
		return RANGE_WHOLE;
	end = p + value->n;
	p += 6;
	a = number(&p, end);
	if (p == end || *p++ != '-')
		return RANGE_WHOLE;
	b = number(&p, end);
	if (p != end)
		return RANGE_WHOLE;
	if (a == UINT64_MAX)
		return b == UINT64_MAX ? RANGE_WHOLE : suffix(b, size, first, last);
	if (b < a)
		return RANGE_WHOLE;
	if (a >= size)
		return RANGE_UNSATISFIABLE;
	*first = a;
	*last = b < size ? b : size - 1;
	return RANGE_PART;
}

time_t
range_date(const struct request_text *value)
{
	static const char *const forms[] = {
	    "%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"};
	char text[64];

	if (value->p == NULL || value->n >= sizeof text)
		return -1;
	memcpy(text, value->p, value->n);
	text[value->n] = '\0';
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		struct tm tm = {0};
		const char *end = strptime(text, forms[i], &tm);

		if (end != NULL && *end == '\0') {
			time_t t = timegm(&tm);

			return t > 0 ? t : 0; /* no file is older, and -1 means none */
		}
	}
	return -1;
}

static void
skip_blanks(const char **p, const char *end)
{
	while (*p < end && (**p == ' ' || **p == '\t' || **p == ','))
		(*p)++;
}

/* 1: the tag is there; 0: it is not; -1: here the list ends, as this is no tag. */
static int
find_etag(const struct request_text *line, const char *etag, int weak)
{
	const char *p = line->p, *end = p + line->n;
	size_t n = strlen(etag);

	/* the request was refused if it has more than REQUEST_TAGS_MAX */
	for (skip_blanks(&p, end); p < end; skip_blanks(&p, end)) {
		int is_weak = end - p > 2 && p[0] == 'W' && p[1] == '/';
		const char *close;

		p += is_weak ? 2 : 0;
		if (p == end || *p != '"' ||
		    (close = memchr(p + 1, '"', (size_t)(end - p - 1))) == NULL)
			return -1;
		if ((weak || !is_weak) && (size_t)(close + 1 - p) == n &&
		    memcmp(p, etag, n) == 0)
			return 1;
		p = close + 1;
	}
	return 0;
}

int
range_has_etag(const struct request_list *list, const char *etag, int weak)
{
	int found = 0;

	if (list->n == 1 && list->line[0].n == 1 && *list->line[0].p == '*')
		return 1;
	for (unsigned i = 0; i < list->n && found == 0; i++)
		found = find_etag(&list->line[i], etag, weak);
	return found > 0;
}

int
range_precondition(const struct request *r, const char *etag, time_t modified)
{
	time_t since;

	if (r->if_match.n > 0) {
		if (!range_has_etag(&r->if_match, etag, 0))
			return 412;
	} else if ((since = range_date(&r->if_unmodified_since)) >= 0 && modified > since) {
		return 412;
	}
	if (r->if_none_match.n > 0)
		return range_has_etag(&r->if_none_match, etag, 1) ? 304 : 0;
	since = range_date(&r->if_modified_since);
	return since >= 0 && modified <= since ? 304 : 0;
}

int
range_allowed(const struct request *r, const char *etag, time_t modified)
{
	time_t date;

	if (r->if_range.p == NULL)
		return 1;
	if (r->if_range.n == strlen(etag) && memcmp(r->if_range.p, etag, r->if_range.n) == 0)
		return 1;
	date = range_date(&r->if_range);
	return date >= 0 && date == modified;
}
