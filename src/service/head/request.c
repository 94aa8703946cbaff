#include "service/head/request.h"

#include <ctype.h>
#include <string.h>

bool
request_is_hopeless(const char *bytes, size_t len, size_t from)
{
	bool in_method = memchr(bytes, ' ', from) == NULL;

	for (size_t i = from; i < len; i++) {
		unsigned char ch = (unsigned char)bytes[i];

		if (in_method && ch == ' ' && i > 0) {
			in_method = false;
			continue;
		}
		if (in_method
		        ? !head_is_tchar(ch)
		        : (ch < 0x20 && ch != '\t' && ch != '\r' && ch != '\n') || ch == 0x7f)
			return true;
		if (i > 0 && bytes[i - 1] == '\r' && ch != '\n')
			return true;
	}
	return false;
}

/* --- the first line --- */

/* "HTTP/1.1": a later minor version is read as that (RFC 9110, 2.5). */
static int
read_version(const char *p, size_t n, struct request *r)
{
	if (n != 8 || memcmp(p, "HTTP/", 5) != 0 || !isdigit((unsigned char)p[5]) ||
	    p[6] != '.' || !isdigit((unsigned char)p[7]))
		return 400;
	r->http10 = p[7] == '0';
	return p[5] == '1' ? 0 : 505;
}

/* Nothing but what a URI is written with; '#' is left to those who cut it off. */
static bool
is_visible(const struct request_text *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->p[i] <= ' ' || t->p[i] >= 0x7f)
			return false;
	return true;
}

/* Origin form, absolute form, or the asterisk of those who have it (RFC 9112, 3.2). */
static int
check_target(struct request *r)
{
	struct request_text rest;

	if (r->target.n > TARGET_MAX)
		return 414;
	if (!is_visible(&r->target))
		return 400;
	if (*r->target.p == '/')
		return 0;
	if (r->target.n == 1 && *r->target.p == '*')
		return r->method == METHOD_OPTIONS || r->method == METHOD_MSEARCH ? 0 : 400;
	if (!target_split_absolute(&r->target, &r->host, &rest) || r->host.n == 0 ||
	    !target_is_host(&r->host))
		return 400;
	return 0;
}

/* METHOD SP TARGET SP VERSION, each one blank. */
static int
read_line(const char *p, size_t n, struct request *r)
{
	const char *end = p + n, *sp = memchr(p, ' ', n), *sp2;
	struct request_text method = {p, sp != NULL ? (size_t)(sp - p) : 0};
	int status;

	if (!head_is_token(&method) || memchr(p, '\t', n) != NULL)
		return 400;
	sp2 = memchr(sp + 1, ' ', (size_t)(end - sp - 1));
	if (sp2 == NULL)
		return sp[1] == '/' ? 505 : 400; /* HTTP/0.9 had no version */
	if (sp2 == sp + 1)
		return 400;
	status = read_version(sp2 + 1, (size_t)(end - sp2 - 1), r);
	if (status != 0)
		return status;
	r->target = (struct request_text){sp + 1, (size_t)(sp2 - sp - 1)};
	r->method_name = method;
	r->method = method_find(method.p, method.n);
	if (r->method == METHOD_CONNECT)
		return r->target.n > TARGET_MAX ? 414 : 501;
	return check_target(r);
}

int
request_too_long(const char *bytes, size_t len)
{
	return memchr(bytes, '\n', len) == NULL ? 414 : 431;
}

/* --- the lines behind it --- */

struct parse {
	struct request *r;
	struct request_text name; /* of the line under way */
	size_t fields, fields_max;
	unsigned hosts, lengths, encodings;
	struct head_connection connection;
	size_t match_tags, none_match_tags; /* of lists, all their lines together */
	bool bad_length, bad_encoding, bad_host;
	int status; /* what a line refuses */
};

static void
note_length(struct parse *p, const struct request_text *v)
{
	unsigned long long length;

	p->lengths++;
	p->bad_length |= !head_number(v, &length);
	p->r->length = length;
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
	last = head_trim(last);
	if (!head_is(&last, "chunked"))
		p->bad_encoding = true;
	else if (comma != NULL)
		p->status = 501;
	else
		p->r->chunked = true;
}

static void
note_host(struct parse *p, const struct request_text *v)
{
	p->hosts++;
	p->bad_host |= !target_is_host(v);
	if (p->r->host.p == NULL)
		p->r->host = *v;
}

static void
note_expect(struct parse *p, const struct request_text *v)
{
	struct request_text list = *v, member;
	size_t n = 0;

	while (p->status == 0 && head_next_member(&list, &member)) {
		if (n++ < HEAD_MEMBERS_MAX && head_is(&member, "100-continue"))
			p->r->expects_continue = true;
		else
			p->status = 417;
	}
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

/* TE: only `trailers` means something beyond this connection. */
static void
note_te(struct parse *p, const struct request_text *v)
{
	struct request_text list = *v, member;
	size_t n = 0;

	while (n++ < HEAD_MEMBERS_MAX && head_next_member(&list, &member))
		p->r->takes_trailers |= head_is(&member, "trailers");
}

/* A comma within a tag counts, too. */
static void
note_list(struct parse *p, struct request_list *list, size_t *tags,
          const struct request_text *v)
{
	*tags += head_count_members(*v, REQUEST_TAGS_MAX);
	if (list->n == REQUEST_LINES_MAX || *tags > REQUEST_TAGS_MAX)
		p->status = 431;
	else
		list->line[list->n++] = *v;
}

static void
note_condition(struct parse *p, const struct request_text *v)
{
	struct request *r = p->r;

	if (head_is(&p->name, "if-match"))
		note_list(p, &r->if_match, &p->match_tags, v);
	else if (head_is(&p->name, "if-none-match"))
		note_list(p, &r->if_none_match, &p->none_match_tags, v);
	else if (head_is(&p->name, "if-modified-since"))
		note_single(&r->if_modified_since, v);
	else if (head_is(&p->name, "if-unmodified-since"))
		note_single(&r->if_unmodified_since, v);
	else if (head_is(&p->name, "if-range"))
		note_single(&r->if_range, v);
}

static void
note_value(struct parse *p, const struct request_text *v)
{
	switch (p->name.p[0] | 0x20) {
	case 'h':
		if (head_is(&p->name, "host"))
			note_host(p, v);
		break;
	case 'c':
		if (head_is(&p->name, "content-length"))
			note_length(p, v);
		else if (head_is(&p->name, "connection") &&
		         !head_add_connection(&p->connection, v))
			p->status = 431;
		break;
	case 't':
		if (head_is(&p->name, "transfer-encoding"))
			note_encoding(p, v);
		else if (head_is(&p->name, "te"))
			note_te(p, v);
		break;
	case 'e':
		if (head_is(&p->name, "expect"))
			note_expect(p, v);
		break;
	case 'm':
		if (head_is(&p->name, "max-forwards"))
			note_single(&p->r->max_forwards, v);
		break;
	case 'r':
		if (head_is(&p->name, "range"))
			note_single(&p->r->range, v);
		break;
	case 'i':
		note_condition(p, v);
		break;
	default:
		break;
	}
}

/* 0, or the status that refuses the head whatever else stands in it. */
static int
read_fields(struct parse *p, const char *head, size_t len)
{
	struct head_walk walk;
	struct head_line line;

	head_begin(&walk, head, len);
	while (head_next(&walk, &line)) {
		if (++p->fields > p->fields_max)
			return 431;
		if (!head_is_token(&line.name)) /* "Host : x" */
			return 400;
		p->name = line.name;
		note_value(p, &line.value);
	}
	return 0;
}

/* What only shows when all headers are known. */
static int
judge(const struct parse *p)
{
	const struct request *r = p->r;

	if (p->bad_length || p->lengths > 1 || (p->lengths > 0 && p->encodings > 0) ||
	    p->bad_encoding || p->encodings > 1)
		return 400;
	if (p->status != 0)
		return p->status;
	if (p->bad_host || p->hosts > 1 || (p->hosts == 0 && !r->http10))
		return 400;
	return r->chunked && r->http10 ? 400 : 0;
}

int
request_parse(const char *head, size_t len, struct request *r)
{
	const char *eol = memchr(head, '\r', len);
	struct parse p = {.r = r, .fields_max = request_fields_max(len)};
	int status;

	memset(r, 0, sizeof *r);
	if (!head_is_clean(head, len))
		return 400;
	status = read_line(head, (size_t)(eol - head), r);
	if (status == 0)
		status = read_fields(&p, head, len);
	if (status == 0)
		status = judge(&p);
	r->keep_alive = status == 0 && !p.connection.close && (!r->http10 || p.connection.keep);
	return status;
}

/* A line by itself: its name, and where its value must be one thing, that. */
static int
judge_field(const char *line, size_t n)
{
	const char *colon = memchr(line, ':', n);
	struct request scratch = {0};
	struct parse p = {.r = &scratch};
	struct request_text value;

	p.name = (struct request_text){line, colon != NULL ? (size_t)(colon - line) : 0};
	if (!head_is_token(&p.name))
		return 400;
	value = head_trim((struct request_text){colon + 1, n - p.name.n - 1});
	note_value(&p, &value);
	return p.bad_length || p.bad_encoding || p.bad_host ? 400 : 0;
}

/* A line is gone back over once, when it ends. */
int
request_judge_lines(const char *bytes, size_t len, size_t from)
{
	const char *end = bytes + len, *lf = memchr(bytes + from, '\n', len - from);
	const char *line = lf != NULL ? memrchr(bytes, '\n', from) : NULL;
	int status = 0;

	line = line != NULL ? line + 1 : bytes;
	for (; lf != NULL && status == 0; lf = memchr(line, '\n', (size_t)(end - line))) {
		size_t n = (size_t)(lf - line) - 1; /* without CR, which stands there */
		struct request scratch = {0};

		status = line == bytes ? read_line(line, n, &scratch) : judge_field(line, n);
		line = lf + 1;
	}
	return status;
}

bool
request_ends_here(const struct request *r, uint64_t *hops)
{
	unsigned long long n;

	*hops = UINT64_MAX;
	if ((r->method != METHOD_TRACE && r->method != METHOD_OPTIONS) ||
	    !head_number(&r->max_forwards, &n))
		return false;
	*hops = n > 0 ? n - 1 : 0;
	return n == 0;
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
	request_text_move(&r->method_name, from, to);
	request_text_move(&r->target, from, to);
	request_text_move(&r->host, from, to);
	request_text_move(&r->range, from, to);
	request_text_move(&r->if_range, from, to);
	request_text_move(&r->if_modified_since, from, to);
	request_text_move(&r->if_unmodified_since, from, to);
	request_text_move(&r->max_forwards, from, to);
	move_list(&r->if_match, from, to);
	move_list(&r->if_none_match, from, to);
}

struct request_text
request_header(const char *head, size_t len, const char *name)
{
	struct head_walk walk;
	struct head_line line;

	head_begin(&walk, head, len);
	while (head_next(&walk, &line))
		if (head_is(&line.name, name))
			return line.value;
	return (struct request_text){NULL, 0};
}
