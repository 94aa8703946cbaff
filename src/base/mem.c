#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static void *
checked(void *p, size_t size)
{
	if (p == NULL)
		log_fatal("out of memory: %zu bytes", size);
	return p;
}

void *
mem_alloc(size_t size)
{
	return checked(calloc(1, size != 0 ? size : 1), size);
}

void *
mem_realloc(void *p, size_t size)
{
	return checked(realloc(p, size != 0 ? size : 1), size);
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
		log_fatal("out of memory: a line of text");
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
