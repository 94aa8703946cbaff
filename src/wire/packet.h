/*
 * packet: one message of a SOCK_SEQPACKET socket, with the descriptors that it brings.
 */
#ifndef BATON_WIRE_PACKET_H
#define BATON_WIRE_PACKET_H

#include <sys/types.h>
#include <sys/uio.h>

#include <stdbool.h>
#include <stddef.h>

#include "wire/msg.h"

/* Two ends.  0, or -1 with errno. */
int packet_pair(int end[2]);

/* Without waiting: as sendmsg. */
ssize_t packet_send(int sock, struct iovec *iov, size_t niov, const int *fd, size_t nfd);

/* A received packet: its length, and the descriptors that came with it. */
struct packet {
	ssize_t n; /* bytes; < 0: none, with errno */
	int fd[MSG_FDS_MAX];
	size_t nfd; /* the receiver's */
	bool lost_fds;
};

/* One message, without waiting.  What is longer than size is cut. */
void packet_receive(int sock, char *bytes, size_t size, struct packet *r);

#endif
