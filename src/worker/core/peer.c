#include "worker/core/peer.h"

#include <sys/socket.h>

#include <netdb.h>
#include <stdio.h>

const char *
peer_name(int fd, char *buf, size_t len)
{
	struct sockaddr_storage sa;
	socklen_t salen = sizeof sa;
	char host[48], port[8];

	if (getpeername(fd, (struct sockaddr *)&sa, &salen) < 0)
		snprintf(buf, len, "gone");
	else if (sa.ss_family == AF_UNIX)
		snprintf(buf, len, "unix");
	else if (getnameinfo((struct sockaddr *)&sa, salen, host, sizeof host, port,
	                     sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		snprintf(buf, len, "unknown");
	else
		snprintf(buf, len, sa.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
	return buf;
}
