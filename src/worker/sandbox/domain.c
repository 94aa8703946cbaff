#include "worker/sandbox/domain.h"

#include <sys/syscall.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "worker/core/service.h"
#include "worker/sandbox/sandbox.h"

/* Constants younger than the headers of Debian 12; the kernel says what it knows. */
#define ALL_OF_1     ((UINT64_C(1) << 13) - 1) /* execute to make_sym */
#define REFER        (UINT64_C(1) << 13)       /* 2 */
#define TRUNCATE     (UINT64_C(1) << 14)       /* 3 */
#define IOCTL_DEV    (UINT64_C(1) << 15)       /* 5 */
#define SCOPE_SIGNAL (UINT64_C(1) << 1)        /* 6 */

#define READS   (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define DEVICES (LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_CHAR)

struct ruleset {
	uint64_t fs;
	uint64_t net;    /* from 4 on */
	uint64_t scoped; /* from 6 on */
};

static long
create(const struct ruleset *r, size_t size, unsigned flags)
{
	return syscall(SYS_landlock_create_ruleset, r, size, flags);
}

/* 0: the kernel has none, or it is switched off. */
static long
version(void)
{
	long abi = create(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi > 0 ? abi : 0;
}

static size_t
size_for(long abi)
{
	if (abi >= 6)
		return sizeof(struct ruleset);
	return abi >= 4 ? offsetof(struct ruleset, scoped) : offsetof(struct ruleset, net);
}

static uint64_t
handled(long abi, unsigned needs)
{
	uint64_t all = ALL_OF_1 | (abi >= 2 ? REFER : 0) | (abi >= 3 ? TRUNCATE : 0) |
	               (abi >= 5 ? IOCTL_DEV : 0);

	/* Nothing that a module needs; but a ruleset is to handle something.  Of root's own are
	 * also the switches of the kernel and of other processes, which are files. */
	if (needs & SERVICE_IS_FREE)
		return DEVICES | REFER |
		       (geteuid() == 0 ? (uint64_t)LANDLOCK_ACCESS_FS_WRITE_FILE : 0);
#if defined __SANITIZE_ADDRESS__ || defined BATON_FAULTY
	all &= ~(uint64_t)READS; /* such a build reads more */
#endif
	return all;
}

/* A path that does not exist needs no permission.  0; -1 if none can be given at all: a
 * filter blocks the calls. */
static int
allow(int ruleset, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = access};
	int fd = open(path, O_PATH | O_CLOEXEC), result = 0;

	if (fd < 0)
		return 0;
	rule.parent_fd = fd;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0) {
		result = errno == ENOSYS || errno == EPERM ? -1 : 0;
		if (result == 0)
			log_debug("no landlock rule for %s: %s", path, strerror(errno));
	}
	fd_close(&fd);
	return result;
}

static int
allow_reads(int ruleset, const struct conf *conf, unsigned needs)
{
	static const char *const resolver[] = {
	    "/etc", "/usr", "/lib", "/lib64", "/run", "/sys/devices/system/cpu", NULL};

	for (size_t i = 0; i < conf->nservice; i++)
		if (conf->service[i].root != NULL &&
		    allow(ruleset, conf->service[i].root, READS) < 0)
			return -1;
	for (size_t i = 0; (needs & SERVICE_CONNECTS) && resolver[i] != NULL; i++)
		if (allow(ruleset, resolver[i], READS) < 0)
			return -1;
	return 0;
}

/* Everywhere but below proc and sys: a rule gives, and takes nothing away again. */
static int
allow_writes(int ruleset)
{
	DIR *root = opendir("/");
	struct dirent *e;
	int result = 0;

	while (root != NULL && result == 0 && (e = readdir(root)) != NULL) {
		char path[sizeof e->d_name + 1];

		if (strcmp(e->d_name, "..") == 0 || strcmp(e->d_name, ".") == 0 ||
		    strcmp(e->d_name, "proc") == 0 || strcmp(e->d_name, "sys") == 0)
			continue;
		snprintf(path, sizeof path, "/%s", e->d_name);
		result = allow(ruleset, path, LANDLOCK_ACCESS_FS_WRITE_FILE);
	}
	if (root != NULL)
		closedir(root);
	return result;
}

static int
allow_what_is_needed(int ruleset, uint64_t fs, const struct conf *conf, unsigned needs)
{
	if ((needs & SERVICE_IS_FREE) == 0)
		return (fs & LANDLOCK_ACCESS_FS_READ_FILE) != 0
		           ? allow_reads(ruleset, conf, needs)
		           : 0;
	if (allow(ruleset, "/", REFER) < 0)
		return -1;
	return (fs & LANDLOCK_ACCESS_FS_WRITE_FILE) != 0 ? allow_writes(ruleset) : 0;
}

static void
tell_there_is_none(void)
{
	log_info("there is no Landlock here (%s): the filter stands alone", strerror(errno));
}

int
domain_enter(const struct conf *conf, unsigned needs, char **cause)
{
	long abi = version();
	struct ruleset r = {.fs = handled(abi, needs), .scoped = SCOPE_SIGNAL};
	int fd, result = 0;

	sandbox_prepare(); /* by then they are out of reach */
	if (abi == 0)
		tell_there_is_none();
	if (abi == 0 || ((needs & SERVICE_IS_FREE) && abi < 2))
		return 0; /* version 1 would forbid every move between directories */
	fd = (int)create(&r, size_for(abi), 0);
	if (fd < 0)
		return cause_set(cause, "no Landlock: %s", strerror(errno));
	result = allow_what_is_needed(fd, r.fs, conf, needs);
	if (result == 0)
		result = (int)syscall(SYS_landlock_restrict_self, fd, 0);
	if (result < 0 && (errno == ENOSYS || errno == EPERM)) {
		tell_there_is_none();
		result = 0;
	} else if (result < 0) {
		cause_set(cause, "no Landlock: %s", strerror(errno));
	}
	fd_close(&fd);
	return result;
}
