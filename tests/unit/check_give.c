/* give: what is called back is not given away.  The taker is played by hand. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "conf/conf.h"
#include "wire/chan.h"
#include "wire/handoff.h"
#include "wire/stats.h"
#include "worker/access/access.h"
#include "worker/conn/conn.h"
#include "worker/core/self.h"
#include "worker/core/service.h"
#include "worker/handoff/give.h"

#define TAKER 7 /* its birth */

static struct event_base *base;
static struct stats_page page;
static struct conn_list conns;
static struct conf_listen listens[1];
static struct conf conf;
static struct service service;
static struct conn one, second;
static int giver, taker; /* the two ends */
static int let_go, resumed;
static char blob[16384];

/* --- the worker around it --- */

const struct conf *
self_conf(void)
{
	return &conf;
}

bool
self_draining(void)
{
	return true;
}

struct stats_page *
self_page(void)
{
	return &page;
}

uint64_t
self_birth(void)
{
	return 1;
}

struct event_base *
self_base(void)
{
	return base;
}

const char *
self_listener_name(uint32_t listener)
{
	(void)listener;
	return "e";
}

void
access_freeze(const struct conn *c, struct handoff_record *r)
{
	(void)c;
	(void)r;
}

struct conn_list *
conn_all(void)
{
	return &conns;
}

void
conn_go_on(struct conn *c)
{
	c->watched = true;
	c->service->type->resume(c);
}

void
conn_enter(struct conn *c, enum conn_life life)
{
	ck_assert_uint_ne(c->life, life);
	c->life = (uint8_t)life;
}

void
conn_rest(struct conn *c)
{
	c->watched = false;
}

bool
conn_freeze(struct conn *c, struct handoff_record *r)
{
	return c->service->type->freeze(c, r);
}

void
conn_drain(struct conn *c)
{
	(void)c;
}

void
conn_drain_all(void)
{
}

void
conn_let_go(struct conn *c)
{
	let_go++;
	c->life = CONN_CLOSED;
	TAILQ_REMOVE(&conns, c, all);
}

static bool
freeze(struct conn *c, struct handoff_record *r)
{
	if (c == &one)
		r->blob = (struct handoff_bytes){blob, sizeof blob};
	return true;
}

static void
resume(struct conn *c)
{
	(void)c;
	resumed++;
}

static const struct service_type type = {.name = "test", .freeze = freeze, .resume = resume};

/* --- the taker --- */

static void
taker_says(enum msg_type t, const void *body, size_t len)
{
	struct msg_head head = {.version = MSG_VERSION,
	                        .type = (uint16_t)t,
	                        .length = (uint32_t)len,
	                        .birth = TAKER};
	struct iovec iov[2] = {{&head, sizeof head}, {(void *)(uintptr_t)body, len}};
	struct msghdr mh = {.msg_iov = iov, .msg_iovlen = 2};

	ck_assert_int_gt(sendmsg(taker, &mh, 0), 0);
}

/* The type of the next message, 0: none; *id: the first in it.  Descriptors are
 * lost. */
static unsigned
taker_hears(uint64_t *id)
{
	static _Alignas(8) char bytes[sizeof(struct msg_head) + MSG_BODY_MAX];
	struct msg_head head;
	ssize_t n = recv(taker, bytes, sizeof bytes, MSG_DONTWAIT);

	if (n < (ssize_t)(sizeof head + sizeof *id))
		return 0;
	memcpy(&head, bytes, sizeof head);
	memcpy(id, bytes + sizeof head, sizeof *id);
	return head.type;
}

static void
spin(void)
{
	for (int i = 0; i < 20; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
set_up(void)
{
	struct msg_peer pair = {.birth = TAKER, .generation = 2};
	struct msg_hello hello = {HANDOFF_VERSION_OLDEST, HANDOFF_VERSION};
	uint64_t birth = TAKER;
	int end[2], small = 1;

	log_open("/dev/null", LOGL_ERROR, LOGF_TEXT, NULL);
	base = event_base_new();
	TAILQ_INIT(&conns);
	conf.listen = listens;
	conf.nlisten = 1;
	conf.drain.handoff = listens[0].handoff = true;
	service.type = &type;
	one.service = &service;
	one.state = CONN_IDLE;
	one.fd = 0;
	one.watched = true;
	TAILQ_INSERT_TAIL(&conns, &one, all);
	ck_assert_int_eq(chan_pair(end), 0);
	giver = end[0];
	taker = end[1];
	give_start();
	give_pair(&pair, end[0]);
	give_aim(&birth, 1);
	give_begin();
	taker_says(MSG_HELLO, &hello, sizeof hello);
	spin();
	ck_assert_uint_eq(one.life, CONN_MOVES); /* offered, not read by the taker yet */
	ck_assert(!one.watched);                 /* and by nobody else */
	setsockopt(end[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small); /* nothing more fits */
}

/* A stop or an abort while the channel is full: CANCEL waits in the giver.  The
 * taker wakes up and answers what it had got. */
START_TEST(what_is_called_back_is_not_given_away)
{
	uint64_t id = 0, other;

	give_end();
	ck_assert_uint_eq(one.life,
	                  CONN_MOVES); /* CANCEL is not with the kernel yet: it rests */
	ck_assert_uint_eq(taker_hears(&id), MSG_PREPARE);
	taker_says(MSG_ACK, &id, sizeof id);
	spin();
	ck_assert_uint_eq(taker_hears(&other), MSG_CANCEL); /* the taker drops its copy */
	ck_assert_uint_eq(other, id);
	ck_assert_msg(let_go == 0, "the taker is told to drop what the giver has let go of");
}
END_TEST

/* The same, but late, and the taker refuses it for now: it may be offered
 * again. */
START_TEST(a_taker_that_was_late_is_asked_again)
{
	struct msg_nack nack = {.refusal = HANDOFF_LATER};
	uint64_t begun = clock_ms(), id = 0;
	int roomy = 200000;
	unsigned heard;

	while (clock_ms() < begun + 1200) /* LATE_MS */
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert_uint_eq(taker_hears(&nack.id), MSG_PREPARE);
	taker_says(MSG_NACK, &nack, sizeof nack);
	spin();
	ck_assert_uint_eq(taker_hears(&id), MSG_CANCEL);
	ck_assert_int_eq(resumed, 1);
	setsockopt(giver, SOL_SOCKET, SO_SNDBUF, &roomy, sizeof roomy);
	begun = clock_ms();
	while ((heard = taker_hears(&id)) == 0 && clock_ms() < begun + 3000) {
		give_look();
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	ck_assert_msg(heard == MSG_PREPARE, "nothing is offered to it any more");
}
END_TEST

/* The master's next word may name it; until then some time may pass. */
START_TEST(a_taker_that_is_not_aimed_at_yet_is_not_forgotten)
{
	struct msg_peer pair = {.birth = TAKER + 1, .generation = 2};
	uint64_t begun = clock_ms(), birth = TAKER + 1, id;
	int end[2];

	ck_assert_uint_eq(taker_hears(&id), MSG_PREPARE); /* undecided: it is looked after */
	ck_assert_int_eq(chan_pair(end), 0);
	taker = end[1];
	give_pair(&pair, end[0]);
	while (clock_ms() < begun + 300)
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert_int_eq(recv(taker, &id, sizeof id, MSG_DONTWAIT | MSG_PEEK),
	                 -1); /* 0: closed */
	give_aim(&birth, 1);
	spin();
	ck_assert_int_eq(recv(taker, &id, sizeof id, MSG_DONTWAIT | MSG_PEEK), -1);
	birth = TAKER;
	give_aim(&birth, 1);
	spin();
	ck_assert_int_eq(recv(taker, &id, sizeof id, MSG_DONTWAIT | MSG_PEEK), 0);
}
END_TEST

/* A record that no send buffer takes is nobody else's trouble. */
START_TEST(what_is_too_large_for_the_channel_does_not_stop_the_others)
{
	uint64_t id = 0, birth = TAKER;
	struct msg_peer pair = {.birth = TAKER, .generation = 2};
	struct msg_hello hello = {HANDOFF_VERSION_OLDEST, HANDOFF_VERSION};
	int end[2], small = 1;

	close(taker); /* the connection comes back */
	spin();
	ck_assert_uint_ne(one.life, CONN_MOVES);
	ck_assert(one.watched);
	second = (struct conn){.service = &service, .state = CONN_IDLE, .fd = 0};
	TAILQ_INSERT_TAIL(&conns, &second, all);
	ck_assert_int_eq(chan_pair(end), 0);
	setsockopt(end[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	taker = end[1];
	give_pair(&pair, end[0]);
	give_aim(&birth, 1);
	taker_says(MSG_HELLO, &hello, sizeof hello);
	spin();
	ck_assert_uint_eq(taker_hears(&id), MSG_PREPARE);
	ck_assert_uint_eq(second.life, CONN_MOVES);
}
END_TEST

static size_t
count_moving(const struct conn *c, size_t n)
{
	size_t moving = 0;

	for (size_t i = 0; i < n; i++)
		moving += c[i].life == CONN_MOVES;
	return moving;
}

/* What the taker may have undecided is offered without waiting for its answers, and each
 * answer makes room for one more. */
START_TEST(the_window_is_filled_and_no_more)
{
	static struct conn many[50];
	int roomy = 200000;
	uint64_t id = 0;

	setsockopt(giver, SOL_SOCKET, SO_SNDBUF, &roomy, sizeof roomy);
	for (size_t i = 0; i < 50; i++) {
		many[i] = (struct conn){.service = &service, .state = CONN_IDLE, .fd = 0};
		TAILQ_INSERT_TAIL(&conns, &many[i], all);
	}
	give_look();
	spin();
	ck_assert_uint_eq(count_moving(many, 50), 31); /* WINDOW, and one was first */
	for (size_t n = 1; n <= 3; n++) {
		ck_assert_uint_eq(taker_hears(&id), MSG_PREPARE);
		taker_says(MSG_ACK, &id, sizeof id);
		spin();
		ck_assert_int_eq(let_go, (int)n);
		ck_assert_uint_eq(count_moving(many, 50), 32);
	}
}
END_TEST

/* What a turn of the loop may take is bounded, however many takers there are: others have
 * their turn in between. */
START_TEST(a_turn_has_its_share)
{
	static struct conn many[200];
	struct msg_hello hello = {HANDOFF_VERSION_OLDEST, HANDOFF_VERSION};
	uint64_t birth[2] = {TAKER, TAKER + 1};
	struct msg_peer pair = {.birth = TAKER + 1, .generation = 2};
	int end[2], roomy = 200000, first = taker;

	setsockopt(giver, SOL_SOCKET, SO_SNDBUF, &roomy, sizeof roomy);
	ck_assert_int_eq(chan_pair(end), 0);
	give_pair(&pair, end[0]);
	give_aim(birth, 2);
	taker = end[1];
	taker_says(MSG_HELLO, &hello, sizeof hello);
	spin();
	for (size_t i = 0; i < 200; i++) {
		many[i] = (struct conn){.service = &service, .state = CONN_IDLE, .fd = 0};
		TAILQ_INSERT_TAIL(&conns, &many[i], all);
	}
	give_look();
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	ck_assert_uint_gt(count_moving(many, 200), 0);
	ck_assert_uint_le(count_moving(many, 200), 32); /* PER_TURN */
	close(first);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("give");
	TCase *t = tcase_create("recall");
	SRunner *sr;
	int failed;

	tcase_set_timeout(t, 20);
	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_add_test(t, what_is_called_back_is_not_given_away);
	tcase_add_test(t, a_taker_that_was_late_is_asked_again);
	tcase_add_test(t, a_taker_that_is_not_aimed_at_yet_is_not_forgotten);
	tcase_add_test(t, what_is_too_large_for_the_channel_does_not_stop_the_others);
	tcase_add_test(t, the_window_is_filled_and_no_more);
	tcase_add_test(t, a_turn_has_its_share);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
