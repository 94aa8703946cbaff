/*
 * notify: what systemd is told.  Everything here is nothing without NOTIFY_SOCKET.
 */
#ifndef BATON_MASTER_NOTIFY_H
#define BATON_MASTER_NOTIFY_H

#include <stdint.h>

/* A generation serves: READY=1.  Said once per start and after each reload. */
void notify_ready(void);

/* RELOADING=1 with the moment of it; and READY=1 again, whatever the outcome. */
void notify_reload_begun(void);
void notify_reload_done(void);

/* STOPPING=1, and more time, in ms from now; to be repeated while it lasts. */
void notify_stopping(void);
void notify_extend(uint64_t ms);

/* One line for `systemctl status`; said only when it has changed. */
void notify_status(const char *text);

#endif
