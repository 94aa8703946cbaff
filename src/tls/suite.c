#include "tls/suite.h"

#define SUITE_1_3(id, cipher, key, hash, name)                                                 \
	{                                                                                      \
		id, TLS_1_3, cipher, key, hash, 0, name                                        \
	}
#define SUITE_GCM(id, cipher, key, hash, name)                                                 \
	{                                                                                      \
		id, TLS_1_2, cipher, key, hash, 8, name                                        \
	}
#define SUITE_CHACHA(id, name)                                                                 \
	{                                                                                      \
		id, TLS_1_2, TLS_CHACHA20_POLY1305, 32, 32, 0, name                            \
	}

static const struct tls_suite suites[] = {
    SUITE_1_3(0x1301, TLS_AES_128_GCM, 16, 32, "TLS_AES_128_GCM_SHA256"),
    SUITE_1_3(0x1302, TLS_AES_256_GCM, 32, 48, "TLS_AES_256_GCM_SHA384"),
    SUITE_1_3(0x1303, TLS_CHACHA20_POLY1305, 32, 32, "TLS_CHACHA20_POLY1305_SHA256"),
    SUITE_GCM(0xc02b, TLS_AES_128_GCM, 16, 32, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
    SUITE_GCM(0xc02f, TLS_AES_128_GCM, 16, 32, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
    SUITE_GCM(0xc02c, TLS_AES_256_GCM, 32, 48, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
    SUITE_GCM(0xc030, TLS_AES_256_GCM, 32, 48, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
    SUITE_CHACHA(0xcca9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
    SUITE_CHACHA(0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
    SUITE_GCM(0x009e, TLS_AES_128_GCM, 16, 32, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"),
    SUITE_GCM(0x009f, TLS_AES_256_GCM, 32, 48, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384"),
    SUITE_CHACHA(0xccaa, "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
};

const char tls_suites_1_2[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    "DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:DHE-RSA-CHACHA20-POLY1305";

const struct tls_suite *
tls_suite_at(size_t n)
{
	return n < sizeof suites / sizeof *suites ? &suites[n] : NULL;
}

const struct tls_suite *
tls_suite_find(unsigned version, unsigned id)
{
	const struct tls_suite *s;

	for (size_t i = 0; (s = tls_suite_at(i)) != NULL; i++)
		if (s->id == id && s->version == version)
			return s;
	return NULL;
}

const char *
tls_version_name(unsigned version)
{
	return version == TLS_1_3 ? "TLSv1.3" : "TLSv1.2";
}
