#include "service/admin/host.h"

#include <arpa/inet.h>

#include <string.h>
#include <strings.h>

#define ADDRESS_MAX 64 /* longer is none */

struct text {
	const char *p;
	size_t n;
};

/* What stands before the port, without brackets and without the dot that may end a name. */
static struct text
bare(const char *host)
{
	struct text t = {host, strcspn(host, ":")};

	if (*host == '[')
		return (struct text){host + 1, strcspn(host + 1, "]")};
	if (t.n > 1 && t.p[t.n - 1] == '.')
		t.n--;
	return t;
}

static bool
is_same(const struct text *t, const char *name)
{
	struct text other = bare(name);

	return t->n == other.n && strncasecmp(t->p, other.p, t->n) == 0;
}

static bool
is_address(const struct text *t, int family)
{
	char text[ADDRESS_MAX], address[sizeof(struct in6_addr)];

	if (t->n >= sizeof text)
		return false;
	memcpy(text, t->p, t->n);
	text[t->n] = '\0';
	return inet_pton(family, text, address) == 1;
}

bool
host_is_ours(const char *host, const char *name)
{
	struct text t;

	if (host == NULL || *host == '\0')
		return true;
	t = bare(host);
	return is_address(&t, *host == '[' ? AF_INET6 : AF_INET) || is_same(&t, "localhost") ||
	       (name != NULL && is_same(&t, name));
}
