#include <check.h>
#include <stdlib.h>

#include <linux/tcp.h>

#include "worker/conn/vanish.h"

static const struct row {
	const char *what;
	unsigned retransmits, probes, last_ack_ms, last_sent_ms;
	int64_t keepalive_ms;
	bool silent;
} rows[] = {
    {"silent, and asked nothing", 0, 0, 3600000, 1000, 60000, false},
    {"just asked, after a long silence", 1, 1, 3600000, 1000, 60000, false},
    {"bytes are sent again, but it answered lately", 5, 0, 119999, 1000, 60000, false},
    {"bytes are sent again and again", 2, 0, 120000, 1000, 60000, true},
    {"bytes were sent again, and it answered that it has no room", 2, 0, 120000, 120000, 60000,
     false},
    {"its closed window is asked for, and it answers", 0, 1, 120000, 1000, 60000, false},
    {"its closed window is asked for in vain", 0, 2, 120000, 240000, 60000, true},
    {"off", 15, 15, 3600000, 1000, 0, false},
};

START_TEST(one_look)
{
	const struct row *row = &rows[_i];
	struct tcp_info info = {.tcpi_retransmits = (unsigned char)row->retransmits,
	                        .tcpi_probes = (unsigned char)row->probes,
	                        .tcpi_last_ack_recv = row->last_ack_ms,
	                        .tcpi_last_data_sent = row->last_sent_ms};

	ck_assert_msg(vanish_is_silent(&info, row->keepalive_ms) == row->silent, "%s",
	              row->what);
}
END_TEST

START_TEST(two_looks)
{
	uint8_t silent = 0;

	ck_assert(!vanish_is_sure(&silent, 1, true));
	ck_assert(!vanish_is_sure(&silent, 2, true));
	ck_assert(vanish_is_sure(&silent, 1, true));
	ck_assert(!vanish_is_sure(&silent, 2, false));
	ck_assert(!vanish_is_sure(&silent, 2, true));
	ck_assert(vanish_is_sure(&silent, 2, true));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("vanish");
	TCase *tc = tcase_create("vanish");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tc, one_look, 0, (int)(sizeof rows / sizeof *rows));
	tcase_add_test(tc, two_looks);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
