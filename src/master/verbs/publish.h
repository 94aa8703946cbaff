/*
 * publish: how things stand, on the board of the stats memory (wire/board.h), so that
 * workers can tell it without asking the master.
 */
#ifndef BATON_MASTER_VERBS_PUBLISH_H
#define BATON_MASTER_VERBS_PUBLISH_H

/* Something may have changed, or time has passed: often is cheap. */
void publish(void);
void publish_stop(void);

#endif
