#include "service/http/reply.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

#include <http_parser.h>

struct parse {
	struct reply *r;
	struct request_text name; /* of the header under way */
	size_t fields, fields_max;
	unsigned lengths, encodings;
	size_t members; /* of Connection */
	bool bad;
	const char *much; /* what there is too much of */
};

static bool
is(const struct request_text *t, const char *word)
{
	return t->n == strlen(word) && strncasecmp(t->p, word, t->n) == 0;
}

static int
on_reason(http_parser *parser, const char *at, size_t n)
{
	struct parse *p = parser->data;

	p->r->reason = (struct request_text){at, n};
	return 0;
}

/* The parser takes a blank for a part of a name; "Content-Length : 5" would be a length to
 * it, or to the client, and none to us. */
static int
on_name(http_parser *parser, const char *at, size_t n)
{
	struct parse *p = parser->data;

	if (++p->fields > p->fields_max) {
		p->much = "too many header fields";
		return 1;
	}
	p->name = (struct request_text){at, n};
	return at[n] == ':' && request_is_token(&p->name) ? 0 : 1;
}

static bool
is_number(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isdigit((unsigned char)p[i]))
			return false;
	return n > 0 && n < 19;
}

static int
on_value(http_parser *parser, const char *at, size_t n)
{
	struct parse *p = parser->data;
	struct request_text v = {at, n};

	while (v.n > 0 && (v.p[v.n - 1] == ' ' || v.p[v.n - 1] == '\t'))
		v.n--;
	if (is(&p->name, "content-length")) {
		p->bad |= p->lengths++ > 0 || !is_number(v.p, v.n);
	} else if (is(&p->name, "transfer-encoding")) {
		p->bad |= p->encodings++ > 0 || !is(&v, "chunked");
	} else if (is(&p->name, "connection")) {
		p->members += request_count_members(v, REQUEST_MEMBERS_MAX);
		if (p->members > REQUEST_MEMBERS_MAX)
			p->much = "too many members in its Connection header";
	}
	return 0;
}

/* The head is all that is wanted. */
static int
on_head(http_parser *parser)
{
	http_parser_pause(parser, 1);
	return 0;
}

static const http_parser_settings settings = {
    .on_status = on_reason,
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_headers_complete = on_head,
};

static enum reply_body
body_of(const struct parse *p, const http_parser *parser, bool head_only)
{
	unsigned status = parser->status_code;

	if (head_only || status < 200 || status == 204 || status == 304)
		return REPLY_NONE;
	if (p->encodings > 0)
		return REPLY_CHUNKED;
	if (p->lengths == 0)
		return REPLY_TO_CLOSE;
	return parser->content_length == 0 ? REPLY_NONE : REPLY_LENGTH;
}

static bool
keeps_alive(const http_parser *parser)
{
	if (parser->flags & F_CONNECTION_CLOSE)
		return false;
	return parser->http_minor > 0 || (parser->flags & F_CONNECTION_KEEP_ALIVE) != 0;
}

const char *
reply_parse(const char *head, size_t len, bool head_only, struct reply *r)
{
	struct parse p = {.r = r, .fields_max = request_fields_max(len)};
	http_parser parser;

	memset(r, 0, sizeof *r);
	if (len < 13 || memcmp(head, "HTTP/1.", 7) != 0 || head[8] != ' ' ||
	    !isdigit((unsigned char)head[11]) || (head[12] != ' ' && head[12] != '\r'))
		return "no status line of HTTP/1";
	if (!request_bytes_are_clean(head, len))
		return "a control byte or a folded line in its head";
	http_parser_init(&parser, HTTP_RESPONSE);
	parser.data = &p;
	if (len > HTTP_MAX_HEADER_SIZE)
		http_parser_set_max_header_size(UINT32_MAX); /* our caller has a limit */
	http_parser_execute(&parser, &settings, head, len);
	if (p.much != NULL)
		return p.much;
	if (p.bad || (p.encodings > 0 && (p.lengths > 0 || parser.http_minor == 0)))
		return "doubtful lengths";
	if (HTTP_PARSER_ERRNO(&parser) != HPE_PAUSED)
		return "a head that is not HTTP's";
	r->status = parser.status_code;
	if (r->status < 100 || r->status > 599)
		return "a status that is none";
	if (r->status < 200 && p.encodings > 0)
		return "doubtful lengths";
	r->body = body_of(&p, &parser, head_only);
	r->length_told = p.lengths > 0;
	r->length =
	    r->length_told && parser.content_length != ULLONG_MAX ? parser.content_length : 0;
	r->keep_alive = keeps_alive(&parser) && r->body != REPLY_TO_CLOSE;
	return NULL;
}
