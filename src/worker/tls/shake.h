/*
 * shake: a handshake, in memory.  OpenSSL does it; then it is freed, and the keys and numbers
 * that it has agreed on are a struct tls_state, which anybody can go on with.
 *
 * Records go in one by one, so that nothing of what follows the handshake ends up in OpenSSL;
 * what it writes is taken out after each.  The numbers are not guessed: what OpenSSL sealed
 * last is opened with the keys that were found, else the handshake has failed.
 */
#ifndef BATON_WORKER_TLS_SHAKE_H
#define BATON_WORKER_TLS_SHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct facts;
struct shake;
struct tls_state;

enum shake_result { SHAKE_GOES_ON, SHAKE_DONE, SHAKE_FAILED };

/* With a client of that listener.  Freed by shake_free, which cleanses it. */
struct shake *shake_new(uint32_t listener);
void shake_free(struct shake **s);

/* Once, before all others: the process starts, and ends. */
void shake_start(void);

/*
 * Take one whole record.  DONE: *state is set.  FAILED: shake_why tells.  In any case there may
 * be something to send.
 */
enum shake_result shake_take(struct shake *s, const uint8_t *record, size_t n,
                             struct tls_state *state);

/* What is to be sent now, *n bytes; valid until the next call. */
const uint8_t *shake_out(const struct shake *s, size_t *n);

/* Of one that is DONE: it goes on with a session from before. */
bool shake_resumed(const struct shake *s);

/* Why it has failed. */
const char *shake_why(const struct shake *s);

/* What one that is DONE has agreed on beside the keys; for free(3), NULL: nothing. */
struct facts *shake_facts(const struct shake *s);

#endif
