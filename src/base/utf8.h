/*
 * utf8: is a text UTF-8 (RFC 3629)?  JSON demands it; paths and what programs say
 * need not be.
 */
#ifndef BATON_BASE_UTF8_H
#define BATON_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

bool utf8_valid(const char *text);

/* The same of n bytes that no NUL needs to follow; one among them is not valid. */
bool utf8_valid_bytes(const char *bytes, size_t n);

/* Bytes that are part of no character become '?'. */
void utf8_repair(char *text);

#endif
