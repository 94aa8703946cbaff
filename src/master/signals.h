/*
 * signals: each becomes an ordinary event, and that a verb.
 */
#ifndef BATON_MASTER_SIGNALS_H
#define BATON_MASTER_SIGNALS_H

/* Watch for them, and let them in: they were blocked since main began. */
void signals_start(void);

void signals_stop(void);

#endif
