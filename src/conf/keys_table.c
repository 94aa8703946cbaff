/* keys_table: every key of the file. */
#include <stddef.h>

#include "base/log.h"
#include "conf/keys.h"

const char *const keys_sections[] = {"server", "drain", "listen", "service", "tls", NULL};

const char *const keys_service_types[] = {"echo", "http", "proxy", "module", "admin", NULL};

/* Bits in the order of keys_service_types. */
#define ECHO   (1u << 0)
#define HTTP   (1u << 1)
#define PROXY  (1u << 2)
#define MODULE (1u << 3)
#define ADMIN  (1u << 4)

static const char *const proxy_words[] = {"no", "v1", "v2", NULL};

static const char *const check_words[] = {"connect", NULL};

static const char *const balance_words[] = {"round_robin", "least_busy", NULL};

static const char *const forwarded_words[] = {"no", "x-forwarded", "forwarded", "both", NULL};

static const char *const host_words[] = {"keep", "upstream", NULL};

static const char *const access_words[] = {"combined", "json", NULL};

static const char *const verify_words[] = {"no", "optional", "required", NULL};

static const char *const version_words[] = {"1.2", "1.3", NULL};

static const char *const log_words[] = {"auto", "stderr", NULL};

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)

#define IN_SERVER(field)                                                                       \
	.section = CONF_SERVER, .name = #field, .offset = offsetof(struct conf_server, field)
#define IN_DRAIN(field)                                                                        \
	.section = CONF_DRAIN, .name = #field, .offset = offsetof(struct conf_drain, field)
#define IN_LISTEN(field)                                                                       \
	.section = CONF_LISTEN, .name = #field, .offset = offsetof(struct conf_listen, field)
#define IN_SERVICE(field)                                                                      \
	.section = CONF_SERVICE, .name = #field, .offset = offsetof(struct conf_service, field)
#define IN_TLS(field)                                                                          \
	.section = CONF_TLS, .name = #field, .offset = offsetof(struct conf_tls, field)

/* clang-format off */
const struct keys_row keys_table[] = {
	{ IN_SERVER(workers), .type = KEYS_INT, .min = 1, .max = 256, .zero = "auto", .dflt = "auto",
	  .help = "one per CPU this process may use" },
	{ IN_SERVER(control), .type = KEYS_PATH, .max = 107, .flags = KEYS_MAY_EMPTY,
	  .example = "/run/baton/control.sock",
	  .help = "where batonctl finds baton; empty: a place that both know" },
	{ IN_SERVER(user), .type = KEYS_USER, .flags = KEYS_MAY_EMPTY, .example = "baton",
	  .help = "of the workers; the master keeps what it was started with" },
	{ IN_SERVER(group), .type = KEYS_USER, .flags = KEYS_MAY_EMPTY, .example = "baton",
	  .help = "of the workers; empty: the user's group" },
	{ IN_SERVER(log), .type = KEYS_PATH, .words = log_words, .dflt = "auto",
	  .help = "journal under systemd, else stderr; or a file" },
	{ IN_SERVER(log_level), .type = KEYS_ENUM, .words = log_level_names, .dflt = "info",
	  .help = "debug, info, warn or error" },
	{ IN_SERVER(log_format), .type = KEYS_ENUM, .words = log_format_names, .dflt = "auto",
	  .help = "fields in the journal, else text; or text or json" },
	{ IN_SERVER(pid_file), .type = KEYS_PATH, .flags = KEYS_MAY_EMPTY, .example = "/run/baton/baton.pid",
	  .help = "a file with the master's pid; empty: none" },
	{ IN_SERVER(start_timeout), .type = KEYS_DURATION, .min = 10, .max = HOUR, .dflt = "10s",
	  .help = "a new generation reports ready by then, or it is rolled back" },
	{ IN_SERVER(probation), .type = KEYS_DURATION, .min = 0, .max = 10 * MINUTE, .dflt = "1s",
	  .help = "a crash this soon after promotion rolls back" },
	{ IN_SERVER(worker_stall), .type = KEYS_DURATION, .min = 3 * SECOND, .max = HOUR, .zero = "0s",
	  .dflt = "10s",
	  .help = "a worker whose loop stands still so long is replaced; 0s: never" },
	{ IN_SERVER(max_generations), .type = KEYS_INT, .min = 2, .max = 64, .dflt = "8",
	  .help = "beyond it the oldest is cut first" },
	{ IN_SERVER(max_connections), .type = KEYS_INT, .min = 0, .max = 10000000, .dflt = "0",
	  .help = "per worker; 0: what RLIMIT_NOFILE allows" },
	{ IN_SERVER(sandbox), .type = KEYS_BOOL, .dflt = "yes",
	  .help = "workers may ask the kernel for what they need, and nothing else" },
	{ IN_SERVER(ticket_life), .type = KEYS_DURATION, .min = SECOND, .max = 168 * HOUR, .dflt = "24h",
	  .help = "a key of TLS tickets seals so long, and opens as long again" },

	{ IN_DRAIN(lame_duck), .type = KEYS_DURATION, .min = 0, .max = HOUR, .dflt = "0s",
	  .help = "on stop: health says no, still accepting, for this long" },
	{ IN_DRAIN(deadline), .type = KEYS_DURATION, .min = 0, .max = 168 * HOUR, .dflt = "30s",
	  .help = "busy connections may finish until then" },
	{ IN_DRAIN(handoff), .type = KEYS_BOOL, .dflt = "yes",
	  .help = "live connections move to the next generation" },
	{ IN_DRAIN(cut_over), .type = KEYS_DURATION, .min = 0, .max = 10 * MINUTE, .dflt = "1s",
	  .cap = "deadline",
	  .help = "forced closes are spread over this long, not one storm" },

	{ .section = CONF_LISTEN, .name = "address", .offset = offsetof(struct conf_listen, addr),
	  .type = KEYS_ADDR, .flags = KEYS_REQUIRED | KEYS_REPEAT, .example = "127.0.0.1:8080",
	  .help = "repeatable; also [::]:80, unix:/run/x.sock, systemd:NAME" },
	{ IN_LISTEN(service), .type = KEYS_TEXT, .flags = KEYS_REQUIRED, .example = "site",
	  .help = "the [service:NAME] that is spoken here" },
	{ IN_LISTEN(backlog), .type = KEYS_INT, .min = 1, .max = 65535, .dflt = "4096",
	  .help = "clients that may wait to be accepted" },
	{ IN_LISTEN(reuseport), .type = KEYS_BOOL, .dflt = "yes",
	  .help = "one socket per worker (TCP only)" },
	{ IN_LISTEN(mode), .type = KEYS_MODE, .min = 0, .max = 0777, .dflt = "0666",
	  .help = "permissions of a unix socket" },
	{ IN_LISTEN(handoff), .type = KEYS_BOOL, .dflt = "yes",
	  .help = "its connections may move to the next generation" },
	{ IN_LISTEN(reserve), .type = KEYS_INT, .min = 0, .max = 10000000, .dflt = "0",
	  .help = "connections that others leave free for it, per worker; admin: 8" },
	{ IN_LISTEN(keepalive), .type = KEYS_DURATION, .min = SECOND, .max = HOUR, .zero = "0s", .dflt = "60s",
	  .help = "a client that vanished is noticed after about twice this; 0s: no" },
	{ IN_LISTEN(trusted), .type = KEYS_NETS, .flags = KEYS_MAY_EMPTY, .example = "10.0.0.0/8, ::1",
	  .help = "who is believed of clients: X-Forwarded-For, PROXY; also unix" },
	{ IN_LISTEN(access_log), .type = KEYS_PATH, .flags = KEYS_MAY_EMPTY,
	  .example = "/var/log/baton/access.log",
	  .help = "a file with a line per request or stream; empty: none" },
	{ IN_LISTEN(access_format), .type = KEYS_ENUM, .words = access_words, .dflt = "combined",
	  .help = "of its lines: combined or json" },
	{ IN_LISTEN(tls), .type = KEYS_TEXT, .flags = KEYS_MAY_EMPTY, .example = "example",
	  .help = "the [tls:NAME] that is shown; of several, by the name asked for" },
	{ IN_LISTEN(handshake_timeout), .type = KEYS_DURATION, .min = 10, .max = HOUR, .dflt = "10s",
	  .help = "for a client of tls to agree on its keys" },
	{ IN_LISTEN(hsts), .type = KEYS_DURATION, .min = SECOND, .max = 3650 * 24 * HOUR, .zero = "0s", .dflt = "0s",
	  .help = "browsers are told to use https alone for so long; 180d; 0s: no" },
	{ IN_LISTEN(redirect), .type = KEYS_TEXT, .flags = KEYS_MAY_EMPTY, .example = "https",
	  .help = "requests are sent there: https or https:PORT, same host and path" },

	{ IN_SERVICE(type), .type = KEYS_WORD, .words = keys_service_types, .flags = KEYS_REQUIRED,
	  .example = "http",
	  .help = "echo, http, proxy, module or admin" },
	{ IN_SERVICE(respond), .type = KEYS_TEXT, .types = HTTP, .flags = KEYS_ONE_OF,
	  .example = "hello, world",
	  .help = "the answer to every request; or root = DIRECTORY" },
	{ IN_SERVICE(root), .type = KEYS_PATH, .types = HTTP, .flags = KEYS_ONE_OF, .example = "/srv/www",
	  .help = "a directory of files, instead of respond" },
	{ IN_SERVICE(index), .type = KEYS_FILE, .types = HTTP, .dflt = "index.html",
	  .help = "the file that answers for a directory" },
	{ IN_SERVICE(health), .type = KEYS_URL, .types = HTTP | MODULE, .flags = KEYS_MAY_EMPTY, .example = "/health",
	  .help = "path of the health check; empty: none" },
	{ IN_SERVICE(max_header), .type = KEYS_SIZE, .types = HTTP | MODULE | ADMIN, .min = 256, .max = 1 << 20, .dflt = "16k",
	  .help = "request line and headers" },
	{ IN_SERVICE(max_body), .type = KEYS_SIZE, .types = HTTP | MODULE | ADMIN, .min = 0, .max = INT64_C(1) << 40, .dflt = "1m",
	  .help = "of a request" },
	{ IN_SERVICE(header_timeout), .type = KEYS_DURATION, .types = HTTP | MODULE | ADMIN, .min = 10, .max = HOUR, .dflt = "10s",
	  .help = "for a request's headers, and for a first byte" },
	{ IN_SERVICE(body_timeout), .type = KEYS_DURATION, .types = HTTP | MODULE | ADMIN, .min = 10, .max = HOUR, .dflt = "30s",
	  .help = "without a byte of the body coming" },
	{ IN_SERVICE(send_timeout), .type = KEYS_DURATION, .types = HTTP | MODULE | ADMIN, .min = 10, .max = HOUR, .dflt = "60s",
	  .help = "without the client taking a byte of the answer" },
	{ IN_SERVICE(request_timeout), .type = KEYS_DURATION, .types = HTTP | MODULE | ADMIN, .min = 10, .max = 24 * HOUR,
	  .dflt = "60s",
	  .help = "for a request's head, and for each pause of its body" },
	{ IN_SERVICE(min_rate), .type = KEYS_SIZE, .types = HTTP | MODULE | ADMIN, .min = 0, .max = INT64_C(1) << 30, .dflt = "0",
	  .help = "bytes a second of a body, over 10 s; slower is 408; 0: any" },
	{ IN_SERVICE(idle_timeout), .type = KEYS_DURATION, .types = HTTP | ADMIN, .min = 0, .max = 168 * HOUR,
	  .dflt = "75s",
	  .help = "between requests; 0: none" },
	{ IN_SERVICE(upstream), .type = KEYS_UPSTREAM, .types = HTTP | PROXY,
	  .flags = KEYS_ONE_OF | KEYS_REPEAT, .example = "127.0.0.1:5432",
	  .help = "repeatable; connections or requests go there in turn" },
	{ IN_SERVICE(answer_timeout), .type = KEYS_DURATION, .types = HTTP, .flags = KEYS_BEHIND, .min = 10, .max = 24 * HOUR,
	  .dflt = "60s",
	  .help = "for an answer to begin, or 102 or 103 to come, and between bytes" },
	{ IN_SERVICE(tunnel_timeout), .type = KEYS_DURATION, .types = HTTP, .flags = KEYS_BEHIND, .min = 0, .max = 168 * HOUR,
	  .dflt = "1h",
	  .help = "a WebSocket without a byte in either direction; 0: none" },
	{ IN_SERVICE(balance), .type = KEYS_ENUM, .types = HTTP | PROXY, .flags = KEYS_BEHIND, .words = balance_words,
	  .dflt = "round_robin",
	  .help = "which upstream is next: round_robin or least_busy" },
	{ IN_SERVICE(host), .type = KEYS_HOST, .types = HTTP, .flags = KEYS_BEHIND, .words = host_words, .dflt = "keep",
	  .help = "upstreams are told: keep (the client's), upstream or a name" },
	{ IN_SERVICE(host), .type = KEYS_HOST, .types = ADMIN, .example = "baton.example.net",
	  .help = "a name that it is asked by, beside addresses and localhost" },
	{ IN_SERVICE(forwarded), .type = KEYS_ENUM, .types = HTTP, .flags = KEYS_BEHIND, .words = forwarded_words,
	  .dflt = "x-forwarded",
	  .help = "who asks is told by x-forwarded, forwarded, both or no" },
	{ IN_SERVICE(trust_forwarded), .type = KEYS_BOOL, .types = HTTP, .flags = KEYS_BEHIND, .dflt = "no",
	  .help = "keep what clients say of that kind; else it is thrown away" },
	{ IN_SERVICE(client_certificate_headers), .type = KEYS_BOOL, .types = HTTP, .flags = KEYS_BEHIND, .dflt = "no",
	  .help = "upstreams are told X-Client-Cert-Subject and -Fingerprint" },
	{ IN_SERVICE(via), .type = KEYS_BOOL, .types = HTTP, .flags = KEYS_BEHIND, .dflt = "yes",
	  .help = "both sides are told of us: Via: 1.1 baton" },
	{ IN_SERVICE(upstream_connections), .type = KEYS_INT, .types = HTTP, .flags = KEYS_BEHIND, .min = 1, .max = 65535,
	  .dflt = "1000",
	  .help = "to each upstream, per worker" },
	{ IN_SERVICE(upstream_queue), .type = KEYS_INT, .types = HTTP, .flags = KEYS_BEHIND, .min = 1, .max = 1000000,
	  .dflt = "1000",
	  .help = "that may wait for one of them; more are answered 503" },
	{ IN_SERVICE(upstream_idle), .type = KEYS_DURATION, .types = HTTP, .flags = KEYS_BEHIND, .min = 1, .max = HOUR,
	  .dflt = "50s",
	  .help = "that an unused one is kept; less than the upstream keeps it" },
	{ IN_SERVICE(upstream_life), .type = KEYS_DURATION, .types = HTTP, .flags = KEYS_BEHIND, .min = 10, .max = 168 * HOUR,
	  .zero = "0s", .dflt = "1h",
	  .help = "then a busy one is made anew, its name looked up; 0s: never" },
	{ IN_SERVICE(check), .type = KEYS_URL, .types = HTTP | PROXY, .flags = KEYS_MAY_EMPTY | KEYS_BEHIND, .words = check_words,
	  .example = "/health",
	  .help = "tells whether an upstream is well: a path, or connect; empty: no" },
	{ IN_SERVICE(check_interval), .type = KEYS_DURATION, .types = HTTP | PROXY, .flags = KEYS_BEHIND, .min = 10, .max = HOUR,
	  .dflt = "5s",
	  .help = "between two checks" },
	{ IN_SERVICE(check_timeout), .type = KEYS_DURATION, .types = HTTP | PROXY, .flags = KEYS_BEHIND, .min = 10, .max = HOUR,
	  .dflt = "2s",
	  .help = "for the answer to one" },
	{ IN_SERVICE(breaker), .type = KEYS_BOOL, .types = HTTP | PROXY, .flags = KEYS_BEHIND, .dflt = "yes",
	  .help = "one that fails is not asked for a while, if another is there" },
	{ IN_SERVICE(breaker_percent), .type = KEYS_INT, .types = HTTP | PROXY, .flags = KEYS_BEHIND, .min = 1, .max = 100, .dflt = "50",
	  .help = "so many of its answers have failed" },
	{ IN_SERVICE(breaker_calls), .type = KEYS_INT, .types = HTTP | PROXY, .flags = KEYS_BEHIND, .min = 1, .max = 1000000, .dflt = "20",
	  .help = "of at least so many" },
	{ IN_SERVICE(breaker_window), .type = KEYS_DURATION, .types = HTTP | PROXY, .flags = KEYS_BEHIND, .min = 10, .max = HOUR, .dflt = "10s",
	  .help = "within about this time" },
	{ IN_SERVICE(breaker_open), .type = KEYS_DURATION, .types = HTTP | PROXY, .flags = KEYS_BEHIND, .min = 10, .max = HOUR, .dflt = "5s",
	  .help = "then it is not asked for so long, and after that tried once" },
	{ IN_SERVICE(connect_timeout), .type = KEYS_DURATION, .types = HTTP | PROXY, .flags = KEYS_BEHIND, .min = 10, .max = HOUR,
	  .dflt = "5s",
	  .help = "for each attempt to reach an upstream" },
	{ IN_SERVICE(keepalive), .type = KEYS_DURATION, .types = HTTP | PROXY, .flags = KEYS_BEHIND, .min = SECOND, .max = HOUR,
	  .zero = "0s", .dflt = "60s",
	  .help = "one that vanished is noticed after about twice this; 0s: no" },
	{ IN_SERVICE(accept_proxy), .type = KEYS_BOOL, .types = PROXY, .dflt = "no",
	  .help = "clients begin with a PROXY header, of version 1 or 2" },
	{ IN_SERVICE(send_proxy), .type = KEYS_ENUM, .types = PROXY, .words = proxy_words, .dflt = "no",
	  .help = "tell upstreams the client's address: no, v1 or v2" },
	{ IN_SERVICE(max_clients), .type = KEYS_INT, .types = PROXY, .min = 0, .max = 10000000, .dflt = "0",
	  .help = "at a time and worker; 0: no limit" },
	{ IN_SERVICE(max_per_source), .type = KEYS_INT, .types = PROXY, .min = 0, .max = 10000000,
	  .dflt = "0",
	  .help = "of them from one address; 0: no limit" },
	{ IN_SERVICE(idle_timeout), .type = KEYS_DURATION, .types = ECHO | PROXY, .min = 0, .max = 168 * HOUR,
	  .dflt = "0s",
	  .help = "without a byte in either direction; 0: none" },
	{ IN_SERVICE(idle_timeout), .type = KEYS_DURATION, .types = MODULE, .min = 0, .max = 168 * HOUR,
	  .dflt = "0s",
	  .help = "without a byte; 0: none for streams, 75s for HTTP" },
	{ IN_SERVICE(path), .type = KEYS_PATH, .types = MODULE, .flags = KEYS_ONE_OF,
	  .example = "/usr/lib/baton/chat.so",
	  .help = "the module's file; see baton.h" },
	{ IN_SERVICE(max_unread), .type = KEYS_SIZE, .types = MODULE, .min = 64, .max = 64 << 10, .dflt = "64k",
	  .help = "that a stream's module has not used up" },
	{ IN_SERVICE(max_unsent), .type = KEYS_SIZE, .types = MODULE, .min = 1 << 10, .max = 1 << 30,
	  .dflt = "256k",
	  .help = "that a client has not taken; more is refused to the module" },
	{ IN_SERVICE(offload_threads), .type = KEYS_INT, .types = MODULE, .min = 1, .max = 256, .dflt = "8",
	  .help = "threads per worker for work that blocks" },
	{ IN_SERVICE(offload_queue), .type = KEYS_INT, .types = MODULE, .min = 0, .max = 1000000,
	  .dflt = "256",
	  .help = "tasks that may wait for a thread; more are refused" },
	{ IN_SERVICE(background_max), .type = KEYS_INT, .types = MODULE, .min = 0, .max = 1000000,
	  .dflt = "1000",
	  .help = "background tasks per worker; more are refused" },

	{ IN_TLS(certificate), .type = KEYS_PATHS, .flags = KEYS_REQUIRED | KEYS_REPEAT,
	  .example = "/etc/ssl/example.pem",
	  .help = "a certificate and its chain, in PEM; repeatable: RSA, ECDSA" },
	{ IN_TLS(key), .type = KEYS_PATHS, .flags = KEYS_REQUIRED | KEYS_REPEAT,
	  .example = "/etc/ssl/private/example.key",
	  .help = "its private key; one for each certificate, in their order" },
	{ IN_TLS(min_version), .type = KEYS_ENUM, .words = version_words, .dflt = "1.2",
	  .help = "of TLS: 1.2 or 1.3" },
	{ IN_TLS(client_ca), .type = KEYS_PATH, .flags = KEYS_MAY_EMPTY, .example = "/etc/ssl/clients.pem",
	  .help = "certificates that vouch for clients' ones" },
	{ IN_TLS(verify), .type = KEYS_ENUM, .words = verify_words, .dflt = "no",
	  .help = "is a client asked for a certificate: no, optional or required" },
	{ IN_TLS(staple), .type = KEYS_PATH, .flags = KEYS_MAY_EMPTY, .example = "/var/lib/ocsp/example.der",
	  .help = "an OCSP answer of the first certificate, in DER" },
};
/* clang-format on */

const size_t keys_count = sizeof keys_table / sizeof keys_table[0];
