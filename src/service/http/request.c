#include "service/http/request.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

#include <http_parser.h>

#include "base/mem.h"

/* --- the raw bytes --- */

ptrdiff_t
request_head_length(const char *bytes, size_t len, size_t from)
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

static bool
is_token(unsigned char ch)
{
	return isalnum(ch) || (ch != '\0' && strchr("!#$%&'*+-.^_`|~", ch) != NULL);
}

bool
request_is_token(const struct request_text *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (!is_token((unsigned char)t->p[i]))
			return false;
	return t->n > 0;
}

bool
request_bytes_are_clean(const char *p, size_t len)
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

/* --- lists --- */

static bool
is_blank(char ch)
{
	return ch == ' ' || ch == '\t';
}

bool
request_next_member(struct request_text *list, struct request_text *member)
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

size_t
request_count_members(struct request_text list, size_t max)
{
	struct request_text member;
	size_t n = 0;

	while (n <= max && request_next_member(&list, &member))
		n++;
	return n;
}

/* --- the first line --- */

/* "HTTP/1.1": digits, or 0. */
static bool
is_version(const char *p, size_t n)
{
	return n == 8 && memcmp(p, "HTTP/", 5) == 0 && isdigit((unsigned char)p[5]) &&
	       p[6] == '.' && isdigit((unsigned char)p[7]);
}

static bool
known_method(const char *p, size_t n)
{
#define X(num, name, string)                                                                   \
	if (n == sizeof #string - 1 && memcmp(p, #string, n) == 0)                             \
		return true;
	HTTP_METHOD_MAP(X)
#undef X
	return false;
}

/* METHOD SP TARGET SP VERSION, each one blank; a tab is none, and the parser would
 * take it for a part of the target. */
static int
check_line(const char *p, size_t n)
{
	const char *end = p + n, *sp = memchr(p, ' ', n), *sp2;

	if (sp == NULL || sp == p || memchr(p, '\t', n) != NULL)
		return 400;
	for (const char *q = p; q < sp; q++)
		if (!is_token((unsigned char)*q))
			return 400;
	sp2 = memchr(sp + 1, ' ', (size_t)(end - sp - 1));
	if (sp2 == NULL)
		return sp[1] == '/' ? 505 : 400; /* HTTP/0.9 had no version */
	if (sp2 == sp + 1 || !is_version(sp2 + 1, (size_t)(end - sp2 - 1)))
		return 400;
	if (sp2[6] != '1' || (sp2[8] != '0' && sp2[8] != '1'))
		return 505;
	if (sp2 - sp - 1 > REQUEST_TARGET_MAX)
		return 414;
	return known_method(p, (size_t)(sp - p)) ? 0 : 501;
}

int
request_too_long(const char *bytes, size_t len)
{
	return memchr(bytes, '\n', len) == NULL ? 414 : 431;
}

/* --- the parser's callbacks --- */

struct parse {
	struct request *r;
	struct request_text name; /* of the header under way */
	size_t fields, fields_max;
	unsigned hosts, lengths, encodings;
	size_t members, match_tags, none_match_tags; /* of lists, all their lines together */
	bool bad_length, bad_encoding, bad_host;
	int status; /* what a header refuses */
};

static bool
is(const struct request_text *t, const char *word)
{
	return t->n == strlen(word) && strncasecmp(t->p, word, t->n) == 0;
}

static int
on_url(http_parser *parser, const char *at, size_t n)
{
	struct parse *p = parser->data;

	p->r->target = (struct request_text){at, n};
	return 0;
}

static int
on_name(http_parser *parser, const char *at, size_t n)
{
	struct parse *p = parser->data;

	if (++p->fields > p->fields_max) {
		p->status = 431;
		return 1;
	}
	p->name = (struct request_text){at, n};
	return request_is_token(&p->name) ? 0 : 1; /* "Host : x" */
}

static void
note_length(struct parse *p, const struct request_text *v)
{
	p->lengths++;
	for (size_t i = 0; i < v->n; i++)
		if (!isdigit((unsigned char)v->p[i]))
			p->bad_length = true;
	if (v->n == 0 || v->n > 18)
		p->bad_length = true;
}

static void
note_connection(struct parse *p, const struct request_text *v)
{
	p->members += request_count_members(*v, REQUEST_MEMBERS_MAX);
	if (p->members > REQUEST_MEMBERS_MAX)
		p->status = 431;
}

/* With another coding than chunked at its end, nobody knows where the body ends. */
static void
note_encoding(struct parse *p, const struct request_text *v)
{
	const char *comma = memrchr(v->p, ',', v->n);
	struct request_text last = *v;

	p->encodings++;
	if (comma != NULL) {
		last.n = (size_t)(v->p + v->n - comma - 1);
		last.p = comma + 1;
	}
	for (; last.n > 0 && (*last.p == ' ' || *last.p == '\t'); last.n--)
		last.p++;
	if (!is(&last, "chunked"))
		p->bad_encoding = true;
	else if (comma != NULL)
		p->status = 501;
	else
		p->r->chunked = true;
}

static bool
never_in_host(char ch)
{
	switch (ch) {
	case ' ':
	case '\t':
	case '"':
	case '#':
	case ',':
	case '/':
	case '<':
	case '>':
	case '?':
	case '@':
	case '\\':
	case '^':
	case '`':
	case '{':
	case '|':
	case '}':
		return true;
	default:
		return false;
	}
}

bool
request_is_host(const struct request_text *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (never_in_host(t->p[i]))
			return false;
	return true;
}

static void
note_host(struct parse *p, const struct request_text *v)
{
	p->hosts++;
	p->bad_host |= !request_is_host(v);
}

static void
note_expect(struct parse *p, const struct request_text *v)
{
	if (is(v, "100-continue"))
		p->r->expects_continue = true;
	else
		p->status = 417;
}

/* A second line makes the value a list, and a list is no valid value. */
static void
note_single(struct request_text *t, const struct request_text *v)
{
	bool first = t->p == NULL;

	*t = *v;
	if (!first)
		t->n = 0;
}

/* A comma within a tag counts, too. */
static void
note_list(struct parse *p, struct request_list *list, size_t *tags,
          const struct request_text *v)
{
	*tags += request_count_members(*v, REQUEST_TAGS_MAX);
	if (list->n == REQUEST_LINES_MAX || *tags > REQUEST_TAGS_MAX)
		p->status = 431;
	else
		list->line[list->n++] = *v;
}

static void
note_condition(struct parse *p, const struct request_text *v)
{
	struct request *r = p->r;

	if (is(&p->name, "if-match"))
		note_list(p, &r->if_match, &p->match_tags, v);
	else if (is(&p->name, "if-none-match"))
		note_list(p, &r->if_none_match, &p->none_match_tags, v);
	else if (is(&p->name, "if-modified-since"))
		note_single(&r->if_modified_since, v);
	else if (is(&p->name, "if-unmodified-since"))
		note_single(&r->if_unmodified_since, v);
	else if (is(&p->name, "if-range"))
		note_single(&r->if_range, v);
}

static int
on_value(http_parser *parser, const char *at, size_t n)
{
	struct parse *p = parser->data;
	struct request_text v = {at, n};

	while (v.n > 0 && (v.p[v.n - 1] == ' ' || v.p[v.n - 1] == '\t'))
		v.n--;
	switch (p->name.n > 0 ? p->name.p[0] | 0x20 : 0) {
	case 'h':
		if (is(&p->name, "host"))
			note_host(p, &v);
		break;
	case 'c':
		if (is(&p->name, "content-length"))
			note_length(p, &v);
		else if (is(&p->name, "connection"))
			note_connection(p, &v);
		break;
	case 't':
		if (is(&p->name, "transfer-encoding"))
			note_encoding(p, &v);
		break;
	case 'e':
		if (is(&p->name, "expect"))
			note_expect(p, &v);
		break;
	case 'r':
		if (is(&p->name, "range"))
			note_single(&p->r->range, &v);
		break;
	case 'i':
		note_condition(p, &v);
		break;
	default:
		break;
	}
	return 0;
}

/* The head is all that is wanted: what follows is told apart by the caller. */
static int
on_head(http_parser *parser)
{
	struct parse *p = parser->data;

	p->r->keep_alive =
	    http_should_keep_alive(parser) && !(parser->flags & F_CONNECTION_CLOSE);
	p->r->length = parser->content_length == ULLONG_MAX ? 0 : parser->content_length;
	http_parser_pause(parser, 1);
	return 0;
}

static const http_parser_settings settings = {
    .on_url = on_url,
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_headers_complete = on_head,
};

/* What only shows when all headers are known. */
static int
judge(const struct parse *p, const http_parser *parser)
{
	enum http_errno e = HTTP_PARSER_ERRNO(parser);
	const struct request *r = p->r;

	if (p->bad_length || p->lengths > 1 || (p->lengths > 0 && p->encodings > 0) ||
	    p->bad_encoding || p->encodings > 1)
		return 400;
	if (p->status != 0)
		return p->status;
	if (e != HPE_PAUSED) /* by on_head, at its end */
		return 400;
	if (p->bad_host || p->hosts > 1 || (p->hosts == 0 && !r->http10))
		return 400;
	if (r->chunked && r->http10)
		return 400;
	return r->method == HTTP_CONNECT ? 501 : 0;
}

int
request_parse(const char *head, size_t len, struct request *r)
{
	const char *eol = memchr(head, '\r', len);
	http_parser parser;
	struct parse p = {.r = r, .fields_max = request_fields_max(len)};
	int status;

	memset(r, 0, sizeof *r);
	if (!request_bytes_are_clean(head, len))
		return 400;
	status = check_line(head, (size_t)(eol - head));
	if (status != 0)
		return status;
	http_parser_init(&parser, HTTP_REQUEST);
	parser.data = &p;
	if (len > HTTP_MAX_HEADER_SIZE)
		http_parser_set_max_header_size(UINT32_MAX); /* our caller has a limit */
	http_parser_execute(&parser, &settings, head, len);
	r->method = parser.method;
	r->http10 = parser.http_minor == 0;
	return judge(&p, &parser);
}

void
request_text_move(struct request_text *t, const char *from, const char *to)
{
	if (t->p != NULL)
		t->p = to + (t->p - from);
}

static void
move_list(struct request_list *list, const char *from, const char *to)
{
	for (unsigned i = 0; i < list->n; i++)
		request_text_move(&list->line[i], from, to);
}

void
request_move(struct request *r, const char *from, const char *to)
{
	request_text_move(&r->target, from, to);
	request_text_move(&r->range, from, to);
	request_text_move(&r->if_range, from, to);
	request_text_move(&r->if_modified_since, from, to);
	request_text_move(&r->if_unmodified_since, from, to);
	move_list(&r->if_match, from, to);
	move_list(&r->if_none_match, from, to);
}

/* --- the target --- */

static int
hex(unsigned char ch)
{
	if (isdigit(ch))
		return ch - '0';
	ch |= 0x20;
	return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

/* Of "http://host/path?query" the "/path?query". */
static struct request_text
without_authority(struct request_text t)
{
	const char *slash;

	if (t.n < 7 || strncasecmp(t.p, "http", 4) != 0)
		return t;
	slash = memmem(t.p, t.n, "://", 3);
	if (slash == NULL)
		return t;
	t.n -= (size_t)(slash + 3 - t.p);
	t.p = slash + 3;
	for (; t.n > 0 && *t.p != '/'; t.p++, t.n--)
		if (*t.p == '?' || *t.p == '#')
			return (struct request_text){"/", 1};
	return t.n > 0 ? t : (struct request_text){"/", 1};
}

int
request_path(const struct request_text *target, char *path, size_t size)
{
	struct request_text t = without_authority(*target);
	size_t out = 0;

	if (t.n == 0 || t.p[0] != '/')
		return 400;
	for (size_t i = 0; i < t.n && t.p[i] != '?' && t.p[i] != '#'; i++) {
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
request_split(const struct request_text *target, struct request_text *path,
              struct request_text *query)
{
	struct request_text t = without_authority(*target);
	const char *end = memchr(t.p, '#', t.n), *mark;

	if (end != NULL)
		t.n = (size_t)(end - t.p);
	*path = t;
	*query = (struct request_text){NULL, 0};
	mark = memchr(t.p, '?', t.n);
	if (mark == NULL)
		return;
	path->n = (size_t)(mark - t.p);
	*query = (struct request_text){mark + 1, t.n - path->n - 1};
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
request_decode(const struct request_text *t, bool plus)
{
	char *text = mem_alloc(t->n + 1), *out = text;

	for (size_t i = 0; i < t->n;)
		*out++ = next_byte(t, &i, plus);
	return text;
}

bool
request_says(const struct request_text *t, bool plus, const char *text, size_t n)
{
	size_t at = 0;

	for (size_t i = 0; i < t->n; at++)
		if (at == n || next_byte(t, &i, plus) != text[at])
			return false;
	return at == n;
}

size_t
request_count_parameters(const struct request_text *query)
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

struct request_text
request_header(const char *head, size_t len, const char *name)
{
	const char *line = memchr(head, '\n', len), *end = head + len;
	size_t n = strlen(name);

	while (line != NULL && ++line < end) {
		const char *eol = memchr(line, '\r', (size_t)(end - line));
		struct request_text v;

		if (eol == NULL)
			break;
		if ((size_t)(eol - line) > n && line[n] == ':' &&
		    strncasecmp(line, name, n) == 0) {
			v = (struct request_text){line + n + 1, (size_t)(eol - line) - n - 1};
			for (; v.n > 0 && (*v.p == ' ' || *v.p == '\t'); v.n--)
				v.p++;
			for (; v.n > 0 && (v.p[v.n - 1] == ' ' || v.p[v.n - 1] == '\t'); v.n--)
				;
			return v;
		}
		line = memchr(eol, '\n', (size_t)(end - eol));
	}
	return (struct request_text){NULL, 0};
}
