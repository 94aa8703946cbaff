#include "service/head/method.h"

#include <string.h>

static const struct {
	const char *name;
	size_t n;
} methods[] = {
#define X(id, name) {name, sizeof name - 1},
    METHODS(X)
#undef X
        {"", 0},
};

enum method
method_find(const char *name, size_t n)
{
	unsigned m = 0;

	while (m < METHOD_OTHER && (methods[m].n != n || memcmp(methods[m].name, name, n) != 0))
		m++;
	return (enum method)m;
}

const char *
method_name(enum method m)
{
	return methods[m].name;
}

bool
method_is_idempotent(enum method method)
{
	switch (method) {
	case METHOD_GET:
	case METHOD_HEAD:
	case METHOD_OPTIONS:
	case METHOD_PUT:
	case METHOD_DELETE:
	case METHOD_TRACE:
		return true;
	default:
		return false;
	}
}
