#include "master/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
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

int
privileges_of(const struct conf *conf, struct heritage *h, char **cause)
{
	const char *name = conf->server.user;
	const struct passwd *pw;
	const struct group *gr = NULL;

	h->drop = false;
	h->uid = geteuid();
	h->gid = getegid();
	if (name == NULL && conf->server.group == NULL && h->uid != 0)
		return 0;
	if (name == NULL)
		name = "nobody";
	errno = 0;
	if ((pw = getpwnam(name)) == NULL)
		return not_found("user", name, "/etc/passwd", cause);
	errno = 0;
	if (conf->server.group != NULL && (gr = getgrnam(conf->server.group)) == NULL)
		return not_found("group", conf->server.group, "/etc/group", cause);
	if (h->uid != 0) {
		if (pw->pw_uid == h->uid && (gr == NULL || gr->gr_gid == h->gid))
			return 0;
		return cause_set(cause, "only root can make its workers run as '%s'", name);
	}
	h->drop = true;
	h->uid = pw->pw_uid;
	h->gid = gr != NULL ? gr->gr_gid : pw->pw_gid;
	return 0;
}
