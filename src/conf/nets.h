/*
 * nets: networks of addresses, written as a list: "10.0.0.0/8, 2001:db8::/32, 192.0.2.7, unix".
 * Pure.  An IPv4 address and the IPv6 one that it is mapped to are the same.
 */
#ifndef BATON_CONF_NETS_H
#define BATON_CONF_NETS_H

#include <sys/socket.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NETS_MAX 64 /* of a list */

struct net_addr {
	uint8_t byte[16]; /* of IPv6 */
	bool local;       /* a unix socket's peer; byte is all 0 then */
};

struct nets {
	struct {
		struct net_addr addr;
		unsigned bits;
	} net[NETS_MAX];
	size_t n;
};

/* Read a list.  0; or -1 with *cause, which says what of it is none. */
int nets_read(const char *text, struct nets *nets, char **cause);

bool nets_have(const struct nets *nets, const struct net_addr *addr);

/* The address of a socket's name; false: it has none that could be in a list. */
bool net_addr_of(const struct sockaddr_storage *sa, struct net_addr *addr);

/* n bytes of text: 1.2.3.4, ::1; a port behind it is let be (1.2.3.4:80, [::1]:80). */
bool net_addr_read(const char *text, size_t n, struct net_addr *addr);

/* As it is written, into text (INET6_ADDRSTRLEN bytes). */
void net_addr_text(const struct net_addr *addr, char *text);

#endif
