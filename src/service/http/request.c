#include "service/http/request.h"

#include "service/http/chars.h"

#define PARSER_LIMIT 0x7fffffff /* bytes; what head lets in is less */

static const struct {
	const char *name;
	bool list; /* may be said more than once; the first is enough for us */
} fields[REQUEST_FIELDS] = {
    [REQUEST_HOST] = {"host", false},
    [REQUEST_CONTENT_LENGTH] = {"content-length", false},
    [REQUEST_TRANSFER_ENCODING] = {"transfer-encoding", false},
    [REQUEST_EXPECT] = {"expect", false},
    [REQUEST_RANGE] = {"range", false},
    [REQUEST_IF_RANGE] = {"if-range", false},
    [REQUEST_IF_MATCH] = {"if-match", true},
    [REQUEST_IF_NONE_MATCH] = {"if-none-match", true},
    [REQUEST_IF_MODIFIED_SINCE] = {"if-modified-since", false},
    [REQUEST_IF_UNMODIFIED_SINCE] = {"if-unmodified-since", false},
};

/* What the callbacks of one parse share. */
struct parse {
	struct request *r;
	const char *head;
	struct span name; /* of the field whose value comes next */
	int status;       /* why it is refused; 0: it is not, or the parser knows */
};

static int
refuse(struct parse *p, int status)
{
	p->status = status;
	return 1;
}

static struct request_part
part_of(const struct parse *p, struct span s)
{
	return (struct request_part){(uint32_t)(s.at - p->head), (uint32_t)s.len};
}

static int
on_url(http_parser *hp, const char *at, size_t len)
{
	struct parse *p = hp->data;

	p->r->target = part_of(p, (struct span){at, len});
	return 0;
}

static int
on_field(http_parser *hp, const char *at, size_t len)
{
	struct parse *p = hp->data;

	p->name = (struct span){at, len};
	return 0;
}

static int
find_field(struct span name)
{
	for (int f = 0; f < REQUEST_FIELDS; f++)
		if (span_is(name, fields[f].name))
			return f;
	return -1;
}

/* libhttp_parser has its own opinion about these later; ours comes first, so
 * that it is the same for every way of saying it. */
static int
on_value(http_parser *hp, const char *at, size_t len)
{
	struct parse *p = hp->data;
	int f = find_field(p->name);
	struct span value = span_trim((struct span){at, len});

	if (f < 0)
		return 0;
	if (p->r->field[f].at != 0)
		return fields[f].list ? 0 : refuse(p, 400);
	p->r->field[f] = part_of(p, value);
	return 0;
}

static int
on_head(http_parser *hp)
{
	struct parse *p = hp->data;

	p->r->keep_alive =
	    http_should_keep_alive(hp) != 0 && !(hp->flags & F_CONNECTION_CLOSE);
	return 0;
}

static const http_parser_settings settings = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_head,
};

void
request_start(void)
{
	http_parser_set_max_header_size(PARSER_LIMIT);
}

struct span
request_span(const char *head, struct request_part part)
{
	return (struct span){head + part.at, part.len};
}

struct span
request_field(const struct request *r, const char *head, enum request_field f)
{
	if (r->field[f].at == 0)
		return (struct span){NULL, 0};
	return request_span(head, r->field[f]);
}

/* Digits and nothing else; 18 of them fit. */
static int
check_length(struct request *r, struct span value)
{
	if (value.at == NULL)
		return 0;
	if (value.len == 0)
		return 400;
	for (size_t i = 0; i < value.len; i++) {
		if (value.at[i] < '0' || value.at[i] > '9')
			return 400;
		if (r->length > UINT64_MAX / 10 - 1)
			return 413;
		r->length = r->length * 10 + (uint64_t)(value.at[i] - '0');
	}
	return 0;
}

/* Two ways to tell the end of a body are one too many (RFC 9112 6.1). */
static int
check_encoding(struct request *r, struct span encoding, struct span length)
{
	if (encoding.at == NULL)
		return 0;
	if (length.at != NULL || r->old)
		return 400;
	if (!span_is(encoding, "chunked"))
		return 501;
	r->chunked = true;
	return 0;
}

static int
check_host(const struct request *r, struct span host)
{
	if (host.at == NULL)
		return r->old ? 0 : 400;
	for (size_t i = 0; i < host.len; i++)
		if (!chars_is(host.at[i], CHARS_HOST))
			return 400;
	return 0;
}

static int
check_expect(struct request *r, struct span expect)
{
	if (expect.at == NULL || r->old)
		return 0;
	r->expects = span_is(expect, "100-continue");
	return r->expects ? 0 : 417;
}

/* No tunnels here; what CONNECT names is not a path either. */
static int
check_method(const struct request *r)
{
	return r->method == HTTP_CONNECT ? 501 : 0;
}

static int
check(struct request *r, const char *head)
{
	struct span length = request_field(r, head, REQUEST_CONTENT_LENGTH);
	int status = check_host(r, request_field(r, head, REQUEST_HOST));

	if (status == 0)
		status = check_length(r, length);
	if (status == 0)
		status = check_encoding(
		    r, request_field(r, head, REQUEST_TRANSFER_ENCODING), length);
	if (status == 0)
		status = check_method(r);
	if (status == 0)
		status = check_expect(r, request_field(r, head, REQUEST_EXPECT));
	return status;
}

/* Up to any of the bytes in stop. */
static size_t
reach(struct span s, const char *stop)
{
	size_t n = 0;

	while (n < s.len && strchr(stop, s.at[n]) == NULL)
		n++;
	return n;
}

/* http://host/path?query, or /path?query.  A fragment is not ours to see. */
static void
split_target(struct parse *p)
{
	struct span rest = request_span(p->head, p->r->target);
	size_t n;

	rest.len = reach(rest, "#");
	if (rest.len > 0 && *rest.at != '/' && *rest.at != '*') {
		rest = span_from(rest, reach(rest, ":") + 3);
		rest = span_from(rest, reach(rest, "/?"));
	}
	n = reach(rest, "?");
	p->r->path = part_of(p, (struct span){rest.at, n});
	p->r->query = part_of(p, span_from(rest, n));
}

/* What the parser refused by itself. */
static int
status_of(const http_parser *hp)
{
	switch (HTTP_PARSER_ERRNO(hp)) {
	case HPE_OK:
		return 0;
	case HPE_INVALID_METHOD:
		return 501;
	default:
		return 400;
	}
}

/* Its opinion of lengths and encodings is not asked: check has one, and that
 * of the parser may come before all fields are known. */
static bool
is_about_body(const http_parser *hp)
{
	switch (HTTP_PARSER_ERRNO(hp)) {
	case HPE_INVALID_CONTENT_LENGTH:
	case HPE_UNEXPECTED_CONTENT_LENGTH:
	case HPE_INVALID_TRANSFER_ENCODING:
		return true;
	default:
		return false;
	}
}

int
request_parse(struct request *r, const char *head, size_t len)
{
	struct parse p = {.r = r, .head = head};
	http_parser hp;
	int status;

	memset(r, 0, sizeof *r);
	http_parser_init(&hp, HTTP_REQUEST);
	hp.data = &p;
	http_parser_execute(&hp, &settings, head, len);
	r->method = (enum http_method)hp.method;
	r->old = hp.http_minor == 0;
	if (p.status != 0)
		return p.status;
	status = check(r, head);
	(void)is_about_body;
	if (status_of(&hp) != 0)
		return status_of(&hp);
	if (status == 0)
		split_target(&p);
	return status;
}
