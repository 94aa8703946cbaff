#include "worker/access/accessline.h"

#include <stdio.h>
#include <string.h>

#include "base/escape.h"

/* The most that each part takes, escaped. */
#define TARGET_MAX  1800
#define HEADER_MAX  400 /* each of two */
#define FINGERPRINT 32  /* bytes: SHA-256 */
#define NAME_LONG   120 /* each of seven, and of the method */

_Static_assert(TARGET_MAX + 2 * HEADER_MAX + 8 * NAME_LONG + 400 <= ACCESSLINE_MAX,
               "a line holds its parts, and numbers and names beside them");

typedef void escape_fn(struct escape_out *o, const char *text, size_t n);

void
accessline_set_time(struct accessline_time *t, time_t sec)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm;

	gmtime_r(&sec, &tm);
	snprintf(t->combined, sizeof t->combined, "%02d/%.3s/%04d:%02d:%02d:%02d +0000",
	         tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
	         tm.tm_sec);
	snprintf(t->json, sizeof t->json, "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900,
	         tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	t->of = sec;
}

static void
put(struct escape_out *o, const char *text)
{
	escape_plain(o, text, strlen(text));
}

static void
put_number(struct escape_out *o, uint64_t n)
{
	char digits[20];
	size_t i = sizeof digits;

	do
		digits[--i] = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	escape_plain(o, digits + i, sizeof digits - i);
}

/* n / 10^3, of three digits behind the point. */
static void
put_thousandths(struct escape_out *o, uint64_t n)
{
	char rest[4] = {'.', (char)('0' + n / 100 % 10), (char)('0' + n / 10 % 10),
	                (char)('0' + n % 10)};

	put_number(o, n / 1000);
	escape_plain(o, rest, sizeof rest);
}

/* At most max bytes of what it becomes. */
static void
put_text(struct escape_out *o, escape_fn *escape, struct accessline_text t, size_t max)
{
	struct escape_out part = {o->at, o->at + max};

	escape(&part, t.p, t.n);
	o->at = part.at;
}

static struct accessline_text
text(const char *s)
{
	return (struct accessline_text){s, s != NULL ? strlen(s) : 0};
}

/* --- combined --- */

static void
quoted(struct escape_out *o, struct accessline_text t, size_t max)
{
	if (t.p == NULL)
		put(o, "-");
	else
		put_text(o, escape_quoted, t, max);
}

static void
number_or_none(struct escape_out *o, uint64_t n)
{
	if (n == 0)
		put(o, "-");
	else
		put_number(o, n);
}

static void
request_line(struct escape_out *o, const struct accessline *l)
{
	quoted(o, l->method, NAME_LONG);
	if (l->target.p == NULL)
		return;
	put(o, " ");
	quoted(o, l->target, TARGET_MAX);
	put(o, " ");
	put(o, l->version);
}

/* The peer is ADDRESS:PORT, [ADDRESS]:PORT, or a word. */
static void
split(const char *peer, struct accessline_text *address, struct accessline_text *port)
{
	struct accessline_text whole = text(peer);
	const char *colon = peer != NULL ? strrchr(peer, ':') : NULL;

	*address = whole;
	*port = (struct accessline_text){NULL, 0};
	if (colon == NULL)
		return;
	address->n = (size_t)(colon - peer);
	*port = text(colon + 1);
	if (*peer == '[' && address->n > 2)
		*address = (struct accessline_text){peer + 1, address->n - 2};
}

static struct accessline_text
hex_of(struct accessline_text bytes, char hex[2 * FINGERPRINT + 1])
{
	if (bytes.n != FINGERPRINT)
		return (struct accessline_text){NULL, 0};
	for (size_t i = 0; i < bytes.n; i++)
		snprintf(hex + 2 * i, 3, "%02x", (unsigned char)bytes.p[i]);
	return text(hex);
}

static void
put_tls(struct escape_out *o, const struct accessline *l)
{
	char hex[2 * FINGERPRINT + 1];

	put(o, " ");
	put(o, l->tls);
	put(o, " ");
	put(o, l->suite);
	put(o, " \"");
	quoted(o, l->subject, NAME_LONG);
	put(o, "\" ");
	quoted(o, hex_of(l->fingerprint, hex), NAME_LONG);
}

size_t
accessline_combined(const struct accessline *l, char *buf)
{
	struct escape_out o = {buf, buf + ACCESSLINE_MAX};
	struct accessline_text address, port;

	split(l->peer, &address, &port);
	quoted(&o, l->client != NULL ? text(l->client) : address, NAME_LONG);
	put(&o, " - - [");
	put(&o, l->time->combined);
	put(&o, "] \"");
	request_line(&o, l);
	put(&o, "\" ");
	number_or_none(&o, (uint64_t)l->status);
	put(&o, " ");
	put_number(&o, l->body_out);
	put(&o, " \"");
	quoted(&o, l->referer, HEADER_MAX);
	put(&o, "\" \"");
	quoted(&o, l->agent, HEADER_MAX);
	put(&o, "\" ");
	quoted(&o, text(l->listener), NAME_LONG);
	put(&o, " ");
	quoted(&o, text(l->service), NAME_LONG);
	put(&o, " ");
	put_number(&o, l->bytes_in);
	put(&o, " ");
	put_thousandths(&o, l->us);
	put(&o, " ");
	quoted(&o, text(l->upstream), NAME_LONG);
	put(&o, " ");
	quoted(&o, port, NAME_LONG);
	put(&o, " \"");
	quoted(&o, text(l->fault), NAME_LONG);
	put(&o, "\"");
	if (l->tls != NULL)
		put_tls(&o, l);
	put(&o, "\n");
	return (size_t)(o.at - buf);
}

/* --- JSON --- */

static void
member(struct escape_out *o, const char *key, struct accessline_text t, size_t max)
{
	put(o, ",\"");
	put(o, key);
	if (t.p == NULL) {
		put(o, "\":null");
		return;
	}
	put(o, "\":\"");
	put_text(o, escape_json, t, max);
	put(o, "\"");
}

static void
number(struct escape_out *o, const char *key, uint64_t n)
{
	put(o, ",\"");
	put(o, key);
	put(o, "\":");
	put_number(o, n);
}

size_t
accessline_json(const struct accessline *l, char *buf)
{
	struct escape_out o = {buf, buf + ACCESSLINE_MAX};
	struct accessline_text address, port;
	char ms[8], hex[2 * FINGERPRINT + 1];

	put(&o, "{\"time\":\"");
	put(&o, l->time->json);
	snprintf(ms, sizeof ms, ".%03uZ", l->ms % 1000);
	put(&o, ms);
	put(&o, "\"");
	split(l->peer, &address, &port);
	member(&o, "peer", text(l->peer), NAME_LONG);
	member(&o, "client", l->client != NULL ? text(l->client) : address, NAME_LONG);
	member(&o, "listener", text(l->listener), NAME_LONG);
	member(&o, "service", text(l->service), NAME_LONG);
	member(&o, "method", l->method, NAME_LONG);
	member(&o, "target", l->target, TARGET_MAX);
	member(&o, "version", text(l->version), NAME_LONG);
	if (l->status == 0)
		member(&o, "status", text(NULL), 0);
	else
		number(&o, "status", (uint64_t)l->status);
	number(&o, "bytes_in", l->bytes_in);
	number(&o, "bytes_out", l->bytes_out);
	number(&o, "body_out", l->body_out);
	put(&o, ",\"duration_ms\":");
	put_thousandths(&o, l->us);
	member(&o, "upstream", text(l->upstream), NAME_LONG);
	member(&o, "fault", text(l->fault), NAME_LONG);
	member(&o, "referer", l->referer, HEADER_MAX);
	member(&o, "agent", l->agent, HEADER_MAX);
	if (l->tls != NULL) {
		member(&o, "tls", text(l->tls), NAME_LONG);
		member(&o, "suite", text(l->suite), NAME_LONG);
		member(&o, "subject", l->subject, NAME_LONG);
		member(&o, "fingerprint", hex_of(l->fingerprint, hex), NAME_LONG);
	}
	put(&o, "}\n");
	return (size_t)(o.at - buf);
}
