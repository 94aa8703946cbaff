#include "service/head/connections.h"

#include <strings.h>

#include "service/head/request.h"

#define CONNECTIONS_MAX 8  /* lines of Connection; a head with more is not passed on */
#define PROTOCOLS_MAX   16 /* of Upgrade; with more it is no upgrade */

static bool
is_connection(const struct request_text *name)
{
	return name->n == 10 && (name->p[0] | 0x20) == 'c' && head_is(name, "connection");
}

static void
add_members(struct connections *c, struct request_text list)
{
	struct request_text member;

	if (++c->lines > CONNECTIONS_MAX)
		c->more = true;
	while (!c->more && head_next_member(&list, &member)) {
		if (c->n == HEAD_MEMBERS_MAX)
			c->more = true;
		else
			c->member[c->n++] = member;
	}
}

void
connections_find(const char *head, size_t len, struct connections *c)
{
	struct head_walk walk;
	struct head_line l;

	c->n = c->lines = 0;
	c->more = false;
	head_begin(&walk, head, len);
	while (!c->more && head_next(&walk, &l)) {
		l.name = head_trim_end(l.name);
		if (is_connection(&l.name))
			add_members(c, l.value);
	}
}

bool
connections_name(const struct connections *c, const struct request_text *name)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->member[i].n == name->n &&
		    strncasecmp(c->member[i].p, name->p, name->n) == 0)
			return true;
	return false;
}

/* More protocols than we look at might have it, too. */
static bool
may_be_h2c(struct request_text protocols)
{
	struct request_text protocol;
	size_t n = 0;

	while (head_next_member(&protocols, &protocol))
		if (++n > PROTOCOLS_MAX || head_is(&protocol, "h2c"))
			return true;
	return false;
}

bool
connections_upgrade(const char *head, size_t len)
{
	static const struct request_text upgrade = {"upgrade", 7};
	struct request_text protocols = request_header(head, len, "Upgrade");
	struct connections c;

	if (protocols.n == 0)
		return false;
	connections_find(head, len, &c);
	return connections_name(&c, &upgrade) && !may_be_h2c(protocols);
}

/* Belongs to one connection, whatever Connection says. */
bool
connections_own(const struct request_text *name)
{
	switch (name->p[0] | 0x20) {
	case 'c':
		return head_is(name, "connection");
	case 'k':
		return head_is(name, "keep-alive");
	case 'p':
		return head_is(name, "proxy-connection");
	case 't':
		return head_is(name, "te") || head_is(name, "transfer-encoding");
	case 'u':
		return head_is(name, "upgrade");
	case 'h':
		return head_is(name, "http2-settings");
	default:
		return false;
	}
}
