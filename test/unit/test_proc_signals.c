#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "airlock/base/host.h"
#include "proc_support.h"

/* Time-outs. */

static int polite_timeout_scenario(void)
{
	struct watch watch = { 0 };
	struct proc_spec spec = spec_of(role("polite"), &watch);
	struct proc_result result;
	struct err err = ERR_INIT;

	spec.timeout_ms = 1000;
	CHECK(proc_run(&spec, &result, &err) == 0);
	CHECK(result.timed_out && !result.interrupted_by);
	CHECK(result.end == PROC_EXITED && result.exit_status == 130);
	CHECK(result.elapsed_ms >= 1000 && result.elapsed_ms < 10000);
	CHECK(prints(&watch, "ready\nINT\n"));
	return 0;
}

static void a_child_may_end_itself_at_the_timeout(void **state)
{
	(void)state;
	assert_holds(polite_timeout_scenario);
}

static int stubborn_timeout_scenario(void)
{
	struct watch watch = { 0 };
	struct proc_spec spec = spec_of(role("stubborn"), &watch);
	struct proc_result result;
	struct err err = ERR_INIT;

	spec.timeout_ms = 1000;
	spec.grace_ms = 500;
	CHECK(proc_run(&spec, &result, &err) == 0);
	CHECK(result.timed_out);
	CHECK(result.end == PROC_SIGNALLED && result.signal == SIGKILL);
	CHECK(result.elapsed_ms >= 2000 && result.elapsed_ms < 10000);
	CHECK(prints(&watch, "ready\nINT\nTERM\n"));
	return 0;
}

static void the_timeout_goes_from_int_to_term_to_kill(void **state)
{
	(void)state;
	assert_holds(stubborn_timeout_scenario);
}

static int held_timeout_scenario(void)
{
	struct watch watch = { 0 };
	struct proc_spec spec = spec_of(role("polite"), &watch);
	struct proc_result result;
	struct err err = ERR_INIT;

	spec.hold_signals = true;
	spec.timeout_ms = 300;
	CHECK(proc_run(&spec, &result, &err) == 0);
	CHECK(result.timed_out && result.elapsed_ms < 10000);
	CHECK(result.end == PROC_SIGNALLED && result.signal == SIGKILL);
	return 0;
}

static void a_held_child_is_killed_at_the_timeout(void **state)
{
	(void)state;
	assert_holds(held_timeout_scenario);
}

static int in_time_scenario(void)
{
	struct watch watch = { 0 };
	struct proc_spec spec = spec_of(shell("exit 0"), &watch);
	struct proc_result result;
	struct err err = ERR_INIT;

	spec.timeout_ms = INT64_MAX;
	spec.grace_ms = INT64_MAX;
	CHECK(proc_run(&spec, &result, &err) == 0);
	CHECK(!result.timed_out && result.end == PROC_EXITED);
	return 0;
}

static void a_child_that_ends_in_time_has_not_timed_out(void **state)
{
	(void)state;
	assert_holds(in_time_scenario);
}

static int wrapper_scenario(void)
{
	struct watch watch = { .trigger = "ready", .send = SIGTERM };
	struct proc_spec spec = spec_of(role("polite-worker"), &watch);
	struct proc_result result;
	struct err err = ERR_INIT;

	CHECK(proc_run(&spec, &result, &err) == 0);
	CHECK(result.end == PROC_SIGNALLED && result.signal == SIGINT);
	CHECK(strncmp(buf_cstr(&watch.error), "worker ", 7) == 0);
	CHECK(!host_process_is_alive(atoi(buf_cstr(&watch.error) + 7), 0));
	return 0;
}

static void a_group_is_waited_for_when_its_leader_dies_first(void **state)
{
	(void)state;
	assert_holds(wrapper_scenario);
}

static int stubborn_worker_scenario(void)
{
	struct watch watch = { .trigger = "ready", .send = SIGINT };
	struct proc_spec spec = spec_of(role("stubborn-worker"), &watch);
	struct proc_result result;
	struct err err = ERR_INIT;

	spec.grace_ms = 200;
	CHECK(proc_run(&spec, &result, &err) == 0);
	CHECK(result.end == PROC_SIGNALLED && result.signal == SIGINT);
	CHECK(strncmp(buf_cstr(&watch.error), "worker ", 7) == 0);
	CHECK(!host_process_is_alive(atoi(buf_cstr(&watch.error) + 7), 0));
	return 0;
}

static void what_is_left_of_a_group_is_killed_at_last(void **state)
{
	(void)state;
	assert_holds(stubborn_worker_scenario);
}

/* Signals to airlock. */

static int forwards(int number)
{
	struct watch watch = { .trigger = "ready\n", .send = number };
	struct proc_spec spec = spec_of(role("polite"), &watch);
	struct proc_result result;
	struct err err = ERR_INIT;

	CHECK(proc_run(&spec, &result, &err) == 0);
	CHECK(prints(&watch, "ready\nINT\n"));
	CHECK(result.end == PROC_EXITED && result.exit_status == 130);
	CHECK(result.interrupted_by == number && !result.timed_out);
	CHECK(proc_interrupted() == number);
	return 0;
}

static int forward_int_scenario(void)
{
	return forwards(SIGINT);
}

static int forward_term_scenario(void)
{
	return forwards(SIGTERM);
}

static int forward_hup_scenario(void)
{
	return forwards(SIGHUP);
}

static void a_signal_reaches_the_child_once_as_sigint(void **state)
{
	(void)state;
	assert_holds(forward_int_scenario);
	assert_holds(forward_term_scenario);
	assert_holds(forward_hup_scenario);
}

static int forward_to_group_scenario(void)
{
	struct watch watch = { .trigger = "ready\nready\n", .send = SIGTERM };
	struct proc_spec spec = spec_of(role("polite-pair"), &watch);
	struct proc_result result;
	struct err err = ERR_INIT;

	CHECK(proc_run(&spec, &result, &err) == 0);
	CHECK(prints(&watch, "ready\nready\nINT\nINT\n"));
	return 0;
}

static void a_signal_reaches_the_whole_group(void **state)
{
	(void)state;
	assert_holds(forward_to_group_scenario);
}

static int second_signal_scenario(void)
{
	struct watch watch = {
		.trigger = "ready\n",
		.send = SIGTERM,
		.second_trigger = "INT\n",
		.second_send = SIGINT,
	};
	struct proc_spec spec = spec_of(role("stubborn"), &watch);
	struct proc_result result;
	struct err err = ERR_INIT;

	CHECK(proc_run(&spec, &result, &err) == 0);
	CHECK(prints(&watch, "ready\nINT\n"));
	CHECK(result.end == PROC_SIGNALLED && result.signal == SIGKILL);
	CHECK(result.interrupted_by == SIGTERM && proc_interrupted() == SIGTERM);
	CHECK(result.elapsed_ms < 10000);
	return 0;
}

static void a_second_signal_kills(void **state)
{
	(void)state;
	assert_holds(second_signal_scenario);
}

static int grace_scenario(void)
{
	struct watch watch = { .trigger = "ready\n", .send = SIGINT };
	struct proc_spec spec = spec_of(role("stubborn"), &watch);
	struct proc_result result;
	struct err err = ERR_INIT;

	spec.grace_ms = 500;
	CHECK(proc_run(&spec, &result, &err) == 0);
	CHECK(prints(&watch, "ready\nINT\nTERM\n"));
	CHECK(result.end == PROC_SIGNALLED && result.signal == SIGKILL);
	CHECK(result.interrupted_by == SIGINT && !result.timed_out);
	return 0;
}

static void an_interrupted_child_has_its_grace(void **state)
{
	(void)state;
	assert_holds(grace_scenario);
}

static int asking_callback_scenario(void)
{
	struct watch watch = { .trigger = "ready\n", .send = SIGTERM, .asks_interrupted = true };
	struct proc_spec spec = spec_of(role("polite"), &watch);
	struct proc_result result;
	struct err err = ERR_INIT;

	CHECK(proc_run(&spec, &result, &err) == 0);
	CHECK(prints(&watch, "ready\nINT\n"));
	CHECK(result.interrupted_by == SIGTERM);
	return 0;
}

static void a_callback_may_ask_whether_it_is_interrupted(void **state)
{
	(void)state;
	assert_holds(asking_callback_scenario);
}

static int hold_scenario(void)
{
	struct watch watch = { .trigger = "ready\n", .send = SIGTERM };
	struct watch next = { 0 };
	struct proc_spec spec = spec_of(shell("echo ready; sleep 0.3; echo done; exit 7"), &watch);
	struct proc_spec next_spec = spec_of(shell("exit 8"), &next);
	struct proc_result result;
	struct err err = ERR_INIT;

	spec.hold_signals = true;
	CHECK(proc_run(&spec, &result, &err) == 0);
	CHECK(result.end == PROC_EXITED && result.exit_status == 7);
	CHECK(prints(&watch, "ready\ndone\n"));
	CHECK(result.interrupted_by == SIGTERM && proc_interrupted() == SIGTERM);
	/* What is noted already is the caller's to consider: cleaning up needs children, too. */
	CHECK(proc_run(&next_spec, &result, &err) == 0);
	CHECK(result.end == PROC_EXITED && result.exit_status == 8);
	CHECK(result.interrupted_by == 0 && proc_interrupted() == SIGTERM);
	return 0;
}

static void a_held_signal_is_only_noted(void **state)
{
	(void)state;
	assert_holds(hold_scenario);
}

static int hold_group_scenario(void)
{
	struct watch watch = { 0 };
	struct proc_spec spec =
		spec_of(shell("kill -INT 0; kill -TERM 0; kill -HUP 0; exit 0"), &watch);
	struct proc_result result;
	struct err err = ERR_INIT;

	spec.hold_signals = true;
	CHECK(proc_run(&spec, &result, &err) == 0);
	CHECK(result.end == PROC_EXITED && result.exit_status == 0);
	return 0;
}

static void a_held_child_survives_signals_to_its_group(void **state)
{
	(void)state;
	assert_holds(hold_group_scenario);
}

static int between_runs_scenario(void)
{
	proc_supervise();
	CHECK(proc_interrupted() == 0);
	kill(getpid(), SIGHUP);
	CHECK(proc_interrupted() == SIGHUP);
	kill(getpid(), SIGINT);
	CHECK(proc_interrupted() == SIGHUP);
	return 0;
}

static void a_signal_between_children_is_noted(void **state)
{
	(void)state;
	assert_holds(between_runs_scenario);
}

static int unsupervised_scenario(void)
{
	CHECK(proc_interrupted() == 0);
	return 0;
}

static void without_supervision_nothing_is_noted(void **state)
{
	(void)state;
	assert_holds(unsupervised_scenario);
}

static int ignored_signal_scenario(void)
{
	struct watch watch = { .trigger = "ready\n", .send = SIGHUP };
	struct proc_spec spec = spec_of(shell("echo ready; sleep 0.2; exit 9"), &watch);
	struct proc_result result;
	struct err err = ERR_INIT;

	signal(SIGHUP, SIG_IGN);
	CHECK(proc_run(&spec, &result, &err) == 0);
	CHECK(result.end == PROC_EXITED && result.exit_status == 9);
	CHECK(result.interrupted_by == 0 && proc_interrupted() == 0);
	return 0;
}

static void a_signal_ignored_from_the_start_stays_ignored(void **state)
{
	(void)state;
	assert_holds(ignored_signal_scenario);
}

/* `airlock &` in a script: SIGINT is ignored there, and SIGTERM has to reach dbt all the same. */
static int background_job_scenario(void)
{
	struct watch watch = { .trigger = "ready\n", .send = SIGTERM };
	struct proc_spec spec = spec_of(shell("echo ready; exec sleep 30"), &watch);
	struct proc_result result;
	struct err err = ERR_INIT;
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGINT);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_SETMASK, &blocked, NULL);
	signal(SIGINT, SIG_IGN);
	CHECK(proc_run(&spec, &result, &err) == 0);
	CHECK(result.end == PROC_SIGNALLED && result.signal == SIGINT);
	CHECK(result.interrupted_by == SIGTERM && result.elapsed_ms < 10000);
	return 0;
}

static void a_child_of_a_background_job_can_be_interrupted(void **state)
{
	(void)state;
	assert_holds(background_job_scenario);
}

struct told {
	int numbers[4];
	unsigned counts[4];
	size_t n;
};

static void note_told(void *context, int number, unsigned count)
{
	struct told *told = context;

	told->numbers[told->n] = number;
	told->counts[told->n++] = count;
}

static int watcher_scenario(void)
{
	struct watch watch = {
		.trigger = "ready\n",
		.send = SIGTERM,
		.second_trigger = "INT\n",
		.second_send = SIGINT,
	};
	struct proc_spec spec = spec_of(role("stubborn"), &watch);
	struct told told = { 0 };
	struct proc_result result;
	struct err err = ERR_INIT;

	proc_watch_signals(note_told, &told);
	CHECK(proc_run(&spec, &result, &err) == 0);
	CHECK(told.n == 2);
	CHECK(told.numbers[0] == SIGTERM && told.counts[0] == 1);
	CHECK(told.numbers[1] == SIGINT && told.counts[1] == 2);
	return 0;
}

static void a_watcher_is_told_of_each_signal(void **state)
{
	(void)state;
	assert_holds(watcher_scenario);
}

static int held_twice_scenario(void)
{
	struct watch watch = {
		.trigger = "ready\n",
		.send = SIGTERM,
		.second_trigger = "still\n",
		.second_send = SIGTERM,
	};
	struct proc_spec spec = spec_of(
		shell("echo ready; sleep 0.3; echo still; sleep 0.3; echo done; exit 7"), &watch);
	struct told told = { 0 };
	struct proc_result result;
	struct err err = ERR_INIT;

	spec.hold_signals = true;
	proc_watch_signals(note_told, &told);
	CHECK(proc_run(&spec, &result, &err) == 0);
	CHECK(result.end == PROC_EXITED && result.exit_status == 7);
	CHECK(prints(&watch, "ready\nstill\ndone\n") && told.n == 2);
	return 0;
}

static void a_second_signal_does_not_end_a_held_child(void **state)
{
	(void)state;
	assert_holds(held_twice_scenario);
}

/* Several children. */

static int side_by_side_scenario(void)
{
	char directory[] = "/tmp/airlock-test.XXXXXX";
	char missing[] = "/nonexistent/dbt";
	struct watch watches[3] = { 0 };
	struct proc_spec specs[3];
	struct proc_result results[3];
	struct err err = ERR_INIT;

	/* Each end of a fifo waits for the other: only two at the same time come to an end. */
	CHECK(mkdtemp(directory));
	specs[0] = spec_of(shell("mkfifo f; echo x > f; exit 1"), &watches[0]);
	specs[1] = spec_of((char *[]) { missing, NULL }, &watches[1]);
	specs[2] =
		spec_of(shell("until [ -p f ]; do sleep 0.01; done; cat f; exit 2"), &watches[2]);
	for (size_t i = 0; i < 3; i++)
		specs[i].cwd = directory;
	CHECK(proc_run_all(specs, 3, results, &err) == 0);
	CHECK(results[0].end == PROC_EXITED && results[0].exit_status == 1);
	CHECK(results[1].end == PROC_NOT_STARTED && results[1].start_errno == ENOENT);
	CHECK(results[2].end == PROC_EXITED && results[2].exit_status == 2);
	CHECK(prints(&watches[2], "x\n"));
	CHECK(system(mem_printf("rm -r %s", directory)) == 0);
	return 0;
}

static void two_run_side_by_side(void **state)
{
	(void)state;
	assert_holds(side_by_side_scenario);
}

static int interrupt_both_scenario(void)
{
	struct watch watch = { .trigger = "ready\nready\n", .send = SIGTERM };
	struct proc_spec specs[2] = { spec_of(role("polite"), &watch),
				      spec_of(role("polite"), &watch) };
	struct proc_result results[2];
	struct err err = ERR_INIT;

	CHECK(proc_run_all(specs, 2, results, &err) == 0);
	CHECK(prints(&watch, "ready\nready\nINT\nINT\n"));
	for (size_t i = 0; i < 2; i++)
		CHECK(results[i].exit_status == 130 && results[i].interrupted_by == SIGTERM);
	return 0;
}

static void a_signal_reaches_all_children(void **state)
{
	(void)state;
	assert_holds(interrupt_both_scenario);
}

static int own_timeouts_scenario(void)
{
	struct watch watch = { 0 };
	struct proc_spec specs[2] = { spec_of(shell("sleep 30"), &watch),
				      spec_of(shell("sleep 0.6; exit 1"), &watch) };
	struct proc_result results[2];
	struct err err = ERR_INIT;

	specs[0].timeout_ms = 200;
	CHECK(proc_run_all(specs, 2, results, &err) == 0);
	CHECK(results[0].timed_out && results[0].end == PROC_SIGNALLED);
	CHECK(results[0].signal == SIGINT);
	CHECK(!results[1].timed_out && results[1].exit_status == 1);
	return 0;
}

static void each_has_its_own_timeout(void **state)
{
	(void)state;
	assert_holds(own_timeouts_scenario);
}

static void use_up_descriptors(void *context, pid_t pid)
{
	struct watch *watch = context;
	struct rlimit limit;

	watch->pid = pid;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = 3;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int failed_start_scenario(void)
{
	struct watch watch = { 0 };
	struct proc_spec specs[2] = { spec_of(shell("exec sleep 30"), &watch),
				      spec_of(shell("exit 0"), &watch) };
	struct proc_result results[2];
	struct err err = ERR_INIT;
	int64_t before = host_monotonic_ms();

	specs[0].on_start = use_up_descriptors;
	CHECK(proc_run_all(specs, 2, results, &err) == -1);
	CHECK(err.code == ERR_FILE);
	CHECK(strcmp(err.message, "cannot start '/bin/sh': Too many open files") == 0);
	CHECK(host_monotonic_ms() - before < 10000);
	CHECK(watch.pid > 0 && kill(watch.pid, 0) < 0 && errno == ESRCH);
	err_release(&err);
	return 0;
}

static void a_failed_start_leaves_no_other_child_behind(void **state)
{
	(void)state;
	assert_holds(failed_start_scenario);
}

static int none_scenario(void)
{
	struct err err = ERR_INIT;

	CHECK(proc_run_all(NULL, 0, NULL, &err) == 0);
	return 0;
}

static void no_children_are_no_work(void **state)
{
	(void)state;
	assert_holds(none_scenario);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_child_may_end_itself_at_the_timeout),
		cmocka_unit_test(the_timeout_goes_from_int_to_term_to_kill),
		cmocka_unit_test(a_held_child_is_killed_at_the_timeout),
		cmocka_unit_test(a_child_that_ends_in_time_has_not_timed_out),
		cmocka_unit_test(a_group_is_waited_for_when_its_leader_dies_first),
		cmocka_unit_test(what_is_left_of_a_group_is_killed_at_last),
		cmocka_unit_test(a_signal_reaches_the_child_once_as_sigint),
		cmocka_unit_test(a_signal_reaches_the_whole_group),
		cmocka_unit_test(a_second_signal_kills),
		cmocka_unit_test(an_interrupted_child_has_its_grace),
		cmocka_unit_test(a_callback_may_ask_whether_it_is_interrupted),
		cmocka_unit_test(a_held_signal_is_only_noted),
		cmocka_unit_test(a_held_child_survives_signals_to_its_group),
		cmocka_unit_test(a_signal_between_children_is_noted),
		cmocka_unit_test(without_supervision_nothing_is_noted),
		cmocka_unit_test(a_signal_ignored_from_the_start_stays_ignored),
		cmocka_unit_test(a_child_of_a_background_job_can_be_interrupted),
		cmocka_unit_test(a_watcher_is_told_of_each_signal),
		cmocka_unit_test(a_second_signal_does_not_end_a_held_child),
		cmocka_unit_test(two_run_side_by_side),
		cmocka_unit_test(a_signal_reaches_all_children),
		cmocka_unit_test(each_has_its_own_timeout),
		cmocka_unit_test(a_failed_start_leaves_no_other_child_behind),
		cmocka_unit_test(no_children_are_no_work),
	};

	support_init(argc, argv);
	return cmocka_run_group_tests_name("proc_signals", tests, NULL, NULL);
}
