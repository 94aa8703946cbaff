#include "conf/value.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

#include "base/mem.h"

#define FDNAME_MAX 255                                  /* of systemd */
#define HOST_MAX   (INET6_ADDRSTRLEN + 1 + IF_NAMESIZE) /* with %INTERFACE */
#define HOST_BYTES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"

struct unit {
	const char *name;
	int64_t factor;
};

/* From small to large, and each a multiple of the one before. */
static const struct unit durations[] = {
    {"ms", 1},
    {"s", 1000},
    {"m", INT64_C(60) * 1000},
    {"h", INT64_C(3600) * 1000},
};

#define DAY (INT64_C(24) * 3600 * 1000) /* is read, and told in hours */

static const struct unit sizes[] = {
    {"", 1},
    {"k", 1 << 10},
    {"m", 1 << 20},
    {"g", 1 << 30},
};

#define NUNITS 4

_Static_assert(sizeof durations / sizeof durations[0] == NUNITS, "all units are seen");
_Static_assert(sizeof sizes / sizeof sizes[0] == NUNITS, "all units are seen");

/* Digits of a base up to ten; returns what follows, NULL without a digit or
 * when the number is too large. */
static const char *
number(const char *s, int base, int64_t *out)
{
	int64_t n = 0;

	if (*s < '0' || *s >= '0' + base)
		return NULL;
	for (; *s >= '0' && *s < '0' + base; s++)
		if (__builtin_mul_overflow(n, base, &n) ||
		    __builtin_add_overflow(n, *s - '0', &n))
			return NULL;
	*out = n;
	return s;
}

static int
whole_number(const char *s, int base, int64_t *out)
{
	int64_t n;
	const char *rest = number(s, base, &n);

	if (rest == NULL || *rest != '\0')
		return -1;
	*out = n;
	return 0;
}

static int
scaled(const char *s, const struct unit *units, int64_t *out)
{
	int64_t n;
	const char *rest = number(s, 10, &n);

	if (rest == NULL)
		return -1;
	for (size_t i = 0; i < NUNITS; i++) {
		if (strcmp(rest, units[i].name) != 0)
			continue;
		if (__builtin_mul_overflow(n, units[i].factor, &n))
			return -1;
		*out = n;
		return 0;
	}
	return -1;
}

static char *
scaled_text(int64_t n, const struct unit *units)
{
	size_t i = NUNITS - 1;

	while (i > 0 && n % units[i].factor != 0)
		i--;
	return mem_printf("%lld%s", (long long)(n / units[i].factor), units[i].name);
}

int
value_bool(const char *s, bool *out)
{
	if (strcmp(s, "yes") != 0 && strcmp(s, "no") != 0)
		return -1;
	*out = *s == 'y';
	return 0;
}

int
value_int(const char *s, int64_t *out)
{
	return whole_number(s, 10, out);
}

int
value_octal(const char *s, int64_t *out)
{
	return whole_number(s, 8, out);
}

int
value_duration(const char *s, int64_t *out)
{
	int64_t n;
	const char *rest = number(s, 10, &n);

	if (rest != NULL && strcmp(s, "0") == 0) {
		*out = 0;
		return 0;
	}
	if (rest != NULL && strcmp(rest, "d") == 0) {
		if (__builtin_mul_overflow(n, DAY, &n))
			return -1;
		*out = n;
		return 0;
	}
	return scaled(s, durations, out);
}

int
value_size(const char *s, int64_t *out)
{
	return scaled(s, sizes, out);
}

char *
value_duration_text(int64_t ms)
{
	return ms == 0 ? mem_strdup("0s") : scaled_text(ms, durations);
}

char *
value_size_text(int64_t bytes)
{
	return bytes == 0 ? mem_strdup("0") : scaled_text(bytes, sizes);
}

char *
value_plain_path(const char *path)
{
	char *plain = mem_alloc(strlen(path) + 2), *end = plain;

	while (*path != '\0') {
		size_t slashes = strspn(path, "/"), len = strcspn(path + slashes, "/");
		bool nothing = len == 0 || (len == 1 && path[slashes] == '.');

		if (!nothing) {
			if (slashes > 0)
				*end++ = '/';
			memcpy(end, path + slashes, len);
			end += len;
		}
		path += slashes + len;
	}
	if (end == plain)
		*end++ = '/';
	*end = '\0';
	return plain;
}

/* However the path is written it is one address. */
static void
plain_path(struct sockaddr_un *sun, struct conf_addr *addr)
{
	char *plain = value_plain_path(sun->sun_path);
	size_t size = strlen(plain) + 1;

	memset(sun->sun_path, 0, sizeof sun->sun_path);
	memcpy(sun->sun_path, plain, size);
	addr->salen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
	mem_free(&plain);
}

static int
addr_unix(const char *path, struct conf_addr *addr, char **cause)
{
	struct sockaddr_un *sun = (struct sockaddr_un *)&addr->sa;
	size_t len = strlen(path);

	if (*path != '/' && *path != '@')
		return cause_set(cause, "a unix socket needs an absolute path, "
		                        "like unix:/run/x.sock, or an abstract @NAME");
	if (len == 1 || (*path == '/' && path[len - 1] == '/'))
		return cause_set(cause, "the name of the unix socket is missing");
	/* No byte for a NUL after an abstract name, but '@' stands for one. */
	if (len >= sizeof sun->sun_path)
		return cause_set(cause, "the path of a unix socket has at most %zu bytes",
		                 sizeof sun->sun_path - 1);
	addr->kind = CONF_ADDR_UNIX;
	addr->salen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	sun->sun_family = AF_UNIX;
	memcpy(sun->sun_path, path, len);
	if (*path == '@')
		sun->sun_path[0] = '\0';
	else
		plain_path(sun, addr);
	return 0;
}

static int
addr_systemd(const char *name, struct conf_addr *addr, char **cause)
{
	size_t len = strlen(name);

	if (len == 0 || len > FDNAME_MAX)
		return cause_set(cause, "the name after 'systemd:' has 1 to %d bytes",
		                 FDNAME_MAX);
	for (const char *s = name; *s != '\0'; s++)
		if (*s < ' ' || *s > '~' || *s == ':')
			return cause_set(cause, "the name after 'systemd:' is printable ASCII "
			                        "without ':'");
	addr->kind = CONF_ADDR_SYSTEMD;
	addr->name = mem_strdup(name);
	return 0;
}

/* Split HOST:PORT or [HOST]:PORT; returns what stands after the host's colon. */
static const char *
split_host(const char *s, char host[HOST_MAX], int lowest_port, char **cause)
{
	const char *begin = *s == '[' ? s + 1 : s;
	const char *end = begin + strcspn(begin, *s == '[' ? "]" : ":");
	const char *colon = *end == ']' ? end + 1 : end;

	if (*s == '[' && *end == '\0') {
		cause_set(cause, "']' is missing");
		return NULL;
	}
	if (*colon != ':') {
		cause_set(cause, *s == '/' ? "a unix socket is written like unix:/run/x.sock"
		                 : lowest_port > 0
		                     ? "the port is missing, write HOST:PORT"
		                     : "the port is missing, write HOST:PORT or :PORT");
		return NULL;
	}
	if (strchr(colon + 1, ':') != NULL) {
		cause_set(cause, "an IPv6 address stands in brackets, like [::1]:80");
		return NULL;
	}
	memset(host, 0, HOST_MAX);
	if (end - begin < HOST_MAX)
		memcpy(host, begin, (size_t)(end - begin));
	else
		host[0] = '?'; /* no address is as long */
	return colon + 1;
}

/* fe80::1%eth0 or fe80::1%2 (RFC 4007, 11.2): only with its interface is it an address. */
static int
set_interface(const char *name, struct sockaddr_in6 *sin6, char **cause)
{
	int64_t index;

	if (!IN6_IS_ADDR_LINKLOCAL(&sin6->sin6_addr))
		return name == NULL ? 0
		                    : cause_set(cause, "only a link-local address has an "
		                                       "interface behind '%%'");
	if (name == NULL)
		return cause_set(cause, "a link-local address needs its interface, like "
		                        "[fe80::1%%eth0]:80");
	sin6->sin6_scope_id = if_nametoindex(name);
	if (sin6->sin6_scope_id == 0 && value_int(name, &index) == 0 && index > 0 &&
	    index <= INT32_MAX)
		sin6->sin6_scope_id = (uint32_t)index;
	if (sin6->sin6_scope_id == 0)
		return cause_set(cause, "there is no interface '%s'", name);
	return 0;
}

static int
addr_ipv6(char *host, int64_t port, struct conf_addr *addr, char **cause)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&addr->sa;
	char *interface = strchr(host, '%');

	if (interface != NULL)
		*interface++ = '\0';
	if (inet_pton(AF_INET6, host, &sin6->sin6_addr) != 1)
		return cause_set(cause, "what stands in brackets is not an IPv6 address");
	if (set_interface(interface, sin6, cause) < 0)
		return -1;
	sin6->sin6_family = AF_INET6;
	sin6->sin6_port = htons((uint16_t)port);
	addr->salen = sizeof *sin6;
	return 0;
}

static int
addr_ipv4(const char *host, int64_t port, struct conf_addr *addr, char **cause)
{
	struct sockaddr_in *sin = (struct sockaddr_in *)&addr->sa;

	if (*host == '\0' || strcmp(host, "*") == 0)
		host = "0.0.0.0";
	if (host[strspn(host, "0123456789.")] != '\0')
		return cause_set(cause, "host names are not looked up, write the address "
		                        "in numbers, like 127.0.0.1:80");
	if (inet_pton(AF_INET, host, &sin->sin_addr) != 1)
		return cause_set(cause, "an IPv4 address is four numbers from 0 to 255, "
		                        "like 127.0.0.1");
	sin->sin_family = AF_INET;
	sin->sin_port = htons((uint16_t)port);
	addr->salen = sizeof *sin;
	return 0;
}

/* lowest_port: 0 where the kernel may choose one. */
static int
addr_tcp(const char *s, struct conf_addr *addr, int lowest_port, char **cause)
{
	char host[HOST_MAX];
	int64_t port;
	const char *rest = split_host(s, host, lowest_port, cause);

	if (rest == NULL)
		return -1;
	if (value_int(rest, &port) != 0 || port < lowest_port || port > UINT16_MAX)
		return cause_set(cause, "the port is a number from %d to %d", lowest_port,
		                 UINT16_MAX);
	addr->kind = CONF_ADDR_TCP;
	return *s == '[' ? addr_ipv6(host, port, addr, cause)
	                 : addr_ipv4(host, port, addr, cause);
}

static int
addr_any(const char *s, struct conf_addr *addr, int lowest_port, char **cause)
{
	struct conf_addr a = {.text = NULL};
	int rc;

	if (strncmp(s, "unix:", 5) == 0)
		rc = addr_unix(s + 5, &a, cause);
	else if (strncmp(s, "systemd:", 8) == 0)
		rc = addr_systemd(s + 8, &a, cause);
	else
		rc = addr_tcp(s, &a, lowest_port, cause);
	if (rc == 0) {
		a.text = mem_strdup(s);
		*addr = a;
	}
	return rc;
}

static bool
is_mapped(const struct conf_addr *a)
{
	return a->kind == CONF_ADDR_TCP && a->sa.ss_family == AF_INET6 &&
	       IN6_IS_ADDR_V4MAPPED(&((const struct sockaddr_in6 *)&a->sa)->sin6_addr);
}

/* Sockets for IPv6 are for IPv6 only. */
int
value_addr(const char *s, struct conf_addr *addr, char **cause)
{
	struct conf_addr a;

	if (strncmp(s, "unix:", 5) != 0 && strstr(s, "://") != NULL)
		return cause_set(cause, "an address has no scheme, write HOST:PORT");
	if (addr_any(s, &a, 0, cause) < 0)
		return -1;
	if (is_mapped(&a)) {
		value_addr_clear(&a);
		return cause_set(cause, "an IPv4 address stands without brackets, like "
		                        "127.0.0.1:80");
	}
	*addr = a;
	return 0;
}

static uint16_t
addr_port(const struct conf_addr *addr)
{
	if (addr->sa.ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)&addr->sa)->sin6_port);
	return ntohs(((const struct sockaddr_in *)&addr->sa)->sin_port);
}

static bool
is_name(const char *host)
{
	return *host != '\0' && host[strspn(host, HOST_BYTES)] == '\0' &&
	       host[strspn(host, "0123456789.")] != '\0';
}

static bool
is_any(const struct conf_addr *a)
{
	if (a->sa.ss_family == AF_INET6)
		return IN6_IS_ADDR_UNSPECIFIED(
		    &((const struct sockaddr_in6 *)&a->sa)->sin6_addr);
	return ((const struct sockaddr_in *)&a->sa)->sin_addr.s_addr == INADDR_ANY;
}

int
value_upstream(const char *s, struct conf_addr *addr, char **cause)
{
	const char *colon = strrchr(s, ':');
	bool unix_path = strncmp(s, "unix:", 5) == 0;
	char *host;
	bool named;
	int64_t port;

	if (!unix_path && strstr(s, "://") != NULL)
		return cause_set(cause, "it has no scheme, write HOST:PORT");
	host = mem_strndup(s, colon != NULL ? (size_t)(colon - s) : 0);
	named = !unix_path && is_name(host);
	if (named && value_int(colon + 1, &port) == 0 && port > 0 && port <= UINT16_MAX) {
		*addr = (struct conf_addr){.text = mem_strdup(s),
		                           .kind = CONF_ADDR_NAME,
		                           .name = host,
		                           .port = (uint16_t)port};
		return 0;
	}
	mem_free(&host);
	if (named)
		return cause_set(cause, "the port is a number from 1 to %d", UINT16_MAX);
	if (colon != NULL && strchr("[*/:", s[strspn(s, HOST_BYTES)]) == NULL)
		return cause_set(cause, "a host name has letters, digits, '-', '.' and '_'");
	if (addr_any(s, addr, 1, cause) < 0)
		return -1;
	if (addr->kind == CONF_ADDR_SYSTEMD || (addr->kind == CONF_ADDR_TCP && is_any(addr))) {
		value_addr_clear(addr);
		return cause_set(cause, "nobody can be reached there; write HOST:PORT");
	}
	return 0;
}

bool
value_addr_same(const struct conf_addr *a, const struct conf_addr *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == CONF_ADDR_SYSTEMD)
		return strcmp(a->name, b->name) == 0;
	if (a->kind == CONF_ADDR_TCP && addr_port(a) == 0)
		return false;
	return a->salen == b->salen && memcmp(&a->sa, &b->sa, a->salen) == 0;
}

void
value_addr_clear(struct conf_addr *addr)
{
	mem_free(&addr->text);
	mem_free(&addr->name);
}
