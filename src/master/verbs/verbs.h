/*
 * verbs: what may be asked for at the control socket, and by whom.
 */
#ifndef BATON_MASTER_VERBS_VERBS_H
#define BATON_MASTER_VERBS_VERBS_H

/* Before the control socket is opened. */
void verbs_start(void);

/* After all else is restored: what only the image before knew (a listing, a check) is done
 * again for who is owed an answer. */
void verbs_after_restore(void);

#endif
