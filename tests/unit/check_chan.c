/* chan: order, descriptors, back-pressure, a dead peer, rubbish. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/fd.h"
#include "base/log.h"
#include "wire/chan.h"

static struct event_base *base;
static struct chan *a, *b;
static int got, gone, fds_got, lost;
static uint64_t last_birth;
static bool free_in_callback;

static void
on_b(struct chan *ch, struct msg *m, void *arg)
{
	(void)ch;
	(void)arg;
	if (m == NULL) {
		gone++;
		chan_free(&b);
		return;
	}
	ck_assert_uint_eq(m->birth, last_birth + 1); /* in order, none missing */
	last_birth = m->birth;
	got++;
	lost += m->lost_fds;
	for (size_t i = 0; i < m->nfd; i++) {
		ck_assert_uint_ne(fd_inode(m->fd[i]), 0);
		fds_got++;
	}
	if (free_in_callback)
		chan_free(&b);
}

static void
on_a(struct chan *ch, struct msg *m, void *arg)
{
	(void)ch;
	(void)arg;
	ck_assert_ptr_null(m);
	gone++;
}

static void
set_up(void)
{
	int end[2];

	log_open("/dev/null", LOGL_ERROR, LOGF_TEXT, NULL);
	base = event_base_new();
	ck_assert_int_eq(chan_pair(end), 0);
	a = chan_new(base, end[0], on_a, NULL);
	b = chan_new(base, end[1], on_b, NULL);
	got = gone = fds_got = lost = 0;
	last_birth = 0;
	free_in_callback = false;
}

static void
tear_down(void)
{
	chan_free(&a);
	chan_free(&b);
	event_base_free(base);
}

static void
spin(void)
{
	for (int i = 0; i < 1000; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

START_TEST(messages_arrive_in_order_with_their_descriptors)
{
	struct msg_socket s[2] = {{1, 0}, {2, 0}};
	int fd[2] = {0, 1};

	chan_send(a, MSG_RESUME, 1, NULL, 0, NULL);
	chan_send(a, MSG_SOCKETS, 2, s, sizeof s, &(struct msg_fds){fd, 2});
	chan_send(a, MSG_CUT, 3, NULL, 0, NULL);
	spin();
	ck_assert_int_eq(got, 3);
	ck_assert_int_eq(fds_got, 2);
}
END_TEST

START_TEST(what_does_not_fit_is_queued_and_not_lost)
{
	static uint32_t ids[MSG_BODY_MAX / 4];
	struct msg_socket s = {1, 0};
	int fd = 0;

	for (uint64_t i = 1; i <= 200; i += 2) {
		ck_assert_int_eq(chan_send(a, MSG_ACCEPT, i, ids, sizeof ids, NULL), 0);
		ck_assert_int_eq(
		    chan_send(a, MSG_SOCKETS, i + 1, &s, sizeof s, &(struct msg_fds){&fd, 1}),
		    0);
	}
	ck_assert_int_eq(got, 0);
	spin();
	ck_assert_int_eq(got, 200);
	ck_assert_int_eq(fds_got, 100);
}
END_TEST

START_TEST(a_descriptor_that_cannot_be_kept_is_an_error)
{
	static uint32_t ids[MSG_BODY_MAX / 4];
	struct msg_socket s = {1, 0};
	struct rlimit old, none;
	int fd = 0, r;
	uint64_t n = 0;

	while (n < 100)
		chan_send(a, MSG_ACCEPT, ++n, ids, sizeof ids, NULL); /* now there is a queue */
	getrlimit(RLIMIT_NOFILE, &old);
	none = (struct rlimit){.rlim_cur = 3, .rlim_max = old.rlim_max};
	setrlimit(RLIMIT_NOFILE, &none);
	r = chan_send(a, MSG_SOCKETS, n + 1, &s, sizeof s, &(struct msg_fds){&fd, 1});
	setrlimit(RLIMIT_NOFILE, &old);
	ck_assert_int_eq(r, -1);
	chan_send(a, MSG_CUT, n + 1, NULL, 0, NULL);
	spin();
	ck_assert_int_eq(got, 101);
}
END_TEST

START_TEST(the_end_of_the_peer_is_told_once)
{
	chan_send(a, MSG_CUT, 1, NULL, 0, NULL);
	chan_free(&a);
	spin();
	ck_assert_int_eq(got, 1); /* its last words first */
	ck_assert_int_eq(gone, 1);
	ck_assert_ptr_null(b);
}
END_TEST

START_TEST(the_rest_can_be_read_at_once)
{
	chan_send(a, MSG_CUT, 1, NULL, 0, NULL);
	chan_send(a, MSG_CUT, 2, NULL, 0, NULL);
	chan_free(&a);
	chan_read_rest(b);
	ck_assert_int_eq(got, 2);
	ck_assert_int_eq(gone, 1);
}
END_TEST

START_TEST(a_callback_may_free_its_channel)
{
	free_in_callback = true;
	chan_send(a, MSG_CUT, 1, NULL, 0, NULL);
	chan_send(a, MSG_CUT, 2, NULL, 0, NULL);
	spin();
	ck_assert_int_eq(got, 1);
	ck_assert_ptr_null(b);
	ck_assert_int_eq(gone, 1); /* a sees its end */
}
END_TEST

static char large[MSG_BODY_MAX / 2];

/* On its way at once, or not at all; a record of so many bytes, and stdin. */
static int
try_prepare(uint64_t birth, size_t len)
{
	uint64_t id = birth;
	struct iovec iov[2] = {{.iov_base = &id, .iov_len = sizeof id},
	                       {.iov_base = large, .iov_len = len}};
	int fd = 0;

	return chan_try_send(a, MSG_PREPARE, birth, iov, 2, &(struct msg_fds){&fd, 1});
}

START_TEST(a_try_is_sent_now_or_not_at_all)
{
	uint64_t n = 0;

	while (try_prepare(n + 1, sizeof large) == 0)
		n++;
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_uint_gt(n, 0);
	ck_assert(chan_idle(a));
	spin();
	ck_assert_int_eq(got, (int)n); /* the one that failed does not come later */
	ck_assert_int_eq(fds_got, (int)n);
	ck_assert_int_eq(try_prepare(n + 1, 0), 0);
	spin();
	ck_assert_int_eq(got, (int)n + 1);
}
END_TEST

START_TEST(a_try_does_not_overtake_what_is_queued)
{
	static char waste[sizeof(struct msg_head) + MSG_BODY_MAX];
	uint64_t n = 0, taken = 0;

	while (chan_idle(a))
		chan_send(a, MSG_RESUME, ++n, large, sizeof large, NULL);
	while (recv(chan_fd(b), waste, sizeof waste, 0) > 0)
		taken++; /* now there is room again, but it is not for this one */
	errno = 0;
	ck_assert_int_eq(try_prepare(n + 1, 0), -1);
	ck_assert_int_eq(errno, EAGAIN);
	last_birth = taken;
	spin();
	ck_assert(chan_idle(a));
	ck_assert_int_eq(got, (int)(n - taken));
	ck_assert_int_eq(try_prepare(n + 1, 0), 0);
}
END_TEST

START_TEST(a_try_that_is_too_large_for_the_socket_says_so)
{
	int small = 1;

	setsockopt(chan_fd(a), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	ck_assert_int_eq(try_prepare(1, sizeof large), -1);
	ck_assert_int_eq(errno, EMSGSIZE);
	ck_assert_int_eq(try_prepare(1, 0), 0);
	spin();
	ck_assert_int_eq(got, 1);
}
END_TEST

START_TEST(a_try_to_the_dead_is_not_sent)
{
	chan_free(&b);
	ck_assert_int_eq(try_prepare(1, 0), -1);
	spin();
	ck_assert_int_eq(gone, 1);
	ck_assert_int_eq(try_prepare(1, 0), -1);
}
END_TEST

/* It leaves an error in front of what it had said. */
START_TEST(the_last_words_of_one_that_had_not_read_all_are_heard)
{
	struct msg_socket s = {1, 0};
	int fd = 0;

	for (uint64_t i = 1; i <= 3; i++)
		chan_send(b, MSG_CUT, i, NULL, 0, NULL); /* never read */
	chan_send(a, MSG_CUT, 1, NULL, 0, NULL);
	chan_send(a, MSG_SOCKETS, 2, &s, sizeof s, &(struct msg_fds){&fd, 1});
	chan_send(a, MSG_CUT, 3, NULL, 0, NULL);
	chan_free(&a);
	spin();
	ck_assert_int_eq(got, 3);
	ck_assert_int_eq(fds_got, 1);
	ck_assert_int_eq(gone, 1);
}
END_TEST

/* Run the loop with room for so many descriptors more. */
static void
spin_with_room(int n)
{
	struct rlimit old, few;
	int free_fd = dup(0);

	close(free_fd);
	getrlimit(RLIMIT_NOFILE, &old);
	few = (struct rlimit){.rlim_cur = (rlim_t)(free_fd + n), .rlim_max = old.rlim_max};
	setrlimit(RLIMIT_NOFILE, &few);
	spin();
	setrlimit(RLIMIT_NOFILE, &old);
}

START_TEST(who_is_told_of_lost_descriptors_gets_the_message)
{
	struct msg_socket s[2] = {{1, 0}, {2, 0}};
	uint64_t id = 7;
	int fd[2] = {0, 1};
	size_t before = fd_count_foreign(NULL, 0, NULL);

	chan_send(a, MSG_PREPARE, 1, &id, sizeof id, &(struct msg_fds){fd, 2});
	chan_send(a, MSG_SOCKETS, 2, s, sizeof s, &(struct msg_fds){fd, 2});
	chan_send(a, MSG_CUT, 3, NULL, 0, NULL);
	spin_with_room(_i);
	ck_assert_int_eq(got, 3);
	ck_assert_int_eq(lost, 2);
	ck_assert_int_eq(fds_got, 2 * _i); /* of each: what there was room for */
	ck_assert_uint_eq(fd_count_foreign(NULL, 0, NULL), before);
	chan_send(a, MSG_PREPARE, 4, &id, sizeof id, &(struct msg_fds){fd, 2});
	spin();
	ck_assert_int_eq(got, 4);
	ck_assert_int_eq(lost, 2); /* those were of other messages */
	ck_assert_int_eq(fds_got, 2 * _i + 2);
}
END_TEST

START_TEST(rubbish_is_dropped_and_the_channel_lives)
{
	send(chan_fd(a), "rubbish", 7, 0);
	send(chan_fd(a), "", 1, 0);
	chan_send(a, MSG_CUT, 1, NULL, 0, NULL);
	spin();
	ck_assert_int_eq(got, 1);
}
END_TEST

START_TEST(descriptors_do_not_leak)
{
	struct msg_socket s = {1, 0};
	int fd = 0;
	size_t before = fd_count_foreign(NULL, 0, NULL);

	for (uint64_t i = 1; i <= 100; i++)
		chan_send(a, MSG_SOCKETS, i, &s, sizeof s, &(struct msg_fds){&fd, 1});
	spin();
	ck_assert_int_eq(fds_got, 100);
	ck_assert_uint_eq(fd_count_foreign(NULL, 0, NULL), before);
}
END_TEST

/* --- a peer in hostile hands --- */

static int breaches;

static void
on_breach(struct chan *ch, const char *what, void *arg)
{
	(void)arg;
	ck_assert_ptr_eq(ch, b);
	ck_assert_ptr_nonnull(what);
	breaches++;
}

static void
guard(void)
{
	breaches = 0;
	chan_guard(b, on_breach);
}

START_TEST(who_passes_descriptors_to_one_that_takes_none_is_told_of_once)
{
	struct msg_socket s = {1, 0};
	size_t before = fd_count_foreign(NULL, 0, NULL);
	int fd = 0;

	guard();
	for (uint64_t i = 1; i <= 10; i++)
		chan_send(a, MSG_SOCKETS, i, &s, sizeof s, &(struct msg_fds){&fd, 1});
	spin();
	ck_assert_int_eq(got, 0);
	ck_assert_int_eq(breaches, 1);
	ck_assert_uint_eq(fd_count_foreign(NULL, 0, NULL), before + 1); /* is held */
	chan_free(&b);
	ck_assert_uint_eq(fd_count_foreign(NULL, 0, NULL), before - 1);
}
END_TEST

/* A TCP connection whose peer reads nothing, with bytes unsent, that lingers at its close. */
static int
lingering(int *peer)
{
	static const struct linger hour = {.l_onoff = 1, .l_linger = 3600};
	static char bytes[1 << 20];
	struct sockaddr_in sin = {.sin_family = AF_INET,
	                          .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof sin;
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(listener, (void *)&sin, sizeof sin), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(getsockname(listener, (void *)&sin, &len), 0);
	ck_assert_int_eq(connect(fd, (void *)&sin, sizeof sin), 0);
	*peer = accept(listener, NULL, NULL);
	close(listener);
	while (send(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
		;
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hour, sizeof hour), 0);
	return fd;
}

/* Held, unread in the channel, or dropped, also behind an empty message: the test's own limit
 * is what this waits for. */
START_TEST(no_close_of_what_was_passed_waits)
{
	struct msg_socket s = {1, 0};
	int peer[3], fd;

	if (_i == 0)
		guard();
	for (int i = 0; i < 3; i++) {
		fd = lingering(&peer[i]);
		if (_i == 2)
			send(chan_fd(a), "", 0, 0); /* looks like the end */
		chan_send(a, MSG_SOCKETS, (uint64_t)i + 1, &s, sizeof s,
		          &(struct msg_fds){&fd, 1});
		close(fd); /* the one that is under way is the last */
		if (i == 1)
			spin();
	}
	chan_free(&b);
	for (int i = 0; i < 3; i++)
		close(peer[i]);
}
END_TEST

/* Somebody else has a copy of our end, and closes it last: the service manager, whose store
 * keeps it.  What its worker has put into the queue must not be left to him. */
START_TEST(who_closes_last_finds_nothing_in_it)
{
	int copy = dup(chan_fd(b)), null = open("/dev/null", O_RDONLY);
	char byte;

	breaches = 0;
	chan_guard(b, on_breach);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(
		    chan_send(a, MSG_READY, 1, "12345678", 8, &(struct msg_fds){&null, 1}), 0);
	spin();
	ck_assert_int_eq(breaches, 1);
	chan_free(&b);
	ck_assert_int_eq(recv(copy, &byte, 1, MSG_DONTWAIT), 0); /* its end, and nothing more */
	chan_send(a, MSG_READY, 1, "12345678", 8, &(struct msg_fds){&null, 1});
	ck_assert_int_eq(recv(copy, &byte, 1, MSG_DONTWAIT), 0);
	close(copy);
	close(null);
}
END_TEST

/* So it is with one that nobody reads, of a worker that is not known. */
START_TEST(an_unread_channel_is_given_up_empty)
{
	int end[2], copy, null = open("/dev/null", O_RDONLY);
	char byte;

	ck_assert_int_eq(chan_pair(end), 0);
	copy = dup(end[0]);
	chan_free(&a);
	a = chan_new(base, end[1], on_a, NULL);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(
		    chan_send(a, MSG_READY, 1, "12345678", 8, &(struct msg_fds){&null, 1}), 0);
	chan_discard(&end[0]);
	ck_assert_int_eq(end[0], -1);
	ck_assert_int_eq(recv(copy, &byte, 1, MSG_DONTWAIT), 0);
	close(copy);
	close(null);
}
END_TEST

START_TEST(who_speaks_nonsense_is_told_of)
{
	guard();
	for (int i = 0; i < 1000; i++)
		send(chan_fd(a), "rubbish", 7, MSG_DONTWAIT);
	spin();
	ck_assert_int_eq(breaches, 1);
	ck_assert_int_eq(got, 0);
}
END_TEST

START_TEST(who_says_nothing_at_all_is_told_of)
{
	guard();
	for (int i = 0; i < 10; i++)
		send(chan_fd(a), "", 0, MSG_DONTWAIT);
	spin();
	ck_assert_int_eq(breaches, 1);
	ck_assert_int_eq(got + gone, 0);
	chan_free(&a);
	spin();
	chan_free(&b);
	ck_assert_int_eq(breaches, 1);
}
END_TEST

START_TEST(who_does_not_listen_is_told_of)
{
	struct msg_socket s = {1, 0};
	int fd = 0, sent = 0;

	guard(); /* b speaks, a does not read */
	event_base_loop(base, EVLOOP_NONBLOCK);
	while (sent < 100000 &&
	       chan_send(b, MSG_SOCKETS, 1, &s, sizeof s, &(struct msg_fds){&fd, 1}) == 0)
		sent++;
	ck_assert_int_eq(breaches, 1);
	ck_assert_int_lt(sent, 4000);
}
END_TEST

/* It lives, and has shut its ear: at once, or when much waits for it. */
START_TEST(who_has_shut_its_ear_is_told_of)
{
	struct msg_socket s = {1, 0};
	int fd = 0, sent = 0;

	guard();
	for (; _i == 1 && sent < 1000; sent++)
		chan_send(b, MSG_SOCKETS, 1, &s, sizeof s, &(struct msg_fds){&fd, 1});
	ck_assert_int_eq(breaches, 0);
	shutdown(chan_fd(a), SHUT_RD);
	chan_send(b, MSG_SOCKETS, 1, &s, sizeof s, &(struct msg_fds){&fd, 1});
	chan_flush(b, 0);
	ck_assert_int_eq(breaches, 1);
}
END_TEST

/* But not who is dead, whose end is told. */
START_TEST(who_has_ended_is_no_such_one)
{
	guard();
	chan_free(&a);
	chan_send(b, MSG_READY, 1, NULL, 0, NULL);
	spin();
	ck_assert_int_eq(breaches, 0);
	ck_assert_int_eq(gone, 1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("chan");
	TCase *t = tcase_create("pair");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, messages_arrive_in_order_with_their_descriptors);
	tcase_add_test(t, what_does_not_fit_is_queued_and_not_lost);
	tcase_add_test(t, a_descriptor_that_cannot_be_kept_is_an_error);
	tcase_add_test(t, the_end_of_the_peer_is_told_once);
	tcase_add_test(t, the_rest_can_be_read_at_once);
	tcase_add_test(t, a_callback_may_free_its_channel);
	tcase_add_test(t, a_try_is_sent_now_or_not_at_all);
	tcase_add_test(t, a_try_does_not_overtake_what_is_queued);
	tcase_add_test(t, a_try_that_is_too_large_for_the_socket_says_so);
	tcase_add_test(t, a_try_to_the_dead_is_not_sent);
	tcase_add_test(t, the_last_words_of_one_that_had_not_read_all_are_heard);
	tcase_add_loop_test(t, who_is_told_of_lost_descriptors_gets_the_message, 0, 2);
	tcase_add_test(t, rubbish_is_dropped_and_the_channel_lives);
	tcase_add_test(t, descriptors_do_not_leak);
	tcase_add_test(t, who_passes_descriptors_to_one_that_takes_none_is_told_of_once);
	tcase_add_loop_test(t, no_close_of_what_was_passed_waits, 0, 3);
	tcase_add_test(t, who_closes_last_finds_nothing_in_it);
	tcase_add_test(t, an_unread_channel_is_given_up_empty);
	tcase_add_test(t, who_speaks_nonsense_is_told_of);
	tcase_add_test(t, who_says_nothing_at_all_is_told_of);
	tcase_add_test(t, who_does_not_listen_is_told_of);
	tcase_add_loop_test(t, who_has_shut_its_ear_is_told_of, 0, 2);
	tcase_add_test(t, who_has_ended_is_no_such_one);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
