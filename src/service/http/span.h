/*
 * span: a piece of text in somebody else's buffer, without a NUL at its end.
 */
#ifndef BATON_SERVICE_HTTP_SPAN_H
#define BATON_SERVICE_HTTP_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct span {
	const char *at; /* NULL: absent, which is not the same as empty */
	size_t len;
};

/* Equal but for the case of letters. */
static inline bool
span_is(struct span s, const char *word)
{
	return strlen(word) == s.len && strncasecmp(s.at, word, s.len) == 0;
}

static inline bool
span_equal(struct span a, struct span b)
{
	return a.len == b.len && memcmp(a.at, b.at, a.len) == 0;
}

/* Without the blanks around it. */
static inline struct span
span_trim(struct span s)
{
	while (s.len > 0 && (*s.at == ' ' || *s.at == '\t')) {
		s.at++;
		s.len--;
	}
	while (s.len > 0 && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* Without its first n bytes. */
static inline struct span
span_from(struct span s, size_t n)
{
	return (struct span){s.at + n, s.len - n};
}

#endif
