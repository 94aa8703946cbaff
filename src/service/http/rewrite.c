#include "service/http/rewrite.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "service/head/connections.h"

#define FORWARDED_MAX 8 /* lines of it, of a client that is trusted: the last ones are kept */

/* A head that is being written.  What does not fit makes it full, and nothing comes of it. */
struct out {
	char *p;
	size_t n, size;
};

static void
put(struct out *o, const char *p, size_t n)
{
	if (n > 0 && o->n + n <= o->size)
		memcpy(o->p + o->n, p, n);
	o->n += n;
}

static void
put_text(struct out *o, const char *text)
{
	put(o, text, strlen(text));
}

static void __attribute__((format(printf, 2, 3)))
put_format(struct out *o, const char *fmt, ...)
{
	char text[64];
	va_list ap;

	va_start(ap, fmt);
	put(o, text, (size_t)vsnprintf(text, sizeof text, fmt, ap));
	va_end(ap);
}

static size_t
whole(const struct out *o)
{
	return o->n <= o->size ? o->n : 0;
}

/* --- requests --- */

/* Facts gathered on the way through the lines. */
struct forwards {
	struct request_text x_for[FORWARDED_MAX], forwarded[FORWARDED_MAX];
	size_t nx_for, nforwarded;
	struct request_text x_proto, x_host;
};

/* The nearest proxy spoke last, and is the one to be believed. */
static void
gather(struct request_text *list, size_t *n, const struct request_text *value)
{
	if (*n == FORWARDED_MAX)
		memmove(list, list + 1, --*n * sizeof *list);
	list[(*n)++] = *value;
}

/* Lines that name the client: held back, and added later if their sender is trusted. */
static bool
take_forward(struct forwards *f, const struct head_line *l)
{
	if (head_is(&l->name, "x-forwarded-for"))
		gather(f->x_for, &f->nx_for, &l->value);
	else if (head_is(&l->name, "forwarded"))
		gather(f->forwarded, &f->nforwarded, &l->value);
	else if (head_is(&l->name, "x-forwarded-proto"))
		f->x_proto = l->value;
	else if (head_is(&l->name, "x-forwarded-host"))
		f->x_host = l->value;
	else
		return false;
	return true;
}

/* X-Real-IP, X-Forwarded-Port and the like count, too, in every spelling: to some upstreams
 * '_' and '-' are one. */
static bool
tells_of_client(const struct request_text *name)
{
	static const char prefix[] = "x-forwarded-";
	char text[16];
	size_t n = name->n < sizeof text - 1 ? name->n : sizeof text - 1;

	for (size_t i = 0; i < n; i++)
		text[i] = name->p[i] == '_' ? '-' : name->p[i];
	text[n] = '\0';
	return strcasecmp(text, "x-real-ip") == 0 ||
	       strncasecmp(text, prefix, sizeof prefix - 1) == 0;
}

static void
put_value(struct out *o, const char *name, const struct request_text *value)
{
	put_text(o, name);
	put(o, value->p, value->n);
	put_text(o, "\r\n");
}

/* One line out of several. */
static void
put_list(struct out *o, const char *name, const struct request_text *list, size_t n)
{
	put_text(o, name);
	for (size_t i = 0; i < n; i++) {
		put(o, list[i].p, list[i].n);
		put_text(o, ", ");
	}
}

static void
put_x_forwarded(struct out *o, const struct rewrite_rules *rules, const struct forwards *f,
                const struct request_text *host)
{
	static const struct request_text http = {"http", 4}, https = {"https", 5};
	const struct request_text *proto = rules->secure ? &https : &http;
	const char *peer = rules->peer;

	if (*peer != '\0' || f->nx_for > 0) {
		put_list(o, "X-Forwarded-For: ", f->x_for, f->nx_for);
		put_text(o, *peer != '\0' ? peer : "unknown");
		put_text(o, "\r\n");
	}
	put_value(o, "X-Forwarded-Proto: ", f->x_proto.n > 0 ? &f->x_proto : proto);
	if (f->x_host.n > 0)
		put_value(o, "X-Forwarded-Host: ", &f->x_host);
	else if (host->n > 0)
		put_value(o, "X-Forwarded-Host: ", host);
}

static void
put_forwarded(struct out *o, const struct rewrite_rules *rules, const struct forwards *f,
              const struct request_text *host)
{
	const char *peer = rules->peer;
	bool v6 = strchr(peer, ':') != NULL;

	put_list(o, "Forwarded: ", f->forwarded, f->nforwarded);
	put_text(o, v6 ? "for=\"[" : "for=");
	put_text(o, *peer != '\0' ? peer : "unknown");
	put_text(o, v6 ? "]\"" : "");
	put_text(o, rules->secure ? ";proto=https" : ";proto=http");
	if (host->n > 0) {
		put_text(o, ";host=\"");
		put(o, host->p, host->n);
		put_text(o, "\"");
	}
	put_text(o, "\r\n");
}

static void
put_each(struct out *o, const char *name, const struct request_text *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].n > 0)
			put_value(o, name, &list[i]);
}

/* Pass on a trusted sender's lines in the form that we do not write ourselves. */
static void
put_as_said(struct out *o, const struct forwards *f, bool x, bool forwarded)
{
	if (x) {
		put_each(o, "X-Forwarded-For: ", f->x_for, f->nx_for);
		put_each(o, "X-Forwarded-Proto: ", &f->x_proto, 1);
		put_each(o, "X-Forwarded-Host: ", &f->x_host, 1);
	}
	if (forwarded)
		put_each(o, "Forwarded: ", f->forwarded, f->nforwarded);
}

/* A client that is not trusted has said nothing. */
static void
put_forwards(struct out *o, const struct rewrite_rules *rules, struct forwards *f,
             const struct request_text *host)
{
	bool x = rules->forwarded == REWRITE_X_FORWARDED || rules->forwarded == REWRITE_BOTH;
	bool forwarded =
	    rules->forwarded == REWRITE_FORWARDED || rules->forwarded == REWRITE_BOTH;

	if (!rules->trusted)
		memset(f, 0, sizeof *f);
	put_as_said(o, f, !x, !forwarded);
	if (x)
		put_x_forwarded(o, rules, f, host);
	if (forwarded)
		put_forwarded(o, rules, f, host);
}

/* OPTIONS http://h: of the whole server (RFC 9112, 3.2.4). */
static bool
is_of_server(const struct request *r)
{
	return r->method == METHOD_OPTIONS &&
	       r->host.p + r->host.n == r->target.p + r->target.n;
}

static void
put_request_line(struct out *o, const struct request *r)
{
	struct request_text path, query;

	target_split(&r->target, &path, &query);
	if (is_of_server(r))
		path = (struct request_text){"*", 1};
	put(o, r->method_name.p, r->method_name.n);
	put_text(o, " ");
	put(o, path.p, path.n);
	if (query.p != NULL) {
		put_text(o, "?");
		put(o, query.p, query.n);
	}
	put_text(o, " HTTP/1.1\r\n");
}

/* To some upstreams '_' and '-' are one: what we take for any header would be a length. */
static bool
frames(const struct request_text *name, const char *word)
{
	if (name->n != strlen(word))
		return false;
	for (size_t i = 0; i < name->n; i++)
		if ((name->p[i] == '_' ? '-' : tolower((unsigned char)name->p[i])) != word[i])
			return false;
	return true;
}

/* Whatever stands for '-' in it. */
static bool
tells_of_certificate(const struct request_text *name)
{
	return frames(name, "x-client-cert-subject") ||
	       frames(name, "x-client-cert-fingerprint");
}

/* The subject is escaped by those who have read it; no byte of it ends a line. */
static void
put_certificate(struct out *o, const struct rewrite_rules *rules)
{
	put_text(o, "X-Client-Cert-Subject: ");
	for (size_t i = 0; i < rules->subject.n; i++) {
		char byte = rules->subject.p[i];

		put(o, byte >= ' ' && byte < 0x7f ? &byte : "?", 1);
	}
	put_text(o, "\r\nX-Client-Cert-Fingerprint: ");
	for (size_t i = 0; i < rules->fingerprint.n; i++)
		put_format(o, "%02x", (unsigned char)rules->fingerprint.p[i]);
	put_text(o, "\r\n");
}

/* Is this line told in another way, or not at all? */
static bool
is_ours(const struct connections *c, struct forwards *f, const struct head_line *l,
        const struct rewrite_rules *rules, uint64_t hops)
{
	switch (l->name.p[0] | 0x20) {
	case 'c':
		if (frames(&l->name, "content-length"))
			return true;
		break;
	case 't':
		if (frames(&l->name, "transfer-encoding"))
			return true;
		break;
	case 'e':
		if (head_is(&l->name, "expect"))
			return true;
		break;
	case 'm':
		if (hops != UINT64_MAX && head_is(&l->name, "max-forwards"))
			return true;
		break;
	case 'h':
		if (head_is(&l->name, "host"))
			return true;
		break;
	case 'f':
	case 'x':
		if (take_forward(f, l) || (!rules->trusted && tells_of_client(&l->name)) ||
		    (rules->tells_certificate && tells_of_certificate(&l->name)))
			return true;
		break;
	default:
		break;
	}
	return connections_own(&l->name) || (c->n > 0 && connections_name(c, &l->name));
}

static void
put_framing(struct out *o, const struct request *r)
{
	if (r->chunked)
		put_text(o, "Transfer-Encoding: chunked\r\n");
	else if (r->length > 0 || r->method == METHOD_POST || r->method == METHOD_PUT ||
	         r->method == METHOD_PATCH)
		put_format(o, "Content-Length: %llu\r\n", (unsigned long long)r->length);
}

/* The version is that of what has come. */
static void
put_via(struct out *o, bool http10)
{
	put_text(o, http10 ? "Via: 1.0 baton\r\n" : "Via: 1.1 baton\r\n");
}

/* Write the hop-by-hop fields, and name them in Connection (RFC 9110, 7.6.1, 10.1.4). */
static void
put_hop(struct out *o, const struct request *r, const struct request_text *protocol)
{
	if (r->takes_trailers)
		put_text(o, "TE: trailers\r\nConnection: TE\r\n");
	if (protocol->n > 0)
		put_value(o, "Connection: upgrade\r\nUpgrade: ", protocol);
}

size_t
rewrite_request(const struct rewrite_rules *rules, const char *head, size_t len,
                const struct request *r, char *out, size_t size)
{
	struct out o = {.p = out, .size = size};
	struct request_text asked = r->host;
	struct head_walk walk;
	struct head_line l;
	struct request_text protocol = {NULL, 0};
	struct forwards f = {.nx_for = 0};
	struct connections c;
	uint64_t hops;

	if (rules->upgrade)
		protocol = request_header(head, len, "Upgrade");
	request_ends_here(r, &hops);
	head_begin(&walk, head, len);
	connections_find(head, len, &c);
	put_request_line(&o, r);
	put_text(&o, "Host: ");
	if (rules->host != NULL || asked.n == 0)
		put_text(&o, rules->host != NULL ? rules->host : rules->own_host);
	else
		put(&o, asked.p, asked.n);
	put_text(&o, "\r\n");
	while (head_next(&walk, &l))
		if (!is_ours(&c, &f, &l, rules, hops))
			put(&o, l.all.p, l.all.n);
	put_framing(&o, r);
	if (hops != UINT64_MAX)
		put_format(&o, "Max-Forwards: %llu\r\n", (unsigned long long)hops);
	if (rules->expect)
		put_text(&o, "Expect: 100-continue\r\n");
	if (rules->via)
		put_via(&o, r->http10);
	put_forwards(&o, rules, &f, &asked);
	if (rules->tells_certificate && rules->fingerprint.n > 0)
		put_certificate(&o, rules);
	put_hop(&o, r, &protocol);
	put_text(&o, "\r\n");
	return c.more ? 0 : whole(&o);
}

/* --- answers --- */

/* As it is, but for a blank before its colon. */
static void
put_line(struct out *o, const struct head_line *l)
{
	size_t colon = (size_t)((const char *)memchr(l->all.p, ':', l->all.n) - l->all.p);

	put(o, l->name.p, l->name.n);
	put(o, l->all.p + colon, l->all.n - colon);
}

static void
put_reply_framing(struct out *o, const struct upstream_head *r, bool chunked)
{
	if (chunked)
		put_text(o, "Transfer-Encoding: chunked\r\n");
	else if (r->length_told && r->status >= 200 && r->status != 204)
		put_format(o, "Content-Length: %llu\r\n", (unsigned long long)r->length);
}

/* 101 and 426 answer with Upgrade, which belongs to this connection, too. */
static bool
names_protocols(const struct upstream_head *r)
{
	return r->status == 101 || r->status == 426;
}

/* Fields of the final answer only, not of 1xx. */
static void
put_final(struct out *o, const struct rewrite_answer *rules, const struct upstream_head *r)
{
	if (!r->dated && rules->date != NULL) {
		put_text(o, "Date: ");
		put_text(o, rules->date);
		put_text(o, "\r\n");
	}
	if (rules->via)
		put_via(o, r->http10);
	put_text(o, response_head_connection_line(rules->connection));
}

size_t
rewrite_reply(const struct rewrite_answer *rules, const char *head, size_t len,
              const struct upstream_head *r, char *out, size_t size)
{
	bool protocols = names_protocols(r);
	struct out o = {.p = out, .size = size};
	struct head_walk walk;
	struct head_line l;
	struct connections c;

	head_begin(&walk, head, len);
	connections_find(head, len, &c);
	put_format(&o, "HTTP/1.1 %u ", r->status);
	put(&o, r->reason.p, r->reason.n);
	put_text(&o, "\r\n");
	while (head_next(&walk, &l)) {
		l.name = head_trim_end(l.name);
		if (protocols && head_is(&l.name, "upgrade"))
			put_line(&o, &l);
		else if (!head_is(&l.name, "content-length") && !connections_own(&l.name) &&
		         !(c.n > 0 && connections_name(&c, &l.name)))
			put_line(&o, &l);
	}
	put_reply_framing(&o, r, rules->chunked);
	if (protocols)
		put_text(&o, "Connection: upgrade\r\n");
	if (r->status >= 200)
		put_final(&o, rules, r);
	put_text(&o, "\r\n");
	return c.more ? 0 : whole(&o);
}

/* --- trailers --- */

static bool
may_trail(const struct request_text *name)
{
	static const char *const never[] = {"host",
	                                    "trailer",
	                                    "authorization",
	                                    "cookie",
	                                    "cache-control",
	                                    "expect",
	                                    "max-forwards",
	                                    "range",
	                                    "proxy-authorization",
	                                    "forwarded",
	                                    "x-client-cert-subject",
	                                    "x-client-cert-fingerprint",
	                                    "via"};

	for (size_t i = 0; i < sizeof never / sizeof *never; i++)
		if (frames(name, never[i]))
			return false;
	return !connections_own(name) && !frames(name, "transfer-encoding") &&
	       !tells_of_client(name) &&
	       (name->n < 8 || strncasecmp(name->p, "content-", 8) != 0) &&
	       (name->n < 8 || strncasecmp(name->p, "content_", 8) != 0) &&
	       (name->n < 3 || strncasecmp(name->p, "if-", 3) != 0);
}

/* In an answer, remove blanks before the colon (RFC 9112, 5.1). */
ptrdiff_t
rewrite_trailers(char *bytes, size_t len, bool answer)
{
	char *from = bytes, *end = bytes + len, *to = bytes;

	for (size_t n = 0; from < end; n++) {
		char *eol = memmem(from, (size_t)(end - from), "\r\n", 2);
		char *colon = eol != NULL ? memchr(from, ':', (size_t)(eol - from)) : NULL;
		struct request_text name = {from, colon != NULL ? (size_t)(colon - from) : 0};

		if (answer)
			name = head_trim_end(name);
		if (n == REQUEST_FIELDS_MAX || !head_is_token(&name))
			return -1;
		if (may_trail(&name)) {
			memmove(to, from, name.n);
			to += name.n;
			memmove(to, colon, (size_t)(eol + 2 - colon));
			to += eol + 2 - colon;
		}
		from = eol + 2;
	}
	return to - bytes;
}
