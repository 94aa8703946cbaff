#include "service/http/head.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

void
head_begin(struct head_walk *w, const char *head, size_t len)
{
	const char *first = memchr(head, '\n', len);

	w->next = first != NULL ? first + 1 : head + len;
	w->end = head + len - 2; /* of the empty line */
}

static bool
is_blank(char ch)
{
	return ch == ' ' || ch == '\t';
}

struct request_text
head_trim_end(struct request_text t)
{
	while (t.n > 0 && is_blank(t.p[t.n - 1]))
		t.n--;
	return t;
}

struct request_text
head_trim(struct request_text t)
{
	for (; t.n > 0 && is_blank(*t.p); t.n--)
		t.p++;
	return head_trim_end(t);
}

bool
head_next(struct head_walk *w, struct head_line *line)
{
	const char *from = w->next, *eol, *colon;

	if (from >= w->end)
		return false;
	eol = memchr(from, '\r', (size_t)(w->end - from) + 1);
	colon = memchr(from, ':', (size_t)(eol - from));
	line->all = (struct request_text){from, (size_t)(eol + 2 - from)};
	line->name = (struct request_text){from, colon != NULL ? (size_t)(colon - from) : 0};
	line->value = (struct request_text){eol, 0};
	if (colon != NULL)
		line->value =
		    head_trim((struct request_text){colon + 1, (size_t)(eol - colon - 1)});
	w->next = eol + 2;
	return true;
}

bool
head_is(const struct request_text *t, const char *word)
{
	return t->n == strlen(word) && strncasecmp(t->p, word, t->n) == 0;
}

bool
head_number(const struct request_text *t, unsigned long long *number)
{
	*number = 0;
	for (size_t i = 0; i < t->n && i <= 18; i++) {
		if (!isdigit((unsigned char)t->p[i]))
			return false;
		*number = *number * 10 + (unsigned)(t->p[i] - '0');
	}
	return t->n > 0 && t->n <= 18;
}
