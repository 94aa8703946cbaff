#include "conf/lines.h"

#include <ctype.h>
#include <ini.h>
#include <stdbool.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/errors.h"

/* inih wants room for the line, a line end and a NUL. */
#define LINES_BUFFER (LINES_LONGEST + 3)

struct lines {
	const char *at, *end; /* what is still to be read */
	int line;             /* number of the line that was read last */
	char *now;            /* that line, stripped; NULL between lines */
	bool waiting;         /* it was given to inih, and must yield a key */
	const struct lines_sink *sink;
	struct conf_errors *errors;
};

static bool
is_comment(const char *s)
{
	return *s == ';' || *s == '#';
}

static void
malformed(struct lines *l)
{
	conf_error(l->errors, l->line, "expected KEY = VALUE, found '%s'",
	           conf_word(l->now).text);
}

/* --- quotes --- */

/* "..." with \" and \\ in it; s is behind the first quote.  The text, malloc'd, and *end behind
 * the last quote; NULL: it is malformed, which is told. */
static char *
unquote(struct lines *l, const char *s, const char **end)
{
	char *text = mem_alloc(strlen(s) + 1), *out = text;

	for (; *s != '\0' && *s != '"'; s++) {
		if (*s == '\\' && s[1] != '"' && s[1] != '\\') {
			conf_error(
			    l->errors, l->line,
			    "in quotes a backslash stands before '\"' or another one only");
			mem_free(&text);
			return NULL;
		}
		s += *s == '\\';
		*out++ = *s;
	}
	*out = '\0';
	*end = s + 1;
	if (*s == '"')
		return text;
	conf_error(l->errors, l->line, "the quote that ends %s is missing",
	           conf_word(l->now).text);
	mem_free(&text);
	return NULL;
}

static bool
quoted_value(struct lines *l, const char *name, const char *s)
{
	const char *rest;
	char *value = unquote(l, s, &rest);
	bool blank, good;

	if (value == NULL)
		return false;
	for (blank = false; isspace((unsigned char)*rest); rest++)
		blank = true;
	good = *rest == '\0' || (*rest == ';' && blank);
	if (good)
		l->sink->key(l->sink->arg, l->line, name, value, true);
	else
		conf_error(l->errors, l->line, "unexpected text '%s' behind the quotes",
		           conf_word(rest).text);
	mem_free(&value);
	return good;
}

bool
lines_look_commented(const char *value)
{
	for (const char *s = value; *s != '\0'; s++)
		if (isspace((unsigned char)*s) && is_comment(s + 1))
			return true;
	return false;
}

/* Did a comment that begins behind an open quote end it?  What was meant is not ours to
 * guess. */
static bool
is_cut(const char *raw, const char *value)
{
	size_t len = strlen(value), quotes = 0;

	for (const char *s = value; *s != '\0'; s++)
		quotes += *s == '"';
	for (raw += len; isspace((unsigned char)*raw); raw++)
		;
	return quotes % 2 == 1 && *raw == ';';
}

char *
lines_quote(const char *value)
{
	size_t len = strlen(value);
	bool plain =
	    len == 0 ||
	    (*value != '"' && *value != ';' && !lines_look_commented(value) &&
	     !isspace((unsigned char)*value) && !isspace((unsigned char)value[len - 1]));
	char *text = mem_alloc(2 * len + 3), *out = text;

	if (!plain)
		*out++ = '"';
	for (; *value != '\0'; value++) {
		if (!plain && (*value == '"' || *value == '\\'))
			*out++ = '\\';
		*out++ = *value;
	}
	if (!plain)
		*out++ = '"';
	*out = '\0';
	return text;
}

/* inih has split a line. */
static int
lines_pair(void *arg, const char *section, const char *name, const char *value)
{
	struct lines *l = arg;
	const char *s = l->now + strlen(name);
	bool good = true;

	(void)section; /* it may be cut; build keeps its own */
	l->waiting = false;
	/* inih also takes `key: value`, so that `address 127.0.0.1:80` would be
	 * a strange key rather than a missing '='. */
	while (isspace((unsigned char)*s))
		s++;
	if (*s != '=' || *name == '\0') {
		malformed(l);
		return 1;
	}
	for (s++; isspace((unsigned char)*s); s++)
		;
	if (*s == '"') { /* which inih knows nothing of */
		good = quoted_value(l, name, s + 1);
	} else if (is_cut(s, value)) {
		conf_error(l->errors, l->line,
		           "a comment begins inside the quotes of %s; a ';' that belongs to a "
		           "value needs quotes around the whole of it",
		           conf_word(s).text);
		good = false;
	} else {
		l->sink->key(l->sink->arg, l->line, name, value, false);
	}
	if (!good && l->sink->malformed != NULL)
		l->sink->malformed(l->sink->arg, l->line, name);
	return 1;
}

/* The line in l->now begins with '['. */
static void
lines_title(struct lines *l)
{
	char *title = l->now + 1, *end = title + strcspn(title, "]"), *rest = end;
	bool closed = *end == ']';

	if (closed) {
		rest = end + 1;
		while (isspace((unsigned char)*rest))
			rest++;
	}
	if (!closed)
		conf_error(l->errors, l->line, "']' is missing in '%s'",
		           conf_word(l->now).text);
	else if (*rest != '\0' && !(*rest == ';' && rest > end + 1))
		conf_error(l->errors, l->line, "unexpected text '%s' after ']'",
		           conf_word(rest).text);
	while (end > title && isspace((unsigned char)end[-1]))
		end--;
	*end = '\0';
	while (isspace((unsigned char)*title))
		title++;
	l->sink->section(l->sink->arg, l->line, title);
}

/* Take the next line, stripped of blanks and line end, into l->now. */
static void
lines_take(struct lines *l)
{
	const char *s = l->at, *e = memchr(s, '\n', (size_t)(l->end - s));

	if (e == NULL)
		e = l->end;
	l->at = e < l->end ? e + 1 : e;
	l->line++;
	while (s < e && isspace((unsigned char)*s))
		s++;
	while (s < e && isspace((unsigned char)e[-1]))
		e--;
	if (memchr(s, '\0', (size_t)(e - s)) != NULL)
		conf_error(l->errors, l->line, "the line has a NUL byte");
	else if (e - s > LINES_LONGEST)
		conf_error(l->errors, l->line, "the line is longer than %d bytes",
		           LINES_LONGEST);
	else
		l->now = mem_strndup(s, (size_t)(e - s));
}

/* inih wants a line: give it the next one that it can make a key of, and an
 * empty one for all others, so that its count of lines is ours. */
static char *
lines_feed(char *buf, int size, void *stream)
{
	struct lines *l = stream;

	if (l->waiting)
		malformed(l);
	l->waiting = false;
	mem_free(&l->now);
	if (l->at == l->end)
		return NULL;
	lines_take(l);
	buf[0] = '\0';
	if (l->now == NULL || *l->now == '\0' || is_comment(l->now))
		return buf;
	if (*l->now == '[') {
		lines_title(l);
		return buf;
	}
	AN(strlen(l->now) < (size_t)size);
	memcpy(buf, l->now, strlen(l->now) + 1);
	l->waiting = true;
	return buf;
}

void
lines_read(const char *text, size_t len, const struct lines_sink *sink,
           struct conf_errors *errors)
{
	struct lines l = {.at = text, .end = text + len, .sink = sink, .errors = errors};

	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		l.at += 3;
	ini_use_stack = false;
	ini_allow_realloc = false;
	ini_initial_alloc = LINES_BUFFER;
	ini_max_line = LINES_BUFFER;
	ini_allow_multiline = false;
	ini_allow_bom = false;
	ini_allow_inline_comments = true;
	ini_allow_no_value = false;
	ini_stop_on_first_error = false;
	if (ini_parse_stream(lines_feed, &l, lines_pair, &l) == -2)
		log_fatal("out of memory: a line of %d bytes", LINES_BUFFER);
}
