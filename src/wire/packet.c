#include "wire/packet.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <string.h>

#include "base/log.h"

int
packet_pair(int end[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, end);
}

static void
put_fds(struct msghdr *mh, char *control, const int *fd, size_t nfd)
{
	struct cmsghdr *c;

	if (nfd == 0)
		return;
	mh->msg_control = control;
	mh->msg_controllen = CMSG_SPACE(nfd * sizeof(int));
	c = CMSG_FIRSTHDR(mh);
	AN(c != NULL); /* there is room for it */
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(nfd * sizeof(int));
	memcpy(CMSG_DATA(c), fd, nfd * sizeof(int));
}

ssize_t
packet_send(int sock, struct iovec *iov, size_t niov, const int *fd, size_t nfd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(MSG_FDS_MAX * sizeof(int))];
	struct msghdr mh = {.msg_iov = iov, .msg_iovlen = niov};
	ssize_t n;

	put_fds(&mh, control, fd, nfd);
	do
		n = sendmsg(sock, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n;
}

static size_t
take_fds(struct msghdr *mh, int *fd)
{
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c != NULL; c = CMSG_NXTHDR(mh, c)) {
		size_t bytes;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		bytes = c->cmsg_len - CMSG_LEN(0);
		memcpy(fd + n, CMSG_DATA(c), bytes);
		n += bytes / sizeof(int);
	}
	return n;
}

/* A peer that ended with something unread leaves an error in front of what it had
 * sent: behind that come its messages, and then its end. */
static ssize_t
receive_bytes(int fd, struct msghdr *mh)
{
	ssize_t n;

	do
		n = recvmsg(fd, mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	return n;
}

void
packet_receive(int sock, char *bytes, size_t size, struct packet *r)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(MSG_FDS_MAX * sizeof(int))];
	struct iovec iov = {.iov_base = bytes, .iov_len = size};
	struct msghdr mh = {.msg_iov = &iov,
	                    .msg_iovlen = 1,
	                    .msg_control = control,
	                    .msg_controllen = sizeof control};

	r->n = receive_bytes(sock, &mh);
	r->nfd = r->n >= 0 ? take_fds(&mh, r->fd) : 0;
	r->lost_fds = (mh.msg_flags & MSG_CTRUNC) != 0;
}
