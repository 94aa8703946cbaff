#include "master/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "wire/heritage.h"

/* Is it not there, or could nobody look?  For a name that is not there errno is 0 or
 * one of those (getpwnam(3)); and where a further source is asked after a file that could
 * not be opened (nss-systemd), errno is 0 as well: so the file is asked. */
static int
not_found(const char *what, const char *name, const char *file, char **cause)
{
	int error = errno, fd = open(file, O_RDONLY | O_CLOEXEC);

	if (error == 0 && fd < 0)
		error = errno;
	fd_close(&fd);
	if (error == 0 || error == ENOENT || error == ESRCH || error == EPERM)
		return cause_set(cause, "there is no %s '%s' (%s in [server])", what, name,
		                 what);
	return cause_set(cause, "cannot look up %s '%s' (%s in [server]): %s", what, name, what,
	                 strerror(error));
}

static bool
is_number(const char *name, unsigned *number)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(name, &end, 10);
	*number = (unsigned)n;
	return *name >= '0' && *name <= '9' && *end == '\0' && errno == 0 && n < UINT32_MAX;
}

/* By name, or by a number that need not be anybody's.  group: he has one. */
static int
find_user(const char *name, struct heritage *h, bool *group, char **cause)
{
	unsigned number = 0;
	bool numeric = is_number(name, &number);
	const struct passwd *pw;

	errno = 0;
	pw = getpwnam(name);
	if (pw == NULL && numeric)
		pw = getpwuid((uid_t)number);
	if (pw == NULL && !numeric)
		return not_found("user", name, "/etc/passwd", cause);
	*group = pw != NULL;
	h->uid = pw != NULL ? pw->pw_uid : (uid_t)number;
	h->gid = pw != NULL ? pw->pw_gid : h->gid;
	return 0;
}

static int
find_group(const char *name, struct heritage *h, char **cause)
{
	unsigned number = 0;
	const struct group *gr;

	errno = 0;
	gr = getgrnam(name);
	if (gr == NULL && !is_number(name, &number))
		return not_found("group", name, "/etc/group", cause);
	h->gid = gr != NULL ? gr->gr_gid : (gid_t)number;
	return 0;
}

int
privileges_of(const struct conf *conf, struct heritage *h, char **cause)
{
	const char *name = conf->server.user, *group = conf->server.group;
	bool has_group = true;

	h->drop = false;
	h->uid = geteuid();
	h->gid = getegid();
	if (name == NULL && group == NULL && h->uid != 0)
		return 0;
	if (name == NULL)
		name = "nobody";
	if (find_user(name, h, &has_group, cause) < 0 ||
	    (group != NULL && find_group(group, h, cause) < 0))
		return -1;
	if (group == NULL && !has_group)
		return cause_set(cause,
		                 "user %s is in no list, so say which group it has (group "
		                 "in [server])",
		                 name);
	if (geteuid() == 0) {
		h->drop = true;
		return 0;
	}
	if (h->uid == geteuid() && (group == NULL || h->gid == getegid())) {
		h->gid = getegid();
		return 0;
	}
	return cause_set(cause, "only root can make its workers run as '%s'", name);
}
