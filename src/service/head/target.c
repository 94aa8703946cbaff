#include "service/head/target.h"

#include <arpa/inet.h>

#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

/* A name or an address; ',' might be a second host to somebody. */
static bool
is_name(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char ch = (unsigned char)p[i];
		bool pct = ch == '%' && i + 2 < n && isxdigit((unsigned char)p[i + 1]) &&
		           isxdigit((unsigned char)p[i + 2]);

		if (!pct && !isalnum(ch) &&
		    (ch == '\0' || strchr("-._~!$&'()*+;=", ch) == NULL))
			return false;
	}
	return true;
}

static bool
is_ipv6(const char *p, size_t n)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr in6;

	if (n >= sizeof text)
		return false;
	memcpy(text, p, n);
	text[n] = '\0';
	return inet_pton(AF_INET6, text, &in6) == 1;
}

static bool
is_port(const char *p, size_t n)
{
	struct request_text t = {p, n};
	unsigned long long port;

	return n == 0 || (n <= 5 && head_number(&t, &port) && port <= UINT16_MAX);
}

bool
target_is_host(const struct request_text *t)
{
	const char *end = t->p + t->n, *host = t->p, *colon;
	bool six = t->n > 0 && *host == '[';

	if (t->n == 0)
		return true;
	colon = six ? memchr(host, ']', t->n) : memchr(host, ':', t->n);
	if (six && (colon == NULL || !is_ipv6(host + 1, (size_t)(colon++ - host) - 1)))
		return false;
	if (colon == NULL)
		colon = end;
	if (!six && (colon == host || !is_name(host, (size_t)(colon - host))))
		return false;
	return colon == end || (*colon == ':' && is_port(colon + 1, (size_t)(end - colon) - 1));
}

/* "http://authority" and what follows; false: it is no such target. */
bool
target_split_absolute(const struct request_text *target, struct request_text *authority,
                      struct request_text *rest)
{
	size_t scheme = target->n > 7 && strncasecmp(target->p, "http://", 7) == 0    ? 7
	                : target->n > 8 && strncasecmp(target->p, "https://", 8) == 0 ? 8
	                                                                              : 0;
	size_t n = scheme;

	while (n < target->n && target->p[n] != '/' && target->p[n] != '?' &&
	       target->p[n] != '#')
		n++;
	*authority = (struct request_text){target->p + scheme, n - scheme};
	*rest = (struct request_text){target->p + n, target->n - n};
	return scheme > 0;
}

static int
hex(unsigned char ch)
{
	if (isdigit(ch))
		return ch - '0';
	ch |= 0x20;
	return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

int
target_path(const struct request_text *target, char *path, size_t size)
{
	struct request_text t, query;
	size_t out = 0;

	target_split(target, &t, &query);
	if (t.n == 0 || t.p[0] != '/')
		return 400;
	for (size_t i = 0; i < t.n; i++) {
		unsigned char ch = (unsigned char)t.p[i];

		if (ch == '%') {
			int high = i + 2 < t.n ? hex((unsigned char)t.p[i + 1]) : -1;
			int low = i + 2 < t.n ? hex((unsigned char)t.p[i + 2]) : -1;

			if (high < 0 || low < 0 || (high == 0 && low == 0))
				return 400;
			ch = (unsigned char)(high << 4 | low);
			i += 2;
		}
		if (out == 0 && ch == '/')
			continue;
		if (out + 1 >= size)
			return 414;
		path[out++] = (char)ch;
	}
	path[out] = '\0';
	return 0;
}

void
target_split(const struct request_text *target, struct request_text *path,
             struct request_text *query)
{
	struct request_text authority, rest, t = *target;
	const char *end, *mark;

	if (target_split_absolute(target, &authority, &rest))
		t = rest;
	end = memchr(t.p, '#', t.n);
	if (end != NULL)
		t.n = (size_t)(end - t.p);
	mark = memchr(t.p, '?', t.n);
	*path = t;
	*query = (struct request_text){NULL, 0};
	if (mark != NULL) {
		path->n = (size_t)(mark - t.p);
		*query = (struct request_text){mark + 1, t.n - path->n - 1};
	}
	if (path->n == 0 && t.p != target->p)
		*path = (struct request_text){"/", 1}; /* "http://host?query" */
}

/* The byte that is written at *i, which moves behind it. */
static char
next_byte(const struct request_text *t, size_t *i, bool plus)
{
	const char *p = t->p + *i;
	bool room = *p == '%' && *i + 2 < t->n;
	int high = room ? hex((unsigned char)p[1]) : -1;
	int low = room ? hex((unsigned char)p[2]) : -1;

	if (high >= 0 && low >= 0 && high + low > 0) {
		*i += 3;
		return (char)(high << 4 | low);
	}
	++*i;
	return *p == '+' && plus ? ' ' : *p;
}

char *
target_decode(const struct request_text *t, bool plus)
{
	char *text = mem_alloc(t->n + 1), *out = text;

	for (size_t i = 0; i < t->n;)
		*out++ = next_byte(t, &i, plus);
	return text;
}

bool
target_says(const struct request_text *t, bool plus, const char *text, size_t n)
{
	size_t at = 0;

	for (size_t i = 0; i < t->n; at++)
		if (at == n || next_byte(t, &i, plus) != text[at])
			return false;
	return at == n;
}

size_t
target_count_parameters(const struct request_text *query)
{
	struct request_text rest = *query;
	const char *amp;
	size_t n = rest.p != NULL;

	while (rest.n > 0 && (amp = memchr(rest.p, '&', rest.n)) != NULL) {
		n++;
		rest.n -= (size_t)(amp + 1 - rest.p);
		rest.p = amp + 1;
	}
	return n;
}
