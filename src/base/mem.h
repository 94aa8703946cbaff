/*
 * mem: allocation that cannot fail halfway, and the sentence that a failing
 * function leaves for its caller.
 *
 * Out of memory ends the process (abort, with a line on stderr): neither master nor worker
 * has anything better to do, and the slot is refilled.
 */
#ifndef BATON_BASE_MEM_H
#define BATON_BASE_MEM_H

#include <stdarg.h>
#include <stddef.h>

/* Zeroed memory; never NULL.  The caller owns it. */
void *mem_alloc(size_t size);
void *mem_realloc(void *p, size_t size);
char *mem_strdup(const char *s);
char *mem_strndup(const char *s, size_t n);
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *mem_vprintf(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

/* Free *pp and make it NULL. */
void mem_free(void *pp);

/*
 * Make room for one more element in an array that is grown by doubling:
 * `array = mem_grow(array, n, sizeof *array)` before `array[n++] = ...`.
 */
void *mem_grow(void *array, size_t n, size_t size);

/*
 * Set *cause to a fresh sentence, freeing what it held; a NULL cause is
 * allowed.  Returns -1, so that `return cause_set(cause, ...)` reads well.
 */
int cause_set(char **cause, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
