#include "base/level.h"

#include <stddef.h>

const char *const log_level_names[] = {"debug", "info", "warn", "error", NULL};
