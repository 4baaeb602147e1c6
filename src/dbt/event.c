#include "airlock/dbt/event.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "airlock/base/buf.h"
#include "airlock/format/json.h"

static const char *text(const json_t *object, const char *key)
{
	const char *s = js_get_string(object, key);

	return s ? s : "";
}

static bool ends_with(const char *s, const char *end)
{
	size_t len = strlen(s);

	return len >= strlen(end) && strcmp(s + len - strlen(end), end) == 0;
}

static bool is_result(const char *name)
{
	return strcmp(name, "SkippingDetails") == 0 ||
	       (strncmp(name, "Log", 3) == 0 && ends_with(name, "Result"));
}

/* The first of a pair that dbt prints for a node; the second says why. */
static bool is_announcement(const char *name)
{
	return strcmp(name, "RunResultFailure") == 0 || strcmp(name, "RunResultWarning") == 0;
}

static enum event_kind kind_of(const struct event *event)
{
	if (strcmp(event->name, "PrintEvent") == 0)
		return EVENT_PRINT;
	if (strcmp(event->name, "LogStartLine") == 0)
		return EVENT_NODE_START;
	if (is_result(event->name))
		return EVENT_NODE_RESULT;
	if (*event->unique_id && is_announcement(event->name))
		return EVENT_OTHER;
	if (strcmp(event->level, "error") == 0)
		return EVENT_ERROR;
	return strcmp(event->level, "warn") == 0 ? EVENT_WARNING : EVENT_OTHER;
}

/* dbt writes the word None where a node has no status of its own: unit tests, for one. */
static const char *status_of(const struct event *event, const json_t *data)
{
	const char *status = text(js_get_object(data, "node_info"), "node_status");

	if (*status && strcmp(status, "None") != 0)
		return status;
	if (event->kind != EVENT_NODE_RESULT)
		return "";
	status = text(data, "status");
	return *status || strcmp(event->name, "SkippingDetails") != 0 ? status : "skipped";
}

void event_add_plain(struct buf *out, const char *s)
{
	while (*s) {
		if (s[0] == '\033' && s[1] == '[') {
			s += 2 + strspn(s + 2, "0123456789;");
			s += *s != '\0';
		} else if (s[0] == '\r' && s[1] == '\n') {
			s++;
		} else {
			buf_add_char(out, *s++);
		}
	}
}

static void trim_end(struct buf *out)
{
	while (out->len > 0 && strchr(" \n", out->data[out->len - 1]))
		out->data[--out->len] = '\0';
}

/* "4 of 9 FAIL 1 not_null_orders_id ........ [FAIL 1 in 0.03s]" -> "FAIL 1 not_null_orders_id" */
static void add_result(struct buf *out, const char *message)
{
	CLEANUP(buf_release) struct buf plain = BUF_INIT;
	const char *start;
	char *dots;
	int behind_count = 0;

	event_add_plain(&plain, message);
	start = buf_cstr(&plain);
	if (sscanf(start, "%*d of %*d %n", &behind_count) == 0 && behind_count > 0)
		start += behind_count;
	buf_add_str(out, start);
	dots = out->data ? strstr(out->data, " [") : NULL;
	while (dots && strstr(dots + 1, " ["))
		dots = strstr(dots + 1, " [");
	if (!dots)
		return;
	while (dots > out->data && strchr(" .", dots[-1]))
		dots--;
	out->len = (size_t)(dots - out->data);
	*dots = '\0';
}

/* The reason, with the name of the node in front where the text itself does not say it. */
static void add_reason(struct buf *out, const json_t *data)
{
	const json_t *node = js_get_object(data, "node_info");
	const char *name = text(node, "node_name");
	const char *reason = text(data, "msg");

	reason += strspn(reason, " \n");
	if (*name && !strstr(reason, name))
		buf_printf(out, "%s %s: ", text(node, "resource_type"), name);
	event_add_plain(out, reason);
}

static void add_message(struct buf *out, const struct event *event, const json_t *info,
			const json_t *data)
{
	if (event->kind == EVENT_PRINT) {
		buf_add_str(out,
			    js_get_string(data, "msg") ? text(data, "msg") : text(info, "msg"));
		return;
	}
	if (event->kind == EVENT_NODE_START || event->kind == EVENT_NODE_RESULT)
		add_result(out, text(info, "msg"));
	else if (*event->unique_id && js_get_string(data, "msg"))
		add_reason(out, data);
	else if (js_get_string(data, "exc"))
		event_add_plain(out, text(data, "exc"));
	else
		event_add_plain(out, text(info, "msg"));
	trim_end(out);
}

static long long total_of(const json_t *data)
{
	/* Tests call it by another name. */
	return js_get_integer(data, "total", js_get_integer(data, "num_models", 0));
}

static void send_text(const char *line, event_fn *fn, void *context)
{
	struct event event = {
		.kind = EVENT_TEXT,
		.name = "",
		.level = "",
		.message = line,
		.invocation_id = "",
		.unique_id = "",
		.status = "",
	};

	fn(context, &event);
}

void event_parse(const char *line, size_t len, event_fn *fn, void *context)
{
	CLEANUP(js_free) json_t *root = NULL;
	CLEANUP(buf_release) struct buf message = BUF_INIT;
	const json_t *info;
	const json_t *data;
	struct event event = { .kind = EVENT_OTHER };

	if (len > 0 && line[0] == '{')
		root = json_loadb(line, len, JSON_ALLOW_NUL, NULL);
	info = js_get_object(root, "info");
	data = js_get_object(root, "data");
	if (!info) {
		send_text(line, fn, context);
		return;
	}
	event.name = text(info, "name");
	event.level = text(info, "level");
	event.invocation_id = text(info, "invocation_id");
	event.unique_id = text(js_get_object(data, "node_info"), "unique_id");
	event.kind = kind_of(&event);
	event.status = status_of(&event, data);
	event.index = js_get_integer(data, "index", 0);
	event.total = total_of(data);
	event.seconds = json_number_value(json_object_get(data, "execution_time"));
	add_message(&message, &event, info, data);
	event.message = buf_cstr(&message);
	fn(context, &event);
}
