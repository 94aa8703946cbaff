#include "base/fault.h"

#ifdef BATON_FAULTY

#	include <fcntl.h>
#	include <signal.h>
#	include <stdio.h>
#	include <stdlib.h>
#	include <string.h>
#	include <unistd.h>

#	include "base/log.h"

static char orders[4096], ledger[4096];

void
fault_init(const char *program)
{
	snprintf(orders, sizeof orders, "%s.fault", program);
	snprintf(ledger, sizeof ledger, "%s.ledger", program);
}

static void
obey(const char *place, const char *action)
{
	log_warn("fault injected: %s at %s", action, place);
	if (strcmp(action, "abort") == 0)
		abort();
	if (strcmp(action, "segv") == 0)
		raise(SIGSEGV);
	if (strcmp(action, "exit") == 0)
		exit(7);
	if (strcmp(action, "_exit") == 0)
		_exit(7);
	if (strcmp(action, "stop") == 0)
		raise(SIGSTOP);
	if (strcmp(action, "kill") == 0)
		raise(SIGKILL);
	while (strcmp(action, "hang") == 0)
		pause();
	for (volatile unsigned n = 0; strcmp(action, "spin") == 0; n++)
		;
}

static bool
find(const char *place, char action[32])
{
	char line[128];
	FILE *f = fopen(orders, "re");
	bool hit = false;

	if (f == NULL)
		return false;
	while (!hit && fgets(line, sizeof line, f) != NULL) {
		size_t n = strlen(place);

		hit = strncmp(line, place, n) == 0 && line[n] == '=' &&
		      sscanf(line + n + 1, "%31s", action) == 1;
	}
	fclose(f);
	return hit;
}

void
fault_hit(const char *place)
{
	char action[32];

	if (find(place, action))
		obey(place, action);
}

bool
fault_is(const char *place, const char *action)
{
	char wanted[32];

	return find(place, wanted) && strcmp(wanted, action) == 0;
}

void
fault_ledger(const void *bytes, size_t n)
{
	int fd = open(ledger, O_WRONLY | O_APPEND | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!write(fd, bytes, n);
	close(fd);
}

#else
typedef int fault_is_empty; /* an empty translation unit is not C */
#endif
