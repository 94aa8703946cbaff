#include "worker/conn/reserve.h"

#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "worker/core/self.h"

#define SPARES_MAX 256 /* descriptors that are held for those with a reserve */

static struct {
	uint64_t *held;        /* connections, by listener */
	uint64_t unused;       /* of all reserves */
	uint64_t granted;      /* all of them */
	int spare[SPARES_MAX]; /* descriptors for what is unused */
	size_t nspare;
} rs;

static uint64_t
of(uint32_t listener)
{
	return (uint64_t)self_conf()->listen[listener].reserve;
}

bool
reserve_has(uint32_t listener)
{
	return rs.held[listener] < of(listener);
}

bool
reserve_is_exceeded(uint32_t listener)
{
	return rs.held[listener] > of(listener);
}

/* Where RLIMIT_NOFILE allows less than all reserves together, half is left to the others. */
uint64_t
reserve_kept(uint64_t limit)
{
	uint64_t max = rs.granted < limit ? rs.granted : limit / 2;

	return rs.unused < max ? rs.unused : max;
}

/* Nobody else may take what a newcomer with a reserve needs: its descriptor is there. */
static void
hold_spares(void)
{
	size_t want = rs.unused < SPARES_MAX ? (size_t)rs.unused : SPARES_MAX;

	while (rs.nspare > want)
		close(rs.spare[--rs.nspare]);
	while (rs.nspare < want) {
		int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);

		if (fd < 0)
			return;
		rs.spare[rs.nspare++] = fd;
	}
}

void
reserve_take(uint32_t listener)
{
	AN(!reserve_has(listener) || rs.unused > 0);
	if (reserve_has(listener))
		rs.unused--;
	rs.held[listener]++;
	hold_spares();
}

void
reserve_give_back(uint32_t listener)
{
	AN(rs.held[listener] > 0);
	rs.held[listener]--;
	if (reserve_has(listener))
		rs.unused++;
	AN(rs.unused <= rs.granted);
	hold_spares();
}

bool
reserve_free_descriptor(uint32_t listener)
{
	if (!reserve_has(listener) || rs.nspare == 0)
		return false;
	close(rs.spare[--rs.nspare]);
	return true;
}

void
reserve_start(void)
{
	const struct conf *conf = self_conf();

	rs.held = mem_alloc(conf->nlisten * sizeof *rs.held);
	for (size_t i = 0; i < conf->nlisten; i++)
		rs.granted += (uint64_t)conf->listen[i].reserve;
	rs.unused = rs.granted;
	hold_spares();
}

void
reserve_stop(void)
{
	while (rs.nspare > 0)
		close(rs.spare[--rs.nspare]);
	mem_free(&rs.held);
}
