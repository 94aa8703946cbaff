/*
 * mend: listening sockets that somebody has shut.
 */
#ifndef BATON_MASTER_WORKERS_MEND_H
#define BATON_MASTER_WORKERS_MEND_H

/*
 * At each pulse: is one of the sockets shut, as a worker in hostile hands can do to those that
 * it holds?  Then it listens again, or another takes its place; who alone had it is
 * replaced.
 */
void mend_look(void);

/* A worker is gone: what is found shut next may have been its doing. */
void mend_lost_holder(void);

#endif
