#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "airlock/base/host.h"
#include "host_internal.h"
#include "proc_internal.h"

enum {
	POLL_MS = 20,
	KILL_WAIT_MS = 5000, /* SIGKILL waits for a process in an uninterruptible call */
};

struct members {
	size_t living;
	uint64_t earliest_start;
};

static bool find_members(pid_t group, struct members *ret_members)
{
	struct members members = { 0, UINT64_MAX };
	const struct dirent *entry;
	DIR *dir = opendir("/proc");

	if (!dir)
		return false;
	while ((entry = readdir(dir))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
		struct host_stat stat;

		if (pid <= 0 || !host_read_stat(pid, &stat) || stat.group != group ||
		    !stat.is_alive)
			continue;
		members.living++;
		if (stat.start < members.earliest_start)
			members.earliest_start = stat.start;
	}
	closedir(dir);
	*ret_members = members;
	return true;
}

bool proc_group_is_empty(pid_t group)
{
	struct members members;

	if (kill(-group, 0))
		return errno == ESRCH;
	/* There is something, but where nobody reaps (a container without init) that may be a
	 * zombie for ever. */
	return find_members(group, &members) && members.living == 0;
}

static bool wait_until_empty(pid_t group, int64_t wait_ms)
{
	int64_t deadline = host_monotonic_ms() + wait_ms;

	while (!proc_group_is_empty(group)) {
		if (host_monotonic_ms() >= deadline)
			return false;
		poll(NULL, 0, POLL_MS);
	}
	return true;
}

enum ownership {
	GROUP_GONE,
	GROUP_OURS,
	GROUP_UNCERTAIN,
};

/*
 * The kernel gives a number to no new process while a group of that number has members. So a
 * leader with another start time means that the group has ended. Usually the leader is the first
 * to die (of its parent-death signal): those who are left are ours if they started after it.
 */
static enum ownership find_owner(pid_t leader, uint64_t start)
{
	uint64_t actual = host_process_start(leader);
	struct members members;

	if (proc_group_is_empty(leader))
		return GROUP_GONE;
	if (start == 0)
		return GROUP_UNCERTAIN;
	if (actual)
		return actual == start ? GROUP_OURS : GROUP_GONE;
	if (!find_members(leader, &members))
		return GROUP_UNCERTAIN;
	return members.living && members.earliest_start >= start ? GROUP_OURS : GROUP_GONE;
}

bool proc_end_group(pid_t leader, uint64_t start, int64_t grace_ms)
{
	/* kill(2) takes -1 for everybody and 0 for the caller's own group. */
	if (leader <= 1)
		return true;
	if (leader == getpgrp())
		return false;
	switch (find_owner(leader, start)) {
	case GROUP_GONE:
		return true;
	case GROUP_UNCERTAIN:
		return false;
	case GROUP_OURS:
		break;
	}
	kill(-leader, SIGTERM);
	if (wait_until_empty(leader, grace_ms))
		return true;
	kill(-leader, SIGKILL);
	return wait_until_empty(leader, KILL_WAIT_MS);
}
