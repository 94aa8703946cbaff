/*
 * words: numbers and strangers' text, for people.  Pure.  What comes back is
 * the caller's to free.
 */
#ifndef BATON_CTL_WORDS_H
#define BATON_CTL_WORDS_H

#include <stdint.h>
#include <stddef.h>

/* "250ms", "3.2s", "42s", "5m 10s", "3h 4m", "12d 3h"; "-" below zero. */
char *words_duration(int64_t ms);

/* "812", "1.2k", "34k", "5.6M"; "-" below zero. */
char *words_bytes(int64_t n);

/* UTF-8 text without what a terminal would obey: control characters become '?'.
 * keep: those that stay, "\n" or "". */
char *words_clean(const char *text, const char *keep);

/* Columns that UTF-8 text takes, one per character. */
size_t words_width(const char *text);

/* Cut UTF-8 text to that many columns, in place. */
void words_cut(char *text, size_t width);

#endif
