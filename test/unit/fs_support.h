/*
 * fs_support: a directory for each test of fs, and files in it.
 */
#ifndef AIRLOCK_TEST_FS_SUPPORT_H
#define AIRLOCK_TEST_FS_SUPPORT_H

#include <stddef.h>
#include <sys/resource.h>

#include "airlock/base/err.h"

/* Every test has an empty directory of its own and runs in it. */
int enter_directory(void **state);
int leave_directory(void **state);

#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, enter_directory, leave_directory)

void put(const char *path, const char *text);
void assert_content(const char *path, const char *expected);
/* Releases the error. */
void assert_file_error(struct err *err, const char *message);
size_t count_entries(const char *path);
/* The one way to make a write fail half way without a file system of one's own. */
void limit_file_size(rlim_t bytes);

#endif
