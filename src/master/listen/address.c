#include "master/listen/address.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <linux/filter.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/place.h"
#include "base/unixsock.h"
#include "conf/conf.h"

char *
address_text(int fd)
{
	struct sockaddr_storage sa = {0};
	socklen_t len = sizeof sa;
	char host[64], port[8];

	if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		return mem_strdup("?");
	if (sa.ss_family == AF_UNIX) {
		const struct sockaddr_un *un = (const void *)&sa;
		bool abstract = un->sun_path[0] == '\0' && len > sizeof(sa_family_t);

		return mem_printf("unix:%s%.*s", abstract ? "@" : "",
		                  (int)(len - sizeof(sa_family_t)), un->sun_path + abstract);
	}
	if (getnameinfo((struct sockaddr *)&sa, len, host, sizeof host, port, sizeof port,
	                NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return mem_strdup("?");
	return mem_printf(sa.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

uint16_t
address_port(const struct sockaddr_storage *sa)
{
	return ntohs(sa->ss_family == AF_INET6
	                 ? ((const struct sockaddr_in6 *)(const void *)sa)->sin6_port
	                 : ((const struct sockaddr_in *)(const void *)sa)->sin_port);
}

static int
option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof value);
}

static int
stream_socket(int family)
{
	return socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* Accepted sockets inherit the listening socket's options: one system call less per
 * connection. */
static int
prepare_tcp(int fd, int family, bool reuseport)
{
	if (option(fd, SOL_SOCKET, SO_REUSEADDR, 1) < 0 ||
	    (reuseport && option(fd, SOL_SOCKET, SO_REUSEPORT, 1) < 0) ||
	    option(fd, IPPROTO_TCP, TCP_NODELAY, 1) < 0)
		return -1;
	return family == AF_INET6 ? option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) : 0;
}

/*
 * SO_REUSEPORT is set on every TCP socket, so that slots can be added later.
 * With it the kernel would let a second baton of the same user take half of our
 * clients without a word; hence a try without it first.
 */
int
address_probe(const struct sockaddr_storage *sa, socklen_t len)
{
	int fd = stream_socket(sa->ss_family), result = -1;

	if (fd >= 0 && prepare_tcp(fd, sa->ss_family, false) == 0)
		result = bind(fd, (const struct sockaddr *)sa, len);
	fd_close(&fd);
	return result;
}

int
address_bind_tcp(const struct sockaddr_storage *sa, socklen_t len)
{
	int fd = stream_socket(sa->ss_family);

	FAULT("bind");
	if (fd >= 0 && prepare_tcp(fd, sa->ss_family, true) == 0 &&
	    bind(fd, (const struct sockaddr *)sa, len) == 0)
		return fd;
	fd_close(&fd);
	return -1;
}

static int
bind_abstract(const struct conf_addr *a, char **cause)
{
	int fd = stream_socket(AF_UNIX);

	if (fd >= 0 && bind(fd, (const struct sockaddr *)&a->sa, a->salen) == 0)
		return fd;
	cause_set(cause, "cannot listen on %s: %s", a->text, strerror(errno));
	fd_close(&fd);
	return -1;
}

int
address_bind_unix(const struct conf_addr *a, const struct conf_listen *conf,
                  struct place_id *own, char **cause)
{
	const char *path = a->text + strlen("unix:");
	char *why = NULL;
	int fd;

	*own = (struct place_id){0};
	if (path[0] == '@')
		return bind_abstract(a, cause);
	fd = unixsock_listen(path, (mode_t)conf->mode, -1, own, &why);
	if (fd < 0 && errno == EADDRINUSE)
		cause_set(cause, "cannot listen on %s: another process does", a->text);
	else if (fd < 0)
		cause_set(cause, "cannot listen on %s: %s", a->text, why);
	free(why);
	return fd;
}

/* A TCP header starts at offset 0 for a filter on a TCP socket; byte 13 holds the
 * flags.  SYN without ACK is dropped: the client tries again a second later,
 * while the ACK that ends a handshake passes. */
void
address_filter(int fd, bool on)
{
	struct sock_filter code[] = {
	    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
	    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, 0),
	    BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
	};
	struct sock_fprog prog = {.len = sizeof code / sizeof *code, .filter = code};
	int none = 0;

	if (on)
		setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof prog);
	else
		setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none);
}

/* Ask the kernel for sockets in SYN_RECV; true when one is for a port of ours. */
static bool
half_open_family(int nl, int family, address_ours *ours)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 req;
	} ask = {.head = {.nlmsg_len = sizeof ask,
	                  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
	                  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
	         .req = {.sdiag_family = (uint8_t)family,
	                 .sdiag_protocol = IPPROTO_TCP,
	                 .idiag_states = 1u << 3 /* TCP_SYN_RECV */}};
	_Alignas(struct nlmsghdr) char buf[8192];
	bool found = false;

	if (send(nl, &ask, sizeof ask, 0) < 0)
		return false;
	for (;;) {
		ssize_t n = recv(nl, buf, sizeof buf, 0);
		uint32_t left = n > 0 ? (uint32_t)n : 0;

		for (struct nlmsghdr *h = (void *)buf; NLMSG_OK(h, left);
		     h = NLMSG_NEXT(h, left)) {
			const struct inet_diag_msg *d = NLMSG_DATA(h);

			if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY)
				return found;
			if (ours(ntohs(d->id.idiag_sport)))
				found = true;
		}
		if (n <= 0)
			return found;
	}
}

bool
address_half_open(address_ours *ours)
{
	struct timeval limit = {.tv_usec = 20000}; /* the kernel answers at once */
	int nl = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	bool found;

	if (nl < 0)
		return false;
	setsockopt(nl, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	found = half_open_family(nl, AF_INET, ours) || half_open_family(nl, AF_INET6, ours);
	fd_close(&nl);
	return found;
}
