/*
 * outbox: what is written to a stream's connection.  Any thread that has a hold may write;
 * only the loop sends, in the order of the writes, and only the loop takes away.
 */
#ifndef BATON_SERVICE_MODULE_OUTBOX_H
#define BATON_SERVICE_MODULE_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>

struct baton_conn;

enum outbox_sent {
	OUTBOX_EMPTY,   /* all is with the kernel */
	OUTBOX_BLOCKED, /* the socket takes no more */
	OUTBOX_BROKEN,  /* it never will: the connection is to be closed */
};

/* Send what there is. */
enum outbox_sent outbox_flush(struct baton_conn *bc);

/* Was a write refused, and is all sent now?  Says so once. */
bool outbox_was_refused(struct baton_conn *bc);

/* It is to end when all is sent. */
bool outbox_is_finishing(struct baton_conn *bc);

/* Put n bytes that another worker had not sent before all others. */
void outbox_put(struct baton_conn *bc, const char *bytes, size_t n);

/* Copy what is unsent to `to`, which has room for it. */
void outbox_copy(const struct baton_conn *bc, char *to);

/* It is on its way to another worker: what is written now would be lost.  It stays after all.
 */
void outbox_rest(struct baton_conn *bc);
void outbox_resume(struct baton_conn *bc);

/* The connection is over: nothing can be written any more.  moved: here only. */
void outbox_end(struct baton_conn *bc, bool moved);

/* Give back a hold; returns how many are left. */
unsigned outbox_drop(struct baton_conn *bc);

#endif
