#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "airlock/base/fs.h"
#include "airlock/base/host.h"
#include "fs_support.h"

static void assert_path(char *actual, const char *expected)
{
	assert_string_equal(actual, expected);
	free(actual);
}

static void names_are_joined(void **state)
{
	(void)state;
	assert_path(fs_join("a", "b"), "a/b");
	assert_path(fs_join("a/", "b"), "a/b");
	assert_path(fs_join("/", "b"), "/b");
	assert_path(fs_join("a", "/b"), "/b");
	assert_path(fs_join("", "b"), "b");
	assert_path(fs_join("a", "b/c"), "a/b/c");
}

static void a_path_becomes_absolute(void **state)
{
	CLEANUP(err_release) struct err err = ERR_INIT;
	CLEANUP(mem_free_string) char *cwd = fs_cwd(&err);
	CLEANUP(mem_free_string) char *below = mem_printf("%s/a/../b", cwd);

	(void)state;
	assert_path(fs_absolute("/a/b"), "/a/b");
	assert_path(fs_absolute("/a//./b/."), "/a/b");
	assert_path(fs_absolute("/"), "/");
	assert_path(fs_absolute("."), cwd);
	assert_path(fs_absolute("./a/../b/"), below);
}

static void a_removed_current_directory_is_an_error(void **state)
{
	CLEANUP(err_release) struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(mkdir("gone", 0755), 0);
	assert_int_equal(chdir("gone"), 0);
	assert_int_equal(rmdir("../gone"), 0);
	assert_null(fs_cwd(&err));
	assert_file_error(&err, "cannot determine the current directory: "
				"No such file or directory");
	assert_path(fs_absolute("a"), "a");
}

static void links_are_resolved_on_demand_only(void **state)
{
	CLEANUP(err_release) struct err err = ERR_INIT;
	CLEANUP(mem_free_string) char *cwd = fs_cwd(&err);
	CLEANUP(mem_free_string) char *link_path = fs_join(cwd, "link");
	CLEANUP(mem_free_string) char *file_path = fs_join(cwd, "file");

	(void)state;
	put("file", "x");
	assert_int_equal(symlink("file", "link"), 0);
	assert_path(fs_absolute("link"), link_path);
	assert_path(fs_real("link"), file_path);
	assert_null(fs_real("missing"));
}

static void parents_and_names_are_parts_of_a_path(void **state)
{
	(void)state;
	assert_path(fs_parent("/a/b"), "/a");
	assert_path(fs_parent("/a/b/"), "/a");
	assert_path(fs_parent("a//b//"), "a");
	assert_path(fs_parent("/a"), "/");
	assert_path(fs_parent("/"), "/");
	assert_path(fs_parent("//"), "/");
	assert_path(fs_parent("a"), ".");
	assert_path(fs_parent(""), ".");
	assert_string_equal(fs_basename("/a/b.sql"), "b.sql");
	assert_string_equal(fs_basename("b.sql"), "b.sql");
	assert_string_equal(fs_basename("a/"), "");
}

static void kinds_of_files_are_told_apart(void **state)
{
	(void)state;
	put("file", "x");
	assert_int_equal(mkdir("dir", 0755), 0);
	assert_int_equal(symlink("missing", "dangling"), 0);
	assert_int_equal(symlink("dir", "link"), 0);
	assert_true(fs_exists("file") && fs_exists("dir") && fs_exists("link"));
	assert_false(fs_exists("missing") || fs_exists("dangling"));
	assert_true(fs_is_regular("file") && !fs_is_regular("dir"));
	assert_true(fs_is_directory("dir") && fs_is_directory("link"));
	assert_false(fs_is_directory("file") || fs_is_directory("missing"));
}

static void only_a_regular_file_is_executable(void **state)
{
	(void)state;
	put("script", "#!/bin/sh\n");
	assert_false(fs_is_executable("script"));
	assert_int_equal(chmod("script", 0755), 0);
	assert_true(fs_is_executable("script"));
	assert_false(fs_is_executable("."));
	assert_false(fs_is_executable("missing"));
}

static void identity_is_that_of_the_file_not_of_the_name(void **state)
{
	struct fs_identity file, link_identity, other;

	(void)state;
	put("file", "x");
	put("other", "x");
	assert_int_equal(symlink("file", "link"), 0);
	assert_true(fs_identify("file", &file));
	assert_true(fs_identify("link", &link_identity));
	assert_true(fs_identify("other", &other));
	assert_false(fs_identify("missing", &other));
	assert_true(fs_identity_equal(&file, &link_identity));
	assert_false(fs_identity_equal(&file, &other));
}

static void a_file_is_read_whole(void **state)
{
	CLEANUP(buf_release) struct buf content = BUF_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;
	CLEANUP(mem_free_string) char *big = mem_alloc(300000);

	(void)state;
	for (size_t i = 0; i < 300000; i++)
		big[i] = (char)(i % 251);
	assert_int_equal(fs_write_atomic("big", big, 300000, 0644, &err), 0);
	assert_int_equal(fs_read("big", 300000, &content, &err), 0);
	assert_int_equal(content.len, 300000);
	assert_memory_equal(content.data, big, 300000);
	assert_int_equal(content.data[300000], 0);
}

static void an_empty_file_is_an_empty_string(void **state)
{
	CLEANUP(buf_release) struct buf content = BUF_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;

	(void)state;
	put("empty", "");
	assert_int_equal(fs_read("empty", 0, &content, &err), 0);
	assert_int_equal(content.len, 0);
	assert_string_equal(buf_cstr(&content), "");
}

static void a_file_of_unknown_size_is_read_whole(void **state)
{
	CLEANUP(buf_release) struct buf content = BUF_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(fs_read("/proc/self/status", 100000, &content, &err), 0);
	assert_non_null(strstr(buf_cstr(&content), "Pid:"));
}

static void a_file_over_the_limit_is_refused(void **state)
{
	CLEANUP(buf_release) struct buf content = BUF_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;

	(void)state;
	put("file", "12345");
	assert_int_equal(fs_read("file", 5, &content, &err), 0);
	assert_string_equal(buf_cstr(&content), "12345");
	assert_int_equal(fs_read("file", 4, &content, &err), -1);
	assert_file_error(&err, "'file' is larger than the limit of 4 bytes");
	assert_int_equal(fs_read("/dev/zero", 1000000, &content, &err), -1);
	assert_file_error(&err, "'/dev/zero' is larger than the limit of 1000000 bytes");
	assert_string_equal(buf_cstr(&content), "12345");
}

static void a_steady_read_is_whole(void **state)
{
	struct buf content = BUF_INIT;
	struct err err = ERR_INIT;
	char *large = mem_alloc(((size_t)9 << 20) + 1);

	(void)state;
	memset(large, 'x', (size_t)9 << 20);
	put("large", large);
	assert_int_equal(fs_read_steady("large", (size_t)9 << 20, &content, &err), 0);
	assert_int_equal(content.len, (size_t)9 << 20);
	assert_string_equal(buf_cstr(&content), large);
	buf_release(&content);
	assert_int_equal(fs_read_steady("large", ((size_t)9 << 20) - 1, &content, &err), -1);
	assert_non_null(strstr(err.message, "is larger than the limit of 9437183 bytes"));
	err_release(&err);
	put("none", "");
	assert_int_equal(fs_read_steady("none", 10, &content, &err), 0);
	assert_string_equal(buf_cstr(&content), "");
	buf_release(&content);
	assert_int_equal(fs_read_steady("absent", 10, &content, &err), -1);
	assert_int_equal(err.code, ERR_FILE);
	err_release(&err);
	free(large);
}

/* Another process writes the file for as long as it is read. */
static void a_file_that_keeps_changing_is_refused(void **state)
{
	struct err err = ERR_INIT;
	struct buf content = BUF_INIT;
	char *large = mem_alloc(((size_t)9 << 20) + 1);
	bool refused = false;
	int64_t deadline = host_monotonic_ms() + 60000;
	pid_t writer;

	(void)state;
	memset(large, 'x', (size_t)9 << 20);
	put("busy", large);
	free(large);
	writer = fork();
	if (writer == 0) {
		int fd = open("busy", O_WRONLY | O_APPEND);
		for (;;)
			if (write(fd, "y", 1) != 1)
				_exit(1);
	}
	/* A busy machine may let the other process wait. */
	while (!refused && host_monotonic_ms() < deadline) {
		refused = fs_read_steady("busy", (size_t)1 << 30, &content, &err) < 0;
		if (!refused)
			buf_release(&content);
	}
	kill(writer, SIGKILL);
	waitpid(writer, NULL, 0);
	assert_true(refused);
	assert_string_equal(err.message, "'busy' keeps changing while it is read");
	err_release(&err);
}

static void what_cannot_be_read_says_why(void **state)
{
	CLEANUP(buf_release) struct buf content = BUF_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(fs_read("missing", 10, &content, &err), -1);
	assert_file_error(&err, "cannot read 'missing': No such file or directory");
	assert_int_equal(fs_read(".", 10, &content, &err), -1);
	assert_file_error(&err, "cannot read '.': Is a directory");
}

static void a_reader_keeps_the_old_file(void **state)
{
	char text[10] = "";
	int fd;

	(void)state;
	put("file", "old");
	fd = open("file", O_RDONLY);
	put("file", "new");
	assert_int_equal(read(fd, text, sizeof(text)), 3);
	close(fd);
	assert_string_equal(text, "old");
	assert_content("file", "new");
	assert_int_equal(count_entries("."), 1);
}

static void the_mode_obeys_the_umask(void **state)
{
	CLEANUP(err_release) struct err err = ERR_INIT;
	mode_t before = umask(027);
	struct stat st;

	(void)state;
	assert_int_equal(fs_write_atomic("file", "x", 1, 0666, &err), 0);
	umask(before);
	assert_int_equal(stat("file", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
}

static void a_failed_write_leaves_the_old_file_and_nothing_else(void **state)
{
	CLEANUP(err_release) struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(mkdir("target", 0755), 0);
	put("target/inside", "x");
	assert_int_equal(fs_write_atomic("target", "x", 1, 0644, &err), -1);
	assert_file_error(&err, "cannot write 'target': Is a directory");
	assert_int_equal(fs_write_atomic("missing/file", "x", 1, 0644, &err), -1);
	assert_file_error(&err, "cannot write 'missing/file': No such file or directory");
	assert_int_equal(count_entries("."), 1);
}

static void a_write_that_fails_half_way_leaves_the_old_file(void **state)
{
	CLEANUP(err_release) struct err err = ERR_INIT;
	int result;

	(void)state;
	put("file", "old");
	limit_file_size(5);
	result = fs_write_atomic("file", "0123456789", 10, 0644, &err);
	limit_file_size(RLIM_INFINITY);
	assert_int_equal(result, -1);
	assert_file_error(&err, "cannot write 'file': File too large");
	assert_content("file", "old");
	assert_int_equal(count_entries("."), 1);
}

static void a_copy_has_content_and_mode(void **state)
{
	CLEANUP(err_release) struct err err = ERR_INIT;
	struct stat st;

	(void)state;
	put("from", "content");
	put("to", "old");
	assert_int_equal(chmod("from", 0500), 0);
	assert_int_equal(fs_copy("from", "to", &err), 0);
	assert_content("to", "content");
	assert_int_equal(stat("to", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0500);
	assert_int_equal(fs_copy("from", "from", &err), 0);
	assert_content("from", "content");
}

static void a_failed_copy_names_the_file_at_fault(void **state)
{
	CLEANUP(err_release) struct err err = ERR_INIT;

	(void)state;
	put("to", "old");
	assert_int_equal(fs_copy("missing", "to", &err), -1);
	assert_file_error(&err, "cannot read 'missing': No such file or directory");
	assert_int_equal(fs_copy(".", "to", &err), -1);
	assert_file_error(&err, "cannot read '.': Is a directory");
	assert_int_equal(fs_copy("to", "missing/to", &err), -1);
	assert_file_error(&err, "cannot write 'missing/to': No such file or directory");
	assert_content("to", "old");
	assert_int_equal(count_entries("."), 1);
}

static void directories_are_made_with_their_parents(void **state)
{
	CLEANUP(err_release) struct err err = ERR_INIT;
	CLEANUP(mem_free_string) char *absolute = fs_absolute("x/y");

	(void)state;
	assert_int_equal(fs_make_directories("a/b//c/", &err), 0);
	assert_true(fs_is_directory("a/b/c"));
	assert_int_equal(fs_make_directories("a/b/c", &err), 0);
	assert_int_equal(fs_make_directories(absolute, &err), 0);
	assert_true(fs_is_directory("x/y"));
	assert_int_equal(fs_make_directories("/", &err), 0);
	assert_int_equal(fs_make_directories("", &err), 0);
	assert_int_equal(symlink("a", "link"), 0);
	assert_int_equal(fs_make_directories("link/d", &err), 0);
	assert_true(fs_is_directory("a/d"));
}

static void a_file_in_the_way_of_a_directory_is_named(void **state)
{
	CLEANUP(err_release) struct err err = ERR_INIT;

	(void)state;
	put("file", "x");
	assert_int_equal(fs_make_directories("file", &err), -1);
	assert_file_error(&err, "cannot create the directory 'file': Not a directory");
	assert_int_equal(fs_make_directories("file/below", &err), -1);
	assert_file_error(&err, "cannot create the directory 'file': Not a directory");
}

static void a_missing_file_counts_as_removed(void **state)
{
	CLEANUP(err_release) struct err err = ERR_INIT;

	(void)state;
	put("file", "x");
	assert_int_equal(fs_remove("file", &err), 0);
	assert_false(fs_exists("file"));
	assert_int_equal(fs_remove("file", &err), 0);
	assert_int_equal(mkdir("dir", 0755), 0);
	assert_int_equal(fs_remove("dir", &err), -1);
	assert_file_error(&err, "cannot remove 'dir': Is a directory");
}

static void touch_leaves_what_is_there(void **state)
{
	CLEANUP(err_release) struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(fs_touch("file", &err), 0);
	assert_content("file", "");
	put("file", "x");
	assert_int_equal(fs_touch("file", &err), 0);
	assert_content("file", "x");
	assert_int_equal(fs_touch("missing/file", &err), -1);
	assert_file_error(&err, "cannot create 'missing/file': No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_joined),
		IN_DIRECTORY(a_path_becomes_absolute),
		IN_DIRECTORY(a_removed_current_directory_is_an_error),
		IN_DIRECTORY(links_are_resolved_on_demand_only),
		cmocka_unit_test(parents_and_names_are_parts_of_a_path),
		IN_DIRECTORY(kinds_of_files_are_told_apart),
		IN_DIRECTORY(only_a_regular_file_is_executable),
		IN_DIRECTORY(identity_is_that_of_the_file_not_of_the_name),
		IN_DIRECTORY(a_file_is_read_whole),
		IN_DIRECTORY(an_empty_file_is_an_empty_string),
		cmocka_unit_test(a_file_of_unknown_size_is_read_whole),
		IN_DIRECTORY(a_file_over_the_limit_is_refused),
		IN_DIRECTORY(a_steady_read_is_whole),
		IN_DIRECTORY(a_file_that_keeps_changing_is_refused),
		IN_DIRECTORY(what_cannot_be_read_says_why),
		IN_DIRECTORY(a_reader_keeps_the_old_file),
		IN_DIRECTORY(the_mode_obeys_the_umask),
		IN_DIRECTORY(a_failed_write_leaves_the_old_file_and_nothing_else),
		IN_DIRECTORY(a_write_that_fails_half_way_leaves_the_old_file),
		IN_DIRECTORY(a_copy_has_content_and_mode),
		IN_DIRECTORY(a_failed_copy_names_the_file_at_fault),
		IN_DIRECTORY(directories_are_made_with_their_parents),
		IN_DIRECTORY(a_file_in_the_way_of_a_directory_is_named),
		IN_DIRECTORY(a_missing_file_counts_as_removed),
		IN_DIRECTORY(touch_leaves_what_is_there),
	};

	return cmocka_run_group_tests_name("fs", tests, NULL, NULL);
}
