#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "airlock/base/fs.h"
#include "fs_support.h"

static void a_log_grows_at_its_end(void **state)
{
	CLEANUP(fs_log_close) struct fs_log log = FS_LOG_CLOSED;
	CLEANUP(err_release) struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(fs_log_open("log", &log, &err), 0);
	assert_true(fcntl(log.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fs_log_append(&log, "one\n", 4, &err), 0);
	fs_log_close(&log);
	assert_int_equal(log.fd, -1);
	assert_int_equal(fs_log_open("log", &log, &err), 0);
	assert_int_equal(fs_log_append(&log, "two\n", 4, &err), 0);
	assert_int_equal(fs_log_append(&log, "", 0, &err), 0);
	assert_content("log", "one\ntwo\n");
}

static void a_torn_record_stays_alone(void **state)
{
	CLEANUP(fs_log_close) struct fs_log log = FS_LOG_CLOSED;
	CLEANUP(err_release) struct err err = ERR_INIT;

	(void)state;
	put("log", "one\ntw");
	assert_int_equal(fs_log_open("log", &log, &err), 0);
	assert_int_equal(fs_log_append(&log, "three\n", 6, &err), 0);
	assert_content("log", "one\ntw\nthree\n");
}

static void a_record_that_fails_half_way_is_taken_back(void **state)
{
	CLEANUP(fs_log_close) struct fs_log log = FS_LOG_CLOSED;
	CLEANUP(err_release) struct err err = ERR_INIT;
	int result;

	(void)state;
	assert_int_equal(fs_log_open("log", &log, &err), 0);
	assert_int_equal(fs_log_append(&log, "one\n", 4, &err), 0);
	limit_file_size(6);
	result = fs_log_append(&log, "second\n", 7, &err);
	limit_file_size(RLIM_INFINITY);
	assert_int_equal(result, -1);
	assert_file_error(&err, "cannot write a record: File too large");
	assert_content("log", "one\n");
	assert_int_equal(fs_log_append(&log, "two\n", 4, &err), 0);
	assert_content("log", "one\ntwo\n");
}

static void a_log_that_cannot_be_opened_says_why(void **state)
{
	CLEANUP(fs_log_close) struct fs_log log = FS_LOG_CLOSED;
	CLEANUP(err_release) struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(fs_log_open("missing/log", &log, &err), -1);
	assert_file_error(&err, "cannot open 'missing/log': No such file or directory");
	assert_int_equal(log.fd, -1);
}

static void a_full_disk_fails_the_record(void **state)
{
	CLEANUP(fs_log_close) struct fs_log log = FS_LOG_CLOSED;
	CLEANUP(err_release) struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(fs_log_open("/dev/full", &log, &err), 0);
	assert_int_equal(fs_log_append(&log, "one\n", 4, &err), -1);
	assert_file_error(&err, "cannot write a record: No space left on device");
}

static void a_lock_is_held_once(void **state)
{
	CLEANUP(fs_lock_release) struct fs_lock lock = FS_LOCK_FREE;
	CLEANUP(fs_lock_release) struct fs_lock other = FS_LOCK_FREE;
	CLEANUP(err_release) struct err err = ERR_INIT;

	(void)state;
	put("file", "x");
	assert_int_equal(fs_lock_try("file", &lock, &err), 0);
	assert_true(fcntl(lock.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fs_lock_try("file", &other, &err), 1);
	assert_false(err_is_set(&err));
	assert_int_equal(other.fd, -1);
	fs_lock_release(&lock);
	assert_int_equal(lock.fd, -1);
	assert_int_equal(fs_lock_try("file", &other, &err), 0);
	assert_content("file", "x");
}

/* A process that has the descriptors of this one, until its standard input ends. */
static pid_t fork_waiting(int *ret_release)
{
	int ends[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		close(ends[1]);
		while (read(ends[0], &c, 1) > 0)
			;
		_exit(0);
	}
	close(ends[0]);
	*ret_release = ends[1];
	return pid;
}

static void a_released_lock_is_free_even_if_a_fork_has_the_descriptor(void **state)
{
	CLEANUP(fs_lock_release) struct fs_lock lock = FS_LOCK_FREE;
	CLEANUP(fs_lock_release) struct fs_lock other = FS_LOCK_FREE;
	CLEANUP(err_release) struct err err = ERR_INIT;
	int release, result;
	pid_t pid;

	(void)state;
	put("file", "x");
	assert_int_equal(fs_lock_try("file", &lock, &err), 0);
	pid = fork_waiting(&release);
	fs_lock_release(&lock);
	result = fs_lock_try("file", &other, &err);
	close(release);
	waitpid(pid, NULL, 0);
	assert_int_equal(result, 0);
}

static void a_lock_ends_with_its_process(void **state)
{
	CLEANUP(fs_lock_release) struct fs_lock lock = FS_LOCK_FREE;
	CLEANUP(err_release) struct err err = ERR_INIT;
	int ready[2];
	pid_t pid;
	char c = 0;

	(void)state;
	put("file", "x");
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		c = fs_lock_try("file", &lock, &err) == 0 ? 'y' : 'n';
		(void)!write(ready[1], &c, 1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(c, 'y');
	assert_int_equal(fs_lock_try("file", &lock, &err), 1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(fs_lock_try("file", &lock, &err), 0);
	close(ready[0]);
	close(ready[1]);
}

static void what_cannot_be_locked_says_why(void **state)
{
	CLEANUP(fs_lock_release) struct fs_lock lock = FS_LOCK_FREE;
	CLEANUP(err_release) struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(fs_lock_try("missing", &lock, &err), -1);
	assert_file_error(&err, "cannot lock 'missing': No such file or directory");
	/* A directory cannot be opened for writing: reading is enough. */
	assert_int_equal(fs_lock_try(".", &lock, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIRECTORY(a_log_grows_at_its_end),
		IN_DIRECTORY(a_torn_record_stays_alone),
		IN_DIRECTORY(a_record_that_fails_half_way_is_taken_back),
		IN_DIRECTORY(a_log_that_cannot_be_opened_says_why),
		cmocka_unit_test(a_full_disk_fails_the_record),
		IN_DIRECTORY(a_lock_is_held_once),
		IN_DIRECTORY(a_released_lock_is_free_even_if_a_fork_has_the_descriptor),
		IN_DIRECTORY(a_lock_ends_with_its_process),
		IN_DIRECTORY(what_cannot_be_locked_says_why),
	};

	return cmocka_run_group_tests_name("fs_log", tests, NULL, NULL);
}
