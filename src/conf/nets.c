#include "conf/nets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/value.h"

#define MAPPED 96 /* bits before an IPv4 address */

static const struct net_addr mapped = {.byte = {[10] = 0xff, [11] = 0xff}};

/* bits: how many it has, those before it included. */
static bool
read_address(const char *text, struct net_addr *addr, unsigned *bits)
{
	*addr = mapped;
	*bits = 128;
	if (inet_pton(AF_INET, text, addr->byte + MAPPED / 8) == 1)
		return true;
	return inet_pton(AF_INET6, text, addr->byte) == 1;
}

static bool
is_v4(const struct net_addr *addr)
{
	return memcmp(addr->byte, mapped.byte, MAPPED / 8) == 0;
}

/* The first `bits` of both are the same. */
static bool
begins_alike(const struct net_addr *a, const struct net_addr *b, unsigned bits)
{
	unsigned rest = bits % 8;
	uint8_t mask = (uint8_t)(0xff00u >> rest);

	return a->local == b->local && memcmp(a->byte, b->byte, bits / 8) == 0 &&
	       (rest == 0 || ((a->byte[bits / 8] ^ b->byte[bits / 8]) & mask) == 0);
}

/* One member, without blanks around it. */
static bool
read_net(char *text, struct net_addr *addr, unsigned *bits)
{
	char *slash = strchr(text, '/');
	int64_t prefix;
	unsigned before;

	if (strcmp(text, "unix") == 0) {
		*addr = (struct net_addr){.local = true};
		*bits = 128;
		return true;
	}
	if (slash != NULL)
		*slash = '\0';
	if (!read_address(text, addr, bits))
		return false;
	if (slash == NULL)
		return true;
	before = is_v4(addr) && strchr(text, ':') == NULL ? MAPPED : 0;
	if (value_int(slash + 1, &prefix) != 0 || prefix > 128 - before)
		return false;
	*bits = before + (unsigned)prefix;
	return true;
}

/* The blanks around it. */
static char *
trim(char *text)
{
	size_t n;

	text += strspn(text, " \t");
	for (n = strlen(text); n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t'); n--)
		text[n - 1] = '\0';
	return text;
}

int
nets_read(const char *text, struct nets *nets, char **cause)
{
	char *copy = mem_strdup(text), *rest = copy, *member;
	int result = 0;

	nets->n = 0;
	while (result == 0 && (member = strsep(&rest, ",")) != NULL) {
		member = trim(member);
		if (nets->n == NETS_MAX)
			result = cause_set(cause, "expected at most %d networks", NETS_MAX);
		else if (!read_net(member, &nets->net[nets->n].addr, &nets->net[nets->n].bits))
			result = cause_set(
			    cause, "expected addresses and networks, like 10.0.0.0/8, ::1 "
			           "or unix");
		else
			nets->n++;
	}
	mem_free(&copy);
	return result;
}

bool
nets_have(const struct nets *nets, const struct net_addr *addr)
{
	for (size_t i = 0; i < nets->n; i++)
		if (begins_alike(&nets->net[i].addr, addr, nets->net[i].bits))
			return true;
	return false;
}

bool
net_addr_of(const struct sockaddr_storage *sa, struct net_addr *addr)
{
	const struct sockaddr_in *v4 = (const void *)sa;
	const struct sockaddr_in6 *v6 = (const void *)sa;

	*addr = mapped;
	if (sa->ss_family == AF_INET)
		memcpy(addr->byte + MAPPED / 8, &v4->sin_addr, sizeof v4->sin_addr);
	else if (sa->ss_family == AF_INET6)
		memcpy(addr->byte, &v6->sin6_addr, sizeof v6->sin6_addr);
	else if (sa->ss_family == AF_UNIX)
		*addr = (struct net_addr){.local = true};
	else
		return false;
	return true;
}

bool
net_addr_read(const char *text, size_t n, struct net_addr *addr)
{
	char copy[INET6_ADDRSTRLEN + 8], *host = copy, *end;
	unsigned bits;

	if (n == 0 || n >= sizeof copy)
		return false;
	memcpy(copy, text, n);
	copy[n] = '\0';
	if (*copy == '[') {
		host++;
		if ((end = strchr(host, ']')) == NULL || (end[1] != '\0' && end[1] != ':'))
			return false;
		*end = '\0';
	} else if ((end = strchr(copy, ':')) != NULL && strchr(end + 1, ':') == NULL) {
		*end = '\0';
	}
	return read_address(host, addr, &bits);
}

void
net_addr_text(const struct net_addr *addr, char *text)
{
	bool v4 = is_v4(addr);

	AN(inet_ntop(v4 ? AF_INET : AF_INET6, addr->byte + (v4 ? MAPPED / 8 : 0), text,
	             INET6_ADDRSTRLEN) != NULL);
}
