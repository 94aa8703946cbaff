/*
 * keys: THE table of keys, one row each: where it stands, its type, range,
 * default and one line of help.  The parser, `baton --print-config`, the sample
 * server.ini and the manual page are made from it; a new key is a new row and a
 * field in tree.h.
 *
 * Rows of one name in one section (a default may depend on the service's type)
 * agree in all but `types`, `dflt`, `example` and `help`, and in what is not asked before the
 * type is known: KEYS_BEHIND, and the words beside a host's name.
 */
#ifndef BATON_CONF_KEYS_H
#define BATON_CONF_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"

/* What is written and, after the arrow, what the field is. */
enum keys_type {
	KEYS_BOOL,     /* yes, no -> bool */
	KEYS_INT,      /* 4096, or the word `zero` for 0 -> int64_t */
	KEYS_MODE,     /* 0666 -> int64_t */
	KEYS_SIZE,     /* 64k -> int64_t, bytes */
	KEYS_DURATION, /* 30s -> int64_t, ms */
	KEYS_ENUM,     /* one of words -> int64_t, its index */
	KEYS_WORD,     /* one of words -> char * */
	KEYS_TEXT,     /* anything -> char * */
	KEYS_PATH,     /* an absolute path, or one of words -> char * */
	KEYS_URL,      /* a path of HTTP, begins with '/', or one of words -> char * */
	KEYS_FILE,     /* a name without '/' -> char * */
	KEYS_USER,     /* a user, a group -> char * */
	KEYS_HOST,     /* a name, perhaps with a port, or one of words -> char * */
	KEYS_NETS,     /* networks, with commas (nets.h) -> char * */
	KEYS_ADDR, /* repeatable -> appended to an array of conf_addr, its number behind it */
	KEYS_UPSTREAM, /* the same, of an address to connect to */
	KEYS_PATHS     /* the same, of absolute paths */
};

enum keys_flag {
	KEYS_REQUIRED = 1,  /* the section is nothing without it */
	KEYS_ONE_OF = 2,    /* of the rows with this flag exactly one is needed */
	KEYS_MAY_EMPTY = 4, /* an empty value means: not set (NULL) */
	KEYS_REPEAT = 8,    /* may stand more than once in a section */
	KEYS_BEHIND = 16    /* means nothing without `upstream` */
};

struct keys_row {
	enum conf_section section;
	const char *name;
	size_t offset; /* into the struct of the section */
	enum keys_type type;
	unsigned flags;
	unsigned types;           /* of services, by keys_type_bit; 0: all */
	int64_t min, max;         /* of numbers; of text the longest, 0: any */
	const char *zero;         /* KEYS_INT: how 0 is written; NULL: as 0 */
	const char *const *words; /* ended by NULL */
	const char *dflt;         /* as in a file; NULL: not set */
	const char *cap;          /* key of the section that the default does not exceed */
	const char *example;      /* as in a file, of a key without default */
	const char *help;         /* one line */
};

extern const struct keys_row keys_table[];
extern const size_t keys_count;

/* "server", "drain", "listen", "service", "tls", by enum conf_section, then NULL. */
extern const char *const keys_sections[];

/* The types of services, then NULL. */
extern const char *const keys_service_types[];

/* Is it [KIND:NAME] rather than [KIND]? */
bool keys_section_named(enum conf_section section);

/* The bit of a service's type; 0 when it is NULL or unknown. */
unsigned keys_type_bit(const char *type);

/* Is it `upstream`, or a key that means nothing without it? */
bool keys_is_behind(const struct keys_row *row);

/* May a service of these types have the key?  0 stands for any type. */
bool keys_fits(const struct keys_row *row, unsigned types);

/* The row of a key: the one that fits types, else any of that name, else NULL. */
const struct keys_row *keys_find(enum conf_section section, const char *name, unsigned types);

/* Read value into the row's field of base.  0, or -1 with half a sentence in
 * *cause, and nothing changed. */
int keys_set(const struct keys_row *row, void *base, int line, const char *value, char **cause);

/* Put the default there. */
void keys_set_default(const struct keys_row *row, void *base);

/* The field as it is written in a file (of the i-th address), or NULL: not
 * set; malloc'd. */
char *keys_text(const struct keys_row *row, const void *base, size_t i);

/* The addresses of a row of such a type; *n of them. */
const struct conf_addr *keys_addrs(const struct keys_row *row, const void *base, size_t *n);

/* A number's field: bool, int, size, duration, enum. */
int64_t keys_number(const struct keys_row *row, const void *base);

/* The values that a key takes: "a duration from 0s to 1h, like ..."; malloc'd. */
char *keys_expect(const struct keys_row *row);

/* Free all that the keys of a section hold. */
void keys_clear(enum conf_section section, void *base);

#endif
