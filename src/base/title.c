#include "base/title.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

static struct {
	char *at;
	size_t size;
} room;

extern char **environ;

/* The end of the strings of a list, as far as they follow upon each other. */
static char *
end_of(char **list, char *end)
{
	for (; *list != NULL && *list == end; list++)
		end += strlen(*list) + 1;
	return end;
}

void
title_begin(char **argv)
{
	if (argv[0] == NULL)
		return;
	room.at = argv[0];
	room.size = (size_t)(end_of(environ, end_of(argv, argv[0])) - argv[0]);
}

static void
keep_environment(void)
{
	size_t n = 0;
	char **copy;

	while (environ[n] != NULL)
		n++;
	copy = mem_alloc((n + 1) * sizeof *copy);
	for (size_t i = 0; i < n; i++)
		copy[i] = mem_strdup(environ[i]);
	environ = copy;
}

void
title_set(const char *fmt, ...)
{
	static char name[] = "baton";
	va_list ap;

	if (room.size == 0)
		return;
	keep_environment();
	program_invocation_name = program_invocation_short_name = name; /* they point there */
	memset(room.at, 0, room.size);
	va_start(ap, fmt);
	vsnprintf(room.at, room.size, fmt, ap);
	va_end(ap);
}
