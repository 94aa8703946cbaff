#include "master/state/fdlist.h"

#include <stdlib.h>

#include "base/fd.h"
#include "base/mem.h"
#include "master/state/fdstore.h"

json_t *
fdlist_put(struct fdlist *list, int fd)
{
	if (fd < 0)
		return json_null();
	list->fd = mem_grow(list->fd, list->n, sizeof *list->fd);
	list->fd[list->n++] = fd;
	return json_pack("{s:i, s:I}", "fd", fd, "inode", (json_int_t)fd_inode(fd));
}

int
fdlist_get(const json_t *record)
{
	json_int_t fd, inode;
	int back;

	if (json_unpack((json_t *)(uintptr_t)record, "{s:I, s:I}", "fd", &fd, "inode", &inode) <
	    0)
		return -1;
	if (inode == 0)
		return -1;
	back = fdstore_claim_inode((uint64_t)inode); /* another process's: by its new number */
	if (back >= 0)
		return back;
	return fd_inode((int)fd) == (uint64_t)inode ? (int)fd : -1;
}

void
fdlist_cloexec(const struct fdlist *list, bool on)
{
	for (size_t i = 0; i < list->n; i++)
		fd_cloexec(list->fd[i], on);
}

void
fdlist_free(struct fdlist *list)
{
	mem_free(&list->fd);
	list->n = 0;
}
