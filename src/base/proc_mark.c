/*
 * Who has started a process stands in its environment, and in that of whatever it starts in turn:
 * found by that are those whose parents are gone, and whose group nobody has recorded.
 */
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "airlock/base/env.h"
#include "airlock/base/fs.h"
#include "airlock/base/host.h"
#include "host_internal.h"
#include "proc_internal.h"

#define NAME "AIRLOCK_STARTED_BY"

enum {
	ENVIRONMENT_LIMIT = 16 * 1024 * 1024, /* the kernel has a quarter of the stack's limit */
	POLL_MS = 20,
	KILL_WAIT_MS = 5000,
};

/* NULL where a pid means nothing. */
static char *mark_of(pid_t pid, uint64_t start)
{
	char *space CLEANUP(mem_free_string) = host_pid_space();

	if (pid <= 1 || start == 0 || !*space)
		return NULL;
	return mem_printf("%jd:%ju:%s", (intmax_t)pid, (uintmax_t)start, space);
}

void proc_mark(struct strv *environment)
{
	char *mark CLEANUP(mem_free_string) = mark_of(getpid(), host_process_start(getpid()));

	if (mark)
		env_set(environment, NAME, mark);
}

/* As the process was started with it; NULL: none, or not to be seen by us. */
static char *read_mark(pid_t pid)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct err ignored CLEANUP(err_release) = ERR_INIT;
	char *path CLEANUP(mem_free_string) = mem_printf("/proc/%jd/environ", (intmax_t)pid);
	size_t len;

	if (fs_read(path, ENVIRONMENT_LIMIT, &text, &ignored) < 0)
		return NULL;
	for (size_t at = 0; at < text.len; at += len + 1) {
		const char *variable = buf_cstr(&text) + at;

		len = strlen(variable);
		if (strncmp(variable, NAME "=", strlen(NAME "=")) == 0)
			return mem_strdup(variable + strlen(NAME "="));
	}
	return NULL;
}

/* Who ends them may have been started by the same, and is in a group with those who wait for it. */
static bool is_to_end(pid_t pid, const char *mark)
{
	struct host_stat stat;
	char *its CLEANUP(mem_free_string) = NULL;

	if (pid <= 1 || !host_read_stat(pid, &stat) || !stat.is_alive || stat.group == getpgrp())
		return false;
	its = read_mark(pid);
	return its && strcmp(its, mark) == 0;
}

/* How many there are; each gets the signal, 0: none does. */
static size_t signal_marked(const char *mark, int number)
{
	const struct dirent *entry;
	DIR *dir = opendir("/proc");
	size_t n = 0;

	while (dir && (entry = readdir(dir))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (!is_to_end(pid, mark))
			continue;
		if (number)
			kill(pid, number);
		n++;
	}
	if (dir)
		closedir(dir);
	return n;
}

/* Asked each time anew: they may start others until they have ended. */
static bool end_marked(const char *mark, int64_t grace_ms)
{
	int64_t now = host_monotonic_ms(), kill_at = now + grace_ms;
	int number = SIGTERM;

	while (signal_marked(mark, number) > 0) {
		if (now >= kill_at + KILL_WAIT_MS)
			return false;
		poll(NULL, 0, POLL_MS);
		now = host_monotonic_ms();
		number = now >= kill_at ? SIGKILL : 0;
	}
	return true;
}

bool proc_end_started_by(pid_t starter, uint64_t start, int64_t grace_ms)
{
	char *mark CLEANUP(mem_free_string) = mark_of(starter, start);

	if (!mark)
		return true;
	return !host_process_is_alive(starter, start) && end_marked(mark, grace_ms);
}

bool proc_end_orphan(pid_t pid, int64_t grace_ms)
{
	char *mark CLEANUP(mem_free_string) = pid > 1 ? read_mark(pid) : NULL;
	intmax_t starter;
	uintmax_t start;

	if (!mark || sscanf(mark, "%jd:%ju:", &starter, &start) != 2)
		return false;
	char *here CLEANUP(mem_free_string) = mark_of((pid_t)starter, start);

	return here && strcmp(mark, here) == 0 && is_to_end(pid, mark) &&
	       proc_end_started_by((pid_t)starter, start, grace_ms);
}
