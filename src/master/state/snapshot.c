#include "master/state/snapshot.h"

#include <sys/mman.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "master/state/fdlist.h"
#include "master/state/fdstore.h"
#include "master/state/state.h"

#define MAGIC  UINT64_C(0x626e6f74736e6170)
#define STRIDE (INT64_C(64) << 20) /* from one copy to the next: more than any state */
#define FIRST  4096

struct word {
	uint64_t magic;
	uint64_t n; /* how many were written; odd: the second copy */
	uint64_t len;
};

static struct {
	int fd;
	uint64_t n;
	char *last; /* what is written */
} sn = {.fd = -1};

static off_t
place_of(uint64_t n)
{
	return FIRST + (off_t)(n % 2) * STRIDE;
}

void
snapshot_start(int fd)
{
	struct word w;

	AN(sn.fd < 0);
	if (!fdstore_exists())
		return;
	sn.fd = fd >= 0 ? fd : memfd_create("baton-snapshot", MFD_CLOEXEC);
	if (sn.fd < 0) {
		log_warn("no snapshot of the state is kept: %s", strerror(errno));
		return;
	}
	if (pread(sn.fd, &w, sizeof w, 0) == sizeof w && w.magic == MAGIC)
		sn.n = w.n;
	fdstore_put("state", 0, sn.fd);
}

void
snapshot_stop(void)
{
	if (sn.fd >= 0)
		fdstore_drop("state", 0);
	fd_close(&sn.fd);
	mem_free(&sn.last);
}

static bool
put(const char *text, size_t len, off_t at)
{
	while (len > 0) {
		ssize_t n = pwrite(sn.fd, text, len, at);

		if (n < 0)
			return false;
		text += n;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

static void
keep(char *text)
{
	struct word w = {.magic = MAGIC, .n = sn.n + 1, .len = strlen(text)};

	AN(place_of(w.n) != place_of(sn.n)); /* the one before is whole until then */
	if (!put(text, w.len, place_of(w.n)) || !put((const char *)&w, sizeof w, 0)) {
		log_warn("the snapshot of the state cannot be written: %s", strerror(errno));
		free(text);
		return;
	}
	sn.n = w.n;
	free(sn.last);
	sn.last = text;
}

void
snapshot_take(void)
{
	struct fdlist fds = {0};
	json_t *state;
	char *text;

	if (sn.fd < 0)
		return;
	state = state_collect(&fds);
	text = state != NULL ? json_dumps(state, JSON_COMPACT) : NULL;
	json_decref(state);
	fdlist_free(&fds);
	if (text == NULL || (sn.last != NULL && strcmp(text, sn.last) == 0))
		free(text);
	else
		keep(text);
}

json_t *
snapshot_read(int fd, char **cause)
{
	struct word w;
	char *text;
	json_t *state;

	if (pread(fd, &w, sizeof w, 0) != sizeof w || w.magic != MAGIC || w.len > STRIDE) {
		cause_set(cause, "the snapshot of the state is none");
		return NULL;
	}
	text = mem_alloc(w.len + 1);
	if (pread(fd, text, w.len, place_of(w.n)) != (ssize_t)w.len)
		w.len = 0;
	state = state_parse(text, w.len, cause);
	free(text);
	return state;
}

/* Behind the word, which versions before this one do not look at. */
#define ENDED 64

_Static_assert(sizeof(struct word) <= ENDED && ENDED < FIRST, "between the word and a copy");

uint64_t
snapshot_ended(int fd)
{
	uint64_t n = 0;

	return pread(fd, &n, sizeof n, ENDED) == sizeof n ? n : 0;
}

void
snapshot_set_ended(int fd, uint64_t n)
{
	(void)!pwrite(fd, &n, sizeof n, ENDED);
}

int
snapshot_fd(void)
{
	return sn.fd;
}

json_t *
snapshot_save(struct fdlist *fds)
{
	return fdlist_put(fds, sn.fd);
}

void
snapshot_restore(const json_t *j)
{
	snapshot_start(fdlist_get(j));
}
