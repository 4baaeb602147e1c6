#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "airlock/base/env.h"
#include "airlock/base/fs.h"
#include "airlock/cli/guard.h"
#include "airlock/format/json.h"

#define RECORDED AIRLOCK_SOURCE_DIR "/test/unit/data/guard.jsonl"

enum {
	RECORDED_LIMIT = 1 << 20,
};

static char root[] = "/tmp/airlock-guard-XXXXXX";

static void enter(const char *directory)
{
	CLEANUP(mem_free_string) char *path = fs_join(root, directory);

	assert_int_equal(chdir(path), 0);
}

static void write_file(const char *name, const char *text)
{
	CLEANUP(err_release) struct err err = ERR_INIT;
	CLEANUP(mem_free_string) char *path = fs_join(root, name);
	CLEANUP(mem_free_string) char *parent = fs_parent(path);

	if (fs_make_directories(parent, &err) < 0 ||
	    fs_write_atomic(path, text, strlen(text), 0600, &err) < 0)
		fail_msg("%s", err.message);
}

static int make_root(void **state)
{
	(void)state;
	return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
	CLEANUP(mem_free_string) char *command = mem_printf("rm -rf '%s'", root);

	(void)state;
	return chdir("/") == 0 && system(command) == 0 ? 0 : -1; /* NOLINT(cert-env33-c) */
}

/* 0 or -1 as the guard says; `text` is its message and hint, or its notice. */
static int check(const struct strv *words, const struct strv *environment, char **ret_text)
{
	CLEANUP(err_release) struct err err = ERR_INIT;
	CLEANUP(guard_release) struct guard guard = { .notice = NULL };
	int rc = guard_check("airlock", strv_argv(words), environment, &guard, &err);

	free(*ret_text);
	*ret_text = rc < 0 ? mem_printf("%s\n%s", err.message, err.hint ? err.hint : "")
			   : mem_strdup(guard.notice ? guard.notice : "");
	if (rc < 0)
		assert_int_equal(err_exit_status(&err), 125);
	return rc;
}

static void environment_of(const json_t *object, struct strv *ret_environment)
{
	CLEANUP(mem_free_string) char *home = fs_join(root, "home");
	const char *name;
	json_t *value;

	*ret_environment = (struct strv)STRV_INIT;
	env_set(ret_environment, "HOME", home);
	json_object_foreach((json_t *)(uintptr_t)object, name, value)
		env_set(ret_environment, name, json_string_value(value));
}

/* What dbt's own parser and profile loader made of the same words. */
static bool would_write(const json_t *dbt)
{
	const char *verb = js_get_string(dbt, "verb");
	bool is_guarded = false;

	for (const char *const *guarded = guard_verbs(); verb && *guarded; guarded++)
		is_guarded |= strcmp(*guarded, verb) == 0;
	if (!is_guarded || !js_text_is(dbt, "target", "prod"))
		return false;
	return strcmp(verb, "run-operation") != 0 || js_text_is(dbt, "macro", "drop_old") ||
	       js_text_is(dbt, "macro", "shop.drop_old");
}

static bool replay(const json_t *recorded)
{
	const json_t *dbt = js_get_object(recorded, "dbt");
	CLEANUP(strv_release) struct strv words = STRV_INIT;
	CLEANUP(strv_release) struct strv environment = STRV_INIT;
	CLEANUP(mem_free_string) char *said = NULL;
	CLEANUP(mem_free_string) char *line = NULL;
	bool stops;

	for (size_t i = 0; i < json_array_size(js_get_array(recorded, "words")); i++)
		strv_push(&words,
			  json_string_value(json_array_get(js_get_array(recorded, "words"), i)));
	environment_of(js_get_object(recorded, "env"), &environment);
	enter(js_get_string(recorded, "cwd"));
	line = strv_join(&words, " ");
	stops = check(&words, &environment, &said) < 0;
	if (js_get_string(dbt, "error")) /* dbt does nothing either */
		return false;
	if (js_get_bool(recorded, "untold", false)) {
		if (!stops || !strstr(said, "--target NAME"))
			fail_msg("'dbt %s' in %s was not asked for a target: %s", line,
				 js_get_string(recorded, "cwd"), said);
	} else if (stops != would_write(dbt)) {
		fail_msg("'dbt %s' in %s %s: %s", line, js_get_string(recorded, "cwd"),
			 stops ? "was stopped" : "passed", said);
	}
	return true;
}

static void recorded_command_lines_are_decided_as_dbt_resolves_them(void **state)
{
	CLEANUP(err_release) struct err err = ERR_INIT;
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(strv_release) struct strv lines = STRV_INIT;
	size_t decided = 0;

	(void)state;
	if (fs_read(RECORDED, RECORDED_LIMIT, &text, &err) < 0)
		fail_msg("%s", err.message);
	strv_split(&lines, buf_cstr(&text), "\n");
	for (size_t i = 0; i < lines.n; i++) {
		CLEANUP(js_free)
		json_t *line = js_parse(lines.v[i], strlen(lines.v[i]), RECORDED, ERR_FILE, &err);
		const char *name;
		json_t *file;

		assert_non_null(line);
		json_object_foreach(js_get_object(line, "files"), name, file)
			write_file(name, json_string_value(file));
		decided += i && replay(line);
	}
	assert_true(decided > 300);
}

static void run_in(const char *directory, const char *line, const char *variables, int rc,
		   const char *part)
{
	CLEANUP(strv_release) struct strv words = STRV_INIT;
	CLEANUP(strv_release) struct strv environment = STRV_INIT;
	CLEANUP(mem_free_string) char *said = NULL;

	environment_of(NULL, &environment);
	strv_split(&environment, variables, "|");
	strv_split(&words, line, " ");
	enter(directory);
	if (check(&words, &environment, &said) != rc)
		fail_msg("'dbt %s' in %s: %s", line, directory, said);
	if (!strstr(said, part))
		fail_msg("'dbt %s' in %s: '%s' is not in: %s", line, directory, part, said);
}

static void passes(const char *directory, const char *line, const char *variables)
{
	run_in(directory, line, variables, 0, "");
}

static void stops(const char *directory, const char *line, const char *variables, const char *part)
{
	run_in(directory, line, variables, -1, part);
}

static void what_to_say_instead_is_said(void **state)
{
	(void)state;
	stops("shop", "run -s a b+ --exclude c -t prod", "",
	      "'airlock deploy wac --select a b+ --exclude c'");
	stops("shop", "run --select=a -sb -t prod", "", "--select a b'");
	stops("shop", "build --selector nightly -t prod", "",
	      "'airlock deploy wac --selector nightly'");
	stops("shop", "run -t prod", "", "(dbt_project.yml:5:");
	stops("shop", "retry", "", "'airlock deploy --retry ID'");
	stops("shop", "run-operation drop_old -t prod", "", "airlock help hooks");
	write_file("several/dbt_project.yml",
		   "name: shop\nprofile: shop\nvars:\n  airlock:\n    protect: [prod]\n"
		   "    from: dev\n    deployments:\n"
		   "      hourly: {strategy: wac, to: prod}\n"
		   "      weekly: {strategy: wac, to: dev}\n"
		   "      nightly: {strategy: wap, to: prod}\n");
	stops("several", "build -t prod", "", "'airlock deploy hourly|nightly'");
}

static void retry_goes_where_the_run_before_went(void **state)
{
	(void)state;
	write_file("shop/target/run_results.json", "{\"args\": {\"which\": \"run\"}}");
	passes("shop", "retry", "");
	write_file("shop/target/run_results.json", "{\"args\": {\"target\": \"prod\"}}");
	stops("shop", "retry", "", "'prod'");
	stops("shop", "retry -t dev", "", "'prod'");
	write_file("shop/target/run_results.json", "{\"args\": {\"profile\": \"other\"}}");
	stops("shop", "retry", "", "'prod'");
	write_file("shop/out/run_results.json", "{\"args\": {\"target\": \"dev\"}}");
	passes("shop", "retry --state out --profile shop", "");
	passes("shop", "retry --target-path out --profile shop", "");
	stops("shop", "retry --state nowhere", "", "run_results.json");
}

static void a_file_of_variables_counts_whatever_dbt_makes_of_it(void **state)
{
	(void)state;
	write_file("dot/dbt_project.yml", "name: shop\nprofile: shop\nvars:\n  airlock:\n"
					  "    protect: [prod]\n");
	write_file("dot/models/x", "");
	write_file("dot/.env", "# DBT_TARGET=prod\nOTHER=1\n");
	passes("dot", "run", "");
	write_file("dot/.env", "A=1\nexport DBT_TARGET=prod # really\r\n");
	stops("dot", "run", "", "'prod'");
	stops("dot/models", "run", "", "'prod'");
	passes("dot", "run", "DBT_TARGET=dev");
	passes("dot", "run -t dev", "");
	write_file("dot/.env", "DBT_ENGINE_TARGET = 'prod'\n");
	stops("dot", "run", "", "'prod'");
	write_file("dot/.env", "DBT_TARGET=\"$WHERE\"\n");
	stops("dot", "run", "", "--target NAME");
}

static void unknown_options_are_read_on_the_safe_side(void **state)
{
	(void)state;
	stops("shop", "--new run -t prod", "", "'prod'");
	stops("shop", "--new value run --target prod", "", "'prod'");
	stops("shop", "run --new value --target prod", "", "'prod'");
	stops("shop", "run-operation --new value drop_old -t prod", "", "'prod'");
	passes("shop", "--new value parse -t prod", "");
	passes("shop", "run --new value --target dev", "");
	stops("shop", "run --sql x --target prod", "", "'prod'");
}

static void a_broken_project_stops_only_what_it_may_guard(void **state)
{
	(void)state;
	write_file("torn/dbt_project.yml", "name: [\n# airlock\n");
	stops("torn", "run", "", "mend the file");
	passes("torn", "test", "");
	passes("torn", "run --help", "");
	write_file("other/dbt_project.yml", "name: [\n");
	passes("other", "run -t prod", "");
	write_file("typing/dbt_project.yml",
		   "name: shop\nvars:\n  airlock:\n    protcet: [prod]\n");
	stops("typing", "run", "", "did you mean 'protect'?");
	passes("typing", "compile", "");
	passes("/", "run -t prod", "");
}

static void only_the_project_decides(void **state)
{
	(void)state;
	stops("shop", "run -t prod", "AIRLOCK_ON_PROTECTED=warn", "'prod'");
	stops("shop", "run -t prod --vars {airlock:{}}", "", "'prod'");
	passes("shop", "run -t prod", "AIRLOCK_DEPTH=2");
	stops("shop", "run -t prod", "AIRLOCK_DEPTH=1", "'prod'");
	write_file("warned/dbt_project.yml",
		   "name: shop\nprofile: shop\nvars:\n  airlock:\n    protect: [prod]\n"
		   "    on_protected: warn\n");
	run_in("warned", "run -t prod", "", 0, "untested and with no way back");
	run_in("warned", "run -t dev", "", 0, "");
}

/* The words of the deployment, and where its results go behind the root. */
static void becomes(const char *line, const char *words, const char *artifacts)
{
	CLEANUP(err_release) struct err err = ERR_INIT;
	CLEANUP(guard_release) struct guard guard = { .notice = NULL };
	CLEANUP(strv_release) struct strv given = STRV_INIT;
	CLEANUP(strv_release) struct strv environment = STRV_INIT;
	CLEANUP(mem_free_string) char *joined = NULL;

	environment_of(NULL, &environment);
	strv_split(&given, line, " ");
	enter("turned");
	if (guard_check("dbt airlock", strv_argv(&given), &environment, &guard, &err) < 0)
		fail_msg("'dbt %s': %s", line, err.message);
	joined = strv_join(&guard.words, " ");
	assert_string_equal(joined, words);
	if (*words)
		assert_string_equal(guard.artifacts + strlen(root), artifacts);
}

static void a_build_becomes_the_deployment_of_its_selection(void **state)
{
	(void)state;
	write_file("turned/dbt_project.yml",
		   "name: shop\nprofile: shop\nvars:\n  airlock:\n    protect: [prod]\n"
		   "    on_protected: deploy\n    from: dev\n    deployments:\n"
		   "      nightly: {strategy: wac, to: prod}\n");
	becomes("build -t prod", "deploy nightly", "/turned/target");
	becomes("-t prod -x build -s a b+ --exclude c --threads 4 --quiet --target-path out "
		"--no-empty",
		"deploy nightly --select=a --select=b+ --exclude=c -- --fail-fast --threads 4",
		"/turned/out");
	becomes("build -t dev", "", NULL);
	stops("turned", "build -t prod --empty", "", "with '--empty'");
	stops("turned", "build -t prod --resource-type model", "", "with '--resource-type'");
	stops("turned", "build -t prod --indirect-selection cautious", "", "with '--indirect-");
	stops("turned", "build -t prod --new", "", "with '--new'");
	stops("turned", "run -t prod", "", "airlock deploy nightly");
}

static void a_reason_lets_one_command_pass_and_is_kept(void **state)
{
	CLEANUP(err_release) struct err err = ERR_INIT;
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	(void)state;
	stops("shop", "run -t prod", "AIRLOCK_BREAK_GLASS=", "says no reason");
	stops("shop", "run -t prod", "AIRLOCK_BREAK_GLASS=  ", "says no reason");
	passes("shop", "run -t dev", "AIRLOCK_BREAK_GLASS=");
	run_in("shop", "run --vars {key:secret} -t prod", "DBT_AIRLOCK_BREAK_GLASS=ticket \"7\"", 0,
	       "ticket \"7\"");
	passes("shop", "seed -t prod", "AIRLOCK_BREAK_GLASS=again");
	enter("shop");
	assert_int_equal(fs_read("target/airlock/unguarded.jsonl", RECORDED_LIMIT, &text, &err), 0);
	assert_non_null(strstr(buf_cstr(&text), "\"reason\":\"ticket \\\"7\\\"\"}\n"));
	assert_non_null(strstr(buf_cstr(&text), "\"verb\":\"seed\",\"target\":\"prod\""));
	assert_null(strstr(buf_cstr(&text), "secret"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_command_lines_are_decided_as_dbt_resolves_them),
		cmocka_unit_test(what_to_say_instead_is_said),
		cmocka_unit_test(retry_goes_where_the_run_before_went),
		cmocka_unit_test(a_file_of_variables_counts_whatever_dbt_makes_of_it),
		cmocka_unit_test(unknown_options_are_read_on_the_safe_side),
		cmocka_unit_test(a_broken_project_stops_only_what_it_may_guard),
		cmocka_unit_test(only_the_project_decides),
		cmocka_unit_test(a_build_becomes_the_deployment_of_its_selection),
		cmocka_unit_test(a_reason_lets_one_command_pass_and_is_kept),
	};

	return cmocka_run_group_tests(tests, make_root, remove_root);
}
