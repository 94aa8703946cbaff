/*
 * value: the written form of single values, both ways.  Pure: no range but
 * that of the type is known here, and nothing is looked up anywhere.
 *
 * Readers take exactly the documented form, without blanks or signs, and
 * return 0, or -1 (too large included) and leave *out alone.
 */
#ifndef BATON_CONF_VALUE_H
#define BATON_CONF_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"

int value_bool(const char *s, bool *out);        /* yes, no */
int value_int(const char *s, int64_t *out);      /* 4096 */
int value_octal(const char *s, int64_t *out);    /* 0666, 666 */
int value_duration(const char *s, int64_t *out); /* 250ms, 30s, 5m, 1h, 0 -> ms */
int value_size(const char *s, int64_t *out);     /* 512, 64k, 1m, 1g -> bytes */

/* The shortest form that reads back as the same value; malloc'd. */
char *value_duration_text(int64_t ms);
char *value_size_text(int64_t bytes);

/*
 * An address to listen on: 127.0.0.1:80, [::1]:80, *:80, :80, unix:/PATH,
 * unix:@NAME (abstract), systemd:NAME.  Fills *addr but for its line; 0, or -1
 * with half a sentence in *cause.
 */
int value_addr(const char *s, struct conf_addr *addr, char **cause);

/* An address to connect to: the same without wildcards, port 0 and systemd:, but also
 * NAME:PORT. */
int value_upstream(const char *s, struct conf_addr *addr, char **cause);

/* Would both claim the same place?  Port 0 is never the same. */
bool value_addr_same(const struct conf_addr *a, const struct conf_addr *b);

/* Free what value_addr has filled in. */
void value_addr_clear(struct conf_addr *addr);

/* Without "//", "/./" and a "/" at its end; malloc'd. */
char *value_plain_path(const char *path);

#endif
