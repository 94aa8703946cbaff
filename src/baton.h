/*
 * baton.h: what a handler author writes against.
 *
 * A worker is one process with one loop and one thread, here called the loop.  What
 * must block goes to a thread (baton_offload) and its result comes back on the loop,
 * so that nothing of a worker needs a lock.  Unless a function says otherwise it is
 * called on the loop (in a thread most of them end the worker at once, and the log names the
 * function), does not block, and cannot fail for want of memory (the worker ends instead,
 * and its slot is refilled).
 *
 * Times are milliseconds.  A status is 0 (BATON_OK), a negative number of enum
 * baton_status, or, where a handler's own function returns it, any positive number of
 * his own.  Texts that are passed in are copied unless "literal" is said.
 *
 * docs/modules.md leads from an empty file to a running module.
 */
#ifndef BATON_H
#define BATON_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A place in the source, "file.c:12", for logs. */
#define BATON_STR_(x) #x
#define BATON_STR(x)  BATON_STR_(x)
#define BATON_HERE    __FILE__ ":" BATON_STR(__LINE__)

enum baton_status {
	BATON_OK = 0,
	BATON_CANCELLED = -1,    /* somebody called baton_ctx_cancel without a better reason */
	BATON_DEADLINE = -2,     /* its time is over */
	BATON_CLOSED = -3,       /* the client or the connection is gone */
	BATON_DRAIN = -4,        /* the worker leaves, and its deadline has passed */
	BATON_FULL = -5,         /* a bound is reached: refused, nothing was queued */
	BATON_ANSWERED = -6,     /* the request has its answer already */
	BATON_MOVING = -7,       /* the connection is on its way to another worker */
	BATON_INVALID = -8,      /* the argument cannot be used */
	BATON_FAILED = -9,       /* it did not work, and errno or the log says why */
	BATON_UNREACHABLE = -10, /* no address of the target could be connected to */
	BATON_BROKEN = -11,      /* the breaker is open */
	BATON_AGAIN = -12,       /* nothing is there now */
	BATON_BAD_BODY = -13,    /* what the client sends is no body */
};

/* One phrase for a status, "the deadline has passed"; a literal.  Any thread. */
const char *baton_status_text(int status);

/* --- log ------------------------------------------------------------------------ */

enum baton_level { BATON_DEBUG, BATON_INFO, BATON_WARN, BATON_ERROR };

/* One line in baton's log, if its level is wanted.  Any thread. */
void baton_log(enum baton_level level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* --- the worker ------------------------------------------------------------------- */

/* Milliseconds of CLOCK_MONOTONIC, exact.  Any thread. */
uint64_t baton_now(void);

/* The worker drains: it accepts no more and leaves when everything is done. */
bool baton_draining(void);

/* It drains and nobody serves on; false while another worker takes connections over. */
bool baton_stopping(void);

/* Slot (0..workers-1) and birth (never reused) of this worker.  Any thread. */
unsigned baton_slot(void);
uint64_t baton_birth(void);

/*
 * Call fn(arg) on the loop, soon, and after what was posted before.  Any thread, the
 * loop included.  What is posted while the worker leaves may not be called any more.
 */
void baton_post(void (*fn)(void *arg), void *arg);

/* Of a duration in milliseconds: it never ends.  (0 stands for a default.) */
#define BATON_NEVER UINT64_MAX

/* --- ctx: a deadline and a cancellation that go down the call tree ---------------- */

/*
 * A ctx lives, and ends once, with a cause: by its deadline, by baton_ctx_cancel, or
 * with its parent.  It is counted: baton_ctx_new gives the caller one hold,
 * baton_ctx_drop gives a hold back, and the last one frees it.  A ctx holds its parent.
 */
struct baton_ctx;

/*
 * A ctx below parent (NULL: below the worker's own, which ends at the drain's
 * deadline), that ends after timeout_ms (0 or BATON_NEVER: when its parent does).  A
 * later deadline than the parent's has no effect.  The caller has one hold.
 */
#define baton_ctx_new(parent, timeout_ms) baton_ctx_new_at((parent), (timeout_ms), BATON_HERE)
struct baton_ctx *baton_ctx_new_at(struct baton_ctx *parent, uint64_t timeout_ms,
                                   const char *place);

/* One hold more; returns ctx. */
struct baton_ctx *baton_ctx_hold(struct baton_ctx *ctx);

/* One hold less, and *ctx becomes NULL; NULL there is allowed.  Does not end it: a ctx
 * whose work is done is cancelled first, or ends with its parent. */
void baton_ctx_drop(struct baton_ctx **ctx);

/* End it now, and all below it.  cause: a status, not 0.  Without effect on one that has
 * ended.  Watches are called before this returns. */
void baton_ctx_cancel(struct baton_ctx *ctx, int cause);

/* 0: it lives; else the status that ended it.  Any thread that has a hold's word for it. */
int baton_ctx_cause(const struct baton_ctx *ctx);

/* Milliseconds until its deadline, 0 when it has ended, UINT64_MAX without one.  Any
 * thread, as baton_ctx_cause. */
uint64_t baton_ctx_left(const struct baton_ctx *ctx);

/* A watch on the end of a ctx, embedded in the object that wants to know. */
struct baton_watch {
	void (*fn)(void *arg, int cause);
	void *arg;
	struct baton_watch *next, **prev; /* prev NULL: watches nothing */
};

/*
 * fn(arg, cause) is called once when ctx ends, from within what ends it; the watch is
 * over by then.  0; or the cause if ctx has ended already: then fn is not called.
 * The watch must be zeroed before its first use, and stay where it is while it watches.
 */
int baton_ctx_watch(struct baton_ctx *ctx, struct baton_watch *watch,
                    void (*fn)(void *arg, int cause), void *arg);

/* Watch no more.  Allowed on one that watches nothing. */
void baton_ctx_unwatch(struct baton_watch *watch);

/*
 * Values go down the tree: a ctx sees its own and those of its parents, the nearest
 * first.  BATON_CTX_VALUE(user, struct user) at file level makes
 *	void user_set(struct baton_ctx *, struct user *, void (*free_it)(void *));
 *	struct user *user_get(const struct baton_ctx *);	(NULL: not set)
 * free_it (NULL: none) is called when the ctx is freed or the value is replaced.
 */
#define BATON_CTX_VALUE(name, type)                                                            \
	static const char name##_key_[] = #name;                                               \
	__attribute__((unused)) static inline void name##_set(                                 \
	    struct baton_ctx *ctx, type *value, void (*free_it)(void *))                       \
	{                                                                                      \
		baton_ctx_set(ctx, name##_key_, value, free_it);                               \
	}                                                                                      \
	__attribute__((unused)) static inline type *name##_get(const struct baton_ctx *ctx)    \
	{                                                                                      \
		return (type *)baton_ctx_get(ctx, name##_key_);                                \
	}
void baton_ctx_set(struct baton_ctx *ctx, const void *key, void *value,
                   void (*free_it)(void *));
void *baton_ctx_get(const struct baton_ctx *ctx, const void *key);

/* --- timers ---------------------------------------------------------------------- */

struct baton_timer;

/* fn(arg) will be called on the loop when the timer runs out.  Not running yet. */
struct baton_timer *baton_timer_new(void (*fn)(void *arg), void *arg);

/* Run out once, ms from now; a running one starts afresh. */
void baton_timer_set(struct baton_timer *timer, uint64_t ms);

/* Do not run out.  Allowed when it does not run. */
void baton_timer_clear(struct baton_timer *timer);

/* Free it, running or not, also within its own fn; *timer becomes NULL. */
void baton_timer_free(struct baton_timer **timer);

/* --- offload: blocking work in a thread -------------------------------------------- */

/*
 * Work for a thread of the worker's bounded pool.  If baton_offload returns 0:
 *
 *   work     is called once, in a thread, unless ctx ends before its turn comes.  It must
 *            touch nothing but its arg and what is said to be for any thread here.
 *   done     (may be NULL) is called once, on the loop's top level: with what work
 *            returned, or with ctx's cause as soon as that has ended, even if work still
 *            runs.  Then it must not touch what work may be writing.
 *   release  (may be NULL) is called once, on the loop, after both: nothing uses arg any
 *            more, and it is to be freed here.  It is not called for work that is left
 *            behind when the worker leaves.
 *
 * A task counts as busy until release: a drain waits for it, but not beyond its deadline.
 */
struct baton_task {
	const char *name; /* literal: for the log and batonctl */
	int (*work)(void *arg);
	void (*done)(void *arg, int status);
	void (*release)(void *arg);
	void *arg;
	uint64_t limit_ms; /* one that runs for longer is told of in the log; 0: 10 s;
	                      BATON_NEVER: none is */
};

/*
 * Queue it (the struct is copied).  0; BATON_FULL when offload_queue tasks wait already:
 * an answer (503), not a pile; ctx's cause (NULL: the worker's ctx); BATON_DRAIN when the
 * worker is at its end; or BATON_FAILED: there is no thread, and the log says why.  Unless
 * 0, nothing of the task is called.
 */
#define baton_offload(ctx, task) baton_offload_at((ctx), (task), BATON_HERE)
int baton_offload_at(struct baton_ctx *ctx, const struct baton_task *task, const char *place);

/* In work: 0, or why nobody waits for its result any more.  Long work asks now and then. */
int baton_task_cause(void);

/* In work: milliseconds until the deadline of its ctx, UINT64_MAX without one; for the
 * time limits of blocking calls. */
uint64_t baton_task_left(void);

/* --- group: several things at once, one end ---------------------------------------- */

/*
 * A group has a ctx of its own.  The first member that ends with an error cancels it, so
 * that the others can give up.  When every member has ended and no more can come, done is
 * called once, from the loop's top level, with that first error, or 0; then the group
 * is freed.  What a member returned stands where the members put it.
 */
struct baton_group;

/* A group whose ctx is below parent. */
#define baton_group_new(parent, done, arg)                                                     \
	baton_group_new_at((parent), (done), (arg), BATON_HERE)
struct baton_group *baton_group_new_at(struct baton_ctx *parent,
                                       void (*done)(void *arg, int status), void *arg,
                                       const char *place);

/* Its ctx, for the calls of its members; the group holds it. */
struct baton_ctx *baton_group_ctx(struct baton_group *group);

/* A member begins; it ends with baton_group_end, in whatever callback. */
void baton_group_begin(struct baton_group *group);

/* A member has ended.  status: 0, or its error. */
void baton_group_end(struct baton_group *group, int status);

/*
 * A member that is a task: baton_offload with the group's ctx, whose `done`, if it has one,
 * is followed by baton_group_end with its status.  A task that is refused counts
 * as a member that has failed; its status is returned, and nothing of it is called.
 */
#define baton_group_offload(group, task) baton_group_offload_at((group), (task), BATON_HERE)
int baton_group_offload_at(struct baton_group *group, const struct baton_task *task,
                           const char *place);

/* No more members will begin: who made the group calls this once, and then leaves it. */
void baton_group_close(struct baton_group *group);

/* --- background: what outlives its request ------------------------------------------ */

/*
 * Counted like a connection that must finish: a drain waits for it, tells it (`drain`),
 * and cancels its ctx at the deadline.  One that does not end by then is left behind,
 * with a line in the log.
 */
struct baton_background;

/*
 * Begin one; NULL when there are background_max already: refused, not piled up.  name:
 * literal.  drain(arg) (may be NULL) is called once on the loop when the worker begins
 * to drain, or soon if it does already.
 */
#define baton_background(name, drain, arg)                                                     \
	baton_background_at((name), (drain), (arg), BATON_HERE)
struct baton_background *baton_background_at(const char *name, void (*drain)(void *arg),
                                             void *arg, const char *place);

/* Its ctx, held by it: below the worker's, whatever becomes of the request. */
struct baton_ctx *baton_background_ctx(struct baton_background *bg);

/* It has ended, and *bg becomes NULL; NULL there is allowed.  Its ctx ends, too, before this
 * returns: who watches that takes his watch back first. */
void baton_background_end(struct baton_background **bg);

/* --- free lists ---------------------------------------------------------------------- */

/* Objects of one size that are used again rather than freed; static, or zeroed with the
 * first two fields set.  Of one worker: on the loop only. */
struct baton_freelist {
	size_t size;  /* of an object; at least a pointer's */
	unsigned max; /* kept; more are freed */
	unsigned n;
	void *head;
};

#define BATON_FREELIST(object_size, most)                                                      \
	{                                                                                      \
		.size = (object_size), .max = (most)                                           \
	}

/* A zeroed object. */
void *baton_freelist_get(struct baton_freelist *list);

/* Give it back. */
void baton_freelist_put(struct baton_freelist *list, void *object);

/* Free what is kept. */
void baton_freelist_empty(struct baton_freelist *list);

/* --- counters ------------------------------------------------------------------------- */

/* A counter that all workers share: what is summed up never goes back, over reloads,
 * upgrades and crashes.  At most 32 names in all modules together. */
struct baton_counter;

/* The counter of a name (at most 27 bytes); the same for whoever asks with the same name.
 * NULL: the name is too long, or there are too many.  Not to be freed. */
struct baton_counter *baton_counter(const char *name);

/* Count n more; NULL is allowed.  Any thread, and as cheap as an addition. */
void baton_counter_add(struct baton_counter *counter, uint64_t n);

/* What all workers, living and dead, have counted under that name. */
uint64_t baton_counter_sum(const char *name);

/* --- breaker -------------------------------------------------------------------------- */

/*
 * Stops calls to what fails: closed until `percent` of at least `calls` calls within
 * about window_ms have failed; then open, and nothing is let through, for open_ms; then
 * half-open: one call is let through, and its outcome closes or opens it again.  All workers
 * with a breaker of that name, in whatever generation, share its state; at most 16 names.
 */
struct baton_breaker;

struct baton_breaker_rules {
	unsigned percent;   /* 0: 50 */
	unsigned calls;     /* 0: 20 */
	uint64_t window_ms; /* 0: 10 s */
	uint64_t open_ms;   /* 0: 5 s */
};

enum baton_breaker_state { BATON_BREAKER_CLOSED, BATON_BREAKER_OPEN, BATON_BREAKER_HALF_OPEN };

/* rules are copied.  NULL: there are too many. */
struct baton_breaker *baton_breaker_new(const char *name,
                                        const struct baton_breaker_rules *rules);

/* Free it; *breaker becomes NULL. */
void baton_breaker_free(struct baton_breaker **breaker);

/* May a call be made?  0: make it, and tell its outcome; or BATON_BROKEN. */
int baton_breaker_ask(struct baton_breaker *breaker);

/* The outcome of a call that was let through. */
void baton_breaker_tell(struct baton_breaker *breaker, bool good);

/* As it stands now, for all workers; asking changes nothing. */
enum baton_breaker_state baton_breaker_state(const struct baton_breaker *breaker);

/* --- pool: connections to others ---------------------------------------------------------- */

/*
 * Connections that are kept and used again, by target: "host:80", "[::1]:80",
 * "unix:/path".  Names are resolved in a thread; of several addresses the next is tried
 * when one has not answered within 250 ms, and the first that is there is taken.
 */
struct baton_pool;
struct baton_link; /* one connection */

struct baton_pool_rules {
	unsigned max_open;    /* per target; 0: 8 */
	unsigned max_idle;    /* per target, kept; 0: as max_open */
	unsigned max_waiting; /* per target; 0: 1000 */
	uint64_t idle_ms;     /* kept so long without use; 0: 60 s */
	uint64_t life_ms;     /* not given out later than this after its birth; 0: any time */
	uint64_t connect_ms;  /* 0: 5 s */
};

struct baton_pool_stats {
	unsigned open, idle, waiting;           /* now */
	uint64_t dialled, failed, reused, dead; /* dead: closed by the peer while idle */
};

/* rules are copied; NULL: the defaults. */
struct baton_pool *baton_pool_new(const struct baton_pool_rules *rules);

/* When its module stops: no link is out any more.  Who waits hears BATON_CLOSED.  *pool
 * becomes NULL. */
void baton_pool_free(struct baton_pool **pool);

/*
 * A connection to target.  Who has to wait is served in order.  If 0 is returned, fn is called
 * once, on the loop's top level: with a link that is the caller's until baton_link_put;
 * or with a status and NULL: ctx's cause, BATON_UNREACHABLE, BATON_FULL (no thread for
 * the name, no descriptor).  Else fn is not called: BATON_FULL (max_waiting), BATON_INVALID
 * (target), or ctx's cause (NULL: the worker's ctx).
 */
#define baton_pool_get(pool, ctx, target, fn, arg)                                             \
	baton_pool_get_at((pool), (ctx), (target), (fn), (arg), BATON_HERE)
int baton_pool_get_at(struct baton_pool *pool, struct baton_ctx *ctx, const char *target,
                      void (*fn)(void *arg, int status, struct baton_link *link), void *arg,
                      const char *place);

/* What its connections are at now, and how many there were, into *stats. */
void baton_pool_stats(const struct baton_pool *pool, struct baton_pool_stats *stats);

/* Its descriptor, which does not block; it stays the pool's. */
int baton_link_fd(const struct baton_link *link);

/* It was used before: its peer may have gone away the moment it was given out. */
bool baton_link_reused(const struct baton_link *link);

/* Call fn(arg) once when the link can be read (or written), or ctx has ended: status is 0
 * or ctx's cause.  One wait at a time; a new one replaces it; fn NULL: none. */
void baton_link_wait(struct baton_link *link, bool write, struct baton_ctx *ctx,
                     void (*fn)(void *arg, int status), void *arg);

/* Give it back.  reusable: the peer has no answer to give any more and expects another
 * request; else it is closed. */
void baton_link_put(struct baton_link *link, bool reusable);

/* --- a module ------------------------------------------------------------------------- */

#define BATON_ABI 3 /* of this file.  Modules of 2 are taken as well, others refused */

struct baton_service; /* a [service:NAME] of `type = module`, in this worker */
struct baton_conn;    /* a connection of a stream module */
struct baton_route;
struct baton_work; /* a request in a thread */

enum baton_key_type {
	BATON_KEY_BOOL,     /* yes or no; a number, 1 or 0 */
	BATON_KEY_NUMBER,   /* 4096 */
	BATON_KEY_SIZE,     /* 64k; a number, bytes */
	BATON_KEY_DURATION, /* 30s; a number, ms */
	BATON_KEY_TEXT,     /* anything */
	BATON_KEY_PATH,     /* an absolute path; a text */
	BATON_KEY_WORD,     /* one of words; a text */
};

/*
 * A key of the module's own in its section.  It is checked like baton's own ones, before
 * anything is started: an unknown key, a value that is out of range and a missing one
 * are told by `baton --check` and refuse a reload.  Its name is none that baton has, of
 * letters, digits,
 * '-', '.' and '_'.
 */
struct baton_key {
	const char *name; /* NULL: the end of the table */
	enum baton_key_type type;
	const char *dflt;         /* as in a file; NULL: not set */
	bool required;            /* the section is nothing without it */
	int64_t min, max;         /* of numbers; both 0: any that is not negative */
	const char *const *words; /* of BATON_KEY_WORD, ended by NULL */
	const char *help;         /* one line */
};

/* The state of a connection, for another worker: bytes of the module's, which stay where
 * they are until its next call.  At most some 60 KB. */
struct baton_blob {
	uint32_t version; /* thaw sees it */
	const void *bytes;
	size_t n;
};

/*
 * What a module is: one `const struct baton_module baton_module` that it exports.  It has
 * either routes (HTTP) or data (a stream); all else is optional.  All functions are called
 * on the loop.
 */
struct baton_module {
	uint32_t abi;                 /* BATON_ABI */
	uint32_t size;                /* sizeof(struct baton_module) */
	const char *name;             /* at most 31 bytes */
	const struct baton_key *keys; /* ended by one without name */

	/* The worker starts, with its final privileges, before it is ready.  0, or -1 after
	 * baton_service_fail: the new generation has failed, and the old one serves on. */
	int (*start)(struct baton_service *service);

	/* The worker leaves; no connection or request is left, no task runs, and every ctx has
	 * ended.  Not called by a worker that has to leave a task behind in a thread. */
	void (*stop)(struct baton_service *service);

	/* HTTP: ended by one without path. */
	const struct baton_route *routes;

	/* --- a stream --- */

	/* A connection was accepted. */
	void (*open)(struct baton_conn *conn);

	/*
	 * n bytes have come that were not used up yet.  Returns how many are used up now
	 * (more than n ends the worker); the others are shown again, with more behind them
	 * (at most max_unread together, else the connection is closed).  It is not called
	 * again for what it has left until more comes: a loop over what is there is its own.
	 */
	size_t (*data)(struct baton_conn *conn, const char *bytes, size_t n);

	/* The client has ended its side.  Without it: baton_conn_finish. */
	void (*end)(struct baton_conn *conn);

	/* Everything written is with the kernel, after it was not for a while, or a write was
	 * refused (BATON_FULL). */
	void (*flushed)(struct baton_conn *conn);

	/*
	 * The worker drains, and this connection ends here: finish it when nothing is lost by
	 * that; at the deadline it is cut.  May be called more than once.  Without it: a
	 * stop finishes it now, else it stays until the deadline.
	 */
	void (*drain)(struct baton_conn *conn);

	/*
	 * Another worker may go on with the connection, at any moment between two calls, if
	 * the module has both of these.
	 *
	 * freeze: true, with all that thaw needs in *blob; false: not now.  Changes nothing:
	 * the connection may stay.  What is unread and unsent travels by itself, and that it
	 * is busy; a pause does not: thaw pauses again.
	 * thaw: in the other worker, instead of open.  0, or -1: it stays where it is.
	 */
	bool (*freeze)(struct baton_conn *conn, struct baton_blob *blob);
	int (*thaw)(struct baton_conn *conn, const struct baton_blob *blob);

	/* It is over, for this worker: give back its data.  moved: another one goes on with
	 * it, so that nobody else needs to hear of it. */
	void (*close)(struct baton_conn *conn, bool moved);
};

/* What the module exports. */
extern const struct baton_module baton_module;

/* The NAME of its section.  Any thread. */
const char *baton_service_name(const struct baton_service *service);

/* The value of one of its keys; a key that is not in its table ends the worker.  A number
 * that is not set is 0, a text NULL.  The text lives as long as the service.  Any thread. */
int64_t baton_service_number(const struct baton_service *service, const char *key);
const char *baton_service_text(const struct baton_service *service, const char *key);

/* A pointer of the module's.  Any thread may ask for what start has set. */
void baton_service_set_data(struct baton_service *service, void *data);
void *baton_service_data(const struct baton_service *service);

/* In start: why it fails, one sentence.  Returns -1. */
int baton_service_fail(struct baton_service *service, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* --- TLS ---------------------------------------------------------------------------- */

/* What a client of TLS has agreed on; texts are "" where there is none. */
struct baton_tls {
	char version[16];  /* "TLSv1.3" */
	char suite[64];    /* as IANA has it: "TLS_AES_128_GCM_SHA256" */
	char name[256];    /* of the server that it has asked for (SNI) */
	char protocol[32]; /* ALPN: "http/1.1" */
	char subject[520]; /* of its certificate, if one was asked for and is good (RFC 2253) */
	char fingerprint[65]; /* of it: SHA-256, in hexadecimal */
};

/* --- connections of a stream module ------------------------------------------------- */

/* The service it belongs to. */
struct baton_service *baton_conn_service(const struct baton_conn *conn);

/* A pointer of the module's. */
void baton_conn_set_data(struct baton_conn *conn, void *data);
void *baton_conn_data(const struct baton_conn *conn);

/* The peer's address as text, into buf; returns buf. */
const char *baton_conn_peer(const struct baton_conn *conn, char *buf, size_t len);

/* What its client has agreed on, into *tls.  False: it is in clear, or gone; all texts are "".
 */
bool baton_conn_tls(const struct baton_conn *conn, struct baton_tls *tls);

/*
 * Write n bytes (copied).  They come out whole, in the order of the calls, from whatever
 * threads these come.  0; BATON_FULL when max_unsent bytes wait already (nothing was
 * queued: that is the backpressure; see flushed); BATON_CLOSED; BATON_MOVING: another
 * worker is about to take it over, or already has.  Any thread that has a hold, and the
 * loop.  Nothing of the module is called from within.
 */
int baton_conn_write(struct baton_conn *conn, const void *bytes, size_t n);

/* Bytes that the client has not taken yet.  Any thread, likewise. */
size_t baton_conn_unsent(struct baton_conn *conn);

/* End it when all that was written is with the kernel.  Any thread, likewise.  One that is
 * just moving ends only if it stays here. */
void baton_conn_finish(struct baton_conn *conn);

/* End it now; close is called soon, not from within.  One that is moving as above. */
void baton_conn_close(struct baton_conn *conn);

/* No data until it is resumed: nothing is read, the client has to wait.  What is
 * not used up yet is shown again after that, soon. */
void baton_conn_pause(struct baton_conn *conn);
void baton_conn_resume(struct baton_conn *conn);

/* It must finish: a drain waits for it until it is not busy any more. */
void baton_conn_busy(struct baton_conn *conn, bool busy);

/* The worker drains, and this one is to go on in another worker. */
bool baton_conn_leaves(const struct baton_conn *conn);

/*
 * Keep the object valid for a thread (or for later), on the loop; give it back from any
 * thread.  It may be gone meanwhile: then writes are answered with BATON_CLOSED.  A
 * connection that is held does not move to another worker.
 */
struct baton_conn *baton_conn_hold(struct baton_conn *conn);
void baton_conn_drop(struct baton_conn *conn);

/* --- HTTP ------------------------------------------------------------------------------- */

/*
 * A request, by value.  It lasts until it is answered, its client hangs up (or ends its side
 * only: a half-close is a hang-up), or its deadline passes (then it is answered 504 in the
 * handler's name, and the route is named in the log).  A handle may be used at any time later:
 * it then says BATON_ANSWERED, BATON_CLOSED or BATON_DEADLINE, or NULL, and never means another
 * request.  In a thread all that takes a handle ends the worker at once.
 *
 * Texts and bytes that are got from a request live as long as it does: what a thread
 * works on is copied or taken first.
 */
typedef struct baton_request {
	uint64_t id;
} baton_request;

/*
 * A method and a path.  `{name}` stands for one segment, which is not empty; `{name...}`,
 * as the last, for all that follows.  Of several that fit, the one with the earlier
 * literal segment is meant.  GET answers HEAD as well.  The method "*" is each of them,
 * those that nobody has heard of as well; of two routes with paths that fit alike, the one that
 * names the method is meant.  A path that no route has is 404; one that has it for other
 * methods is 405 with Allow, or 501 for a method that nobody has heard of.
 *
 * The path "*" is for what no route has (OPTIONS of the whole server, too): such a route
 * answers 404, 405, 413 and 501 in the module's own form (baton_request_refused), the first of
 * them that is for the method.
 */
struct baton_route {
	const char *method;
	const char *path; /* "/users/{id}"; NULL: the end of the table */

	/* Called when the request is there with its whole body (at most max_body); if the body
	 * is streamed, when its head is there.  Answers now or later, once. */
	void (*handle)(baton_request r);

	uint64_t deadline_ms; /* of the answer, from then on; 0: 30 s; BATON_NEVER: none */
	bool streamed;        /* the body comes in pieces: baton_request_read */

	/*
	 * Instead of handle, for what blocks: called in a thread of the pool, as a task is,
	 * with a copy of the request.  It returns the answer's status, 200..599 (what is none
	 * is told in the log, and 500 for the client); headers and body are what it has said of
	 * them until then.  When the request is over before (its ctx: the deadline, which is
	 * 504; the client's hang-up; the end of a drain, 503), what it returns is for nobody:
	 * long work asks baton_task_cause now and then.  It is not called at all if there was
	 * no turn for it before; when offload_queue wait already, the client gets 503.
	 */
	int (*work)(struct baton_work *work);
};

#define BATON_VARS_MAX 8 /* of one route */

/* NULL when the request is over: */

struct baton_service *baton_request_service(baton_request r);

/* Ends with the deadline, the client's hang-up (BATON_CLOSED), and when the request is
 * answered (BATON_ANSWERED): then what still runs below it is in vain. */
struct baton_ctx *baton_request_ctx(baton_request r);

/* "GET" and the like, as it was sent. */
const char *baton_request_method(baton_request r);

/* In the handler of the route "*": why it is this one's: 404, no route has the path; 405, none
 * for the method, and an answer with that status gets its Allow by itself; 413, the body is
 * longer than max_body: nothing of it is there, and the connection ends with the answer; 501,
 * the method is one that nobody has heard of.  0: it is the route's own request, or over. */
int baton_request_refused(baton_request r);

/* The path as it was sent; the value of a variable, of a parameter of the query, decoded;
 * the first header of that name.  NULL: there is none.  A request with more than 256 parameters
 * was answered 400 before it came here.  A variable is decoded: even one of a single segment
 * may be "..", or hold a '/'. */
const char *baton_request_path(baton_request r);
const char *baton_request_var(baton_request r, const char *name);
const char *baton_request_query(baton_request r, const char *name);
const char *baton_request_header(baton_request r, const char *name);

/* What its client has agreed on, into *tls.  False: it is in clear, or the request is over; all
 * texts are "". */
bool baton_request_tls(baton_request r, struct baton_tls *tls);

/* As baton_request_var, for what is to be a part of a file's name: NULL also when it is empty,
 * "." or "..", or has a '/' in it.  (One with a NUL was answered 400 before it came here.) */
const char *baton_request_segment(baton_request r, const char *name);

/* The body, with a NUL behind its *n bytes; "" when there is none. */
const char *baton_request_body(baton_request r, size_t *n);

/* The same, to keep: the caller frees it.  The request has none then. */
char *baton_request_take_body(baton_request r, size_t *n);

/*
 * A body in pieces, of a route that says `streamed` (baton_request_body has nothing then).
 * The client is not read from while the handler has not taken what is there: some 64 KB.
 *
 * At most *n bytes go into buf (*n is not 0), and *n becomes how many.  0; at the end of the
 * body 0 with *n 0; BATON_AGAIN: nothing is there now; BATON_INVALID: not such a route.  Or
 * how the request is over: as baton_answer; BATON_BAD_BODY, and the client was answered
 * 400; BATON_FULL, as it is longer than max_body: 413; BATON_DEADLINE also when nothing came
 * for body_timeout while it was waited for: 408.  An answer in pieces is cut off by these.
 *
 * A client that waits for "100 Continue" gets it when the handler first gets BATON_AGAIN or
 * waits.  One that is answered before the end of its body is closed after the answer.
 */
int baton_request_read(baton_request r, void *buf, size_t *n);

/*
 * Call fn(arg) once, on the loop's top level, when baton_request_read has something else to
 * say than BATON_AGAIN; also when the request is over, unless it is the handler who has
 * answered it.  One wait at a time; another replaces it; fn NULL: none.  0, BATON_INVALID, or
 * as baton_answer: then fn is not called.
 */
int baton_request_readable(baton_request r, void (*fn)(void *arg), void *arg);

/*
 * Call fn(arg) once, on the loop's top level, when the worker begins to drain; soon if it does
 * already.  A request that could go on without end, as an answer in pieces may, is to end soon
 * then: at the drain's deadline it is cut.  Not called when the request is over, of which its
 * ctx tells.  One at a time; another replaces it; fn NULL: none.  0, or as baton_answer.
 */
int baton_request_drain(baton_request r, void (*fn)(void *arg), void *arg);

/*
 * Answer it: status 200..599, the Content-Type (NULL: none), n bytes that are copied.
 * 0; BATON_ANSWERED, BATON_DEADLINE, BATON_CLOSED; BATON_INVALID.
 */
int baton_answer(baton_request r, int status, const char *type, const void *body, size_t n);

/* A header for the answer, before it.  0, BATON_INVALID (control bytes, or one that baton
 * writes itself), BATON_FULL (more than 8 KB of them), or as baton_answer. */
int baton_answer_header(baton_request r, const char *name, const char *value);

/*
 * An answer in pieces: begin, then write as often as it takes, then end.  The client
 * gets each piece soon.  What baton_answer_write returns beside the above: BATON_FULL when
 * max_unsent bytes wait already; nothing was taken.  The deadline holds until the end: one that
 * is amid its answer then is cut off.
 */
int baton_answer_begin(baton_request r, int status, const char *type);
int baton_answer_write(baton_request r, const void *bytes, size_t n);
int baton_answer_end(baton_request r);

/* Call fn(arg) once when all that was written is with the kernel, soon if it is already; also
 * when the request is over, unless it is the handler who has ended it.  One wait at a time;
 * another replaces it. */
int baton_answer_flushed(baton_request r, void (*fn)(void *arg), void *arg);

/* --- HTTP in a thread --------------------------------------------------------------------- */

/*
 * All these are for a route's `work`, in its thread, until it returns; texts live as long.
 * The service's functions that only look (its name, keys, data) may be called there.
 */

/* The service; the request's ctx, to be asked for its cause and what time it has left. */
struct baton_service *baton_work_service(const struct baton_work *work);
const struct baton_ctx *baton_work_ctx(const struct baton_work *work);

/* As those of a request, which is never over here. */
const char *baton_work_method(struct baton_work *work);
const char *baton_work_path(struct baton_work *work);
const char *baton_work_var(struct baton_work *work, const char *name);
const char *baton_work_segment(struct baton_work *work, const char *name);
const char *baton_work_query(struct baton_work *work, const char *name);
const char *baton_work_header(struct baton_work *work, const char *name);
int baton_work_refused(const struct baton_work *work);

/* The body, with a NUL behind its *n bytes; "" when there is none. */
const char *baton_work_body(const struct baton_work *work, size_t *n);

/* A header for the answer, Content-Type among them.  0, or BATON_INVALID or BATON_FULL as
 * baton_answer_header. */
int baton_work_answer_header(struct baton_work *work, const char *name, const char *value);

/* More for the body of the answer, which is sent when work has returned. */
void baton_work_write(struct baton_work *work, const void *bytes, size_t n);
void baton_work_printf(struct baton_work *work, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#ifdef __cplusplus
}
#endif

#endif
