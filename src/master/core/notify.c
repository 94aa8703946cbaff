#include "master/core/notify.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <systemd/sd-daemon.h>

#include "base/clock.h"

static bool reloading;
static bool stopping;
static char said[256];

void
notify_ready(void)
{
	if (!reloading)
		sd_notify(0, "READY=1");
}

/* The time is read before the message is sent, as systemd wants it. */
void
notify_reload_begun(void)
{
	unsigned long long now = clock_us();

	reloading = true;
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", now);
}

void
notify_reload_done(void)
{
	if (reloading)
		sd_notify(0, "READY=1");
	reloading = false;
}

void
notify_stopping(void)
{
	stopping = sd_notify(0, "STOPPING=1") > 0;
}

bool
notify_told_stopping(void)
{
	return stopping;
}

void
notify_extend(uint64_t ms)
{
	sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%llu", (unsigned long long)ms * 1000);
}

void
notify_watchdog(void)
{
	sd_notify(0, "WATCHDOG=1");
}

void
notify_status(const char *text)
{
	if (strcmp(text, said) == 0)
		return;
	snprintf(said, sizeof said, "%s", text);
	sd_notifyf(0, "STATUS=%s", text);
}
