#include "airlock/deploy/record.h"

#include <stdlib.h>
#include <string.h>

#include "airlock/base/buf.h"
#include "airlock/base/md5.h"
#include "airlock/base/proc.h"
#include "airlock/dbt/secret.h"
#include "airlock/format/json.h"

json_t *record_who(const struct record_who *who)
{
	size_t len = strlen(who->commit);
	bool dirty = len > 6 && strcmp(who->commit + len - 6, "-dirty") == 0;
	char *commit CLEANUP(mem_free_string) = mem_strndup(who->commit, dirty ? len - 6 : len);

	return json_pack("{s:s?, s:s, s:s, s:s, s:s?, s:s, s:s, s:s, s:s?, s:b}", "project",
			 who->project, "strategy", who->strategy, "name", who->name, "from",
			 who->from, "to", who->to, "user", who->user, "host", who->host,
			 "started_at", who->started_at, "commit", *commit ? commit : NULL, "dirty",
			 (int)dirty);
}

static json_t *value_json(const struct config *config, enum option_id id)
{
	const struct strv *list = config_list(config, id);

	if (config_text(config, id))
		return json_string(config_text(config, id));
	json_t *words = json_array();

	for (size_t i = 0; i < list->n; i++)
		json_array_append_new(words, json_string(list->v[i]));
	return words;
}

static bool is_recorded(enum option_id id)
{
	const struct option_row *row = option_row(id);

	return row->type != OPTION_ENVIRONMENT && !row->project_only &&
	       (!row->command_line_only || id == OPTION_FORCE);
}

json_t *record_options(const struct config *config)
{
	json_t *options = json_object();

	for (enum option_id id = 0; id < OPTION_COUNT; id++)
		if (config_is_set(config, id) && is_recorded(id))
			json_object_set_new(options, option_row(id)->key, value_json(config, id));
	return options;
}

/* The deployment's id is in it: equal values of two deployments are not told by their hashes. */
static void hash_pair(const char *id, const char *pair, char ret_hash[MD5_HEX_SIZE])
{
	char *text CLEANUP(mem_free_string) = mem_printf("%s %s", id, pair);

	md5_hex(text, strlen(text), ret_hash);
}

static const struct {
	const char *name;
	enum option_id side;
} sides[] = { { "from", OPTION_FROM }, { "to", OPTION_TO } };

json_t *record_environment(const struct config *config, const char *id)
{
	json_t *record = json_object();

	for (size_t k = 0; k < ARRAY_LEN(sides); k++) {
		struct strv pairs CLEANUP(strv_release) = STRV_INIT;
		json_t *hashes = json_object();

		config_side_environment(config, sides[k].side, &pairs);
		for (size_t i = 0; i < pairs.n; i++) {
			size_t len = strcspn(pairs.v[i], "=");
			char *name CLEANUP(mem_free_string) = mem_strndup(pairs.v[i], len);
			char hash[MD5_HEX_SIZE];

			hash_pair(id, pairs.v[i], hash);
			json_object_set_new(hashes, name, json_string(hash));
		}
		json_object_set_new(record, sides[k].name, hashes);
	}
	return record;
}

int record_check_environment(const json_t *record, const struct config *config, const char *id,
			     struct err *err)
{
	json_t *now CLEANUP(js_free) = record_environment(config, id);

	for (size_t k = 0; k < ARRAY_LEN(sides); k++) {
		const json_t *then = js_get_object(record, sides[k].name);
		const json_t *given = js_get_object(now, sides[k].name);
		const char *name;
		json_t *hash;

		json_object_foreach((json_t *)(uintptr_t)then, name, hash)
		{
			if (json_equal(hash, json_object_get(given, name)))
				continue;
			err_set(err, ERR_NOT_RESUMABLE,
				"deployment '%s' began with the variable '%s' on the side '%s', "
				"and %s",
				id, name, sides[k].name,
				json_object_get(given, name)
					? "it has another value here"
					: "it is not given here: values are not recorded");
			return err_hint(err, "give it as it was then: --%s-env %s=VALUE",
					sides[k].name, name);
		}
		if (json_object_size(then) != json_object_size(given)) {
			err_set(err, ERR_NOT_RESUMABLE,
				"deployment '%s' began without some of the variables that the side "
				"'%s' has here",
				id, sides[k].name);
			return err_hint(err, "leave out what was not given then");
		}
	}
	return 0;
}

/* The value of an option as it may be kept. */
static char *kept_value(const char *option, const char *value, const struct strv *environment,
			bool *ret_hides)
{
	char *shown = NULL;

	if (strcmp(option, "--vars") != 0)
		return mem_strdup(value);
	*ret_hides = secret_show_vars(value, environment, &shown);
	return shown;
}

void record_dbt_options(const struct cmdline *cmdline, const struct strv *environment,
			const char *id, json_t *record)
{
	const struct strv *const lists[] = { &cmdline->every, &cmdline->build };
	json_t *words = json_array();
	bool hides = false;
	char hash[MD5_HEX_SIZE];

	for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
		const char *option = "";

		for (size_t i = 0; i < lists[k]->n; option = lists[k]->v[i++]) {
			const char *word = lists[k]->v[i];
			char *kept CLEANUP(mem_free_string) = NULL;

			if (strcmp(word, "--project-dir") == 0 ||
			    strcmp(word, "--profiles-dir") == 0) {
				i++;
				continue;
			}
			kept = kept_value(option, word, environment, &hides);
			json_array_append_new(words, json_string(kept));
		}
	}
	json_object_set_new(record, "dbt", words);
	if (!hides)
		return;
	hash_pair(id, cmdline->vars, hash);
	json_object_set_new(record, "hidden_vars", json_string(hash));
}

int record_check_vars(const json_t *record, const char *vars, struct err *err)
{
	const char *id = js_get_string(record, "id");
	const char *then = js_get_string(record, "hidden_vars");
	char now[MD5_HEX_SIZE] = "";

	if (!then)
		return 0;
	if (vars)
		hash_pair(id, vars, now);
	if (strcmp(then, now) == 0)
		return 0;
	err_set(err, ERR_NOT_RESUMABLE,
		"deployment '%s' began with --vars that are not recorded, for what looks like a "
		"secret in them; %s",
		id, vars ? "they are others here" : "they are not given here");
	return err_hint(err, "give them as they were then: -- --vars '...'");
}

static int read_option(const struct option_row *row, const char *text, struct config *config,
		       struct err *err)
{
	bool is_alone = row->type == OPTION_BOOL || row->type == OPTION_FLAG;

	return config_set_argument(config, row, is_alone && strcmp(text, "false") == 0,
				   is_alone ? NULL : text, err);
}

int record_read_options(const json_t *options, struct config *config, struct err *err)
{
	for (enum option_id id = 0; id < OPTION_COUNT; id++) {
		const struct option_row *row = option_row(id);
		const json_t *value = json_object_get(options, row->key);
		const char *text = json_string_value(value);

		if (!is_recorded(id))
			continue;
		if (text && read_option(row, text, config, err) < 0)
			return -1;
		for (size_t i = 0; i < json_array_size(value); i++) {
			text = json_string_value(json_array_get(value, i));
			if (text && read_option(row, text, config, err) < 0)
				return -1;
		}
	}
	return 0;
}

void record_end(json_t *record, const char *outcome, const struct audit *audit,
		const struct err *err)
{
	json_object_set_new(record, "outcome", json_string(outcome));
	if (err && err_is_set(err)) {
		json_object_set_new(record, "exit", json_integer(err_exit_status(err)));
		json_object_set_new(record, "code", json_string(err_row(err->code)->name));
		json_object_set_new(record, "message", json_string(err->message));
	} else {
		json_object_set_new(record, "exit", json_integer(0));
	}
	if (!audit)
		return;
	json_object_set_new(record, "nodes",
			    json_pack("{s:I, s:I, s:I}", "built", (json_int_t)audit->nodes_built,
				      "failed", (json_int_t)audit->nodes_failed, "skipped",
				      (json_int_t)audit->nodes_skipped));
	json_object_set_new(record, "tests",
			    json_pack("{s:I, s:I, s:I, s:I, s:I}", "passed",
				      (json_int_t)audit->tests_passed, "warned",
				      (json_int_t)audit->tests_warned, "failed",
				      (json_int_t)audit->tests_failed, "skipped",
				      (json_int_t)audit->tests_skipped, "scope",
				      (json_int_t)audit->scope_tests));
}

static size_t figure(const json_t *record, const char *object, const char *key)
{
	json_int_t n = js_get_integer(js_get_object(record, object), key, 0);

	return n > 0 ? (size_t)n : 0;
}

void record_read_audit(const json_t *record, struct audit *audit)
{
	audit->nodes_built = figure(record, "nodes", "built");
	audit->nodes_failed = figure(record, "nodes", "failed");
	audit->nodes_skipped = figure(record, "nodes", "skipped");
	audit->tests_passed = figure(record, "tests", "passed");
	audit->tests_warned = figure(record, "tests", "warned");
	audit->tests_failed = figure(record, "tests", "failed");
	audit->tests_skipped = figure(record, "tests", "skipped");
	audit->scope_tests = figure(record, "tests", "scope");
}

static void add_output(void *context, const char *data, size_t len)
{
	buf_add(context, data, len);
}

/* One line of what git says of a directory; "" when it says nothing good. free() it. */
static char *ask_git(const char *directory, const struct strv *environment,
		     const char *const *words)
{
	struct buf out = BUF_INIT;
	struct proc_result result;
	struct err ignored CLEANUP(err_release) = ERR_INIT;
	struct strv argv CLEANUP(strv_release) = STRV_INIT;

	strv_push(&argv, "/usr/bin/env");
	strv_push(&argv, "git");
	strv_push(&argv, "-C");
	strv_push(&argv, directory);
	for (; *words; words++)
		strv_push(&argv, *words);

	const struct proc_spec spec = {
		.argv = strv_argv(&argv),
		.envp = strv_argv(environment),
		.timeout_ms = 5000,
		.grace_ms = 500,
		.on_stdout = add_output,
		.context = &out,
	};
	bool good = proc_run(&spec, &result, &ignored) == 0 && result.end == PROC_EXITED &&
		    result.exit_status == 0 && !out.overflowed;

	while (good && out.len > 0 && out.data[out.len - 1] == '\n')
		out.data[--out.len] = '\0';
	if (!good || out.len == 0) {
		buf_release(&out);
		return mem_strdup("");
	}
	return buf_take(&out);
}

char *record_commit(const char *directory, const struct strv *environment)
{
	/* No name of a tag: the hash alone, "-dirty" behind it. */
	static const char *const words[] = { "describe",    "--always",    "--dirty",
					     "--abbrev=40", "--exclude=*", NULL };
	char *commit = ask_git(directory, environment, words);

	if (strlen(commit) > 64)
		*commit = '\0';
	return commit;
}

char *record_branch(const char *directory, const struct strv *environment)
{
	static const char *const words[] = { "symbolic-ref", "--short", "HEAD", NULL };

	return ask_git(directory, environment, words);
}
