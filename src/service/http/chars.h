/*
 * chars: which bytes may stand where in the head of a message (RFC 9110 5.5,
 * 5.6.2; RFC 9112 3).  Bytes from 0x80 up are let through in targets and
 * values, as obs-text; control bytes never are.
 */
#ifndef BATON_SERVICE_HTTP_CHARS_H
#define BATON_SERVICE_HTTP_CHARS_H

#include <stdbool.h>
#include <stdint.h>

enum chars_class {
	CHARS_TOKEN = 1,  /* methods, field names */
	CHARS_VALUE = 2,  /* field values, chunk extensions */
	CHARS_TARGET = 4, /* the request target */
	CHARS_HOST = 8,   /* the value of Host */
};

extern const uint8_t chars_table[256];

static inline bool
chars_is(char c, enum chars_class class)
{
	return (chars_table[(uint8_t)c] & class) != 0;
}

/* The value of a hexadecimal digit, or -1. */
static inline int
chars_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#endif
