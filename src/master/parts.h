/*
 * parts: the table of what the master is made of.
 *
 * The state of an upgrade and the snapshot for who comes after a crash are the records of
 * these; so is the end.
 */
#ifndef BATON_MASTER_PARTS_H
#define BATON_MASTER_PARTS_H

/* Before a state is collected or restored. */
void parts_start(void);

/* All ends. */
void parts_stop(void);

#endif
