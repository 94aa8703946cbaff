/*
 * notify: what systemd is told.  Everything here is nothing without NOTIFY_SOCKET.
 */
#ifndef BATON_MASTER_CORE_NOTIFY_H
#define BATON_MASTER_CORE_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* A generation serves: READY=1.  Said once per start and after each reload. */
void notify_ready(void);

/* RELOADING=1 with the moment of it; and READY=1 again, whatever the outcome. */
void notify_reload_begun(void);
void notify_reload_done(void);

/* STOPPING=1: for stops that the service manager may have asked for; it knows no way
 * back.  And whether it was told so. */
void notify_stopping(void);
bool notify_told_stopping(void);

/* More time, in ms from now; to be repeated while it is needed. */
void notify_extend(uint64_t ms);

/* WATCHDOG=1: all is well. */
void notify_watchdog(void);

/* One line for `systemctl status`; said only when it has changed. */
void notify_status(const char *text);

#endif
