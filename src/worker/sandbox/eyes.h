/*
 * eyes: do workers see what the file names for them?
 */
#ifndef BATON_WORKER_SANDBOX_EYES_H
#define BATON_WORKER_SANDBOX_EYES_H

#include <stdbool.h>
#include <stddef.h>

struct conf;
struct conf_errors;

/* A service's root and module, as this process sees them: one that has become the workers' user
 * (confine_user).  False: errors were added. */
bool eyes_look(const struct conf *conf, size_t service, struct conf_errors *errors);

#endif
