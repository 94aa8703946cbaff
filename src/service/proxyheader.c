#include "service/proxyheader.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define V1_MAX PROXYHEADER_MAX /* with its CR LF */

static const char signature[12] = "\r\n\r\n\0\r\nQUIT\n";

struct v2_head {
	char signature[12];
	uint8_t command; /* version 2 in the high bits; 0 local, 1 proxy */
	uint8_t family;  /* 0x11 TCP over IPv4, 0x21 over IPv6 */
	uint16_t length; /* of what follows, in network order */
};

/* --- version 1: a line of text --- */

static bool
v1_address(int family, const char *ip, const char *port, struct sockaddr_storage *out)
{
	struct sockaddr_in *in = (struct sockaddr_in *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
	char *end;
	unsigned long n = strtoul(port, &end, 10);

	if (*port < '0' || *port > '9' || *end != '\0' || n > UINT16_MAX)
		return false;
	memset(out, 0, sizeof *out);
	out->ss_family = (sa_family_t)family;
	if (family == AF_INET)
		in->sin_port = htons((uint16_t)n);
	else
		in6->sin6_port = htons((uint16_t)n);
	return inet_pton(family, ip,
	                 family == AF_INET ? (void *)&in->sin_addr : (void *)&in6->sin6_addr) ==
	       1;
}

static bool
v1_parse(char *line, struct proxyheader *g)
{
	char *word[6], *rest = line; /* one blank between two, and nothing behind the last */
	int n = 0, family;

	while (rest != NULL && n < 6)
		word[n++] = strsep(&rest, " ");
	if (n < 2 || strcmp(word[0], "PROXY") != 0)
		return false;
	if (strcmp(word[1], "UNKNOWN") == 0)
		return true; /* whatever else the line says */
	family = strcmp(word[1], "TCP4") == 0   ? AF_INET
	         : strcmp(word[1], "TCP6") == 0 ? AF_INET6
	                                        : AF_UNSPEC;
	return family != AF_UNSPEC && n == 6 && rest == NULL &&
	       v1_address(family, word[2], word[4], &g->from) &&
	       v1_address(family, word[3], word[5], &g->to);
}

static int
read_v1(const char *bytes, size_t len, struct proxyheader *g)
{
	char line[V1_MAX + 1];
	size_t max = len < V1_MAX ? len : V1_MAX;
	const char *end = memchr(bytes, '\n', max);

	if (end == NULL)
		return len >= V1_MAX ? PROXYHEADER_BROKEN : 0;
	if (end == bytes || end[-1] != '\r' ||
	    memchr(bytes, '\0', (size_t)(end - bytes)) != NULL)
		return PROXYHEADER_BROKEN;
	memcpy(line, bytes, (size_t)(end - bytes));
	line[end - bytes - 1] = '\0';
	return v1_parse(line, g) ? (int)(end - bytes) + 1 : PROXYHEADER_BROKEN;
}

/* --- version 2: binary --- */

/* Of the addresses, if it tells any that we know: else its sender speaks for itself. */
static size_t
v2_size(const struct v2_head *head)
{
	if ((head->command & 15) == 0)
		return 0;
	return head->family == 0x11 ? 12 : head->family == 0x21 ? 36 : 0;
}

static void
v2_addresses(const struct v2_head *head, const char *body, struct proxyheader *g)
{
	struct sockaddr_in *from4 = (struct sockaddr_in *)&g->from;
	struct sockaddr_in *to4 = (struct sockaddr_in *)&g->to;
	struct sockaddr_in6 *from6 = (struct sockaddr_in6 *)&g->from;
	struct sockaddr_in6 *to6 = (struct sockaddr_in6 *)&g->to;

	if (head->family == 0x11) {
		from4->sin_family = to4->sin_family = AF_INET;
		memcpy(&from4->sin_addr, body, 4);
		memcpy(&to4->sin_addr, body + 4, 4);
		memcpy(&from4->sin_port, body + 8, 2);
		memcpy(&to4->sin_port, body + 10, 2);
		return;
	}
	from6->sin6_family = to6->sin6_family = AF_INET6;
	memcpy(&from6->sin6_addr, body, 16);
	memcpy(&to6->sin6_addr, body + 16, 16);
	memcpy(&from6->sin6_port, body + 32, 2);
	memcpy(&to6->sin6_port, body + 34, 2);
}

static int
read_v2(const char *bytes, size_t len, struct proxyheader *g)
{
	struct v2_head head;
	size_t n, size;

	if (len < sizeof head)
		return 0;
	memcpy(&head, bytes, sizeof head);
	n = ntohs(head.length);
	size = v2_size(&head);
	if (head.command >> 4 != 2 || (head.command & 15) > 1 || n < size)
		return PROXYHEADER_BROKEN;
	if (len < sizeof head + size)
		return 0;
	if (size > 0)
		v2_addresses(&head, bytes + sizeof head, g);
	return (int)(sizeof head + n);
}

static bool
begins(const char *bytes, size_t len, const char *with, size_t n)
{
	return memcmp(bytes, with, len < n ? len : n) == 0;
}

int
proxyheader_read(const void *bytes, size_t len, struct proxyheader *g)
{
	memset(g, 0, sizeof *g);
	if (len == 0)
		return 0;
	if (begins(bytes, len, signature, sizeof signature))
		return read_v2(bytes, len, g);
	if (begins(bytes, len, "PROXY ", 6))
		return read_v1(bytes, len, g);
	return PROXYHEADER_NONE;
}

/* --- writing --- */

static bool
is_known(const struct proxyheader *g)
{
	return (g->from.ss_family == AF_INET || g->from.ss_family == AF_INET6) &&
	       g->from.ss_family == g->to.ss_family;
}

static const char *
ip_text(const struct sockaddr_storage *sa, char *buf, unsigned *port)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)sa;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;

	*port = ntohs(sa->ss_family == AF_INET ? in->sin_port : in6->sin6_port);
	return inet_ntop(sa->ss_family,
	                 sa->ss_family == AF_INET ? (const void *)&in->sin_addr
	                                          : (const void *)&in6->sin6_addr,
	                 buf, INET6_ADDRSTRLEN);
}

static size_t
write_v1(const struct proxyheader *g, char *buf)
{
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];
	unsigned from_port, to_port;

	if (!is_known(g))
		return (size_t)snprintf(buf, PROXYHEADER_OUT, "PROXY UNKNOWN\r\n");
	ip_text(&g->from, from, &from_port);
	ip_text(&g->to, to, &to_port);
	return (size_t)snprintf(buf, PROXYHEADER_OUT, "PROXY TCP%c %s %s %u %u\r\n",
	                        g->from.ss_family == AF_INET ? '4' : '6', from, to, from_port,
	                        to_port);
}

static size_t
write_v2(const struct proxyheader *g, char *buf)
{
	const struct sockaddr_in *from4 = (const struct sockaddr_in *)&g->from;
	const struct sockaddr_in *to4 = (const struct sockaddr_in *)&g->to;
	const struct sockaddr_in6 *from6 = (const struct sockaddr_in6 *)&g->from;
	const struct sockaddr_in6 *to6 = (const struct sockaddr_in6 *)&g->to;
	struct v2_head head = {.command = is_known(g) ? 0x21 : 0x20};
	size_t n = sizeof head;

	memcpy(head.signature, signature, sizeof signature);
	if (is_known(g)) {
		bool four = g->from.ss_family == AF_INET;
		size_t ip = four ? 4 : 16;

		head.family = four ? 0x11 : 0x21;
		head.length = htons((uint16_t)(2 * ip + 4));
		memcpy(buf + n, four ? (const void *)&from4->sin_addr : &from6->sin6_addr, ip);
		memcpy(buf + n + ip, four ? (const void *)&to4->sin_addr : &to6->sin6_addr, ip);
		memcpy(buf + n + 2 * ip, four ? &from4->sin_port : &from6->sin6_port, 2);
		memcpy(buf + n + 2 * ip + 2, four ? &to4->sin_port : &to6->sin6_port, 2);
		n += 2 * ip + 4;
	}
	memcpy(buf, &head, sizeof head);
	return n;
}

size_t
proxyheader_write(const struct proxyheader *g, int version, char *buf)
{
	return version == 1 ? write_v1(g, buf) : write_v2(g, buf);
}
