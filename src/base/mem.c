#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Not by the log, which asks for memory itself. */
static _Noreturn void
none_left(void)
{
	static const char text[] = "baton: out of memory\n";

	if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
		abort();
	abort();
}

static void *
checked(void *p)
{
	if (p == NULL)
		none_left();
	return p;
}

void *
mem_alloc(size_t size)
{
	return checked(calloc(1, size != 0 ? size : 1));
}

void *
mem_realloc(void *p, size_t size)
{
	return checked(realloc(p, size != 0 ? size : 1));
}

char *
mem_strdup(const char *s)
{
	return mem_strndup(s, strlen(s));
}

char *
mem_strndup(const char *s, size_t n)
{
	char *p = mem_alloc(n + 1);

	memcpy(p, s, n);
	return p;
}

char *
mem_vprintf(const char *fmt, va_list ap)
{
	char *s;

	if (vasprintf(&s, fmt, ap) < 0)
		none_left();
	return s;
}

char *
mem_printf(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = mem_vprintf(fmt, ap);
	va_end(ap);
	return s;
}

void
mem_free(void *pp)
{
	void **p = pp;

	free(*p);
	*p = NULL;
}

void *
mem_grow(void *array, size_t n, size_t size)
{
	if (n != 0 && (n & (n - 1)) != 0)
		return array;
	return mem_realloc(array, (n == 0 ? 1 : n * 2) * size);
}

int
cause_set(char **cause, const char *fmt, ...)
{
	va_list ap;
	char *text;

	if (cause == NULL)
		return -1;
	va_start(ap, fmt);
	text = mem_vprintf(fmt, ap);
	va_end(ap);
	free(*cause);
	*cause = text;
	return -1;
}
