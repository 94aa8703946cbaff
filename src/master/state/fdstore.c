#include "master/state/fdstore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <systemd/sd-daemon.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "wire/chan.h"

#define PREFIX     "baton-"
#define NAME_MAX_  64
#define BARRIER_US (500 * 1000)

struct passed {
	char *name;
	int fd;
	bool claimed;
};

static struct {
	struct passed *v;
	size_t n;
	char **kept; /* names of what this process has put there */
	size_t nkept;
	bool unsure; /* something was sent since the last barrier */
} st;

static bool
is_stored(const struct passed *p)
{
	return strncmp(p->name, PREFIX, strlen(PREFIX)) == 0;
}

static bool
is_kind(const struct passed *p, const char *kind)
{
	return strncmp(p->name + strlen(PREFIX), kind, strlen(kind)) == 0;
}

void
fdstore_begin(void)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names);

	for (int i = 0; i < n; i++) {
		int fd = SD_LISTEN_FDS_START + i;

		fd_cloexec(fd, true);
		st.v = mem_grow(st.v, st.n, sizeof *st.v);
		st.v[st.n++] = (struct passed){.name = names[i], .fd = fd};
	}
	free(names);
}

/* --- what is kept there --- */

bool
fdstore_exists(void)
{
	return getenv("NOTIFY_SOCKET") != NULL;
}

static void
name_of(const char *kind, uint64_t id, char *name)
{
	snprintf(name, NAME_MAX_, PREFIX "%s-%llu", kind, (unsigned long long)id);
}

/* Not polled: a channel whose worker has ended is ours to forget, and its last words are
 * ours to read. */
void
fdstore_put(const char *kind, uint64_t id, int fd)
{
	char name[NAME_MAX_], text[NAME_MAX_ + 32];

	name_of(kind, id, name);
	snprintf(text, sizeof text, "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name);
	if (sd_pid_notify_with_fds(0, 0, text, &fd, 1) <= 0)
		return;
	st.unsure = true;
	st.kept = mem_grow(st.kept, st.nkept, sizeof *st.kept);
	st.kept[st.nkept++] = mem_strdup(name);
}

static void
forget_name(const char *name)
{
	sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name);
}

void
fdstore_drop(const char *kind, uint64_t id)
{
	char name[NAME_MAX_];

	if (!fdstore_exists())
		return;
	name_of(kind, id, name);
	forget_name(name);
	for (size_t i = 0; i < st.nkept; i++)
		if (strcmp(st.kept[i], name) == 0) {
			free(st.kept[i]);
			st.kept[i] = st.kept[--st.nkept];
			return;
		}
}

void
fdstore_forget(void)
{
	while (st.nkept > 0) {
		forget_name(st.kept[--st.nkept]);
		free(st.kept[st.nkept]);
	}
	mem_free(&st.kept);
	for (size_t i = 0; i < st.n; i++)
		if (is_stored(&st.v[i]))
			forget_name(st.v[i].name);
}

void
fdstore_barrier(void)
{
	if (st.unsure && sd_notify_barrier(0, BARRIER_US) < 0)
		log_warn("the service manager does not say that it has kept the descriptors");
	st.unsure = false;
}

/* --- what came back --- */

int
fdstore_find(const char *kind, uint64_t id, unsigned i)
{
	char name[NAME_MAX_];

	name_of(kind, id, name);
	for (size_t k = 0; k < st.n; k++)
		if (strcmp(st.v[k].name, name) == 0 && i-- == 0)
			return st.v[k].fd;
	return -1;
}

int
fdstore_claim_inode(uint64_t inode)
{
	for (size_t i = 0; i < st.n; i++) {
		struct passed *p = &st.v[i];

		if (fd_inode(p->fd) != inode)
			continue;
		p->claimed = true;
		return p->fd;
	}
	return -1;
}

int
fdstore_spare(const char *kind, unsigned i)
{
	for (size_t k = 0; k < st.n; k++) {
		const struct passed *p = &st.v[k];

		if (!p->claimed && is_stored(p) && is_kind(p, kind) && i-- == 0)
			return p->fd;
	}
	return -1;
}

void
fdstore_take(int fd)
{
	for (size_t k = 0; k < st.n; k++)
		if (st.v[k].fd == fd) {
			st.v[k].claimed = true;
			forget_name(st.v[k].name);
		}
}

uint64_t
fdstore_last(const char *kind)
{
	uint64_t last = 0;

	for (size_t i = 0; i < st.n; i++) {
		const struct passed *p = &st.v[i];
		uint64_t id =
		    is_stored(p) && is_kind(p, kind)
		        ? strtoull(p->name + strlen(PREFIX) + strlen(kind) + 1, NULL, 10)
		        : 0;

		last = id > last && id <= UINT32_MAX ? id : last;
	}
	return last;
}

void
fdstore_refuse(const char *but)
{
	for (size_t i = 0; i < st.n; i++) {
		struct passed *p = &st.v[i];

		if (p->claimed || !is_stored(p) || (but != NULL && is_kind(p, but)))
			continue;
		log_warn("the descriptor store holds '%s', which nobody here knows; closed",
		         p->name);
		if (is_kind(p, "channel"))
			chan_discard(&p->fd);
		forget_name(p->name);
		fd_close(&p->fd);
		p->claimed = true;
	}
}

bool
fdstore_passed(unsigned i, const char **name, int *fd)
{
	for (size_t k = 0; k < st.n; k++) {
		const struct passed *p = &st.v[k];

		if (is_stored(p) || p->claimed || i-- > 0)
			continue;
		*name = p->name;
		*fd = p->fd;
		return true;
	}
	return false;
}
