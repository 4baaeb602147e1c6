#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "airlock/base/env.h"
#include "airlock/base/fs.h"
#include "airlock/base/host.h"
#include "proc_support.h"
#include "server_support.h"

/* The same in both ways. */

static void everything_a_command_can_see_of_its_start_is_the_same(void **state)
{
	struct runner *plain CLEANUP(runner_release) = runner_plain(world.dbt);
	struct runner *server CLEANUP(runner_release) = serve();
	struct said one CLEANUP(said_release) = { 0 };
	struct said other CLEANUP(said_release) = { 0 };
	struct said second CLEANUP(said_release) = { 0 };

	(void)state;
	assert_int_equal(tell(plain, "report", "a b\n\xc3\xa9\xff", &one), 0);
	assert_int_equal(tell(server, "report", "a b\n\xc3\xa9\xff", &other), 0);
	assert_true(strncmp(buf_cstr(&one.text), "report {", 8) == 0);
	assert_string_equal(buf_cstr(&one.text), buf_cstr(&other.text));
	assert_int_equal(tell(server, "report", "a b\n\xc3\xa9\xff", &second), 0);
	assert_string_equal(buf_cstr(&one.text), buf_cstr(&second.text));
	assert_true(is_served(server));
}

static void the_same_end(struct runner *plain, struct runner *server, const char *verb,
			 const char *argument)
{
	struct said one CLEANUP(said_release) = { 0 };
	struct said other CLEANUP(said_release) = { 0 };

	assert_int_equal(tell(plain, verb, argument, &one), 0);
	assert_int_equal(tell(server, verb, argument, &other), 0);
	assert_int_equal(one.result.process.end, other.result.process.end);
	assert_int_equal(one.result.process.exit_status, other.result.process.exit_status);
	assert_int_equal(one.result.process.signal, other.result.process.signal);
	assert_int_equal(!one.result.first_error, !other.result.first_error);
	assert_true(other.pid > 1);
}

static void exit_statuses_and_deaths_are_the_same(void **state)
{
	static const struct {
		const char *verb;
		const char *argument;
	} ends[] = {
		{ "exit", "0" },    { "exit", "1" },   { "exit", "2" },
		{ "exit", "255" },  { "exit", "256" }, { "say", "sorry" },
		{ "raise", "why" }, { "die", "15" },   { "die", "9" },
		{ "die", "11" },    { "die", "2" },    { "exit without a word", "7" },
	};
	struct runner *plain CLEANUP(runner_release) = runner_plain(world.dbt);
	struct runner *server CLEANUP(runner_release) = serve();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		the_same_end(plain, server, ends[i].verb, ends[i].argument);
	assert_true(is_served(server));
}

static void what_is_left_to_the_end_is_done(void **state)
{
	struct runner *runners[] = { runner_plain(world.dbt), serve() };
	char *file CLEANUP(mem_free_string) = fs_join(world.directory, "kept");
	struct err err CLEANUP(err_release) = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct said said CLEANUP(said_release) = { 0 };
		struct buf kept CLEANUP(buf_release) = BUF_INIT;

		assert_int_equal(tell(runners[i], "leave things to the end", file, &said), 0);
		assert_int_equal(said.result.process.exit_status, 4);
		assert_string_equal(buf_cstr(&said.text), "unflushed\nthread\nat the end\n");
		assert_int_equal(fs_read(file, 100, &kept, &err), 0);
		assert_string_equal(buf_cstr(&kept), "written");
		assert_int_equal(fs_remove(file, &err), 0);
		runner_free(runners[i]);
	}
}

static void a_held_command_has_the_same_signals_blocked(void **state)
{
	struct runner *runners[] = { runner_plain(world.dbt), serve() };
	struct strv arguments CLEANUP(strv_release) = STRV_INIT;
	struct said said[2] = { 0 };
	struct err err CLEANUP(err_release) = ERR_INIT;

	(void)state;
	strv_push(&arguments, "report");
	for (size_t i = 0; i < 2; i++) {
		struct runner_command command = command_of(&arguments, &said[i]);

		command.hold_signals = true;
		assert_int_equal(runner_run(runners[i], &command, &said[i].result, &err), 0);
	}
	assert_non_null(strstr(buf_cstr(&said[0].text), "\"0000000000004003\""));
	assert_string_equal(buf_cstr(&said[0].text), buf_cstr(&said[1].text));
	for (size_t i = 0; i < 2; i++) {
		said_release(&said[i]);
		runner_free(runners[i]);
	}
}

static void what_the_import_prints_is_printed_by_each_command(void **state)
{
	struct said one CLEANUP(said_release) = { 0 };
	struct said other CLEANUP(said_release) = { 0 };

	(void)state;
	env_set(&world.environment, "FAKE_IMPORT", "prints");
	struct runner *plain CLEANUP(runner_release) = runner_plain(world.dbt);
	struct runner *server CLEANUP(runner_release) = serve();

	assert_int_equal(tell(plain, "exit", "1", &one), 0);
	for (int i = 0; i < 2; i++) {
		said_release(&other);
		assert_int_equal(tell(server, "exit", "1", &other), 0);
		assert_string_equal(buf_cstr(&one.text), "imported\n");
		assert_string_equal(buf_cstr(&other.text), "imported\n");
		assert_non_null(strstr(one.result.first_error, "imported by C"));
		assert_string_equal(one.result.first_error, other.result.first_error);
	}
}

static void the_environment_is_only_the_command_s(void **state)
{
	struct runner *server CLEANUP(runner_release) = NULL;
	struct said said CLEANUP(said_release) = { 0 };

	(void)state;
	env_set(&world.environment, "AT_THE_START", "x");
	server = serve();
	env_unset(&world.environment, "AT_THE_START");
	env_set(&world.environment, "LATER", "x");
	strv_push(&world.environment, "LATER=the first of a name counts");
	strv_push(&world.environment, "no equals sign");
	assert_int_equal(tell(server, "report", NULL, &said), 0);
	assert_null(strstr(buf_cstr(&said.text), "AT_THE_START"));
	assert_non_null(strstr(buf_cstr(&said.text), "\"LATER\": \"x\""));
	assert_null(strstr(buf_cstr(&said.text), "no equals sign"));
	assert_true(is_served(server));
}

static void an_environment_of_any_size_arrives(void **state)
{
	struct runner *server CLEANUP(runner_release) = serve();
	struct said said CLEANUP(said_release) = { 0 };
	size_t len = 120000;
	char *value CLEANUP(mem_free_string) = mem_alloc(len + 1);

	(void)state;
	memset(value, 'x', len);
	for (int i = 0; i < 8; i++)
		strv_pushf(&world.environment, "LONG_%d=%s", i, value);
	assert_int_equal(tell(server, "length", "LONG_7", &said), 0);
	assert_string_equal(buf_cstr(&said.text), "120000\n");
	assert_true(is_served(server));
}

static void modules_in_the_working_directory_are_not_imported(void **state)
{
	char *module CLEANUP(mem_free_string) = fs_join(world.directory, "work");
	char *before CLEANUP(mem_free_string) = fs_cwd(NULL);
	struct err err CLEANUP(err_release) = ERR_INIT;

	(void)state;
	assert_int_equal(fs_make_directories(module, &err), 0);
	assert_int_equal(chdir(module), 0);
	assert_int_equal(fs_write_atomic("socket.py", "1/0\n", 4, 0644, &err), 0);
	assert_int_equal(fs_write_atomic("dbt.py", "1/0\n", 4, 0644, &err), 0);
	struct runner *server CLEANUP(runner_release) = serve();

	assert_true(is_served(server));
	assert_int_equal(chdir(before), 0);
}

static void several_commands_run_side_by_side(void **state)
{
	struct runner *server CLEANUP(runner_release) = serve();
	struct strv arguments[3] = { STRV_INIT, STRV_INIT, STRV_INIT };
	struct runner_command commands[3];
	struct runner_result results[3];
	struct said said[3] = { 0 };
	struct err err CLEANUP(err_release) = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		strv_push(&arguments[i], "exit");
		strv_pushf(&arguments[i], "%zu", i);
		commands[i] = command_of(&arguments[i], &said[i]);
	}
	assert_int_equal(runner_run_all(server, commands, 3, results, &err), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(results[i].process.exit_status, i);
		runner_result_release(&results[i]);
		said_release(&said[i]);
		strv_release(&arguments[i]);
	}
	assert_true(is_served(server));
}

/* When it is not certain. */

static void falls_back(const char *how)
{
	struct runner *server CLEANUP(runner_release) = serve();

	print_message("# %s\n", how);
	assert_true(is_plain(server));
	assert_true(is_plain(server));
}

static void a_script_of_another_kind_is_executed(void **state)
{
	char *python CLEANUP(mem_free_string) = mem_printf("#!%s", world.python);
	char *shell CLEANUP(mem_free_string) =
		mem_printf("#!/bin/sh\nPYTHONPATH='%s' exec '%s' -c 'from dbt.cli.main import cli; "
			   "cli()' \"$@\"",
			   FAKE_PACKAGE, world.python);

	(void)state;
	world_write_dbt(shell, "from dbt.cli.main import cli\n");
	falls_back("a wrapper for a shell");
	world_write_dbt(python, "import os\nos.nice(0)\n" FAKE_BODY);
	falls_back("a wrapper in Python");
	world_write_dbt(python,
			"from dbt.cli.main import cli\nimport sys\nsys.dont_write = 1\ncli()\n");
	falls_back("one that sets something");
	world_write_dbt(python, "from dbt.cli.main import cli as main\nmain()\n");
	falls_back("another name");
	world_write_dbt("#!/usr/bin/env python3", FAKE_BODY);
	falls_back("an interpreter on PATH");
}

static void a_shim_of_an_interpreter_is_executed(void **state)
{
	char *shim CLEANUP(mem_free_string) = fs_join(world.directory, "python3");
	char *text CLEANUP(mem_free_string) =
		mem_printf("#!/bin/sh\nexec '%s' \"$@\"\n", world.python);
	char *line CLEANUP(mem_free_string) = mem_printf("#!%s", shim);
	struct err err CLEANUP(err_release) = ERR_INIT;

	(void)state;
	assert_int_equal(fs_write_atomic(shim, text, strlen(text), 0755, &err), 0);
	world_write_dbt(line, FAKE_BODY);
	falls_back("a shim");
}

static void an_import_with_consequences_is_left_to_the_command(void **state)
{
	struct runner *server = NULL;
	struct said said CLEANUP(said_release) = { 0 };

	(void)state;
	env_set(&world.environment, "FAKE_IMPORT", "starts a thread");
	falls_back("a thread");
	env_set(&world.environment, "FAKE_IMPORT", "fails");
	server = serve();
	assert_int_equal(tell(server, "who", NULL, &said), 0);
	assert_int_equal(said.result.process.exit_status, 1);
	assert_non_null(strstr(said.result.first_error, "ImportError: no such thing"));
	runner_free(server);
	said_release(&said);
	env_set(&world.environment, "FAKE_IMPORT", "ends");
	server = serve();
	assert_int_equal(tell(server, "who", NULL, &said), 0);
	assert_true(runner_succeeded(&said.result));
	runner_free(server);
}

static void a_command_whose_environment_the_imports_read_is_executed(void **state)
{
	struct runner *server CLEANUP(runner_release) = serve();

	(void)state;
	assert_true(is_served(server));
	env_set(&world.environment, "FAKE_IMPORT", "another one");
	assert_true(is_plain(server));
	env_unset(&world.environment, "FAKE_IMPORT");
	assert_true(is_served(server));
	env_set(&world.environment, "TZ", "Asia/Tokyo");
	assert_true(is_plain(server));
	env_unset(&world.environment, "TZ");
	strv_push(&world.environment, "=a variable without a name");
	assert_true(is_plain(server));
}

static void a_variable_switches_it_off(void **state)
{
	(void)state;
	env_set(&world.environment, "AIRLOCK_FORK_SERVER", "0");
	falls_back("AIRLOCK_FORK_SERVER=0");
	env_set(&world.environment, "AIRLOCK_FORK_SERVER", "1");
	struct runner *server CLEANUP(runner_release) = serve();

	assert_true(is_served(server));
}

static void what_cannot_be_executed_says_why(void **state)
{
	struct said said CLEANUP(said_release) = { 0 };

	(void)state;
	world_write_dbt("#!/nonexistent/python", FAKE_BODY);
	struct runner *server CLEANUP(runner_release) = serve();

	assert_int_equal(tell(server, "who", NULL, &said), 0);
	assert_int_equal(said.result.process.end, PROC_NOT_STARTED);
	assert_int_equal(said.result.process.start_errno, ENOENT);
}

static void a_runner_may_be_freed_while_it_still_imports(void **state)
{
	int64_t before = host_monotonic_ms();

	(void)state;
	env_set(&world.environment, "FAKE_IMPORT", "slow");
	runner_free(serve());
	assert_true(host_monotonic_ms() - before < 2500);
	assert_true(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

/* The first lines of scripts. */

static void finds(const char *script, const char *interpreter, const char *option)
{
	char *found = NULL, *with = NULL;

	assert_true(server_find_interpreter(script, &found, &with));
	assert_string_equal(found, interpreter);
	if (option)
		assert_string_equal(with, option);
	else
		assert_null(with);
	free(found);
	free(with);
}

static void the_interpreter_is_that_of_the_first_line(void **state)
{
	(void)state;
	finds("#!/venv/bin/python\n", "/venv/bin/python", NULL);
	finds("#! /usr/bin/python3.11 \t-sP \t\nimport re\n", "/usr/bin/python3.11", "-sP");
	finds("#!/bin/sh\n'''exec' \"/a b/python3\" \"$0\" \"$@\"\n' '''\nx\n", "/a b/python3",
	      NULL);
	finds("#!/bin/sh\n'''exec' '/a b/python3' \"$0\" \"$@\"\n' '''\nx\n", "/a b/python3", NULL);
	finds("#!/bin/sh\n'''exec' /very/long/python \"$0\" \"$@\"\n' '''\n", "/very/long/python",
	      NULL);
}

static void other_first_lines_are_no_python(void **state)
{
	static const char *const scripts[] = {
		"",
		"#!",
		"#!/venv/bin/python",
		"#!/usr/bin/env python3\n",
		"#!/usr/bin/env bash\n",
		"#!python3\n",
		"#!/bin/bash\n'''exec' \"/a/python3\" \"$0\" \"$@\"\n' '''\n",
		"#!/bin/sh -e\n'''exec' \"/a/python3\" \"$0\" \"$@\"\n' '''\n",
		"#!/bin/sh\nexec /a/python3 \"$0\" \"$@\"\n",
		"#!/bin/sh\n'''exec' \"/a/python3\" -E \"$0\" \"$@\"\n' '''\n",
		"#!/bin/sh\n'''exec' \"$HOME/python3\" \"$0\" \"$@\"\n' '''\n",
		"#!/bin/sh\n'''exec' \"/a/ruby\" \"$0\" \"$@\"\n' '''\n",
		"#!/bin/sh\n'''exec' \"/a/python3\n",
		"#!/bin/sh\n'''exec' '/a/python3\n",
		"\x7f"
		"ELF",
	};
	char *interpreter = NULL, *option = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(scripts); i++)
		assert_false(server_find_interpreter(scripts[i], &interpreter, &option));
}

static void the_form_for_long_paths_is_served(void **state)
{
	char *lines CLEANUP(mem_free_string) =
		mem_printf("#!/bin/sh\n'''exec' \"%s\" \"$0\" \"$@\"\n' '''", world.python);

	(void)state;
	world_write_dbt(lines, FAKE_BODY);
	struct runner *server CLEANUP(runner_release) = serve();

	assert_true(is_served(server));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		WORLD_CASE(everything_a_command_can_see_of_its_start_is_the_same),
		WORLD_CASE(exit_statuses_and_deaths_are_the_same),
		WORLD_CASE(what_is_left_to_the_end_is_done),
		WORLD_CASE(a_held_command_has_the_same_signals_blocked),
		WORLD_CASE(what_the_import_prints_is_printed_by_each_command),
		WORLD_CASE(the_environment_is_only_the_command_s),
		WORLD_CASE(an_environment_of_any_size_arrives),
		WORLD_CASE(modules_in_the_working_directory_are_not_imported),
		WORLD_CASE(several_commands_run_side_by_side),
		WORLD_CASE(a_script_of_another_kind_is_executed),
		WORLD_CASE(a_shim_of_an_interpreter_is_executed),
		WORLD_CASE(an_import_with_consequences_is_left_to_the_command),
		WORLD_CASE(a_command_whose_environment_the_imports_read_is_executed),
		WORLD_CASE(a_variable_switches_it_off),
		WORLD_CASE(what_cannot_be_executed_says_why),
		WORLD_CASE(a_runner_may_be_freed_while_it_still_imports),
		WORLD_CASE(the_interpreter_is_that_of_the_first_line),
		WORLD_CASE(other_first_lines_are_no_python),
		WORLD_CASE(the_form_for_long_paths_is_served),
	};

	support_init(argc, argv);
	return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
