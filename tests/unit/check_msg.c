/* msg: the door.  What is not whole, known and of the right length stays out. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "wire/msg.h"

static char bytes[sizeof(struct msg_head) + MSG_BODY_MAX + 8];

static size_t
build(unsigned type, size_t body)
{
	struct msg_head head = {.version = MSG_VERSION,
	                        .type = (uint16_t)type,
	                        .length = (uint32_t)body,
	                        .birth = 77};

	memset(bytes, 0, sizeof bytes);
	memcpy(bytes, &head, sizeof head);
	return sizeof head + body;
}

static const struct {
	unsigned type;
	size_t body;
	size_t fds;
	int good;
} cases[] = {
    {MSG_READY, 0, 0, 1},
    {MSG_READY, 0, 1, 0}, /* a descriptor that nobody asked for */
    {MSG_SOCKETS, sizeof(struct msg_socket), 1, 1},
    {MSG_SOCKETS, 2 * sizeof(struct msg_socket), 2, 1},
    {MSG_SOCKETS, 2 * sizeof(struct msg_socket), 1, 0}, /* one got lost on the way */
    {MSG_SOCKETS, sizeof(struct msg_socket) - 1, 1, 0},
    {MSG_SOCKETS, 0, 0, 0},
    {MSG_SOCKETS, (MSG_FDS_MAX + 1) * sizeof(struct msg_socket), MSG_FDS_MAX + 1, 0},
    {MSG_ACCEPT, 0, 0, 1},
    {MSG_ACCEPT, 8, 0, 1},
    {MSG_ACCEPT, 7, 0, 0},
    {MSG_LAME, 4, 0, 1},
    {MSG_LAME, 3, 0, 0},
    {MSG_DRAIN, sizeof(struct msg_drain), 0, 1},
    {MSG_DRAIN, sizeof(struct msg_drain) + 8, 0, 1}, /* a newer master says more */
    {MSG_DRAIN, sizeof(struct msg_drain) - 1, 0, 0},
    {MSG_LOG, 0, 1, 1},
    {MSG_LOG, 0, 0, 0},
    {MSG_FAILED, 1, 0, 1},
    {MSG_FAILED, 0, 0, 0},
    {MSG_FAILED, MSG_TEXT_MAX + 1, 0, 0},
    {MSG_CONN, sizeof(struct msg_conn), 0, 1},
    {MSG_CONN, MSG_CONN_MIN, 0, 1}, /* an older worker says less */
    {MSG_CONN, MSG_CONN_MIN - 1, 0, 0},
    {MSG_CONN, sizeof(struct msg_conn) + 8, 0, 1},
    {MSG_CONN, sizeof(struct msg_conn), 1, 0},
    {MSG_CONN, 10, 0, 0},
    {MSG_LIST, 8, 0, 1}, /* an older master asks for the holders only */
    {MSG_LIST, sizeof(struct msg_list), 0, 1},
    {MSG_LIST, 7, 0, 0},
    {MSG_LIST, 0, 0, 0},
    {MSG_LIST, sizeof(struct msg_list), 1, 0},
    {MSG_LIST_END, 8, 0, 1},
    {MSG_LIST_END, sizeof(struct msg_list_end), 0, 1},
    {MSG_LIST_END, 7, 0, 0},
    {MSG_TASK, sizeof(struct msg_task), 0, 1},
    {MSG_TASK, sizeof(struct msg_task) + 8, 0, 1},
    {MSG_TASK, sizeof(struct msg_task) - 1, 0, 0},
    {MSG_TASK, 0, 0, 0},
    {MSG_TASK, sizeof(struct msg_task), 1, 0},
    {MSG_PEER, sizeof(struct msg_peer), 1, 1},
    {MSG_PEER, sizeof(struct msg_peer), 0, 0}, /* its end of the channel got lost */
    {MSG_PEER, sizeof(struct msg_peer), 2, 0},
    {MSG_PEER, sizeof(struct msg_peer) - 1, 1, 0},
    {MSG_PEER, sizeof(struct msg_peer) + 8, 1, 0},
    {MSG_SUCCESSORS, 0, 0, 1}, /* at nobody */
    {MSG_SUCCESSORS, 16, 0, 1},
    {MSG_SUCCESSORS, 12, 0, 0},
    {MSG_SUCCESSORS, 8, 1, 0},
    {MSG_HELLO, sizeof(struct msg_hello), 0, 1},
    {MSG_HELLO, sizeof(struct msg_hello) + 4, 0, 1}, /* a newer taker says more */
    {MSG_HELLO, sizeof(struct msg_hello) - 1, 0, 0},
    {MSG_HELLO, sizeof(struct msg_hello), 1, 0},
    {MSG_PREPARE, 8, 1, 1}, /* whether the record is good is not the door's affair */
    {MSG_PREPARE, 8, 0, 1}, /* it has an id to refuse */
    {MSG_PREPARE, 9, MSG_FDS_MAX, 1},
    {MSG_PREPARE, MSG_BODY_MAX, 1, 1},
    {MSG_PREPARE, MSG_BODY_MAX + 1, 1, 0},
    {MSG_PREPARE, 7, 1, 0}, /* it has none */
    {MSG_PREPARE, 0, 0, 0},
    {MSG_ACK, 8, 0, 1},
    {MSG_ACK, 80, 0, 1},
    {MSG_ACK, 0, 0, 0},
    {MSG_ACK, 12, 0, 0},
    {MSG_ACK, 8, 1, 0},
    {MSG_NACK, sizeof(struct msg_nack), 0, 1},
    {MSG_NACK, sizeof(struct msg_nack) + 1, 0, 1},
    {MSG_NACK, sizeof(struct msg_nack) - 1, 0, 0},
    {MSG_NACK, sizeof(struct msg_nack), 1, 0},
    {MSG_RELEASE, 8, 0, 1},
    {MSG_RELEASE, 80, 0, 1},
    {MSG_RELEASE, 0, 0, 0},
    {MSG_RELEASE, 15, 0, 0},
    {MSG_RELEASE, 8, 1, 0},
    {MSG_CANCEL, 8, 0, 1},
    {MSG_CANCEL, 80, 0, 1},
    {MSG_CANCEL, 0, 0, 0},
    {MSG_CANCEL, 9, 0, 0},
    {MSG_CANCEL, 8, 1, 0},
    {MSG_CANCEL + 1, 8, 0, 0},
    {0, 0, 0, 0},
    {9999, 0, 0, 0},
};

START_TEST(each_shape_is_checked)
{
	struct msg m = {.lost_fds = false};
	size_t len = build(cases[_i].type, cases[_i].body);
	const char *fault = msg_check(bytes, len, cases[_i].fds, &m);

	if (!cases[_i].good) {
		ck_assert_msg(fault != NULL, "case %d passed", _i);
		return;
	}
	ck_assert_msg(fault == NULL, "case %d: %s", _i, fault);
	ck_assert_uint_eq(m.type, cases[_i].type);
	ck_assert_uint_eq(m.len, cases[_i].body);
	ck_assert_uint_eq(m.birth, 77);
}
END_TEST

/* Who has no room for them shall know what he has missed. */
START_TEST(lost_descriptors_are_told_not_refused)
{
	struct msg m = {.lost_fds = true};
	size_t len = build(MSG_SOCKETS, 2 * sizeof(struct msg_socket));

	ck_assert_ptr_null(msg_check(bytes, len, 1, &m));
	ck_assert_uint_eq(m.type, MSG_SOCKETS);
	m.lost_fds = false;
	ck_assert_ptr_nonnull(msg_check(bytes, len, 1, &m));
}
END_TEST

START_TEST(every_truncation_is_refused)
{
	struct msg m = {.lost_fds = false};
	size_t len = build(MSG_DRAIN, sizeof(struct msg_drain));

	for (size_t n = 0; n < len; n++)
		ck_assert_ptr_nonnull(msg_check(bytes, n, 0, &m));
	ck_assert_ptr_nonnull(msg_check(bytes, len + 1, 0, &m));
	ck_assert_ptr_null(msg_check(bytes, len, 0, &m));
}
END_TEST

START_TEST(another_version_is_refused)
{
	struct msg m = {.lost_fds = false};
	size_t len = build(MSG_READY, 0);

	((struct msg_head *)(void *)bytes)->version = MSG_VERSION + 1;
	ck_assert_str_eq(msg_check(bytes, len, 0, &m), "of another version");
}
END_TEST

START_TEST(types_have_names)
{
	ck_assert_str_eq(msg_name(MSG_SOCKETS), "give");
	ck_assert_str_eq(msg_name(MSG_LIST_END), "list-end");
	ck_assert_str_eq(msg_name(MSG_PEER), "pair");
	ck_assert_str_eq(msg_name(MSG_CANCEL), "cancel");
	ck_assert_str_eq(msg_name((enum msg_type)999), "unknown");
	ck_assert_str_eq(msg_task_name(MSG_TASK_CTX), "ctx");
	ck_assert_str_eq(msg_task_name(MSG_TASK_LINK), "link");
	ck_assert_str_eq(msg_task_name(MSG_TASK_KINDS_N), "unknown");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("msg");
	TCase *t = tcase_create("door");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(t, each_shape_is_checked, 0, sizeof cases / sizeof *cases);
	tcase_add_test(t, lost_descriptors_are_told_not_refused);
	tcase_add_test(t, every_truncation_is_refused);
	tcase_add_test(t, another_version_is_refused);
	tcase_add_test(t, types_have_names);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
