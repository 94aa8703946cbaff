/*
 * converge: facts are gathered, the policy is asked, its actions are performed, until nothing
 * is left to do.  Runs from the loop's top level after env_converge, and when the policy has
 * asked to be woken.
 */
#ifndef BATON_MASTER_CONVERGE_H
#define BATON_MASTER_CONVERGE_H

void converge_start(void);
void converge_stop(void);

#endif
