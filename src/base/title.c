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

/* In one piece that stays, whatever becomes of the list.  A second title needs no other. */
static void
keep_environment(void)
{
	static char **kept;
	size_t n = 0, size = 0;
	char *at;

	if (kept != NULL)
		return;
	for (; environ[n] != NULL; n++)
		size += strlen(environ[n]) + 1;
	kept = mem_alloc((n + 1) * sizeof *kept + size);
	at = (char *)&kept[n + 1];
	for (size_t i = 0; i < n; i++) {
		kept[i] = at;
		at = stpcpy(at, environ[i]) + 1;
	}
	environ = kept;
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
