/* greeting: PROXY headers, read and written. */
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>

#include "service/proxyheader.h"

static struct proxyheader g;

static int
read_text(const char *text)
{
	return proxyheader_read(text, strlen(text), &g);
}

/* Every beginning of a good header wants more, until the addresses are there (`enough`); with
 * what follows it is as long as it is. */
static void
good_from(const char *bytes, size_t enough, size_t len)
{
	char more[PROXYHEADER_MAX + 64] = {0};

	for (size_t i = 0; i < len; i++)
		ck_assert_msg(proxyheader_read(bytes, i, &g) == (i < enough ? 0 : (int)len),
		              "at %zu", i);
	memcpy(more, bytes, len);
	ck_assert_int_eq(proxyheader_read(more, len + 1, &g), (int)len);
	ck_assert_int_eq(proxyheader_read(bytes, len, &g), (int)len);
}

static void
good(const char *bytes, size_t len)
{
	good_from(bytes, len, len);
}

static unsigned
port(const struct sockaddr_storage *sa)
{
	return ntohs(sa->ss_family == AF_INET ? ((const struct sockaddr_in *)sa)->sin_port
	                                      : ((const struct sockaddr_in6 *)sa)->sin6_port);
}

START_TEST(version_1_is_read)
{
	static const char four[] = "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n";
	static const char six[] = "PROXY TCP6 2001:db8::1 ::1 65535 0\r\n";
	static const char unknown[] = "PROXY UNKNOWN\r\n";
	static const char chatty[] = "PROXY UNKNOWN ffff:f::1 ffff::2 65535 65535\r\n";

	good(four, sizeof four - 1);
	ck_assert_int_eq(g.from.ss_family, AF_INET);
	ck_assert_uint_eq(port(&g.from), 56324);
	ck_assert_uint_eq(port(&g.to), 443);
	good(six, sizeof six - 1);
	ck_assert_int_eq(g.from.ss_family, AF_INET6);
	ck_assert_uint_eq(port(&g.from), 65535);
	good(unknown, sizeof unknown - 1);
	ck_assert_int_eq(g.from.ss_family, AF_UNSPEC);
	good(chatty, sizeof chatty - 1);
	ck_assert_int_eq(g.from.ss_family, AF_UNSPEC);
}
END_TEST

START_TEST(what_is_no_header_is_refused)
{
	static const char nul[] = "PROXY TCP4 1.2.3.4 1.2.3.4 1 1\0 1\r\n";
	static const char *const bad[] = {
	    "GET / HTTP/1.1\r\n",
	    "P\r\n",
	    "PROXY \r\n",
	    "PROXY TCP4\r\n",
	    "PROXY TCP5 1.2.3.4 1.2.3.4 1 1\r\n",
	    "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
	    "PROXY TCP4 1.2.3 1.2.3.4 1 1\r\n",
	    "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
	    "PROXY TCP4 1.2.3.4 1.2.3.4 -1 1\r\n",
	    "PROXY TCP4 1.2.3.4 1.2.3.4  1\r\n",
	    "PROXY TCP6 1.2.3.4 1.2.3.4 1 1\r\n",
	    "PROXY TCP4 1.2.3.4 1.2.3.4 1 1\n",
	    "PROXY TCP4 1.2.3.4 1.2.3.4 1 1 1\r\n",
	    "PROXY TCP4 1.2.3.4 1.2.3.4 1 1 \r\n",
	    "PROXY TCP4  1.2.3.4 1.2.3.4 1 1\r\n",
	    "PROXY UNKNOWN "
	    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n",
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(read_text(bad[i]) == (strncmp(bad[i], "PROXY ", 6) == 0
		                                        ? PROXYHEADER_BROKEN
		                                        : PROXYHEADER_NONE),
		              "%s", bad[i]);
	ck_assert_int_eq(proxyheader_read(nul, sizeof nul - 1, &g), PROXYHEADER_BROKEN);
	ck_assert_int_eq(proxyheader_read("", 0, &g), 0);
}
END_TEST

START_TEST(version_2_is_read)
{
	static const char four[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"
	                           "\xc0\0\2\1\xc0\0\2\2\x12\x34\0\x50";
	static const char local[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
	static const char unix_[] = "\r\n\r\n\0\r\nQUIT\n\x21\x31\0\4abcd";
	static const char large[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff"
	                            "\xc0\0\2\1\xc0\0\2\2\x12\x34\0\x50";
	static const char tlv[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x10"
	                          "\xc0\0\2\1\xc0\0\2\2\x12\x34\0\x50\4\0\1x";

	good(four, sizeof four - 1);
	ck_assert_uint_eq(port(&g.from), 0x1234);
	ck_assert_uint_eq(port(&g.to), 80);
	good(local, sizeof local - 1);
	ck_assert_int_eq(g.from.ss_family, AF_UNSPEC);
	good_from(unix_, 16, sizeof unix_ - 1);
	ck_assert_int_eq(g.from.ss_family, AF_UNSPEC);
	good_from(tlv, 28, sizeof tlv - 1);
	ck_assert_uint_eq(port(&g.to), 80);
	ck_assert_int_eq(proxyheader_read(large, sizeof large - 1, &g), 65551);
	ck_assert_uint_eq(port(&g.to), 80);
}
END_TEST

START_TEST(version_2_with_faults_is_refused)
{
	static const char version[] = "\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c";
	static const char command[] = "\r\n\r\n\0\r\nQUIT\n\x22\x11\0\x0c";
	static const char small[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\4abcd";

	ck_assert_int_eq(proxyheader_read(version, sizeof version - 1, &g), PROXYHEADER_BROKEN);
	ck_assert_int_eq(proxyheader_read(command, sizeof command - 1, &g), PROXYHEADER_BROKEN);
	ck_assert_int_eq(proxyheader_read(small, sizeof small - 1, &g), PROXYHEADER_BROKEN);
}
END_TEST

START_TEST(what_is_written_is_read)
{
	static const char *const texts[] = {"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n",
	                                    "PROXY TCP6 2001:db8::1 ::1 65535 1\r\n",
	                                    "PROXY UNKNOWN\r\n"};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		for (int version = 1; version <= 2; version++) {
			struct proxyheader first;
			char out[PROXYHEADER_OUT];
			size_t n;

			ck_assert_int_gt(read_text(texts[i]), 0);
			first = g;
			n = proxyheader_write(&first, version, out);
			ck_assert_uint_le(n, sizeof out);
			ck_assert_int_eq(proxyheader_read(out, n, &g), (int)n);
			ck_assert_mem_eq(&g, &first, sizeof g);
			if (version == 1)
				ck_assert_mem_eq(out, texts[i], n);
		}
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("greeting");
	TCase *t = tcase_create("PROXY");
	SRunner *sr;
	int failed;

	tcase_add_test(t, version_1_is_read);
	tcase_add_test(t, what_is_no_header_is_refused);
	tcase_add_test(t, version_2_is_read);
	tcase_add_test(t, version_2_with_faults_is_refused);
	tcase_add_test(t, what_is_written_is_read);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
