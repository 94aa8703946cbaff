/*
 * tree: a configuration as it is in memory, and how one finds one's way in it.
 */
#ifndef BATON_CONF_TREE_H
#define BATON_CONF_TREE_H

#include <sys/socket.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conf_errors;

#define CONF_NAME_MAX 63 /* of a listener or service */

/* Bounds that keep the checks of a hostile file quick. */
#define CONF_SECTIONS_MAX 256  /* listeners, and as many services and sets of certificates */
#define CONF_ADDR_MAX     1024 /* addresses of all listeners together */

enum conf_section { CONF_SERVER, CONF_DRAIN, CONF_LISTEN, CONF_SERVICE, CONF_TLS };

enum conf_addr_kind { CONF_ADDR_TCP, CONF_ADDR_UNIX, CONF_ADDR_SYSTEMD, CONF_ADDR_NAME };

struct conf_addr {
	char *text; /* as written in the file: "127.0.0.1:0" */
	int line;
	enum conf_addr_kind kind;
	struct sockaddr_storage sa; /* TCP and UNIX */
	socklen_t salen;
	char *name;    /* SYSTEMD: the name after "systemd:"; NAME: the host, to be looked up */
	uint16_t port; /* NAME */
};

struct conf_listen {
	char *name;
	int line;
	struct conf_addr *addr; /* at least one */
	size_t naddr;
	char *service;     /* as written */
	size_t service_ix; /* into conf.service */
	int64_t backlog;
	bool reuseport;        /* one socket per slot; TCP only */
	int64_t mode;          /* permissions of a unix socket, octal in the file */
	bool handoff;          /* may its connections move */
	int64_t reserve;       /* connections, per worker, that others leave free for it */
	int64_t keepalive;     /* ms; 0: none */
	char *trusted;         /* networks (nets.h); NULL: nobody */
	char *access_log;      /* NULL: none */
	int64_t access_format; /* enum conf_access */
	char *tls;             /* names of [tls] sections, as written; NULL: in clear */
	size_t *tls_ix;        /* those sections, in that order */
	size_t ntls;
	int64_t handshake_timeout; /* ms */
	int64_t hsts;              /* ms; 0: browsers are not told */
	char *redirect;            /* "https" or "https:PORT"; NULL: requests are served */
};

/* A [tls] section: who one is.  Paths are in `text`. */
struct conf_tls {
	char *name;
	int line;
	struct conf_addr *certificate; /* each with its chain */
	size_t ncertificate;
	struct conf_addr *key; /* of the certificate of the same index */
	size_t nkey;
	char *client_ca;     /* who may vouch for clients; NULL: nobody */
	int64_t verify;      /* enum conf_verify */
	int64_t min_version; /* enum conf_tls_version */
	char *staple;        /* what the CA says of the first certificate, in DER; NULL */
};

enum conf_verify { CONF_VERIFY_NO, CONF_VERIFY_OPTIONAL, CONF_VERIFY_REQUIRED };

enum conf_tls_version { CONF_TLS_1_2, CONF_TLS_1_3 };

/* A line of a module's section whose key only the module knows. */
struct conf_own {
	char *key;
	char *value;
	int line;
	int head; /* the line of the section's title */
};

/* A [service] section.  All keys of all types stand side by side; keys that
 * the type does not have hold their defaults. */
struct conf_service {
	char *name;
	int line;
	char *type; /* "echo", "http", ... */

	/* http */
	char *respond; /* NULL: not set */
	char *root;    /* NULL: not set */
	char *index;
	char *health;           /* path of the health check; NULL: none */
	int64_t max_header;     /* bytes of request line and headers */
	int64_t max_body;       /* bytes */
	int64_t header_timeout; /* ms, as all of these */
	int64_t body_timeout;
	int64_t send_timeout;
	int64_t request_timeout;
	int64_t min_rate;
	int64_t idle_timeout; /* of all: without a byte in either direction */

	/* http and proxy */
	struct conf_addr *upstream;
	size_t nupstream;
	int64_t connect_timeout;
	int64_t keepalive; /* ms; 0: none */

	/* http with upstreams */
	int64_t answer_timeout;
	int64_t tunnel_timeout; /* 0: none */
	int64_t balance;        /* enum conf_balance */
	char *host;           /* "keep", "upstream", or the name that upstreams are told; of an
	                       * admin: its own name, NULL: none */
	int64_t forwarded;    /* enum rewrite_forwarded */
	bool via;             /* heads are told who has passed them on */
	bool trust_forwarded; /* what clients say of that kind is passed on */
	bool client_certificate_headers; /* upstreams are told of clients' certificates */
	int64_t upstream_connections;    /* to each, per worker, as the next */
	int64_t upstream_queue;          /* requests that wait for one of them */
	int64_t upstream_idle;           /* ms that one is kept without use */
	int64_t upstream_life;           /* ms that one is used; 0: without limit */
	char *check;                     /* path that tells whether an upstream is well; NULL */
	int64_t check_interval;
	bool breaker;
	int64_t breaker_percent;
	int64_t breaker_calls;
	int64_t breaker_window;
	int64_t breaker_open;
	int64_t check_timeout;

	/* proxy */
	bool accept_proxy;   /* clients begin with a PROXY header */
	int64_t send_proxy;  /* enum conf_send_proxy */
	int64_t max_clients; /* per worker; 0: no limit */
	int64_t max_per_source;

	/* module, which has the limits of http as well */
	char *path;              /* of the file that is loaded */
	int64_t max_unread;      /* bytes that a stream's module has not used up */
	int64_t max_unsent;      /* bytes that a client has not taken */
	int64_t offload_threads; /* per worker, as the next two */
	int64_t offload_queue;
	int64_t background_max;
	struct conf_own *own; /* not checked here: the module's own table is needed */
	size_t nown;
};

enum conf_access { CONF_ACCESS_COMBINED, CONF_ACCESS_JSON };

enum conf_balance { CONF_ROUND_ROBIN, CONF_LEAST_BUSY };

enum conf_send_proxy { CONF_PROXY_NO, CONF_PROXY_V1, CONF_PROXY_V2 };

struct conf_server {
	int64_t workers; /* 0: auto */
	char *control;   /* NULL: the default place */
	char *user;      /* NULL: not set */
	char *group;
	char *log;
	int64_t log_level;  /* enum log_level */
	int64_t log_format; /* enum log_format */
	char *pid_file;     /* NULL: none */
	int64_t start_timeout;
	int64_t probation;
	int64_t worker_stall; /* 0: never */
	int64_t max_generations;
	int64_t max_connections; /* per worker; 0: what RLIMIT_NOFILE allows */
	bool sandbox;            /* of the workers */
	int64_t ticket_life;     /* ms that a key of TLS tickets seals, and opens behind that */
};

struct conf_drain {
	int64_t lame_duck;
	int64_t deadline;
	bool handoff;
	int64_t cut_over; /* always <= deadline */
};

/* The result of a line that names a key. */
enum conf_fate {
	CONF_SET,     /* its value is in the tree */
	CONF_BAD,     /* its value was refused; the default is in the tree */
	CONF_GUESSED, /* it was misspelled, and this key was probably meant */
	CONF_CAPPED,  /* no line: the default was lowered to keep an inequality */
	CONF_IMPLIED  /* no line: the value follows from other keys */
};

/* Which line a key comes from.  A key without one holds its default. */
struct conf_origin {
	enum conf_section section;
	size_t index; /* which listener or service; 0 for the others */
	int head;     /* the line of the section's title */
	int line;
	const char *key; /* name in the table of keys */
	enum conf_fate fate;
};

struct conf {
	char *path; /* as given */
	char *text; /* the bytes of the file, NUL-terminated */
	size_t len;
	struct conf_server server;
	struct conf_drain drain;
	struct conf_listen *listen; /* in the order of the file */
	size_t nlisten;
	struct conf_service *service;
	size_t nservice;
	struct conf_tls *tls;
	size_t ntls;
	struct conf_origin *origin; /* at most one per key of a section */
	size_t norigin;
};

/* The service of that name, or NULL. */
const struct conf_service *conf_find_service(const struct conf *conf, const char *name);

/* Give each listen section the index of its service.  A name that leads nowhere is left: check
 * tells of it. */
void conf_link_services(struct conf *conf);

/* The same of its [tls] sections. */
void conf_link_tls(struct conf *conf);

/* The next name of a list with commas at *list, which moves on; its length, 0: that was all. */
size_t conf_next_name(const char **list, const char **name);

/* The i-th file of a section: certificate and key of each pair, client_ca, staple (NULL: not
 * set); and how many those are. */
const char *conf_tls_file(const struct conf_tls *tls, size_t i);
size_t conf_tls_files(const struct conf_tls *tls);

/* How many those of all sections are. */
size_t conf_tls_files_of_all(const struct conf *conf);

/* The section of that name, n bytes; NULL. */
const struct conf_tls *conf_find_tls(const struct conf *conf, const char *name, size_t n);

/* How many sections of a kind the tree has, and the struct of one of them. */
size_t conf_count(const struct conf *conf, enum conf_section section);
const void *conf_base(const struct conf *conf, enum conf_section section, size_t index);

/* The same of a tree that is still being made. */
void *conf_own_base(struct conf *conf, enum conf_section section, size_t index);

/* The name of a named section, and the line of its title. */
const char *conf_name(const struct conf *conf, enum conf_section section, size_t index);
int conf_head(const struct conf *conf, enum conf_section section, size_t index);

/* "[server]", "[listen:web]", fit for a sentence; malloc'd. */
char *conf_title(const struct conf *conf, enum conf_section section, size_t index);

/* The bits of a service's type (keys_type_bit); 0 for another section. */
unsigned conf_types(const struct conf *conf, enum conf_section section, size_t index);

/* Where a key comes from, or NULL: it holds its default. */
struct conf_origin *conf_find_origin(const struct conf *conf, enum conf_section section,
                                     size_t index, const char *key);

/* The line of a key that is set; CONF_NO_LINE: none is. */
int conf_line(const struct conf *conf, enum conf_section section, size_t index,
              const char *key);

/* Put file and line of a key, if it is set, before *cause, which is malloc'd.  -1. */
int conf_blame(const struct conf *conf, enum conf_section section, size_t index,
               const char *key, char **cause);

/* The same of a line that is known; CONF_NO_LINE: *cause stays as it is. */
int conf_blame_line(const struct conf *conf, int line, char **cause);

void conf_free(struct conf **conf);

#endif
