#include "service/head/upstream_head.h"

#include <ctype.h>
#include <string.h>

#include "base/mem.h"

size_t
upstream_head_length(const char *bytes, size_t len, size_t from)
{
	const char *end = bytes + len, *p = bytes + (from > 2 ? from - 2 : 0);

	while ((p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		p++;
		if (p < end && *p == '\n')
			return (size_t)(p - bytes) + 1;
		if (p + 1 < end && p[0] == '\r' && p[1] == '\n')
			return (size_t)(p - bytes) + 2;
	}
	return 0;
}

static bool
is_bare(const char *head, size_t i)
{
	return head[i] == '\n' && (i == 0 || head[i - 1] != '\r');
}

char *
upstream_head_mend(const char *head, size_t *len)
{
	size_t bare = 0, n = 0;
	char *mended;

	for (size_t i = 0; i < *len; i++)
		bare += is_bare(head, i);
	if (bare == 0)
		return NULL;
	mended = mem_alloc(*len + bare);
	for (size_t i = 0; i < *len; i++) {
		if (is_bare(head, i))
			mended[n++] = '\r';
		mended[n++] = head[i];
	}
	*len = n;
	return mended;
}

struct parse {
	struct upstream_head *r;
	size_t fields, fields_max;
	unsigned lengths, encodings;
	unsigned long long length;
	struct head_connection connection;
	bool bad;
	const char *much; /* what there is too much of */
};

/* blank: there is one before the colon. */
static void
note_line(struct parse *p, const struct head_line *line, bool blank)
{
	if (head_is(&line->name, "content-length"))
		p->bad |= blank || p->lengths++ > 0 || !head_number(&line->value, &p->length);
	else if (head_is(&line->name, "transfer-encoding"))
		p->bad |= blank || p->encodings++ > 0 || !head_is(&line->value, "chunked");
	else if (head_is(&line->name, "date"))
		p->r->dated = true;
	else if (head_is(&line->name, "connection") &&
	         !head_add_connection(&p->connection, &line->value))
		p->much = "too many members in its Connection header";
}

/* A blank before a colon is none of the name, and is not passed on (RFC 9112, 5.1); but of what
 * tells where the body ends nobody may have another idea. */
static bool
read_fields(struct parse *p, const char *head, size_t len)
{
	struct head_walk walk;
	struct head_line line;

	head_begin(&walk, head, len);
	while (p->much == NULL && head_next(&walk, &line)) {
		size_t n = line.name.n;

		line.name = head_trim_end(line.name);
		if (++p->fields > p->fields_max)
			p->much = "too many header fields";
		else if (!head_is_token(&line.name))
			return false;
		else
			note_line(p, &line, line.name.n < n);
	}
	return true;
}

/* "HTTP/1.1 200 OK"; the reason may be missing. */
static bool
read_status(const char *head, size_t len, struct parse *p)
{
	const char *eol = memchr(head, '\r', len);

	if (len < 13 || memcmp(head, "HTTP/1.", 7) != 0 || !isdigit((unsigned char)head[7]) ||
	    head[8] != ' ' || (head[12] != ' ' && head[12] != '\r'))
		return false;
	for (int i = 9; i < 12; i++) {
		if (!isdigit((unsigned char)head[i]))
			return false;
		p->r->status = p->r->status * 10 + (unsigned)(head[i] - '0');
	}
	p->r->http10 = head[7] == '0';
	if (head[12] == ' ' && eol > head + 13)
		p->r->reason = (struct request_text){head + 13, (size_t)(eol - head) - 13};
	return true;
}

static enum upstream_body
body_of(const struct parse *p, bool head_only)
{
	unsigned status = p->r->status;

	if (head_only || status < 200 || status == 204 || status == 304)
		return UPSTREAM_BODY_NONE;
	if (p->encodings > 0)
		return UPSTREAM_BODY_CHUNKED;
	if (p->lengths == 0)
		return UPSTREAM_BODY_TO_CLOSE;
	return p->length == 0 ? UPSTREAM_BODY_NONE : UPSTREAM_BODY_LENGTH;
}

const char *
upstream_head_parse(const char *head, size_t len, bool head_only, struct upstream_head *r)
{
	struct parse p = {.r = r, .fields_max = request_fields_max(len)};
	bool good;

	memset(r, 0, sizeof *r);
	if (!read_status(head, len, &p))
		return "no status line of HTTP/1";
	if (!head_is_clean(head, len))
		return "a control byte or a folded line in its head";
	good = read_fields(&p, head, len);
	r->too_much = p.much != NULL;
	if (p.much != NULL)
		return p.much;
	if (p.bad || (p.encodings > 0 && (p.lengths > 0 || r->http10)))
		return "doubtful lengths";
	if (!good)
		return "a head that is not HTTP's";
	if (r->status < 100)
		return "a status that is none";
	if (r->status < 200 && p.encodings > 0)
		return "doubtful lengths";
	r->body = body_of(&p, head_only);
	r->length_told = p.lengths > 0;
	r->length = r->length_told ? p.length : 0;
	r->keep_alive = !p.connection.close && (!r->http10 || p.connection.keep) &&
	                r->body != UPSTREAM_BODY_TO_CLOSE;
	return NULL;
}
