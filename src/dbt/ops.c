#include "airlock/dbt/ops.h"

#include <stdlib.h>
#include <string.h>

#include "airlock/base/env.h"
#include "airlock/base/fs.h"
#include "airlock/base/host.h"
#include "airlock/base/md5.h"
#include "airlock/base/mem.h"
#include "airlock/dbt/answer.h"
#include "airlock/dbt/cmdline.h"

#define NONCE_SIZE 17 /* 16 digits and NUL */
#define SLOTS 64
#define JOB_LABEL "AIRLOCK_JOB_LABEL"

/* ops.sql */
extern const char ops_macro[];
extern const size_t ops_macro_len;

void ops_release(struct ops *ops)
{
	for (size_t i = 0; i < ops->n; i++)
		free(ops->calls[i].sql);
	free(ops->calls);
	*ops = (struct ops)OPS_INIT;
}

static size_t add_call(struct ops *ops, char *sql, bool wants_rows)
{
	void *calls = ops->calls;

	mem_grow(&calls, &ops->cap, ops->n + 1, sizeof(*ops->calls));
	ops->calls = calls;
	ops->calls[ops->n] = (struct ops_call) { .sql = sql, .wants_rows = wants_rows };
	return ops->n++;
}

void ops_add(struct ops *ops, const char *sql)
{
	add_call(ops, mem_strdup(sql), false);
}

size_t ops_add_query(struct ops *ops, const char *sql)
{
	return add_call(ops, mem_strdup(sql), true);
}

size_t ops_guard(const struct ops *ops, size_t call)
{
	while (call && call < ops->n && ops->calls[call].is_guarded)
		call--;
	return call;
}

void ops_guard_from(struct ops *ops, size_t first)
{
	for (size_t i = first; i < ops->n; i++)
		ops->calls[i].is_guarded = true;
}

/* A statement that ends in a line comment would swallow a semicolon put right behind it. */
static void add_terminated(struct buf *out, const char *sql)
{
	size_t len = strlen(sql);
	size_t line;

	while (len && strchr("; \t\r\n", sql[len - 1]))
		len--;
	for (line = len; line && sql[line - 1] != '\n'; line--)
		;
	buf_add(out, sql, len);
	buf_add_str(out, memmem(sql + line, len - line, "--", 2) ? "\n;\n" : ";\n");
}

static void add_as_calls(struct ops *ops, const char *const *settings,
			 const struct strv *statements)
{
	ops_add(ops, "begin");
	for (size_t i = 0; settings && settings[i]; i++)
		ops_add(ops, settings[i]);
	for (size_t i = 0; i < statements->n; i++)
		ops_add(ops, statements->v[i]);
	ops_add(ops, "commit");
}

static void add_as_string(struct ops *ops, const char *const *settings,
			  const struct strv *statements)
{
	struct buf sql CLEANUP(buf_release) = BUF_INIT;

	buf_add_str(&sql, "begin;\n");
	for (size_t i = 0; settings && settings[i]; i++)
		add_terminated(&sql, settings[i]);
	for (size_t i = 0; i < statements->n; i++)
		add_terminated(&sql, statements->v[i]);
	buf_add_str(&sql, "commit;");
	ops_add(ops, buf_cstr(&sql));
}

void ops_add_transaction(struct ops *ops, const struct dialect *dialect,
			 const struct strv *statements)
{
	size_t first = ops->n;

	if (!statements->n)
		return;
	switch (dialect->transaction) {
	case DIALECT_TRANSACTION_CALLS:
		add_as_calls(ops, dialect->transaction_settings, statements);
		break;
	case DIALECT_TRANSACTION_STRING:
		add_as_string(ops, dialect->transaction_settings, statements);
		break;
	case DIALECT_TRANSACTION_NONE:
		for (size_t i = 0; i < statements->n; i++)
			ops_add(ops, statements->v[i]);
		break;
	}
	for (size_t i = first; i < ops->n; i++)
		ops->calls[i].in_transaction = true;
}

void ops_jinja_literal(struct buf *out, const char *s)
{
	buf_add_char(out, '"');
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '\\' || c == '"')
			buf_printf(out, "\\%c", c);
		else if (c == '\n')
			buf_add_str(out, "\\n");
		else if (c == '\r')
			buf_add_str(out, "\\r");
		else if (c == '\t')
			buf_add_str(out, "\\t");
		else if (c < 0x20 || c == 0x7f)
			buf_printf(out, "\\u%04x", c);
		else
			buf_add_char(out, *s);
	}
	buf_add_char(out, '"');
}

static void write_values(const struct ops *ops, const char *nonce, bool spaced, struct buf *out)
{
	buf_printf(out, "{%%- set nonce = \"%s\" -%%}\n", nonce);
	buf_printf(out, "{%%- set gap = \"%s\" -%%}\n", spaced ? ANSWER_GAP : "");
	buf_add_str(out, "{%- set steps = [\n");
	for (size_t i = 0; i < ops->n; i++) {
		const struct ops_call *call = &ops->calls[i];
		char sum[MD5_HEX_SIZE];

		md5_hex(call->sql, strlen(call->sql), sum);
		buf_printf(out, "\t{\"md5\": \"%s\", \"rows\": %s, \"guarded\": %s, \"sql\": ", sum,
			   call->wants_rows ? "true" : "false",
			   call->is_guarded ? "true" : "false");
		ops_jinja_literal(out, call->sql);
		buf_add_str(out, "},\n");
	}
	buf_add_str(out, "] -%}");
}

static void write_macro(const struct ops *ops, const char *nonce, bool spaced, struct buf *out)
{
	static const char mark[] = "@VALUES@";
	const char *at = strstr(ops_macro, mark);

	buf_add(out, ops_macro, (size_t)(at - ops_macro));
	write_values(ops, nonce, spaced, out);
	buf_add_str(out, at + strlen(mark));
}

void ops_write_macro(const struct ops *ops, const char *nonce, struct buf *out)
{
	write_macro(ops, nonce, false, out);
}

void ops_reply_release(struct ops_reply *reply)
{
	for (size_t i = 0; i < reply->n; i++)
		json_decref(reply->rows[i]);
	free(reply->rows);
	*reply = (struct ops_reply) { 0 };
}

/* Operations that run side by side are renewed for together. */
struct beat {
	const struct ops_connection *connection;
	int64_t at; /* host_monotonic_ms() of the last one */
};

/* A generated project of our own while the lock is held. */
struct slot {
	char *directory;
	struct fs_lock lock;
};

/* One operation while dbt runs it. */
struct running {
	struct answer answer;
	char nonce[NONCE_SIZE];
	struct slot slot;
	struct strv arguments;
	struct strv environment;
	struct beat *beat;
	void (*on_start)(void *context, pid_t pid);
	void *context;
};

static void on_event(void *context, const struct event *event)
{
	struct running *running = context;

	answer_event(&running->answer, event);
}

static void on_start(void *context, pid_t pid)
{
	struct running *running = context;

	if (running->on_start)
		running->on_start(running->context, pid);
}

static bool on_beat(void *context)
{
	struct beat *beat = ((struct running *)context)->beat;
	const struct ops_connection *connection = beat->connection;

	if (host_monotonic_ms() - beat->at < connection->beat_ms)
		return true;
	connection->on_beat(connection->beat_context);
	beat->at = host_monotonic_ms();
	return true;
}

static bool holds_secrets(const struct strv *environment)
{
	static const char prefix[] = "DBT_ENV_SECRET";

	for (size_t i = 0; i < environment->n; i++) {
		if (!strncmp(environment->v[i], prefix, strlen(prefix)))
			return true;
	}
	return false;
}

/* dbt reads the macro file as UTF-8. */
static int check_texts(const struct ops *ops, struct err *err)
{
	for (size_t i = 0; i < ops->n; i++) {
		json_t *text = json_string(ops->calls[i].sql);

		if (!text)
			return err_set(err, ERR_WAREHOUSE, "statement %zu is not UTF-8", i + 1);
		json_decref(text);
	}
	return 0;
}

static void slot_release(struct slot *slot)
{
	fs_lock_release(&slot->lock);
	free(slot->directory);
}

/* The lowest free one, so that the usual single user finds its partial parse warm. */
static int slot_take(const char *directory, struct slot *slot, struct err *err)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		char *path CLEANUP(mem_free_string) = mem_printf("%s/%u", directory, i);
		char *lock CLEANUP(mem_free_string) = fs_join(path, "lock");
		int rc = fs_make_directories(path, err);

		if (!rc)
			rc = fs_touch(lock, err);
		if (!rc)
			rc = fs_lock_try(lock, &slot->lock, err);
		if (rc < 0)
			return -1;
		if (!rc) {
			slot->directory = mem_strdup(path);
			return 0;
		}
	}
	return err_set(err, ERR_LOCKED, "%d operations of airlock already run in '%s'", SLOTS,
		       directory);
}

static int write_file(const struct slot *slot, const char *name, const struct buf *content,
		      struct err *err)
{
	char *path CLEANUP(mem_free_string) = fs_join(slot->directory, name);

	return fs_write_atomic(path, buf_cstr(content), content->len, 0600, err);
}

/* What it says is in the environment, so that the project stays the same and dbt reads it anew only
 * when the macro changes. */
static void write_job_label(struct buf *project)
{
	buf_add_str(project, "query-comment:\n"
			     "  comment: \"{{ env_var('" JOB_LABEL "', '{}') }}\"\n"
			     "  job-label: true\n");
}

static int write_project(const struct slot *slot, const struct ops_connection *connection,
			 const struct buf *macro, struct err *err)
{
	const char *profile = connection->profile;
	char *macros CLEANUP(mem_free_string) = fs_join(slot->directory, "macros");
	struct buf project CLEANUP(buf_release) = BUF_INIT;

	buf_add_str(&project, "name: airlock_ops\nversion: \"1.0\"\nconfig-version: 2\n");
	if (profile) {
		/* A double-quoted YAML scalar has these escapes too. */
		buf_add_str(&project, "profile: ");
		ops_jinja_literal(&project, profile);
		buf_add_char(&project, '\n');
	}
	if (connection->job_label)
		write_job_label(&project);
	if (fs_make_directories(macros, err) < 0 ||
	    write_file(slot, "dbt_project.yml", &project, err) < 0)
		return -1;
	return write_file(slot, "macros/airlock_ops.sql", macro, err);
}

/* The target as a directory name: a target path of its own keeps its partial parse. */
static char *target_directory(const char *target)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-";
	char sum[MD5_HEX_SIZE];

	if (!target)
		return mem_strdup("target");
	if (*target && !target[strspn(target, plain)] && strlen(target) <= 100)
		return mem_printf("target/%s", target);
	md5_hex(target, strlen(target), sum);
	return mem_printf("target/%s", sum);
}

/* The user's options, save that the project is ours. */
static void push_options(struct strv *arguments, const struct strv *options)
{
	static const char name[] = "--project-dir";

	for (size_t i = 0; i < options->n; i++) {
		if (!strcmp(options->v[i], name))
			i++;
		else if (strncmp(options->v[i], "--project-dir=", strlen(name) + 1))
			strv_push(arguments, options->v[i]);
	}
}

static void write_command(const struct ops_connection *connection, const struct slot *slot,
			  struct strv *arguments)
{
	char *target CLEANUP(mem_free_string) =
		target_directory(connection->folder ? connection->folder : connection->target);

	strv_push(arguments, "run-operation");
	strv_push(arguments, "airlock_run");
	if (connection->options)
		push_options(arguments, connection->options);
	strv_push(arguments, "--project-dir");
	strv_push(arguments, slot->directory);
	strv_push(arguments, "--target-path");
	strv_pushf(arguments, "%s/%s", slot->directory, target);
	strv_push(arguments, "--log-path");
	strv_pushf(arguments, "%s/logs", slot->directory);
	/* Nobody reads them, and they are a tenth of the work. */
	strv_push(arguments, "--no-write-json");
	if (connection->target) {
		strv_push(arguments, "--target");
		strv_push(arguments, connection->target);
	}
	runner_push_log_options(arguments);
}

/* No statistics of generated projects, no uploads of their artifacts, and no warning about them
 * that the user's settings would turn into an error. */
static void write_environment(const struct ops_connection *connection, struct strv *environment)
{
	static const char *const unwanted[] = {
		"DBT_ENGINE_SEND_ANONYMOUS_USAGE_STATS",
		"DBT_ENGINE_UPLOAD_TO_ARTIFACTS_INGEST_API",
		"DBT_ENGINE_WARN_ERROR",
		"DBT_ENGINE_WARN_ERROR_OPTIONS",
		"DBT_UPLOAD_TO_ARTIFACTS_INGEST_API",
		"DBT_WARN_ERROR",
		"DBT_WARN_ERROR_OPTIONS",
	};

	env_copy(environment, strv_argv(connection->environment));
	cmdline_clean_environment(environment);
	for (size_t i = 0; i < ARRAY_LEN(unwanted); i++)
		env_unset(environment, unwanted[i]);
	env_set(environment, "DBT_SEND_ANONYMOUS_USAGE_STATS", "false");
	if (connection->job_label)
		env_set(environment, JOB_LABEL, connection->job_label);
}

static int no_answer(const char *what, const char *problem, struct err *err)
{
	err_set(err, ERR_NO_ANSWER, "%s: %s", what, problem);
	return err_hint(err, "look for what changes dbt's output: a plugin, a wrapper around dbt, "
			     "a DBT_ variable");
}

static int warehouse_error(const struct answer *answer, struct err *err)
{
	char *message CLEANUP(mem_free_string) = answer_database_message(answer);
	size_t call = answer->reply->calls_done + 1;

	if (answer->ops->n == 1 || call > answer->ops->n)
		return err_set(err, ERR_WAREHOUSE, "%s", message);
	return err_set(err, ERR_WAREHOUSE, "statement %zu of %zu: %s", call, answer->ops->n,
		       message);
}

/* How dbt ended comes first; that it ended well proves nothing without the whole answer. */
static int judge(const struct answer *answer, const struct runner_result *result, struct err *err)
{
	char *mismatch CLEANUP(mem_free_string) = mem_printf("airlock %s mismatch", answer->nonce);

	if (!runner_succeeded(result)) {
		if (result->process.timed_out || result->process.interrupted_by || !answer->caught)
			return runner_error(result, "'dbt run-operation'", err);
		if (strstr(answer->caught, mismatch))
			return err_set(err, ERR_INTERNAL,
				       "a statement reached dbt changed; nothing was run");
		return warehouse_error(answer, err);
	}
	if (answer->problem)
		return no_answer("dbt's answer is not to be trusted", answer->problem, err);
	if (!answer->reply->finished)
		return no_answer("dbt's answer is incomplete",
				 "dbt ended well, but the operation did not say so", err);
	return 0;
}

static int write_running(const struct ops_connection *connection, struct running *running,
			 struct err *err)
{
	const struct answer *answer = &running->answer;
	struct buf macro CLEANUP(buf_release) = BUF_INIT;

	if (check_texts(answer->ops, err) < 0 ||
	    slot_take(connection->directory, &running->slot, err) < 0)
		return -1;
	write_macro(answer->ops, answer->nonce, answer->spaced, &macro);
	if (write_project(&running->slot, connection, &macro, err) < 0)
		return -1;
	write_command(connection, &running->slot, &running->arguments);
	write_environment(connection, &running->environment);
	return 0;
}

static void running_release(struct running *running)
{
	answer_release(&running->answer);
	slot_release(&running->slot);
	strv_release(&running->arguments);
	strv_release(&running->environment);
}

/* A dbt may open a connection for each. */
static char *with_front(const struct ops_connection *connection, bool has_prologue,
			const struct ops_call *call)
{
	const char *setting = call->wants_rows ? connection->query_setting : NULL;

	return mem_printf("%s%s%s%s%s", has_prologue ? connection->prologue : "",
			  has_prologue ? ";\n" : "", setting ? setting : "", setting ? ";\n" : "",
			  call->sql);
}

static void add_with_fronts(const struct ops_connection *connection, const struct ops *ops,
			    struct ops *all)
{
	bool has_prologue = connection->prologue && fs_exists(connection->prologue_file);

	for (size_t i = 0; i < ops->n; i++) {
		const struct ops_call *call = &ops->calls[i];
		size_t n =
			add_call(all, with_front(connection, has_prologue, call), call->wants_rows);

		all->calls[n].in_transaction = call->in_transaction;
		all->calls[n].is_guarded = call->is_guarded;
	}
}

/* All are begun, or none is. */
static int run_written(const struct ops_connection *connection, struct running *runnings, size_t n,
		       bool hold_signals, struct err *ret_errs)
{
	struct runner_command *commands = mem_alloc(n * sizeof(*commands));
	struct runner_result *results = mem_alloc(n * sizeof(*results));
	int rc = 0;

	for (size_t i = 0; i < n; i++)
		commands[i] = (struct runner_command) {
			.arguments = &runnings[i].arguments,
			.environment = &runnings[i].environment,
			.hold_signals = hold_signals,
			.timeout_ms = connection->timeout_ms,
			.on_event = on_event,
			.on_start = on_start,
			.beat_ms = connection->beat_ms,
			.on_beat = connection->on_beat ? on_beat : NULL,
			.context = &runnings[i],
		};
	if (runner_run_all(connection->runner, commands, n, results, &ret_errs[0]) < 0) {
		rc = -1;
	} else {
		for (size_t i = 0; i < n; i++) {
			if (judge(&runnings[i].answer, &results[i], &ret_errs[i]) < 0)
				rc = -1;
			runner_result_release(&results[i]);
		}
	}
	free(commands);
	free(results);
	return rc;
}

static void running_init(struct running *running, const struct ops *ops, bool spaced,
			 struct ops_reply *ret_reply)
{
	*ret_reply = (struct ops_reply) {
		.rows = mem_alloc((ops->n + 1) * sizeof(json_t *)),
		.n = ops->n,
	};
	host_random_hex(running->nonce, (NONCE_SIZE - 1) / 2);
	answer_init(&running->answer, ops, running->nonce, spaced, ret_reply);
	running->slot.lock = (struct fs_lock)FS_LOCK_FREE;
}

int ops_run_all(const struct ops_connection *connection, const struct ops *lists, size_t n,
		bool hold_signals, void (*started)(void *context, pid_t pid), void *context,
		struct ops_reply *ret_replies, struct err *ret_errs)
{
	bool spaced = holds_secrets(connection->environment);
	struct running *runnings = mem_alloc(n * sizeof(*runnings));
	struct ops *all = mem_alloc(n * sizeof(*all));
	struct beat beat = { .connection = connection, .at = host_monotonic_ms() };
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		runnings[i].beat = &beat;
		runnings[i].on_start = started;
		runnings[i].context = context;
		add_with_fronts(connection, &lists[i], &all[i]);
		running_init(&runnings[i], &all[i], spaced, &ret_replies[i]);
		if (rc == 0)
			rc = write_running(connection, &runnings[i], &ret_errs[i]);
	}
	if (rc == 0)
		rc = run_written(connection, runnings, n, hold_signals, ret_errs);
	for (size_t i = 0; i < n; i++) {
		running_release(&runnings[i]);
		ops_release(&all[i]);
	}
	free(runnings);
	free(all);
	return rc;
}

int ops_run(const struct ops_connection *connection, const struct ops *ops, bool hold_signals,
	    void (*started)(void *context, pid_t pid), void *context, struct ops_reply *ret_reply,
	    struct err *err)
{
	*ret_reply = (struct ops_reply) { .finished = ops->n == 0 };
	return ops->n == 0 ? 0
			   : ops_run_all(connection, ops, 1, hold_signals, started, context,
					 ret_reply, err);
}
