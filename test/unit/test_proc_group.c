#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "airlock/base/host.h"
#include "proc_support.h"

/* The death of airlock. */

static int report_to; /* where on_start writes the pid */

static void report_pid(void *context, pid_t pid)
{
	(void)context;
	(void)!write(report_to, &pid, sizeof(pid));
}

static int long_running_parent(bool hold_signals)
{
	struct watch watch = { 0 };
	struct proc_spec spec = spec_of(shell("exec sleep 60"), &watch);
	struct proc_result result;
	struct err err = ERR_INIT;

	spec.on_start = report_pid;
	spec.hold_signals = hold_signals;
	return proc_run(&spec, &result, &err);
}

static int parent_scenario(void)
{
	return long_running_parent(false);
}

static int holding_parent_scenario(void)
{
	return long_running_parent(true);
}

static void assert_child_dies_with(int (*scenario)(void))
{
	uint64_t start;
	int ends[2];
	pid_t parent, child = 0;

	assert_int_equal(pipe(ends), 0);
	report_to = ends[1];
	parent = fork_scenario(scenario);
	assert_int_equal(read(ends[0], &child, sizeof(child)), sizeof(child));
	start = host_process_start(child);
	assert_true(start > 0);
	kill(parent, SIGKILL);
	wait_status(parent);
	assert_true(waits_for_end(child, start));
	close(ends[0]);
	close(ends[1]);
}

static void a_child_dies_with_airlock(void **state)
{
	(void)state;
	assert_child_dies_with(parent_scenario);
	assert_child_dies_with(holding_parent_scenario);
}

/* Pass-through. */

static int exec_scenario(void)
{
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	proc_supervise();
	proc_exec(self(), role("is-pristine"), environ);
	return 1;
}

static void exec_gives_mask_and_dispositions_back(void **state)
{
	(void)state;
	assert_int_equal(wait_status(fork_scenario(exec_scenario)), 42 << 8);
}

static int exec_pending_scenario(void)
{
	proc_supervise();
	kill(getpid(), SIGTERM);
	proc_exec(self(), role("is-pristine"), environ);
	return 1;
}

static void a_signal_before_exec_is_not_swallowed(void **state)
{
	(void)state;
	assert_int_equal(wait_status(fork_scenario(exec_pending_scenario)), SIGTERM);
}

static int failed_exec_scenario(void)
{
	errno = 0;
	proc_exec("/nonexistent/dbt", role("is-pristine"), environ);
	CHECK(errno == ENOENT);
	proc_supervise();
	errno = 0;
	proc_exec("/nonexistent/dbt", role("is-pristine"), environ);
	CHECK(errno == ENOENT);
	kill(getpid(), SIGTERM);
	CHECK(proc_interrupted() == SIGTERM);
	return 0;
}

static void a_failed_exec_returns_with_errno(void **state)
{
	(void)state;
	assert_holds(failed_exec_scenario);
}

/* Ending the group of a dead airlock. */

/* A group of its own, led by a child of ours in this role; ready when it has printed. */
static pid_t start_group(const char *name, pid_t *ret_member)
{
	struct buf out = BUF_INIT;
	int ends[2];
	char c;
	pid_t pid;

	if (pipe(ends))
		return -1;
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		execv(self(), role(name));
		_exit(1);
	}
	close(ends[1]);
	while (!strstr(buf_cstr(&out), "ready\n") && read(ends[0], &c, 1) == 1)
		buf_add_char(&out, c);
	*ret_member = strncmp(buf_cstr(&out), "worker ", 7) ? 0 : atoi(buf_cstr(&out) + 7);
	buf_release(&out);
	return pid; /* the read end stays open: the group may go on writing */
}

static int end_group_scenario(void)
{
	pid_t member, leader = start_group("mortal-worker", &member);
	uint64_t start = host_process_start(leader);

	CHECK(start > 0 && member > 0);
	/* Nobody reaps the leader: a zombie does not count. */
	CHECK(proc_end_group(leader, start, 10000));
	CHECK(!host_process_is_alive(leader, start));
	CHECK(!host_process_is_alive(member, 0));
	CHECK(WTERMSIG(wait_status(leader)) == SIGTERM);
	CHECK(proc_end_group(leader, start, 10000));
	return 0;
}

static void end_group_ends_leader_and_members(void **state)
{
	(void)state;
	assert_holds(end_group_scenario);
}

static int end_stubborn_group_scenario(void)
{
	pid_t member, leader = start_group("stubborn", &member);
	uint64_t start = host_process_start(leader);
	int64_t before = host_monotonic_ms();

	CHECK(proc_end_group(leader, start, 200));
	CHECK(host_monotonic_ms() - before >= 200);
	CHECK(WTERMSIG(wait_status(leader)) == SIGKILL);
	return 0;
}

static void end_group_kills_after_the_grace(void **state)
{
	(void)state;
	assert_holds(end_stubborn_group_scenario);
}

static int end_orphans_scenario(void)
{
	pid_t member, leader = start_group("stubborn-worker", &member);
	uint64_t start = host_process_start(leader);

	/* The usual case: the parent-death signal has ended the leader, and only the leader. */
	kill(leader, SIGKILL);
	wait_status(leader);
	CHECK(member > 0 && host_process_is_alive(member, 0));
	CHECK(proc_end_group(leader, start, 100));
	CHECK(!host_process_is_alive(member, 0));
	return 0;
}

static void end_group_finds_those_whose_leader_is_gone(void **state)
{
	(void)state;
	assert_holds(end_orphans_scenario);
}

static int end_other_group_scenario(void)
{
	pid_t member, leader = start_group("stubborn-worker", &member);
	uint64_t start = host_process_start(leader);

	/* The number belongs to a later process: the group that is meant is gone. */
	CHECK(proc_end_group(leader, start - 1, 100));
	CHECK(host_process_is_alive(leader, start));
	/* Who it is cannot be known: nobody is killed, and nothing is promised. */
	CHECK(!proc_end_group(leader, 0, 100));
	CHECK(host_process_is_alive(leader, start));
	kill(leader, SIGKILL);
	wait_status(leader);
	/* The members are older than the leader that is meant. */
	CHECK(proc_end_group(leader, start + 1000000, 100));
	CHECK(host_process_is_alive(member, 0));
	kill(-leader, SIGKILL);
	return 0;
}

static void end_group_leaves_others_alone(void **state)
{
	(void)state;
	assert_holds(end_other_group_scenario);
}

static int end_nobody_scenario(void)
{
	setpgid(0, 0);
	CHECK(proc_end_group(1, 1, 0));
	CHECK(proc_end_group(0, 1, 0));
	CHECK(proc_end_group(-1, 1, 0));
	CHECK(!proc_end_group(getpid(), host_process_start(getpid()), 0));
	return 0;
}

static void end_group_never_means_everybody(void **state)
{
	(void)state;
	assert_holds(end_nobody_scenario);
}

/* Ending what a dead airlock has started. */

static int shells_parent_scenario(void)
{
	struct watch watch = { 0 };
	/* The shell dies with its parent; the one that it waits for hears of nothing. */
	struct proc_spec spec = spec_of(shell("sleep 61; exit 1"), &watch);
	struct proc_result result;
	struct err err = ERR_INIT;

	spec.on_start = report_pid;
	return proc_run(&spec, &result, &err);
}

/* Of a shell that waits for it. */
static pid_t only_child(pid_t parent)
{
	char path[64], text[64] = "";
	FILE *file;
	pid_t child = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)parent, (int)parent);
	for (int i = 0; i < 500 && child == 0; i++) {
		file = fopen(path, "r");
		if (file && fgets(text, sizeof(text), file))
			child = atoi(text);
		if (file)
			fclose(file);
		proc_sleep(10);
	}
	return child;
}

/* A parent that is killed, and what lives on. */
static void start_orphan(pid_t *ret_parent, uint64_t *ret_start, pid_t *ret_orphan)
{
	int ends[2];
	pid_t child = 0;

	assert_int_equal(pipe(ends), 0);
	report_to = ends[1];
	*ret_parent = fork_scenario(shells_parent_scenario);
	*ret_start = host_process_start(*ret_parent);
	assert_int_equal(read(ends[0], &child, sizeof(child)), sizeof(child));
	*ret_orphan = only_child(child);
	assert_true(*ret_orphan > 0);
	assert_false(proc_end_started_by(*ret_parent, *ret_start, 0)); /* it lives */
	assert_false(proc_end_orphan(*ret_orphan, 0));
	kill(*ret_parent, SIGKILL);
	wait_status(*ret_parent);
	assert_true(waits_for_end(child, host_process_start(child)));
	assert_true(host_process_is_alive(*ret_orphan, 0));
	close(ends[0]);
	close(ends[1]);
}

static void what_a_dead_airlock_started_is_ended(void **state)
{
	pid_t parent, orphan;
	uint64_t start;

	(void)state;
	start_orphan(&parent, &start, &orphan);
	/* Of another one that had this pid. */
	assert_true(proc_end_started_by(parent, start - 1, 1000));
	assert_true(proc_end_started_by(parent, 0, 1000));
	assert_true(host_process_is_alive(orphan, 0));
	assert_true(proc_end_started_by(parent, start, 10000));
	assert_false(host_process_is_alive(orphan, 0));
	assert_true(proc_end_started_by(parent, start, 0));
}

static void an_orphan_of_a_dead_airlock_is_ended(void **state)
{
	pid_t parent, orphan;
	uint64_t start;

	(void)state;
	start_orphan(&parent, &start, &orphan);
	assert_false(proc_end_orphan(getpid(), 0)); /* nobody's */
	assert_false(proc_end_orphan(0, 0));
	assert_true(proc_end_orphan(orphan, 10000));
	assert_false(host_process_is_alive(orphan, 0));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_child_dies_with_airlock),
		cmocka_unit_test(exec_gives_mask_and_dispositions_back),
		cmocka_unit_test(a_signal_before_exec_is_not_swallowed),
		cmocka_unit_test(a_failed_exec_returns_with_errno),
		cmocka_unit_test(end_group_ends_leader_and_members),
		cmocka_unit_test(end_group_kills_after_the_grace),
		cmocka_unit_test(end_group_finds_those_whose_leader_is_gone),
		cmocka_unit_test(end_group_leaves_others_alone),
		cmocka_unit_test(end_group_never_means_everybody),
		cmocka_unit_test(what_a_dead_airlock_started_is_ended),
		cmocka_unit_test(an_orphan_of_a_dead_airlock_is_ended),
	};

	support_init(argc, argv);
	return cmocka_run_group_tests_name("proc_group", tests, NULL, NULL);
}
