#include "master/workers/privileges.h"

#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "conf/errors.h"
#include "wire/heritage.h"

static int
line_of(const struct conf *conf, const char *key)
{
	return conf_line(conf, CONF_SERVER, 0, key);
}

/* Is it not there, or could nobody look?  For a name that is not there errno is 0 or
 * one of those (getpwnam(3)); and where a further source is asked after a file that could
 * not be opened (nss-systemd), errno is 0 as well: so the file is asked. */
static bool
not_found(const struct conf *conf, const char *what, const char *name, const char *file,
          struct conf_errors *errors)
{
	int error = errno, fd = open(file, O_RDONLY | O_CLOEXEC);

	if (error == 0 && fd < 0)
		error = errno;
	fd_close(&fd);
	if (error == 0 || error == ENOENT || error == ESRCH || error == EPERM)
		conf_error(errors, line_of(conf, what), "there is no %s '%s' (%s in [server])",
		           what, conf_word(name).text, what);
	else
		conf_error(errors, line_of(conf, what),
		           "cannot look up %s '%s' (%s in [server]): %s", what,
		           conf_word(name).text, what, strerror(error));
	return false;
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

/* By name, or by a number that need not be anybody's.  False: there is none. */
static bool
find_user(const struct conf *conf, const char *name, struct heritage *h,
          struct conf_errors *errors)
{
	unsigned number = 0;
	bool numeric = is_number(name, &number);
	const struct passwd *pw;

	errno = 0;
	pw = getpwnam(name);
	if (pw == NULL && numeric)
		pw = getpwuid((uid_t)number);
	if (pw == NULL && !numeric)
		return not_found(conf, "user", name, "/etc/passwd", errors);
	h->uid = pw != NULL ? pw->pw_uid : (uid_t)number;
	h->gid = pw != NULL ? pw->pw_gid : h->gid;
	if (pw != NULL || conf->server.group != NULL)
		return true;
	conf_error(errors, line_of(conf, "user"),
	           "user %s is in no list, so say which group it has (group in [server])",
	           name);
	return false;
}

static bool
find_group(const struct conf *conf, const char *name, struct heritage *h,
           struct conf_errors *errors)
{
	unsigned number = 0;
	const struct group *gr;

	errno = 0;
	gr = getgrnam(name);
	if (gr == NULL && !is_number(name, &number))
		return not_found(conf, "group", name, "/etc/group", errors);
	h->gid = gr != NULL ? gr->gr_gid : (gid_t)number;
	return true;
}

/* Where nobody tells, we have it. */
static bool
has_capability(unsigned capability)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	return syscall(SYS_capget, &head, data) < 0 ||
	       (data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability)) != 0;
}

/* The user is known: may we become it, and signal its processes afterwards? */
static void
judge(const struct conf *conf, const char *name, struct heritage *h, struct conf_errors *errors)
{
	bool other_user = h->uid != geteuid();
	const char *key = other_user && conf->server.user != NULL ? "user" : "group";

	h->drop = geteuid() == 0;
	if (h->drop && other_user && !has_capability(CAP_KILL))
		conf_error(
		    errors, line_of(conf, key),
		    "workers that run as '%s' could not be killed: the capability CAP_KILL "
		    "is missing; with 'user = root' in [server] the workers stay as they are",
		    name);
	if (h->drop)
		return;
	if (other_user)
		conf_error(errors, line_of(conf, key),
		           "only root can make its workers run as '%s'", name);
	else if (conf->server.group != NULL && h->gid != getegid())
		conf_error(errors, line_of(conf, "group"),
		           "only root can give its workers the group '%s'",
		           conf_word(conf->server.group).text);
	h->gid = getegid();
}

static void
find(const struct conf *conf, struct heritage *h, struct conf_errors *errors)
{
	const char *name = conf->server.user, *group = conf->server.group;
	bool user_is_good, group_is_good;

	h->drop = false;
	h->uid = geteuid();
	h->gid = getegid();
	if (name == NULL && group == NULL && h->uid != 0)
		return;
	if (name == NULL && h->uid == 0)
		name = "nobody";
	user_is_good = name == NULL || find_user(conf, name, h, errors);
	group_is_good = group == NULL || find_group(conf, group, h, errors);
	if (user_is_good && group_is_good)
		judge(conf, name, h, errors);
}

void
privileges_look(const struct conf *conf, struct conf_errors *errors)
{
	struct heritage unused;

	find(conf, &unused, errors);
}

int
privileges_of(const struct conf *conf, struct heritage *h, char **cause)
{
	struct conf_errors errors = {.path = conf->path};

	find(conf, h, &errors);
	if (errors.n == 0)
		return 0;
	free(*cause);
	*cause = conf_errors_join(&errors);
	conf_errors_free(&errors);
	return -1;
}
