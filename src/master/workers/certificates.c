#include "master/workers/certificates.h"

#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "master/state/jsontext.h"
#include "master/workers/generation.h"
#include "wire/msg.h"

#define SOON_DAYS 14
#define DAY_S     86400

static int64_t
now_s(void)
{
	return (int64_t)(clock_wall_ms() / 1000);
}

/* Days are counted down: 0 on the last one. */
static int64_t
days_left(const struct msg_certificate *c)
{
	int64_t left = c->not_after - now_s();

	return left >= 0 ? left / DAY_S : -1 - (-1 - left) / DAY_S;
}

bool
certificates_heard(struct generation *g, const struct msg *m)
{
	struct msg_certificate c;

	memcpy(&c, m->data, sizeof c);
	c.names[sizeof c.names - 1] = '\0';
	if (c.section >= g->conf->ntls || c.pair >= g->conf->tls[c.section].ncertificate ||
	    c.not_after < 0 || c.not_after > INT64_MAX / 2 || c.not_before > INT64_MAX / 2)
		return false;
	for (size_t i = 0; i < g->ncertificates; i++)
		if (g->certificates[i].section == c.section &&
		    g->certificates[i].pair == c.pair) {
			g->certificates[i] = c;
			return true;
		}
	g->certificates = mem_grow(g->certificates, g->ncertificates, sizeof c);
	g->certificates[g->ncertificates++] = c;
	return true;
}

static const char *
file_of(const struct generation *g, const struct msg_certificate *c)
{
	return g->conf->tls[c->section].certificate[c->pair].text;
}

json_t *
certificates_json(void)
{
	const struct generation *g = generation_active();
	json_t *list = json_array();

	for (size_t i = 0; g != NULL && i < g->ncertificates; i++) {
		const struct msg_certificate *c = &g->certificates[i];

		json_array_append_new(
		    list,
		    json_pack("{s:s, s:o, s:o, s:I, s:I}", "tls", g->conf->tls[c->section].name,
		              "file", jsontext_shown(file_of(g, c), SIZE_MAX), "names",
		              jsontext_shown(c->names, sizeof c->names), "not_after",
		              (json_int_t)c->not_after, "days_left", (json_int_t)days_left(c)));
	}
	return list;
}

void
certificates_warn(json_t *list)
{
	const struct generation *g = generation_active();

	for (size_t i = 0; g != NULL && i < g->ncertificates; i++) {
		const struct msg_certificate *c = &g->certificates[i];
		int64_t left = days_left(c);
		char *text = NULL;

		if (c->not_before > now_s())
			text = mem_printf("is not valid yet");
		else if (left < 0)
			text = mem_printf("has expired");
		else if (left < SOON_DAYS)
			text = mem_printf("expires in %lld day%s", (long long)left,
			                  left == 1 ? "" : "s");
		if (text != NULL)
			json_array_append_new(list, json_sprintf("[tls:%s]: certificate %s %s",
			                                         g->conf->tls[c->section].name,
			                                         conf_word(file_of(g, c)).text,
			                                         text));
		mem_free(&text);
	}
}
