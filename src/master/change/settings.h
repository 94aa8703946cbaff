/*
 * settings: what a configuration says of the master itself, log, control socket and
 * pid file, and the way back to what the one before said.
 */
#ifndef BATON_MASTER_CHANGE_SETTINGS_H
#define BATON_MASTER_CHANGE_SETTINGS_H

struct conf;

/* Before a generation begins: can what settings_apply does for it be done?  A start does the
 * same before it serves.  0, or -1 with *cause. */
int settings_try(const struct conf *conf, char **cause);

/* Open the log of a generation that begins.  0, or -1 with *cause: the log is as before. */
int settings_open_log(const struct conf *conf, char **cause);

/* Apply the settings of a committed generation: control socket and pid file.  One that
 * cannot be moved stays where it is, with a line in the log. */
void settings_apply(const struct conf *conf);

/* A generation takes over again: undo what its successor had changed. */
void settings_again(const struct conf *conf);

/* Open all log files again, the workers', too.  0, or -1 with *cause: those that cannot be
 * opened stay as they are. */
int settings_reopen_logs(char **cause);

#endif
