#include "conf/errors.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "conf/flaw.h"

void
conf_error(struct conf_errors *errors, const char *fmt, ...)
{
	va_list ap;

	errors->text = mem_grow(errors->text, errors->n, sizeof *errors->text);
	va_start(ap, fmt);
	errors->text[errors->n++] = mem_vprintf(fmt, ap);
	va_end(ap);
}

void
conf_errors_free(struct conf_errors *errors)
{
	for (size_t i = 0; i < errors->n; i++)
		mem_free(&errors->text[i]);
	mem_free(&errors->text);
	errors->n = 0;
}

char *
conf_errors_join(const struct conf_errors *errors)
{
	size_t len = 0;
	char *all, *p;

	for (size_t i = 0; i < errors->n; i++)
		len += strlen(errors->text[i]) + 1;
	p = all = mem_alloc(len + 1);
	for (size_t i = 0; i < errors->n; i++)
		p += sprintf(p, "%s%s", i > 0 ? "\n" : "", errors->text[i]);
	return all;
}

void
conf_tell_flaws(struct flaws *flaws, const char *path, struct conf_errors *errors)
{
	char *where = flaw_escape(path);

	for (size_t i = 0; i < flaws->n; i++) {
		const struct flaw *f = &flaws->at[i];

		if (f->line == FLAW_NO_LINE)
			conf_error(errors, "%s: %s", where, f->text);
		else
			conf_error(errors, "%s:%d: %s", where, f->line, f->text);
	}
	if (flaws->more > 0)
		conf_error(errors, "%s: and %zu more %s", where, flaws->more,
		           flaws->more == 1 ? "error" : "errors");
	mem_free(&where);
	flaw_clear(flaws);
}
