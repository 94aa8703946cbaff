#include "ctl/history.h"

#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "ctl/field.h"
#include "ctl/table.h"
#include "ctl/words.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* --- who --- */

/* As `name`, beside the number that is named `id`. */
static void
name_number(json_t *requester, const char *id, const char *name)
{
	const json_t *uid = json_object_get(requester, id);
	const struct passwd *pw = NULL;

	if (json_is_integer(uid))
		pw = getpwuid((uid_t)json_integer_value(uid));
	json_object_set_new(requester, name,
	                    pw != NULL ? json_string(pw->pw_name) : json_null());
}

static void
name_user(json_t *requester)
{
	if (!json_is_object(requester))
		return;
	name_number(requester, "uid", "user");
	name_number(requester, "login", "login_user");
}

void
history_name_users(json_t *data)
{
	json_t *list = json_object_get(data, "history"), *entry, *requester;
	size_t i, k;

	json_array_foreach (list, i, entry)
		json_array_foreach (json_object_get(entry, "by"), k, requester)
			name_user(requester);
}

/* "root", or "uid 1000" when it has no name; NULL: it is not known. */
static char *
named(const json_t *requester, const char *id, const char *name)
{
	const char *text = json_string_value(json_object_get(requester, name));
	int64_t uid = field_integer(requester, id);

	if (text != NULL)
		return mem_strdup(text);
	return uid >= 0 ? mem_printf("uid %lld", (long long)uid) : NULL;
}

/* "systemd", "root", and "root (login alice)" for who came by sudo. */
static char *
user_of(const json_t *requester)
{
	char *user, *login, *both;

	if (json_is_true(json_object_get(requester, "manager")))
		return mem_strdup("systemd");
	user = named(requester, "uid", "user");
	login = named(requester, "login", "login_user");
	if (user == NULL || login == NULL || strcmp(user, login) == 0) {
		free(login);
		return user;
	}
	both = mem_printf("%s (login %s)", user, login);
	free(user);
	free(login);
	return both;
}

static char *
signal_of(const json_t *requester, const char *user)
{
	int64_t pid = field_integer(requester, "pid");

	if (user == NULL || pid < 0)
		return mem_strdup("signal");
	return mem_printf("signal of %s (pid %lld)", user, (long long)pid);
}

static char *
requester_words(const json_t *requester)
{
	const char *how = field_string(requester, "how");
	char *user = user_of(requester), *text;

	if (strcmp(how, "signal") == 0)
		text = signal_of(requester, user);
	else if (user == NULL)
		text = mem_strdup(how);
	else if (json_is_true(json_object_get(requester, "abort")))
		text = mem_printf("abort by %s", user);
	else
		text = mem_strdup(user);
	free(user);
	return text;
}

/* A user who asked twice is named once. */
static bool
is_named(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = list; (p = strstr(p, name)) != NULL; p++)
		if ((p == list || p[-1] == ' ') && (p[len] == '\0' || p[len] == ','))
			return true;
	return false;
}

char *
history_askers(const json_t *entry)
{
	const json_t *by = json_object_get(entry, "by");
	char *list = mem_strdup("");

	for (size_t i = 0; i < json_array_size(by); i++) {
		char *name = requester_words(json_array_get(by, i)), *longer;

		if (!is_named(list, name)) {
			longer = mem_printf("%s%s%s", list, *list != '\0' ? ", " : "", name);
			free(list);
			list = longer;
		}
		free(name);
	}
	if (*list == '\0') {
		free(list);
		list = mem_strdup("-");
	}
	return list;
}

/* --- when and what --- */

char *
history_when(const json_t *entry, enum history_from from)
{
	int64_t ms = field_integer(entry, "at_ms");
	time_t at = (time_t)(ms / 1000);
	struct tm tm;
	char text[64];

	if (ms < 0 || localtime_r(&at, &tm) == NULL ||
	    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm) != 19)
		return mem_strdup("-");
	return mem_strdup(text + from);
}

static void
add_row(struct table *t, const json_t *entry)
{
	static const char *const steps[] = {"check_ms", "room_ms", "start_ms", "probation_ms"};
	const char *reason = field_string(entry, "reason");

	table_add(t, history_when(entry, HISTORY_YEAR));
	table_add(t, field_plain(field_string(entry, "what")));
	table_add(t, field_plain(field_string(entry, "outcome")));
	table_add(t, field_duration(entry, "took_ms"));
	for (size_t i = 0; i < COUNT(steps); i++)
		table_add(t, field_duration(json_object_get(entry, "steps"), steps[i]));
	table_add(t, history_askers(entry));
	table_add(t, field_one_line(reason));
}

void
history_show(const json_t *data, FILE *out)
{
	static const struct table_column columns[] = {
	    {"WHEN", 'l'}, {"WHAT", 'l'},  {"OUTCOME", 'l'},   {"TOOK", 'r'}, {"CHECK", 'r'},
	    {"ROOM", 'r'}, {"START", 'r'}, {"PROBATION", 'r'}, {"BY", 'l'},   {"REASON", 'l'},
	};
	const json_t *list = json_object_get(data, "history");
	struct table *t;

	if (json_array_size(list) == 0) {
		fputs("no reload or upgrade yet\n", out);
		return;
	}
	t = table_new(columns, COUNT(columns));
	for (size_t i = 0; i < json_array_size(list); i++)
		add_row(t, json_array_get(list, i));
	table_print(t, out);
	table_free(&t);
}
