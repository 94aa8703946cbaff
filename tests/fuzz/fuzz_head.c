/*
 * fuzz_head: our reading of a head beside that of libhttp-parser.
 *
 * The first byte chooses request or answer (and whether the request was HEAD); the rest is the
 * head.  What both take they must understand alike.  What one of them refuses it must refuse
 * for a reason that is found here by other means than theirs: the tables below name all that
 * are known, each with its section of RFC 9112 or 9110, and one that fits none of them is a
 * failure.  At the end they are counted on stderr.
 *
 * tests/fuzz/run builds and runs it.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <http_parser.h>

#include "service/head/upstream_head.h"
#include "service/head/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FIELDS 512 /* that are kept of a head; one with more is left out */

/* An assertion that no NDEBUG takes away. */
#define MUST(what)                                                                             \
	do {                                                                                   \
		if (!(what)) {                                                                 \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what);     \
			abort();                                                               \
		}                                                                              \
	} while (0)

struct text {
	const char *p;
	size_t n;
};

struct field {
	struct text name, value;
};

/* --- the other one's reading --- */

struct other {
	struct text target;
	struct field field[FIELDS];
	size_t n;
	bool in_value, too_many, complete, head_only;
	http_parser parser;
	size_t used;
};

/* Pieces come one after the other, out of one head. */
static void
extend(struct text *t, const char *p, size_t n)
{
	if (t->p == NULL)
		t->p = p;
	t->n = (size_t)(p - t->p) + n;
}

static int
on_url(http_parser *parser, const char *p, size_t n)
{
	struct other *o = parser->data;

	extend(&o->target, p, n);
	return 0;
}

static int
on_name(http_parser *parser, const char *p, size_t n)
{
	struct other *o = parser->data;

	if (o->n == 0 || o->in_value)
		o->n++;
	o->in_value = false;
	o->too_many |= o->n >= FIELDS;
	if (!o->too_many)
		extend(&o->field[o->n - 1].name, p, n);
	return 0;
}

static int
on_value(http_parser *parser, const char *p, size_t n)
{
	struct other *o = parser->data;

	o->in_value = true;
	if (!o->too_many)
		extend(&o->field[o->n - 1].value, p, n);
	return 0;
}

/* The head is all that there is. */
static int
on_complete(http_parser *parser)
{
	struct other *o = parser->data;

	o->complete = true;
	return o->head_only ? 1 : 0;
}

static bool
other_takes(struct other *o, enum http_parser_type type, const char *head, size_t len)
{
	http_parser_settings settings;

	http_parser_settings_init(&settings);
	settings.on_url = on_url;
	settings.on_header_field = on_name;
	settings.on_header_value = on_value;
	settings.on_headers_complete = on_complete;
	http_parser_init(&o->parser, type);
	o->parser.data = o;
	o->used = http_parser_execute(&o->parser, &settings, head, len);
	return o->complete && HTTP_PARSER_ERRNO(&o->parser) == HPE_OK;
}

/* --- a head by lines, read as plainly as can be --- */

struct lines {
	struct text first;
	struct field field[FIELDS]; /* the value without blanks around it */
	size_t n;
	bool too_many, no_colon;
};

static struct text
trimmed(struct text t)
{
	for (; t.n > 0 && (t.p[0] == ' ' || t.p[0] == '\t'); t.n--)
		t.p++;
	while (t.n > 0 && (t.p[t.n - 1] == ' ' || t.p[t.n - 1] == '\t'))
		t.n--;
	return t;
}

static void
split_line(struct lines *l, const char *p, size_t n)
{
	const char *colon = memchr(p, ':', n);

	if (l->n == FIELDS || colon == NULL) {
		l->too_many |= l->n == FIELDS;
		l->no_colon |= colon == NULL;
		return;
	}
	l->field[l->n].name = (struct text){p, (size_t)(colon - p)};
	l->field[l->n++].value = trimmed((struct text){colon + 1, n - (size_t)(colon + 1 - p)});
}

static void
split(struct lines *l, const char *head, size_t len)
{
	const char *end = head + len, *lf;

	for (const char *p = head; (lf = memchr(p, '\n', (size_t)(end - p))); p = lf + 1) {
		size_t n = (size_t)(lf - p);

		if (n > 0 && p[n - 1] == '\r')
			n--;
		if (p == head)
			l->first = (struct text){p, n};
		else if (n > 0)
			split_line(l, p, n);
	}
}

static bool
says(const struct text *t, const char *word)
{
	return t->n == strlen(word) && strncasecmp(t->p, word, t->n) == 0;
}

/* A blank before the colon is none of the name, where it is not refused. */
static bool
is_called(const struct field *f, const char *name)
{
	struct text t = trimmed(f->name);

	return says(&t, name);
}

static size_t
count(const struct lines *l, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += is_called(&l->field[i], name);
	return n;
}

static bool
is_token(const struct text *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->p[i] == '\0' || t->p[i] < 0 ||
		    (!isalnum((unsigned char)t->p[i]) &&
		     strchr("!#$%&'*+-.^_`|~", t->p[i]) == NULL))
			return false;
	return t->n > 0;
}

static bool
any_value(const struct lines *l, const char *name, bool (*is)(const struct text *t))
{
	for (size_t i = 0; i < l->n; i++)
		if (is_called(&l->field[i], name) && is(&l->field[i].value))
			return true;
	return false;
}

/* Members of a list, in all lines of that name; one that is empty counts. */
static size_t
count_members(const struct lines *l, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		if (is_called(&l->field[i], name)) {
			n++;
			for (size_t k = 0; k < l->field[i].value.n; k++)
				n += l->field[i].value.p[k] == ',';
		}
	return n;
}

static bool
lists(const struct lines *l, const char *name, const char *word)
{
	for (size_t i = 0; i < l->n; i++) {
		struct text rest = l->field[i].value;

		while (is_called(&l->field[i], name) && rest.n > 0) {
			const char *comma = memchr(rest.p, ',', rest.n);
			size_t n = comma != NULL ? (size_t)(comma - rest.p) : rest.n;
			struct text member = trimmed((struct text){rest.p, n});

			if (says(&member, word))
				return true;
			n += comma != NULL;
			rest = (struct text){rest.p + n, rest.n - n};
		}
	}
	return false;
}

/* --- why a head may be refused --- */

struct seen {
	const char *head;
	size_t len;
	struct lines l;
	const struct other *other;
};

struct reason {
	const char *what, *where;
	bool (*holds)(const struct seen *s);
	unsigned long n;
};

static bool
has_bare_ends(const struct seen *s)
{
	for (size_t i = 0; i < s->len; i++) {
		if (s->head[i] == '\n' && (i == 0 || s->head[i - 1] != '\r'))
			return true;
		if (s->head[i] == '\r' && (i + 1 == s->len || s->head[i + 1] != '\n'))
			return true;
	}
	return false;
}

static bool
has_control_bytes(const struct seen *s)
{
	for (size_t i = 0; i < s->len; i++) {
		unsigned char ch = (unsigned char)s->head[i];

		if ((ch < 0x20 && ch != '\t' && ch != '\r' && ch != '\n') || ch == 0x7f)
			return true;
	}
	return false;
}

static bool
has_folds(const struct seen *s)
{
	for (size_t i = 1; i < s->len; i++)
		if (s->head[i - 1] == '\n' && (s->head[i] == ' ' || s->head[i] == '\t'))
			return true;
	return false;
}

static bool
has_bad_names(const struct seen *s)
{
	for (size_t i = 0; i < s->l.n; i++)
		if (!is_token(&s->l.field[i].name))
			return true;
	return s->l.no_colon;
}

static bool
is_no_length(const struct text *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (!isdigit((unsigned char)t->p[i]))
			return true;
	return t->n == 0 || t->n > 18;
}

static bool
has_bad_lengths(const struct seen *s)
{
	return count(&s->l, "content-length") > 1 ||
	       any_value(&s->l, "content-length", is_no_length);
}

static bool
is_not_chunked(const struct text *t)
{
	return !says(t, "chunked");
}

static bool
has_other_codings(const struct seen *s)
{
	return count(&s->l, "transfer-encoding") > 1 ||
	       any_value(&s->l, "transfer-encoding", is_not_chunked);
}

static bool
has_two_framings(const struct seen *s)
{
	return count(&s->l, "transfer-encoding") > 0 && count(&s->l, "content-length") > 0;
}

static bool
is_chunked_too_early(const struct seen *s)
{
	return count(&s->l, "transfer-encoding") > 0 && s->other->parser.http_minor == 0;
}

static bool
has_many_lines(const struct seen *s)
{
	return s->l.too_many || s->l.n > REQUEST_FIELDS_MAX;
}

static bool
has_many_members(const struct seen *s)
{
	return count_members(&s->l, "connection") > HEAD_MEMBERS_MAX;
}

/* Of requests only. */

/* METHOD SP TARGET SP HTTP/D.D, and nothing more. */
static bool
has_other_first_line(const struct seen *s)
{
	struct text line = s->l.first, method = line, target;
	const char *sp = memchr(line.p, ' ', line.n), *sp2;

	if (sp == NULL)
		return true;
	method.n = (size_t)(sp - line.p);
	sp2 = memchr(sp + 1, ' ', line.n - method.n - 1);
	if (!is_token(&method) || sp2 == NULL || sp2 == sp + 1)
		return true;
	target = (struct text){sp + 1, (size_t)(sp2 - sp) - 1};
	return memchr(target.p, '\t', target.n) != NULL ||
	       line.p + line.n - sp2 != sizeof " HTTP/1.1" - 1 ||
	       memcmp(sp2, " HTTP/", 6) != 0 || !isdigit((unsigned char)sp2[6]) ||
	       sp2[7] != '.' || !isdigit((unsigned char)sp2[8]);
}

static bool
is_another_major(const struct seen *s)
{
	return s->other->parser.http_major != 1;
}

static bool
is_connect(const struct seen *s)
{
	return s->l.first.n > 8 && memcmp(s->l.first.p, "CONNECT ", 8) == 0;
}

static struct text
target_of(const struct seen *s)
{
	const char *sp = memchr(s->l.first.p, ' ', s->l.first.n), *end;

	if (sp == NULL)
		return (struct text){NULL, 0};
	end = memrchr(s->l.first.p, ' ', s->l.first.n);
	return (struct text){sp + 1, end > sp ? (size_t)(end - sp) - 1 : 0};
}

static bool
has_bad_target(const struct seen *s)
{
	struct text t = target_of(s);

	for (size_t i = 0; i < t.n; i++)
		if (t.p[i] <= ' ' || t.p[i] == 0x7f) /* char is signed: over 0x7f, too */
			return true;
	return t.n > TARGET_MAX;
}

static bool
is_hardly_a_host(const struct text *t)
{
	size_t colons = 0, digits = 0;

	for (size_t i = 0; i < t->n; i++) {
		char ch = t->p[i];

		if (ch <= ' ' || ch == 0x7f || strchr("\"#/<>?@[]\\^`{|},%", ch) != NULL)
			return true; /* '[' and '%' have rules of their own */
		colons += ch == ':';
		if (colons > 0 && ch != ':' && (++digits > 4 || !isdigit((unsigned char)ch)))
			return true;
	}
	return colons > 1 || (t->n > 0 && t->p[0] == ':');
}

/* http://host..., and the asterisk of OPTIONS. */
static bool
has_other_form(const struct seen *s)
{
	struct text t = target_of(s);
	size_t n = 0, scheme;

	if (t.n > 0 && t.p[0] == '/')
		return false;
	if (t.n == 1 && t.p[0] == '*')
		return memcmp(s->l.first.p, "OPTIONS", 7) != 0 &&
		       memcmp(s->l.first.p, "M-SEARCH", 8) != 0;
	scheme = t.n > 8 && strncasecmp(t.p, "https://", 8) == 0  ? 8
	         : t.n > 7 && strncasecmp(t.p, "http://", 7) == 0 ? 7
	                                                          : 0;
	while (scheme + n < t.n && strchr("/?#", t.p[scheme + n]) == NULL)
		n++;
	return scheme == 0 || n == 0 || is_hardly_a_host(&(struct text){t.p + scheme, n});
}

static bool
has_bad_host(const struct seen *s)
{
	size_t n = count(&s->l, "host");

	return n > 1 || (n == 0 && s->other->parser.http_minor != 0) ||
	       any_value(&s->l, "host", is_hardly_a_host);
}

static bool
is_no_continue(const struct text *t)
{
	return !says(t, "100-continue");
}

static bool
expects_more(const struct seen *s)
{
	return any_value(&s->l, "expect", is_no_continue);
}

static bool
has_many_tags(const struct seen *s)
{
	return count(&s->l, "if-match") > REQUEST_LINES_MAX ||
	       count(&s->l, "if-none-match") > REQUEST_LINES_MAX ||
	       count_members(&s->l, "if-match") > REQUEST_TAGS_MAX ||
	       count_members(&s->l, "if-none-match") > REQUEST_TAGS_MAX;
}

/* Of answers only. */

static bool
is_informational_and_chunked(const struct seen *s)
{
	return s->other->parser.status_code < 200 && count(&s->l, "transfer-encoding") > 0;
}

static bool
has_other_status_line(const struct seen *s)
{
	const char *p = s->l.first.p;

	return s->l.first.n < 12 || memcmp(p, "HTTP/1.", 7) != 0 ||
	       !isdigit((unsigned char)p[7]) || p[8] != ' ' || !isdigit((unsigned char)p[9]) ||
	       !isdigit((unsigned char)p[10]) || !isdigit((unsigned char)p[11]) ||
	       (s->l.first.n > 12 && p[12] != ' ') || p[9] == '0';
}

static struct reason we_refuse_request[] = {
    {"a bare CR or LF", "9112, 2.2", has_bare_ends, 0},
    {"a control byte", "9110, 5.5", has_control_bytes, 0},
    {"a folded line", "9112, 5.2", has_folds, 0},
    {"a first line that is not METHOD SP TARGET SP VERSION", "9112, 3", has_other_first_line,
     0},
    {"another major version", "9110, 2.5", is_another_major, 0},
    {"CONNECT", "9110, 9.3.6", is_connect, 0},
    {"a byte that no target has", "9112, 3.2", has_bad_target, 0},
    {"a form of target that is not for that method", "9112, 3.2", has_other_form, 0},
    {"a name that is no token", "9112, 5.1", has_bad_names, 0},
    {"several lengths, or one that is no number", "9112, 6.3", has_bad_lengths, 0},
    {"a coding other than chunked", "9112, 6.1", has_other_codings, 0},
    {"a length beside a coding", "9112, 6.3", has_two_framings, 0},
    {"chunks in HTTP/1.0", "9112, 6.1", is_chunked_too_early, 0},
    {"no Host, several, or a bad one", "9112, 3.2", has_bad_host, 0},
    {"an expectation that we do not know", "9110, 10.1.1", expects_more, 0},
    {"more lines than we take", "9110, 5.4", has_many_lines, 0},
    {"more members of Connection than we take", "9110, 5.4", has_many_members, 0},
    {"more tags than we take", "9110, 5.4", has_many_tags, 0},
};

static struct reason we_refuse_answer[] = {
    {"a bare CR", "9112, 2.2", has_bare_ends, 0},
    {"a control byte", "9110, 5.5", has_control_bytes, 0},
    {"a folded line", "9112, 5.2", has_folds, 0},
    {"another status line", "9112, 4", has_other_status_line, 0},
    {"a name that is no token", "9112, 5.1", has_bad_names, 0},
    {"several lengths, or one that is no number", "9112, 6.3", has_bad_lengths, 0},
    {"a coding other than chunked", "9112, 6.1", has_other_codings, 0},
    {"a length beside a coding", "9112, 6.3", has_two_framings, 0},
    {"chunks in HTTP/1.0", "9112, 6.1", is_chunked_too_early, 0},
    {"chunks of an answer that has no body", "9112, 6.1", is_informational_and_chunked, 0},
    {"more lines than we take", "9110, 5.4", has_many_lines, 0},
    {"more members of Connection than we take", "9110, 5.4", has_many_members, 0},
};

/* What libhttp-parser refuses, and we do not. */

static bool
is_errno(const struct seen *s, enum http_errno e)
{
	return HTTP_PARSER_ERRNO(&s->other->parser) == e;
}

/* It has a table of methods; a server knows none of the others, but a proxy passes them on. */
static bool
is_new_method(const struct seen *s)
{
	return is_errno(s, HPE_INVALID_METHOD);
}

/* Whatever begins like it counts as Transfer-Encoding there. */
static bool
has_nearly_a_coding(const struct seen *s)
{
	static const char coding[] = "transfer-encoding";

	for (size_t i = 0; i < s->l.n; i++) {
		const struct text *name = &s->l.field[i].name;

		if (name->n >= sizeof coding &&
		    strncasecmp(name->p, coding, sizeof coding - 1) == 0)
			return true;
	}
	return false;
}

/* Blanks around a value may be tabs, too; it takes away no tab behind one. */
static bool
has_a_tabbed_coding(const struct seen *s)
{
	return memchr(s->head, '\t', s->len) != NULL && count(&s->l, "transfer-encoding") > 0;
}

static bool
is_tabbed(const struct seen *s)
{
	return memchr(s->head, '\t', s->len) != NULL &&
	       (is_errno(s, HPE_INVALID_TRANSFER_ENCODING) ||
	        is_errno(s, HPE_INVALID_CONTENT_LENGTH));
}

static bool
misreads_the_coding(const struct seen *s)
{
	return has_nearly_a_coding(s) || has_a_tabbed_coding(s);
}

static bool
is_nearly_a_coding(const struct seen *s)
{
	return has_nearly_a_coding(s) && (is_errno(s, HPE_UNEXPECTED_CONTENT_LENGTH) ||
	                                  is_errno(s, HPE_INVALID_TRANSFER_ENCODING));
}

/* "http://host#x": clients keep a fragment to themselves; of one that does not it is cut off.
 */
static bool
has_a_fragment_behind_a_host(const struct seen *s)
{
	struct text t = target_of(s);

	return is_errno(s, HPE_INVALID_URL) && t.n > 0 && t.p[0] != '/' &&
	       memchr(t.p, '#', t.n) != NULL;
}

/* A proxy takes it away; a blank it takes away itself. */
static bool
has_a_tab_before_a_colon(const struct seen *s)
{
	for (size_t i = 0; i < s->l.n; i++) {
		const struct text *name = &s->l.field[i].name;

		if (name->n > 0 && memchr(name->p, '\t', name->n) != NULL)
			return s->other->parser.type == HTTP_RESPONSE &&
			       is_errno(s, HPE_INVALID_HEADER_TOKEN);
	}
	return false;
}

static struct reason it_refuses[] = {
    {"a method that it does not know", "9110, 9.1", is_new_method, 0},
    {"a name that only begins like Transfer-Encoding", "9110, 5.1", is_nearly_a_coding, 0},
    {"a tab behind a value", "9110, 5.5", is_tabbed, 0},
    {"a fragment behind a host", "9110, 7.1", has_a_fragment_behind_a_host, 0},
    {"a tab before a colon, of an answer", "9112, 5.1", has_a_tab_before_a_colon, 0},
};

#define N(table) (sizeof(table) / sizeof *(table))

static unsigned long both_take, both_refuse;

static void
print_table(const char *title, const struct reason *r, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (r[i].n > 0)
			fprintf(stderr, "%s: %s (RFC %s): %lu\n", title, r[i].what, r[i].where,
			        r[i].n);
}

static void
print_all(void)
{
	fprintf(stderr, "both take %lu, both refuse %lu\n", both_take, both_refuse);
	print_table("only we refuse a request", we_refuse_request, N(we_refuse_request));
	print_table("only we refuse an answer", we_refuse_answer, N(we_refuse_answer));
	print_table("only libhttp-parser refuses", it_refuses, N(it_refuses));
}

static void
must_have_a_reason(struct reason *r, size_t n, const struct seen *s, const char *who)
{
	for (size_t i = 0; i < n; i++)
		if (r[i].holds(s)) {
			r[i].n++;
			return;
		}
	fprintf(stderr, "%s refuses without a reason that is known (%s)\n", who,
	        http_errno_name(HTTP_PARSER_ERRNO(&s->other->parser)));
	abort();
}

/* --- what both take --- */

static bool
same(const struct text *a, const struct text *b)
{
	return a->n == b->n && (a->n == 0 || memcmp(a->p, b->p, a->n) == 0);
}

/* What we read of the lines is what it reads. */
static void
fields_agree(const struct seen *s)
{
	const struct other *o = s->other;
	struct head_walk walk;
	struct head_line line;
	size_t i = 0;

	head_begin(&walk, s->head, s->len);
	for (; head_next(&walk, &line); i++) {
		struct text name = {line.name.p, line.name.n};
		struct text value = {line.value.p, line.value.n};
		struct text theirs = trimmed(o->field[i].value);

		MUST(i < o->n);
		name = trimmed(name); /* of an answer it may have blanks behind it */
		MUST(same(&name, &(struct text){o->field[i].name.p, o->field[i].name.n}) ||
		     o->parser.type == HTTP_RESPONSE);
		MUST(same(&value, &theirs));
	}
	MUST(i == o->n);
}

static bool
begins_a_word(const struct text *t)
{
	static const char *const word[] = {"close", "keep-alive", "upgrade"};

	for (size_t i = 0; i < sizeof word / sizeof *word; i++)
		if (t->n < strlen(word[i]) && strncasecmp(t->p, word[i], t->n) == 0)
			return true;
	return false;
}

static bool
is_plain_word(const struct text *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (!isalnum((unsigned char)t->p[i]) && t->p[i] != '-')
			return false;
	return t->n > 0;
}

/* No list of tokens with one comma between two (9110, 5.6.1); or one that it loses its way in,
 * with a member like "u" or "_" (which in lower case is none). */
static bool
is_odd_list(const struct text *t)
{
	struct text rest = *t;

	for (;;) {
		const char *comma = memchr(rest.p, ',', rest.n);
		size_t n = comma != NULL ? (size_t)(comma - rest.p) : rest.n;
		struct text member = trimmed((struct text){rest.p, n});

		if (!is_plain_word(&member) || begins_a_word(&member))
			return true;
		if (comma == NULL)
			return false;
		rest = (struct text){comma + 1, rest.n - n - 1};
	}
}

/* Where a list says both, close wins (9112, 9.3); there, of HTTP/1.0, keep-alive. */
static bool
says_both(const struct seen *s)
{
	return lists(&s->l, "connection", "close") && lists(&s->l, "connection", "keep-alive");
}

/* It takes Proxy-Connection for Connection, which nobody defines (9112, C.2.2), a tab for a
 * part of a member (9110, 5.6.3), and reads no further behind a member that is empty (which is
 * to be ignored: 9110, 5.6.1.2) or no token. */
static bool
keeps_alike(const struct seen *s, bool ours)
{
	bool theirs = http_should_keep_alive(&s->other->parser) != 0;

	return ours == theirs || says_both(s) || has_nearly_a_coding(s) ||
	       count(&s->l, "proxy-connection") > 0 || memchr(s->head, '\t', s->len) != NULL ||
	       any_value(&s->l, "connection", is_odd_list);
}

static void
requests_agree(const struct seen *s, const struct request *r)
{
	const http_parser *p = &s->other->parser;
	struct text target = {r->target.p, r->target.n};
	const char *method = http_method_str((enum http_method)p->method);

	MUST(r->method_name.n == strlen(method) &&
	     memcmp(r->method_name.p, method, r->method_name.n) == 0);
	MUST(same(&target, &s->other->target));
	MUST(r->http10 == (p->http_minor == 0));
	MUST(r->chunked == ((p->flags & F_CHUNKED) != 0) || misreads_the_coding(s));
	MUST(r->chunked ||
	     r->length == (p->content_length == UINT64_MAX ? 0 : p->content_length));
	MUST(keeps_alike(s, r->keep_alive));
	fields_agree(s);
}

static void
answers_agree(const struct seen *s, const struct upstream_head *r)
{
	const http_parser *p = &s->other->parser;
	bool told = (p->flags & F_CONTENTLENGTH) != 0;

	MUST(r->status == p->status_code);
	MUST(r->http10 == (p->http_minor == 0));
	MUST(r->body != UPSTREAM_BODY_CHUNKED || (p->flags & F_CHUNKED) != 0 ||
	     misreads_the_coding(s));
	MUST(r->length_told == told);
	MUST(!told || p->content_length == UINT64_MAX || r->length == p->content_length);
	MUST(keeps_alike(s, r->keep_alive));
	fields_agree(s);
}

/* --- both readings --- */

/* Both have read it: false when there is nothing to compare. */
static bool
both_take_it(struct seen *s, bool ours, bool theirs, struct reason *we_refuse, size_t n)
{
	split(&s->l, s->head, s->len);
	if (s->other->too_many || s->l.too_many)
		return false;
	both_take += ours && theirs;
	both_refuse += !ours && !theirs;
	if (theirs && !ours)
		must_have_a_reason(we_refuse, n, s, "baton");
	else if (ours && !theirs)
		must_have_a_reason(it_refuses, N(it_refuses), s, "libhttp-parser");
	return ours && theirs;
}

static void
read_request(const char *head, size_t len)
{
	struct other o = {0};
	struct seen s = {.head = head, .len = len, .other = &o};
	bool theirs = other_takes(&o, HTTP_REQUEST, head, len);
	struct request r;
	bool ours = request_parse(head, len, &r) == 0;

	if (both_take_it(&s, ours, theirs, we_refuse_request, N(we_refuse_request)))
		requests_agree(&s, &r);
}

static void
read_answer(const char *head, size_t len, bool head_only)
{
	struct other o = {.head_only = head_only};
	struct seen s = {.head = head, .len = len, .other = &o};
	bool theirs = other_takes(&o, HTTP_RESPONSE, head, len);
	struct upstream_head r;
	bool ours = upstream_head_parse(head, len, head_only, &r) == NULL;

	if (both_take_it(&s, ours, theirs, we_refuse_answer, N(we_refuse_answer)))
		answers_agree(&s, &r);
}

/* The head at the start of these bytes, as the service would cut it off; 0: there is none. */
static size_t
cut(const char *bytes, size_t len, bool answer)
{
	ptrdiff_t n;

	if (answer)
		return upstream_head_length(bytes, len, 0);
	n = head_length(bytes, len, 0);
	return n > 0 ? (size_t)n : 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool prints;
	bool answer = size > 0 && (data[0] & 1) != 0;
	char *bytes, *mended;
	size_t n;

	if (!prints)
		prints = atexit(print_all) == 0;
	if (size < 5 || data[1] == '\r' || data[1] == '\n')
		return 0;         /* empty lines before a head are no part of it */
	bytes = malloc(size - 1); /* of its own: a step beside it is seen */
	MUST(bytes != NULL);
	memcpy(bytes, data + 1, size - 1);
	n = cut(bytes, size - 1, answer);
	mended = n > 0 && answer ? upstream_head_mend(bytes, &n) : NULL;
	if (n > 0 && answer)
		read_answer(mended != NULL ? mended : bytes, n, (data[0] & 2) != 0);
	else if (n > 0)
		read_request(bytes, n);
	free(mended);
	free(bytes);
	return 0;
}
