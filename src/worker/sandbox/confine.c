#include "worker/sandbox/confine.h"

#include <sys/prctl.h>
#include <sys/syscall.h>

#include <linux/capability.h>

#include <errno.h>
#include <grp.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "wire/heritage.h"
#include "worker/core/service.h"
#include "worker/sandbox/domain.h"
#include "worker/sandbox/sandbox.h"

/* Root in a container may be root in name only. */
static int
cannot_become(const struct heritage *h, char **cause)
{
	const char *why = errno == EPERM    ? "the capabilities CAP_SETUID and CAP_SETGID are "
	                                      "missing, or the user namespace forbids setgroups(2)"
	                  : errno == EINVAL ? "the user namespace has no such user or group"
	                                    : strerror(errno);

	return cause_set(cause,
	                 "cannot become uid %u gid %u: %s; with 'user = root' in [server] the "
	                 "workers stay as they are",
	                 (unsigned)h->uid, (unsigned)h->gid, why);
}

int
confine_user(const struct heritage *h, char **cause)
{
	bool same = h->uid == geteuid() && h->gid == getegid();

	if (!h->drop)
		return 0;
	if (setgroups(0, NULL) < 0 && !same)
		return cannot_become(h, cause);
	if (same)
		return 0; /* nothing is dropped that isn't to be changed */
	if (setresgid(h->gid, h->gid, h->gid) < 0 || setresuid(h->uid, h->uid, h->uid) < 0)
		return cannot_become(h, cause);
	if (h->uid != 0 && setuid(0) == 0)
		log_panic("root came back");
	return 0;
}

/* A type may be exchanged at its start for another of the same name: the table is asked. */
static unsigned
needs_of(const struct conf *conf)
{
	unsigned needs = 0;

	for (size_t i = 0; i < conf->nservice; i++) {
		const struct service_type *type = service_type_find(conf->service[i].type);

		if (type != NULL && type->needs != NULL)
			needs |= type->needs(&conf->service[i]);
	}
	return needs;
}

static uint64_t
powers_of(unsigned needs)
{
	/* Root reads every file; and what the unit gives needs no system call to be kept. */
	uint64_t kept = UINT64_C(1) << CAP_DAC_OVERRIDE | UINT64_C(1) << CAP_NET_BIND_SERVICE;

	if ((needs & SERVICE_IS_FREE) != 0)
		kept |= UINT64_C(1) << CAP_CHOWN | UINT64_C(1) << CAP_FOWNER |
		        UINT64_C(1) << CAP_FSETID;
	return kept;
}

/*
 * With `user = root` a worker has capabilities, and some lead around Landlock: its own mappings
 * can be opened anew for writing (CAP_CHECKPOINT_RESTORE: the statistics of all), and whoever
 * may watch the whole system reads what proc tells of the master (CAP_PERFMON, CAP_SYS_ADMIN).
 */
static void
give_up_powers(uint64_t kept)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	uint32_t more = 0;

	if (syscall(SYS_capget, &head, data) < 0)
		return;
	for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		uint32_t part = (uint32_t)(kept >> (32 * i));

		more |= (data[i].permitted | data[i].inheritable) & ~part;
		data[i].permitted &= part;
		data[i].effective &= part;
		data[i].inheritable &= part;
	}
	if (more != 0 && syscall(SYS_capset, &head, data) < 0)
		log_warn("a worker keeps the capabilities that it was started with: %s",
		         strerror(errno)); /* somebody's filter has no capset */
}

/* Nobody of our user looks into our memory, unless a debugger is to be let in. */
int
confine_reach(const struct conf *conf, char **cause)
{
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, conf->server.sandbox ? 0 : 1, 0, 0, 0);
	if (!conf->server.sandbox)
		return 0;
	give_up_powers(powers_of(needs_of(conf)));
	return domain_enter(conf, needs_of(conf), cause);
}

int
confine_calls(const struct conf *conf, char **cause)
{
	return conf->server.sandbox ? sandbox_enter(needs_of(conf), cause) : 0;
}
