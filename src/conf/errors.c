#include "conf/errors.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

/* Bytes of *c written to out, which has room for four and a NUL. */
static size_t
escape_byte(char *out, unsigned char c)
{
	if (c >= 0x20 && c < 0x7f) {
		out[0] = (char)c;
		out[1] = '\0';
		return 1;
	}
	return (size_t)snprintf(out, 5, "\\x%02x", c);
}

char *
conf_escape(const char *s)
{
	char *out = mem_alloc(strlen(s) * 4 + 1);
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += escape_byte(out + n, (unsigned char)*s);
	return out;
}

struct conf_word
conf_word(const char *s)
{
	struct conf_word w;
	size_t len = strlen(s), show = len, n = 0;

	if (len > CONF_WORD_MAX)
		show = CONF_WORD_MAX - 3;
	w.text[0] = '\0';
	for (size_t i = 0; i < show; i++)
		n += escape_byte(w.text + n, (unsigned char)s[i]);
	if (show < len)
		memcpy(w.text + n, "...", sizeof "...");
	return w;
}

/* Room for an error of this line, or NULL when enough earlier ones are known. */
static struct conf_error *
errors_place(struct conf_errors *errors, int line)
{
	size_t i;

	if (errors->n == CONF_ERRORS_MAX) {
		errors->more++;
		if (errors->at[CONF_ERRORS_MAX - 1].line <= line)
			return NULL;
		mem_free(&errors->at[--errors->n].text);
	}
	for (i = errors->n; i > 0 && errors->at[i - 1].line > line; i--)
		errors->at[i] = errors->at[i - 1];
	errors->n++;
	errors->at[i].line = line;
	return &errors->at[i];
}

void
conf_error(struct conf_errors *errors, int line, const char *fmt, ...)
{
	struct conf_error *place = errors_place(errors, line);
	va_list ap;

	if (place == NULL)
		return;
	va_start(ap, fmt);
	place->text = mem_vprintf(fmt, ap);
	va_end(ap);
}

void
conf_errors_free(struct conf_errors *errors)
{
	for (size_t i = 0; i < errors->n; i++)
		mem_free(&errors->at[i].text);
	errors->n = 0;
	errors->more = 0;
}

static void
print_error(FILE *out, const char *where, const struct conf_error *e)
{
	if (where == NULL)
		fprintf(out, "%s", e->text);
	else if (e->line == CONF_NO_LINE)
		fprintf(out, "%s: %s", where, e->text);
	else
		fprintf(out, "%s:%d: %s", where, e->line, e->text);
}

char *
conf_errors_join(const struct conf_errors *errors)
{
	char *all, *where = errors->path != NULL ? conf_escape(errors->path) : NULL;
	size_t len;
	FILE *out = open_memstream(&all, &len);

	if (out == NULL)
		log_fatal("out of memory: a text");
	for (size_t i = 0; i < errors->n; i++) {
		fputs(i > 0 ? "\n" : "", out);
		print_error(out, where, &errors->at[i]);
	}
	if (errors->more > 0)
		fprintf(out, "\n%s%sand %zu more %s", where != NULL ? where : "",
		        where != NULL ? ": " : "", errors->more,
		        errors->more == 1 ? "error" : "errors");
	fclose(out);
	mem_free(&where);
	return all;
}
