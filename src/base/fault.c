#include "base/fault.h"

#ifdef BATON_FAULTY

#	include <signal.h>
#	include <stdio.h>
#	include <stdlib.h>
#	include <string.h>
#	include <unistd.h>

#	include "base/log.h"

static char orders[4096];

void
fault_init(const char *program)
{
	snprintf(orders, sizeof orders, "%s.fault", program);
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

void
fault_hit(const char *place)
{
	char line[128], action[32];
	FILE *f = fopen(orders, "re");
	bool hit = false;

	if (f == NULL)
		return;
	while (!hit && fgets(line, sizeof line, f) != NULL) {
		size_t n = strlen(place);

		hit = strncmp(line, place, n) == 0 && line[n] == '=' &&
		      sscanf(line + n + 1, "%31s", action) == 1;
	}
	fclose(f);
	if (hit)
		obey(place, action);
}

#else
typedef int fault_is_empty; /* an empty translation unit is not C */
#endif
