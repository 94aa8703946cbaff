#include "base/logline.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "base/escape.h"

#define MESSAGE_MAX   2048 /* bytes of a message; the rest of a line has room beside it */
#define FIELD_MAX     256  /* of a field's text */
#define FIELD_LEAST   64   /* less room than that is no room for a field */
#define MESSAGE_LEAST 512  /* is kept for the message */

/* The same ranks as syslog(3) priorities. */
static const int priority[] = {7, 6, 4, 3};

static void print(struct escape_out *o, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* At least width digits. */
static void
print_number(struct escape_out *o, unsigned long long n, size_t width)
{
	char digits[24];
	size_t at = sizeof digits;

	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0 || sizeof digits - at < width);
	escape_plain(o, digits + at, sizeof digits - at);
}

/* Text of our own; in it %s, %d for what is not negative, and %llu.  printf is not for a
 * signal's handler. */
static void
print(struct escape_out *o, const char *fmt, ...)
{
	const char *percent, *text;
	va_list ap;

	va_start(ap, fmt);
	for (; (percent = strchr(fmt, '%')) != NULL; fmt = percent + 2) {
		escape_plain(o, fmt, (size_t)(percent - fmt));
		if (percent[1] == 's') {
			text = va_arg(ap, const char *);
			escape_plain(o, text, strlen(text));
		} else if (percent[1] == 'd') {
			print_number(o, (unsigned)va_arg(ap, int), 1);
		} else { /* llu */
			print_number(o, va_arg(ap, unsigned long long), 1);
			percent += 2;
		}
	}
	va_end(ap);
	escape_plain(o, fmt, strlen(fmt));
}

/* The date of a day since 1970; gmtime_r would wait for the lock of the time zone.  Years
 * are counted from March on, so that the leap day is the last, and from 0000-03-01. */
static void
print_date(struct escape_out *o, uint64_t days)
{
	uint64_t since = days + 719468, era = since / 146097, day = since % 146097;
	uint64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365, month;

	day -= 365 * year + year / 4 - year / 100;
	month = (5 * day + 2) / 153; /* 0: March */
	day -= (153 * month + 2) / 5;
	print_number(o, year + era * 400 + (month >= 10), 4);
	print(o, "-");
	print_number(o, month < 10 ? month + 3 : month - 9, 2);
	print(o, "-");
	print_number(o, day + 1, 2);
}

static void
print_time(struct escape_out *o, const struct timespec *ts)
{
	uint64_t s = (uint64_t)ts->tv_sec;

	print_date(o, s / 86400);
	print(o, "T");
	print_number(o, s / 3600 % 24, 2);
	print(o, ":");
	print_number(o, s / 60 % 60, 2);
	print(o, ":");
	print_number(o, s % 60, 2);
	print(o, ".");
	print_number(o, (uint64_t)ts->tv_nsec / 1000000, 3);
	print(o, "Z");
}

/* The rest of size, once `after` bytes are set aside. */
static struct escape_out
room(char *buf, size_t size, size_t after)
{
	return (struct escape_out){buf, buf + size - after};
}

static size_t
message_length(const struct logline *l)
{
	return strnlen(l->message, MESSAGE_MAX);
}

size_t
logline_text(const struct logline *l, char *buf, size_t size)
{
	struct escape_out o = room(buf, size, 1);

	print_time(&o, &l->time);
	print(&o, " %s[%d] %s: ", l->who->name, l->who->pid, log_level_names[l->level]);
	escape_text(&o, l->message, message_length(l));
	*o.at++ = '\n';
	return (size_t)(o.at - buf);
}

size_t
logline_stderr(const struct logline *l, char *buf, size_t size)
{
	struct escape_out o = room(buf, size, 1);

	print(&o, "<%d>%s: ", priority[l->level], l->who->name);
	escape_text(&o, l->message, message_length(l));
	*o.at++ = '\n';
	return (size_t)(o.at - buf);
}

/* --- fields --- */

static bool
has_own(const struct logline *l, const char *name)
{
	for (const struct event_field *f = l->fields; f != NULL && f->name != NULL; f++)
		if (strcmp(f->name, name) == 0)
			return true;
	return false;
}

/* The fields of every line of a worker, unless the event is about another worker. */
static size_t
standing_fields(const struct logline *l, struct event_field out[3])
{
	const struct logline_who *who = l->who;
	const struct event_field all[] = {EVENT_NUMBER("GENERATION", who->generation),
	                                  EVENT_NUMBER("SLOT", who->slot),
	                                  EVENT_NUMBER("BIRTH", who->birth)};
	size_t n = 0;

	for (size_t i = 0; who->is_worker && i < sizeof all / sizeof *all; i++)
		if (!has_own(l, all[i].name))
			out[n++] = all[i];
	return n;
}

/* --- JSON --- */

static void
json_text(struct escape_out *o, const char *key, const char *text, size_t n)
{
	struct escape_out inside = {o->at, o->end - 1};

	print(&inside, "\"%s\":\"", key);
	escape_json(&inside, text, n);
	*inside.at++ = '"';
	o->at = inside.at;
}

static void
json_field(struct escape_out *o, const struct event_field *f)
{
	char key[32];
	size_t n = 0;

	for (; n < sizeof key - 1 && f->name[n] != '\0'; n++)
		key[n] = (char)tolower((unsigned char)f->name[n]);
	key[n] = '\0';
	if (o->end - o->at < FIELD_LEAST)
		return;
	print(o, ",");
	if (f->text != NULL)
		json_text(o, key, f->text, strnlen(f->text, FIELD_MAX));
	else
		print(o, "\"%s\":%llu", key, (unsigned long long)f->n);
}

/* The message comes last: what is cut is its end. */
size_t
logline_json(const struct logline *l, char *buf, size_t size)
{
	struct escape_out o = room(buf, size, MESSAGE_LEAST);
	struct event_field standing[3];
	size_t n = standing_fields(l, standing);

	print(&o, "{\"time\":\"");
	print_time(&o, &l->time);
	print(&o, "\",\"level\":\"%s\",\"who\":\"%s\",\"pid\":%d", log_level_names[l->level],
	      l->who->name, l->who->pid);
	for (size_t i = 0; i < n; i++)
		json_field(&o, &standing[i]);
	if (l->kind != NULL)
		print(&o, ",\"event\":\"%s\",\"message_id\":\"%s\"", l->kind->name,
		      l->kind->id);
	for (const struct event_field *f = l->fields; f != NULL && f->name != NULL; f++)
		json_field(&o, f);
	o.end = buf + size - 2; /* "}\n" */
	print(&o, ",");
	json_text(&o, "message", l->message, message_length(l));
	memcpy(o.at, "}\n", 2);
	return (size_t)(o.at + 2 - buf);
}

/* --- the journal --- */

/* A value with a line feed is told with its length (systemd, Native Journal Protocol). */
static void
journal_value(struct escape_out *o, const char *name, const char *before, const char *text,
              size_t n)
{
	size_t head = strlen(before);
	unsigned char le[8];

	if (memchr(text, '\n', n) == NULL) {
		print(o, "%s=%s", name, before);
		escape_plain(o, text, n);
		print(o, "\n");
		return;
	}
	if ((size_t)(o->end - o->at) < strlen(name) + 1 + sizeof le + head + n + 1)
		return;
	for (size_t i = 0; i < sizeof le; i++)
		le[i] = (unsigned char)((uint64_t)(head + n) >> 8 * i);
	print(o, "%s\n", name);
	escape_plain(o, (const char *)le, sizeof le);
	escape_plain(o, before, head);
	escape_plain(o, text, n);
	print(o, "\n");
}

static void
journal_field(struct escape_out *o, const struct event_field *f)
{
	if (f->text != NULL)
		journal_value(o, f->name, "", f->text, strnlen(f->text, FIELD_MAX));
	else
		print(o, "%s=%llu\n", f->name, (unsigned long long)f->n);
}

size_t
logline_journal(const struct logline *l, char *buf, size_t size)
{
	struct escape_out o = room(buf, size, 0);
	struct event_field standing[3];
	size_t n = standing_fields(l, standing);
	char before[48] = "";
	struct escape_out head = {before, before + sizeof before - 1};

	print(&head, "%s: ", l->who->name);
	print(&o, "SYSLOG_IDENTIFIER=baton\nPRIORITY=%d\n", priority[l->level]);
	journal_value(&o, "MESSAGE", before, l->message, message_length(l));
	for (size_t i = 0; i < n; i++)
		journal_field(&o, &standing[i]);
	if (l->kind != NULL)
		print(&o, "MESSAGE_ID=%s\nEVENT=%s\n", l->kind->id, l->kind->name);
	for (const struct event_field *f = l->fields; f != NULL && f->name != NULL; f++)
		journal_field(&o, f);
	return (size_t)(o.at - buf);
}
