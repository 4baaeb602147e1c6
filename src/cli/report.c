#include "airlock/cli/report.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "airlock/base/env.h"
#include "airlock/base/host.h"
#include "airlock/base/proc.h"
#include "airlock/dbt/cmdline.h"
#include "airlock/format/json.h"

enum {
	LIVE_WIDTH = 79,
	ASK_POLL_MS = 100,
	ANSWER_MAX = 256,
};

static struct report *report_of(struct reporter *reporter)
{
	return (struct report *)reporter;
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static void write_buf(const struct report *report, const struct buf *text)
{
	/* There is nobody left to tell. */
	(void)!write_all(report->progress, buf_cstr(text), text->len);
}

void report_clear(struct report *report)
{
	static const char erase[] = "\r\033[K";

	if (report->is_line_open)
		(void)!write_all(report->progress, erase, sizeof(erase) - 1);
	report->is_line_open = false;
}

/* Lower case is enough: log watchers look for these very words. */
static void defuse(char *text)
{
	static const char *const words[] = { "Error", "Done. PASS=" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		char *at = text;

		while ((at = strstr(at, words[i])))
			*at = (char)(*at - 'A' + 'a');
	}
}

static size_t line_length(const char *text)
{
	return strcspn(text, "\r\n");
}

static void make_invocation_id(char ret_id[37])
{
	static const int groups[] = { 8, 4, 4, 4, 12 };
	char hex[33];
	size_t from = 0, to = 0;

	host_random_hex(hex, 16);
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		memcpy(ret_id + to, hex + from, (size_t)groups[i]);
		from += (size_t)groups[i];
		to += (size_t)groups[i];
		ret_id[to++] = i + 1 < ARRAY_LEN(groups) ? '-' : '\0';
	}
}

/* The shape of an event of dbt's structured log, so that who reads those can read ours. */
static void write_event(struct report *report, int fd, const char *level, const char *text)
{
	CLEANUP(buf_release) struct buf line = BUF_INIT;
	CLEANUP(js_free) json_t *event = NULL;
	char at[HOST_TIME_SIZE];

	if (!*report->invocation_id)
		make_invocation_id(report->invocation_id);
	host_time_utc(at);
	event = json_pack("{s:{s:s, s:s, s:{}, s:s, s:s, s:o, s:s, s:i, s:s, s:s}, s:{s:o}}",
			  "info", "category", "", "code", "airlock", "extra", "invocation_id",
			  report->invocation_id, "level", level, "msg", report_string_json(text),
			  "name", "AirlockNotice", "pid", (int)getpid(), "thread", "MainThread",
			  "ts", at, "data", "msg", report_string_json(text));
	js_write_line(event, &line);
	buf_add_char(&line, '\n');
	report_clear(report);
	/* There is nobody left to tell. */
	(void)!write_all(fd, buf_cstr(&line), line.len);
}

/* Further lines are indented, so that it is seen where a notice begins. */
static void add_lines(struct buf *out, const char *text, const char *indent)
{
	for (;;) {
		size_t len = line_length(text);

		buf_add(out, text, len);
		buf_add_char(out, '\n');
		text += len;
		text += strspn(text, "\r\n");
		if (!*text)
			return;
		buf_add_str(out, indent);
	}
}

static void write_notice_event(struct report *report, const char *prefix, const char *text)
{
	CLEANUP(mem_free_string) char *message = mem_printf("%s%s", prefix, text);
	bool warns = strstr(prefix, "warn") != NULL;

	defuse(message);
	write_event(report, report->progress, warns ? "warn" : "info", message);
}

static void write_notice(struct report *report, const char *prefix, const char *text)
{
	CLEANUP(buf_release) struct buf line = BUF_INIT;

	if (report->is_json) {
		write_notice_event(report, prefix, text);
		return;
	}
	buf_printf(&line, "airlock: %s", prefix);
	add_lines(&line, text, "  ");
	defuse(line.data);
	report_clear(report);
	write_buf(report, &line);
}

void report_notice(struct report *report, const char *format, ...)
{
	CLEANUP(mem_free_string) char *text = NULL;
	va_list ap;

	va_start(ap, format);
	text = mem_vprintf(format, ap);
	va_end(ap);
	write_notice(report, "", text);
}

static void on_note(struct reporter *reporter, const char *text)
{
	write_notice(report_of(reporter), "", text);
}

static void on_warning(struct reporter *reporter, const char *text)
{
	write_notice(report_of(reporter), "warning: ", text);
}

static void on_step(struct reporter *reporter, const struct step *step)
{
	CLEANUP(mem_free_string) char *prefix = mem_printf("%s: ", step->id);

	write_notice(report_of(reporter), prefix, step->reason);
}

/* As it is sent: whoever compares it with the plan must find it. */
static void on_statement(struct reporter *reporter, const char *sql)
{
	struct report *report = report_of(reporter);
	CLEANUP(buf_release) struct buf line = BUF_INIT;

	if (report->is_json) {
		buf_printf(&line, "%s;", sql);
		write_event(report, report->progress, "debug", buf_cstr(&line));
		return;
	}
	buf_printf(&line, "  %s;\n", sql);
	report_clear(report);
	write_buf(report, &line);
}

/* test.shop.unique_orders.0a1b2c: what people call it stands behind the package. */
static const char *node_name(const char *unique_id)
{
	const char *package = strchr(unique_id, '.');
	const char *name = package ? strchr(package + 1, '.') : NULL;

	return name ? name + 1 : unique_id;
}

static void show_live(struct report *report, const struct event *event)
{
	CLEANUP(buf_release) struct buf line = BUF_INIT;

	if (!report->is_live)
		return;
	report_clear(report);
	buf_init_limit(&line, LIVE_WIDTH);
	buf_printf(&line, "[%lld/%lld] %s", event->index, event->total,
		   node_name(event->unique_id));
	write_buf(report, &line);
	report->is_line_open = true;
}

static bool is_good(const char *status)
{
	static const char *const good[] = { "success",   "pass",  "started", "compiling",
					    "executing", "no-op", "" };

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (strcmp(status, good[i]) == 0)
			return true;
	return false;
}

static void on_event(struct reporter *reporter, const struct event *event)
{
	struct report *report = report_of(reporter);

	switch (event->kind) {
	case EVENT_NODE_START:
		show_live(report, event);
		break;
	case EVENT_NODE_RESULT:
		if (!is_good(event->status))
			report_notice(report, "  %s %s", event->status,
				      node_name(event->unique_id));
		break;
	case EVENT_WARNING:
		write_notice(report, "  dbt warns: ", event->message);
		break;
	case EVENT_OTHER:
	case EVENT_TEXT:
	case EVENT_PRINT:
	case EVENT_ERROR:
		break;
	}
}

/* A line of stdin. false at its end, or when a signal asks airlock to end. */
static bool read_answer(char *answer, size_t size)
{
	size_t len = 0;

	for (;;) {
		struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
		char c;

		/* Signals are noted, not delivered: they would not end the read. */
		if (proc_interrupted())
			return false;
		if (poll(&in, 1, ASK_POLL_MS) <= 0)
			continue;
		if (read(STDIN_FILENO, &c, 1) != 1)
			return false;
		if (c == '\n')
			break;
		if (len + 1 < size)
			answer[len++] = c;
	}
	answer[len] = '\0';
	return true;
}

bool report_ask(struct report *report, struct buf *text, const char *question)
{
	char answer[ANSWER_MAX];

	buf_printf(text, "%s Only 'yes' does: ", question);
	report_clear(report);
	write_buf(report, text);
	if (read_answer(answer, sizeof(answer)))
		return strcmp(answer, "yes") == 0;
	(void)!write_all(report->progress, "\n", 1);
	return false;
}

static bool on_ask(struct reporter *reporter, const char *question)
{
	struct report *report = report_of(reporter);
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	return report->can_ask && report_ask(report, &text, question);
}

static bool on_confirm(struct reporter *reporter, const struct plan *plan,
		       const struct routes *routes)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	plan_write_text(plan, routes, &text);
	return report_ask(report_of(reporter), &text, "Go on with this plan?");
}

static bool is_said(const struct strv *environment, const char *name)
{
	const char *value = env_get(environment, name);

	return value && *value && strcmp(value, "0") != 0 && strcmp(value, "false") != 0;
}

void report_set_format(struct report *report, const char *format)
{
	if (format)
		report->is_json = strcmp(format, "json") == 0;
	report->is_live = report->is_live && !report->is_json;
}

static const char *format_of(const struct strv *environment)
{
	const char *format = cmdline_variable(environment, "LOG_FORMAT");

	return format && strcasecmp(format, "json") == 0 ? "json" : NULL;
}

void report_init(struct report *report, const struct strv *environment)
{
	const char *terminal = env_get(environment, "TERM");
	bool is_terminal = isatty(STDERR_FILENO) == 1;

	*report = (struct report){
		.reporter = {
			.note = on_note,
			.warning = on_warning,
			.event = on_event,
			.step = on_step,
			.statement = on_statement,
			.ask = on_ask,
			.confirm = on_confirm,
		},
		.out = STDOUT_FILENO,
		.progress = STDERR_FILENO,
		.is_live = is_terminal && terminal && strcmp(terminal, "dumb") != 0 &&
			   !is_said(environment, "CI") && !is_said(environment, "PRE_COMMIT"),
		.can_ask = is_terminal && isatty(STDIN_FILENO) == 1,
	};
	report_set_format(report, format_of(environment));
}

static const char *hint_of(const struct err *err, char **ret_text)
{
	const struct err_row *row = err_row(err->code);
	const char *hint = err->hint ? err->hint : row->hint;

	*ret_text = *hint || !*row->topic ? mem_strdup(hint)
					  : mem_printf("see 'airlock help %s'", row->topic);
	return *ret_text;
}

void report_error(struct report *report, const struct err *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(mem_free_string) char *hint = NULL;

	if (report->is_json) {
		buf_add_str(&text, err->message ? err->message : "failed without a message");
		if (*hint_of(err, &hint))
			buf_printf(&text, "\nhint: %s", hint);
		write_event(report, report->progress, "error", buf_cstr(&text));
		return;
	}
	buf_add_str(&text, "airlock: ");
	add_lines(&text, err->message ? err->message : "failed without a message", "  ");
	if (*hint_of(err, &hint)) {
		buf_add_str(&text, "airlock: hint: ");
		add_lines(&text, hint, "  ");
	}
	report_clear(report);
	write_buf(report, &text);
}

const char *report_production(const struct err *err)
{
	switch (err->production) {
	case ERR_PRODUCTION_UNCHANGED:
		return "production was not changed";
	case ERR_PRODUCTION_CHANGED:
		return "production was changed";
	case ERR_PRODUCTION_UNKNOWN:
		break;
	}
	return "whether production was changed is not known";
}

/* One event for each line. */
static void write_result_events(struct report *report, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		CLEANUP(mem_free_string) char *line = mem_strndup(text, len);

		write_event(report, report->out, "info", line);
		text += len + (text[len] == '\n');
	}
}

int report_text(struct report *report, const char *text, size_t len, struct err *err)
{
	if (!report->is_json || !report->results_are_events)
		return report_result(report, text, len, err);
	write_result_events(report, text);
	return 0;
}

int report_result(struct report *report, const char *text, size_t len, struct err *err)
{
	report_clear(report);
	if (write_all(report->out, text, len) < 0)
		return err_set(err, ERR_FILE, "cannot write to stdout: %s", strerror(errno));
	return 0;
}

int report_document(struct report *report, json_t *document, struct err *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	js_write_pretty(document, &text);
	json_decref(document);
	return report_result(report, buf_cstr(&text), text.len, err);
}

json_t *report_string_json(const char *s)
{
	CLEANUP(mem_free_string) char *ascii = NULL;
	json_t *string = json_string(s);

	if (string)
		return string;
	ascii = mem_strdup(s);
	for (char *c = ascii; *c; c++)
		if (*c & 0x80)
			*c = '?';
	return json_string(ascii);
}

json_t *report_error_json(const struct err *err)
{
	CLEANUP(mem_free_string) char *hint = NULL;

	hint_of(err, &hint);
	return json_pack("{s:s, s:o, s:o, s:i}", "code", err_row(err->code)->name, "message",
			 report_string_json(err->message ? err->message : ""), "hint",
			 *hint ? report_string_json(hint) : json_null(), "exit",
			 err_exit_status(err));
}
