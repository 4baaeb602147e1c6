/*
 * proc_support: what the tests of proc share.
 *
 * proc_supervise() acts once per process and for good, so each scenario runs in a fork of its own
 * and says by its exit status whether it held. Children are /bin/sh where that is enough, else
 * the test program itself in one of the roles of support_init(). A scenario's memory is left to
 * its end.
 */
#ifndef AIRLOCK_TEST_PROC_SUPPORT_H
#define AIRLOCK_TEST_PROC_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "airlock/base/buf.h"
#include "airlock/base/proc.h"

extern char **environ;

/* The standard error of the test, also where a scenario has closed it. */
extern int support_failures;

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			dprintf(support_failures, "%s:%d: %s\n", __FILE__, __LINE__, #condition);  \
			return 1;                                                                  \
		}                                                                                  \
	} while (0)

/* What a scenario watches while a child runs, and what it does about it. */
struct watch {
	struct buf out;
	struct buf error;
	pid_t pid;
	size_t out_len_at_start;
	const char *trigger; /* once this has been printed */
	int send;            /* send ourselves this */
	const char *second_trigger;
	int second_send;
	bool asks_interrupted; /* the callback reads the signals */
};

/* Plays the role and ends when this is a child, else remembers the program's path. */
void support_init(int argc, char **argv);

pid_t fork_scenario(int (*scenario)(void));
int wait_status(pid_t pid);
void assert_holds(int (*scenario)(void));

const char *self(void);
char *const *shell(const char *script);
char *const *role(const char *name);
struct proc_spec spec_of(char *const *argv, struct watch *watch);
bool prints(const struct watch *watch, const char *expected);
bool waits_for_end(pid_t pid, uint64_t start);

#endif
