/*
 * signals: each becomes an ordinary event, and that a verb.
 */
#ifndef BATON_MASTER_SIGNALS_H
#define BATON_MASTER_SIGNALS_H

/* Watch for them.  They were blocked since main began, and stay so: they are read.  Ends the
 * process where that can't be. */
void signals_start(void);

/* They stay blocked. */
void signals_stop(void);

#endif
