#include "airlock/deploy/executor.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "airlock/base/backoff.h"
#include "airlock/base/host.h"
#include "airlock/base/proc.h"
#include "airlock/format/json.h"

#ifdef AIRLOCK_FAULTS
/* No file can grow any more. */
static void fill_disk(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = 0;
	setrlimit(RLIMIT_FSIZE, &limit);
}
#endif

static int inject(const struct executor *executor, const struct step *step, const char *when,
		  struct err *err)
{
#ifdef AIRLOCK_FAULTS
	char *place CLEANUP(mem_free_string) = mem_printf("%s:%s:", step->id, when);

	if (!executor->fault || strncmp(executor->fault, place, strlen(place)) != 0)
		return 0;
	const char *kind = executor->fault + strlen(place);
	char *met CLEANUP(mem_free_string) = mem_printf("AIRLOCK_FAULT=%s", executor->fault);

	if (strcmp(kind, "crash") == 0)
		raise(SIGKILL);
	if (strcmp(kind, "error") == 0)
		return err_set(err, ERR_FAULT_INJECTED, "%s", met);
	executor->reporter->note(executor->reporter, met);
	if (strcmp(kind, "int") == 0)
		raise(SIGINT);
	else if (strcmp(kind, "term") == 0)
		raise(SIGTERM);
	else if (strcmp(kind, "full") == 0)
		fill_disk();
#else
	(void)executor;
	(void)step;
	(void)when;
	(void)err;
#endif
	return 0;
}

int executor_check_interrupted(const char *before, struct err *err)
{
	int number = proc_interrupted();

	if (!number)
		return 0;
	err_set(err, ERR_INTERRUPTED, "interrupted by %s before '%s'", host_signal_name(number),
		before);
	err->exit_status = 128 + number;
	return -1;
}

int executor_begin(struct executor *executor, const struct step *step, struct err *err)
{
	/* What is published is brought to its end. */
	if (strcmp(step->phase, "finish") != 0 && executor_check_interrupted(step->id, err) < 0)
		return -1;
	executor->step = step;
	executor->reporter->step(executor->reporter, step);
	if (inject(executor, step, "before", err) < 0)
		return -1;
	return journal_write(executor->journal, "begin", step->id, NULL, err);
}

int executor_end(struct executor *executor, const struct step *step, int result, struct err *err)
{
	executor->step = NULL;
	if (result < 0 && err->code == ERR_TIMED_OUT)
		err_wrap(err, "phase '%s'", step->phase);
	if (result < 0) {
		json_t *fields CLEANUP(js_free) = json_pack(
			"{s:s, s:s?}", "code", err_row(err->code)->name, "message", err->message);
		struct err ignored CLEANUP(err_release) = ERR_INIT;

		journal_write(executor->journal, "failed", step->id, fields, &ignored);
		return -1;
	}
	if (journal_write(executor->journal, "done", step->id, NULL, err) < 0)
		return -1;
	return inject(executor, step, "after", err);
}

static int bind(const struct executor *executor, const char *sql, struct buf *out, struct err *err)
{
	return sql_bind(out, sql, executor->bindings, executor->binding_count, err);
}

static int show_statement(struct executor *executor, const char *step, const char *sql,
			  struct err *err)
{
	json_t *fields CLEANUP(js_free) = json_pack("{s:s}", "sql", sql);

	executor->reporter->statement(executor->reporter, sql);
	return journal_write(executor->journal, "statement", step, fields, err);
}

static void add_operation(const struct step *step, const struct strv *bound, struct ops *ops)
{
	size_t first = ops->n;

	for (size_t i = 0; i < bound->n; i++) {
		ops_add(ops, bound->v[i]);
		ops->calls[first + i].is_of_session = i < step->of_session;
	}
	for (size_t i = 0; i < step->chains.n; i++) {
		const struct statement_chain *chain = &step->chains.items[i];

		for (size_t k = 0; k < chain->n; k++) {
			ops->calls[first + chain->first + k].group = chain->group;
			ops->calls[first + chain->first + k].chain = i;
		}
	}
}

int executor_add(struct executor *executor, const struct step *step, struct ops *ops,
		 struct err *err)
{
	struct strv bound CLEANUP(strv_release) = STRV_INIT;

	for (size_t i = 0; i < step->sql.n; i++) {
		struct buf sql CLEANUP(buf_release) = BUF_INIT;

		if (bind(executor, step->sql.v[i], &sql, err) < 0 ||
		    show_statement(executor, step->id, buf_cstr(&sql), err) < 0)
			return -1;
		strv_take(&bound, buf_take(&sql));
	}
	if (step->kind == STEP_TRANSACTION) {
		ops_add_transaction(ops, executor->dialect, &bound);
		return 0;
	}
	add_operation(step, &bound, ops);
	return 0;
}

int executor_show(struct executor *executor, const char *step, const struct strv *statements,
		  struct err *err)
{
	for (size_t i = 0; i < statements->n; i++) {
		struct buf sql CLEANUP(buf_release) = BUF_INIT;

		if (bind(executor, statements->v[i], &sql, err) < 0 ||
		    show_statement(executor, step, buf_cstr(&sql), err) < 0)
			return -1;
	}
	return 0;
}

int executor_add_statements(struct executor *executor, const struct strv *statements,
			    bool are_queries, struct ops *ops, struct err *err)
{
	for (size_t i = 0; i < statements->n; i++) {
		struct buf sql CLEANUP(buf_release) = BUF_INIT;

		if (bind(executor, statements->v[i], &sql, err) < 0)
			return -1;
		if (are_queries)
			ops_add_query(ops, buf_cstr(&sql));
		else
			ops_add(ops, buf_cstr(&sql));
	}
	return 0;
}

void executor_started(void *context, pid_t pid)
{
	struct executor *executor = context;
	struct err ignored CLEANUP(err_release) = ERR_INIT;
	json_t *fields CLEANUP(js_free) = json_pack("{s:I, s:I}", "pid", (json_int_t)pid, "start",
						    (json_int_t)host_process_start(pid));

	/* It already runs: a record that cannot be written now is met at the step's end. */
	journal_write(executor->journal, "process", NULL, fields, &ignored);
}

static void on_event(void *context, const struct event *event)
{
	struct executor *executor = context;

	executor->saw_node = executor->saw_node || event->kind == EVENT_NODE_START ||
			     event->kind == EVENT_NODE_RESULT;
	executor->reporter->event(executor->reporter, event);
}

static bool on_beat(void *context)
{
	struct executor *executor = context;

	return executor->beat(executor->beat_context, executor->beat_err) == 0;
}

static int run_dbt(struct executor *executor, const struct step *step,
		   const struct strv *environment, struct runner_result *ret_result,
		   struct err *err)
{
	const struct runner_command command = {
		.arguments = &step->command,
		.environment = environment,
		/* The limit of the other starts is not its own. */
		.timeout_ms = executor->build_timeout_ms ? executor->build_timeout_ms : INT64_MAX,
		.on_event = on_event,
		.on_start = executor_started,
		.beat_ms = executor->beat_ms,
		.on_beat = executor->beat ? on_beat : NULL,
		.context = executor,
	};
	struct err stopped CLEANUP(err_release) = ERR_INIT;
	int result;

	executor->beat_err = &stopped;
	result = runner_run(executor->connection->runner, &command, ret_result, err);
	executor->beat_err = NULL;
	if (result < 0 || !err_is_set(&stopped))
		return result;
	runner_result_release(ret_result);
	err_release(err);
	*err = stopped;
	stopped = (struct err)ERR_INIT;
	return -1;
}

int executor_opens_again(struct executor *executor, struct backoff *backoff,
			 struct runner_result *result, struct err *err)
{
	if (runner_succeeded(result) || !executor_is_unreachable(executor, result->first_error) ||
	    !backoff_wait(backoff))
		return 0;
	char *message CLEANUP(mem_free_string) = mem_strdup(result->first_error);

	runner_result_release(result);
	return executor_record_wait(executor, backoff, message, err) < 0 ? -1 : 1;
}

int executor_try_dbt(struct executor *executor, const struct step *step,
		     const struct strv *environment, struct backoff *backoff,
		     struct runner_result *ret_result, struct err *err)
{
	executor->saw_node = false;
	if (run_dbt(executor, step, environment, ret_result, err) < 0)
		return -1;
	return executor->saw_node ? 0 : executor_opens_again(executor, backoff, ret_result, err);
}

int executor_run_dbt(struct executor *executor, const struct step *step,
		     const struct strv *environment, struct runner_result *ret_result,
		     struct err *err)
{
	struct backoff backoff = { 0 };
	int again;

	executor_begin_waiting(executor, false, &backoff);
	do
		again = executor_try_dbt(executor, step, environment, &backoff, ret_result, err);
	while (again > 0);
	return again;
}
