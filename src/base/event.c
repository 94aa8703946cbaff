#include "base/event.h"

const struct event_kind event_kinds[] = {
#define X(id, name, level, message_id, fields, help) {name, level, message_id, fields, help},
    EVENT_TABLE(X)
#undef X
};
