/*
 * level: how much a line of the log matters.
 */
#ifndef BATON_BASE_LEVEL_H
#define BATON_BASE_LEVEL_H

enum log_level { LOGL_DEBUG, LOGL_INFO, LOGL_WARN, LOGL_ERROR };

/* Their names, in order, ended by NULL: the values of `log_level`. */
extern const char *const log_level_names[];

#endif
