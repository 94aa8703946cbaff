/*
 * address: listening sockets, one by one: bound, probed, filtered, looked at.
 *
 * Knows the kernel's side of an address and nothing of who uses it.
 */
#ifndef BATON_MASTER_LISTEN_ADDRESS_H
#define BATON_MASTER_LISTEN_ADDRESS_H

#include <sys/socket.h>

#include <stdbool.h>
#include <stdint.h>

struct conf_addr;
struct conf_listen;
struct place_id;

/* What fd is bound to: "127.0.0.1:80", "[::1]:80", "unix:/run/x"; malloc'd. */
char *address_text(int fd);

/* The port of an IPv4 or IPv6 address. */
uint16_t address_port(const struct sockaddr_storage *sa);

/* May the address be had at all?  0 or -1 with errno.  Sees what SO_REUSEPORT
 * would hide: another process of the same user that listens there. */
int address_probe(const struct sockaddr_storage *sa, socklen_t len);

/* One socket of an address that may have several; nobody comes to it before listen(2).
 * -1 with errno. */
int address_bind_tcp(const struct sockaddr_storage *sa, socklen_t len);

/* A unix socket that does not listen yet; a stale one at its path is replaced, and nothing
 * else.  *own tells what stands at the path now (nothing: it is an abstract one).  -1 with
 * *cause. */
int address_bind_unix(const struct conf_addr *a, const struct conf_listen *conf,
                      struct place_id *own, char **cause);

/* Drop bare SYNs from now on, or no more: handshakes under way still complete. */
void address_filter(int fd, bool on);

/* Is a handshake under way for a port that is ours? */
typedef bool address_ours(uint16_t port);
bool address_half_open(address_ours *ours);

#endif
