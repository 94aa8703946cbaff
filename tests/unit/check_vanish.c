#include <check.h>
#include <stdlib.h>

#include <linux/tcp.h>

#include "worker/conn/vanish.h"

static const struct row {
	const char *what;
	unsigned retransmits, probes, last_ack_ms;
	int64_t keepalive_ms;
	bool gone;
} rows[] = {
    {"silent, and asked nothing", 0, 0, 3600000, 60000, false},
    {"just asked, after a long silence", 1, 1, 3600000, 60000, false},
    {"bytes are sent again, but it answered lately", 5, 0, 119999, 60000, false},
    {"bytes are sent again and again", 2, 0, 120000, 60000, true},
    {"its closed window is asked for, and it answers", 0, 1, 120000, 60000, false},
    {"its closed window is asked for in vain", 0, 2, 120000, 60000, true},
    {"off", 15, 15, 3600000, 0, false},
};

START_TEST(verdict)
{
	const struct row *row = &rows[_i];
	struct tcp_info info = {.tcpi_retransmits = (unsigned char)row->retransmits,
	                        .tcpi_probes = (unsigned char)row->probes,
	                        .tcpi_last_ack_recv = row->last_ack_ms};

	ck_assert_msg(vanish_is_sure(&info, row->keepalive_ms) == row->gone, "%s", row->what);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("vanish");
	TCase *tc = tcase_create("vanish");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tc, verdict, 0, (int)(sizeof rows / sizeof *rows));
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
