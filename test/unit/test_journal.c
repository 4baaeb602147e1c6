#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "airlock/base/mem.h"
#include "airlock/deploy/journal.h"

#define DEPLOYMENT "{\"event\":\"deployment\",\"journal\":1,\"host\":\"h\",\"boot\":\"b\"}\n"
#define FIRST                                                                                      \
	DEPLOYMENT                                                                                 \
	"{\"event\":\"begin\",\"step\":\"lock\"}\n"                                                \
	"{\"event\":\"process\",\"pid\":4001,\"start\":77}\n"                                      \
	"{\"event\":\"done\",\"step\":\"lock\"}\n"                                                 \
	"{\"event\":\"begin\",\"step\":\"build\"}\n"
#define BUILD "{\"event\":\"process\",\"pid\":4002,\"start\":78}\n"

static char *directory;

static int make_directory(void **state)
{
	CLEANUP(err_release) struct err err = ERR_INIT;
	char template[] = "/tmp/airlock-journal.XXXXXX";

	(void)state;
	directory = mem_strdup(mkdtemp(template));
	CLEANUP(mem_free_string) char *own = fs_join(directory, "d1");

	return fs_make_directories(own, &err);
}

static int remove_directory(void **state)
{
	CLEANUP(mem_free_string) char *file = fs_join(directory, "d1/journal.jsonl");
	CLEANUP(mem_free_string) char *own = fs_join(directory, "d1");

	(void)state;
	unlink(file);
	rmdir(own);
	rmdir(directory);
	free(directory);
	return 0;
}

static void read_text(const char *text, size_t len, struct journal_processes *processes)
{
	CLEANUP(mem_free_string) char *file = fs_join(directory, "d1/journal.jsonl");
	CLEANUP(err_release) struct err err = ERR_INIT;

	assert_int_equal(fs_write_atomic(file, text, len, 0644, &err), 0);
	assert_int_equal(journal_read_processes(directory, "d1", "h", "b", processes, &err), 0);
}

static size_t count(const char *text)
{
	CLEANUP(journal_processes_release) struct journal_processes processes = { 0 };

	read_text(text, strlen(text), &processes);
	return processes.n;
}

static void the_process_of_a_step_without_an_end_may_still_run(void **state)
{
	CLEANUP(journal_processes_release) struct journal_processes processes = { 0 };

	(void)state;
	read_text(FIRST BUILD, strlen(FIRST BUILD), &processes);
	assert_int_equal(processes.n, 1);
	assert_int_equal(processes.items[0].pid, 4002);
	assert_int_equal(processes.items[0].start, 78);
	assert_null(processes.newer);
}

static void whoever_goes_on_with_it_finds_what_was_left(void **state)
{
	(void)state;
	assert_int_equal(count(FIRST BUILD DEPLOYMENT), 1);
	assert_int_equal(count(FIRST BUILD DEPLOYMENT "{\"event\":\"done\"}\n"), 0);
}

/* A journal as it was when its deployment was killed: `file` in test/unit/data. */
static void cut_everywhere(const char *file, size_t processes_at_end)
{
	CLEANUP(mem_free_string)
	char *path = mem_printf("%s/test/unit/data/%s", AIRLOCK_SOURCE_DIR, file);
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;
	struct journal_processes last = { 0 };

	assert_int_equal(fs_read(path, 1024 * 1024, &text, &err), 0);
	for (size_t len = 0; len <= text.len; len++) {
		journal_processes_release(&last);
		journal_find_processes(buf_cstr(&text), len, "h", "b", &last);
		assert_null(last.newer);
		for (size_t i = 0; i < last.n; i++)
			assert_true(last.items[i].pid > 1000 && last.items[i].start > 1000);
	}
	assert_int_equal(last.n, processes_at_end);
	journal_processes_release(&last);
}

static void cut_at_any_byte_it_has_what_was_written_whole(void **state)
{
	(void)state;
	cut_everywhere("journal_build.jsonl", 2);
	cut_everywhere("journal_publish.jsonl", 1);
}

static void processes_of_another_host_or_another_boot_are_not_ours(void **state)
{
	(void)state;
	assert_int_equal(
		count("{\"event\":\"deployment\",\"host\":\"other\",\"boot\":\"b\"}\n" BUILD), 0);
	assert_int_equal(
		count("{\"event\":\"deployment\",\"host\":\"h\",\"boot\":\"old\"}\n" BUILD), 0);
	assert_int_equal(count("{\"event\":\"deployment\",\"host\":\"h\"}\n" BUILD), 0);
	assert_int_equal(count(BUILD), 0);
}

static void a_journal_of_a_newer_version_names_nobody_to_end(void **state)
{
	CLEANUP(journal_processes_release) struct journal_processes processes = { 0 };
	const char *text =
		"{\"event\":\"deployment\",\"journal\":2,\"version\":\"9.0\","
		"\"host\":\"h\",\"boot\":\"b\"}\n" BUILD "{\"event\":\"something new\"}\n";

	(void)state;
	read_text(text, strlen(text), &processes);
	assert_string_equal(processes.newer, "9.0");
	assert_int_equal(processes.n, 0);
}

static void what_is_no_process_is_not_one(void **state)
{
	(void)state;
	assert_int_equal(count(FIRST "{\"event\":\"process\",\"pid\":1,\"start\":5}\n"), 0);
	assert_int_equal(count(FIRST "{\"event\":\"process\",\"pid\":-1,\"start\":5}\n"), 0);
	assert_int_equal(count(FIRST "{\"event\":\"process\",\"pid\":4002}\n"), 0);
	assert_int_equal(count(FIRST "nonsense\n" BUILD), 1);
}

static void without_a_journal_nothing_runs(void **state)
{
	CLEANUP(journal_processes_release) struct journal_processes processes = { 0 };
	CLEANUP(err_release) struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(journal_read_processes(directory, "d2", "h", "b", &processes, &err), 0);
	assert_int_equal(processes.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_process_of_a_step_without_an_end_may_still_run),
		cmocka_unit_test(whoever_goes_on_with_it_finds_what_was_left),
		cmocka_unit_test(cut_at_any_byte_it_has_what_was_written_whole),
		cmocka_unit_test(processes_of_another_host_or_another_boot_are_not_ours),
		cmocka_unit_test(a_journal_of_a_newer_version_names_nobody_to_end),
		cmocka_unit_test(what_is_no_process_is_not_one),
		cmocka_unit_test(without_a_journal_nothing_runs),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
