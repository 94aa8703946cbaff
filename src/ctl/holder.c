#include "ctl/holder.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <dirent.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

/* --- the socket --- */

static int
ask_kernel(void)
{
	struct {
		struct nlmsghdr head;
		struct unix_diag_req req;
	} ask = {.head = {.nlmsg_len = sizeof ask,
	                  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
	                  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
	         .req = {.sdiag_family = AF_UNIX,
	                 .udiag_states = 1u << TCP_LISTEN,
	                 .udiag_show = UDIAG_SHOW_VFS}};
	struct timeval limit = {.tv_sec = 1}; /* it answers at once */
	int nl = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	if (nl < 0)
		return -1;
	setsockopt(nl, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	if (send(nl, &ask, sizeof ask, 0) < 0)
		fd_close(&nl);
	return nl;
}

static bool
stands_at(const struct nlmsghdr *h, const struct stat *st)
{
	const struct unix_diag_msg *m = NLMSG_DATA(h);
	uint32_t left = (uint32_t)(h->nlmsg_len - NLMSG_LENGTH(sizeof *m));

	if (h->nlmsg_len < NLMSG_LENGTH(sizeof *m))
		return false;

	for (const struct rtattr *a = (const void *)(m + 1); RTA_OK(a, left);
	     a = RTA_NEXT(a, left)) {
		const struct unix_diag_vfs *vfs = RTA_DATA(a);

		if (a->rta_type == UNIX_DIAG_VFS && RTA_PAYLOAD(a) >= sizeof *vfs)
			return vfs->udiag_vfs_ino == (uint32_t)st->st_ino;
	}
	return false;
}

/* The inode of the socket itself, not of its name; 0: there is none. */
static uint32_t
socket_at(const char *path)
{
	_Alignas(struct nlmsghdr) char buf[16384];
	int nl = ask_kernel();
	uint32_t found = 0;
	bool over = nl < 0;
	struct stat st;

	while (!over && stat(path, &st) == 0) {
		ssize_t n = recv(nl, buf, sizeof buf, 0);
		uint32_t left = n > 0 ? (uint32_t)n : 0;

		over = n <= 0;
		for (struct nlmsghdr *h = (void *)buf; NLMSG_OK(h, left);
		     h = NLMSG_NEXT(h, left)) {
			if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY)
				over = true;
			else if (stands_at(h, &st))
				found =
				    ((const struct unix_diag_msg *)NLMSG_DATA(h))->udiag_ino;
		}
		over = over || found != 0;
	}
	fd_close(&nl);
	return found;
}

/* --- who has it --- */

static bool
has(const char *pid, const char *socket)
{
	char *path = mem_printf("/proc/%s/fd", pid);
	DIR *dir = opendir(path);
	struct dirent *e;
	bool yes = false;

	free(path);
	while (dir != NULL && !yes && (e = readdir(dir)) != NULL) {
		char target[64] = "";

		yes = readlinkat(dirfd(dir), e->d_name, target, sizeof target - 1) > 0 &&
		      strcmp(target, socket) == 0;
	}
	if (dir != NULL)
		closedir(dir);
	return yes;
}

pid_t
holder_of(const char *path)
{
	uint32_t inode = socket_at(path);
	char *socket = mem_printf("socket:[%u]", inode);
	DIR *proc = inode != 0 ? opendir("/proc") : NULL;
	struct dirent *e;
	pid_t pid = 0;

	while (proc != NULL && pid == 0 && (e = readdir(proc)) != NULL)
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && has(e->d_name, socket))
			pid = (pid_t)strtol(e->d_name, NULL, 10);
	if (proc != NULL)
		closedir(proc);
	free(socket);
	return pid;
}
