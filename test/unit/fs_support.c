#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "airlock/base/fs.h"
#include "airlock/base/mem.h"
#include "fs_support.h"

static char *directory;

int enter_directory(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	directory = mem_printf("%s/airlock-test.XXXXXX", tmp ? tmp : "/tmp");
	return mkdtemp(directory) && chdir(directory) == 0 ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *position)
{
	(void)st;
	(void)type;
	(void)position;
	return remove(path);
}

int leave_directory(void **state)
{
	int result;

	(void)state;
	result = chdir("/") || nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	mem_free_string(&directory);
	return result;
}

void put(const char *path, const char *text)
{
	struct err err = ERR_INIT;

	assert_int_equal(fs_write_atomic(path, text, strlen(text), 0644, &err), 0);
	assert_false(err_is_set(&err));
}

void assert_content(const char *path, const char *expected)
{
	CLEANUP(buf_release) struct buf content = BUF_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;

	assert_int_equal(fs_read(path, 100000, &content, &err), 0);
	assert_string_equal(buf_cstr(&content), expected);
}

void assert_file_error(struct err *err, const char *message)
{
	assert_int_equal(err->code, ERR_FILE);
	assert_string_equal(err->message, message);
	err_release(err);
}

size_t count_entries(const char *path)
{
	DIR *dir = opendir(path);
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

void limit_file_size(rlim_t bytes)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}
