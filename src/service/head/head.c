#include "service/head/head.h"

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

/* --- whole heads --- */

ptrdiff_t
head_length(const char *bytes, size_t len, size_t from)
{
	size_t start = from > 3 ? from - 3 : 0;
	const char *end = memmem(bytes + start, len - start, "\r\n\r\n", 4), *lf;

	if (end != NULL)
		return end - bytes + 4;
	for (const char *p = bytes + start; (lf = memchr(p, '\n', len - (size_t)(p - bytes)));
	     p = lf + 1)
		if (lf == bytes || lf[-1] != '\r')
			return -1;
	return 0;
}

bool
head_is_clean(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char ch = (unsigned char)p[i];

		if (ch >= 0x20 && ch != 0x7f)
			continue;
		if (ch == '\r' && i + 1 < len && p[i + 1] == '\n') {
			i++;
			if (i + 1 < len && (p[i + 1] == ' ' || p[i + 1] == '\t'))
				return false;
			continue;
		}
		if (ch != '\t')
			return false;
	}
	return true;
}

/* --- tokens and lists --- */

bool
head_is_tchar(unsigned char ch)
{
	return isalnum(ch) || (ch != '\0' && strchr("!#$%&'*+-.^_`|~", ch) != NULL);
}

bool
head_is_token(const struct request_text *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (!head_is_tchar((unsigned char)t->p[i]))
			return false;
	return t->n > 0;
}

bool
head_next_member(struct request_text *list, struct request_text *member)
{
	const char *comma;

	while (list->n > 0 && (is_blank(*list->p) || *list->p == ',')) {
		list->p++;
		list->n--;
	}
	if (list->n == 0)
		return false;
	comma = memchr(list->p, ',', list->n);
	*member = *list;
	if (comma != NULL)
		member->n = (size_t)(comma - list->p);
	list->p += member->n;
	list->n -= member->n;
	while (member->n > 0 && is_blank(member->p[member->n - 1]))
		member->n--;
	return true;
}

bool
head_add_connection(struct head_connection *c, const struct request_text *line)
{
	struct request_text list = *line, member;

	while (c->members <= HEAD_MEMBERS_MAX && head_next_member(&list, &member)) {
		c->members++;
		c->close |= head_is(&member, "close");
		c->keep |= head_is(&member, "keep-alive");
	}
	return c->members <= HEAD_MEMBERS_MAX;
}

size_t
head_count_members(struct request_text list, size_t max)
{
	struct request_text member;
	size_t n = 0;

	while (n <= max && head_next_member(&list, &member))
		n++;
	return n;
}
