#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "airlock/base/host.h"
#include "proc_support.h"

/* How children end. */

static int exit_status_scenario(void)
{
	struct watch watch = { 0 };
	struct proc_spec spec = spec_of(shell("exit 3"), &watch);
	struct proc_result result;
	struct err err = ERR_INIT;

	CHECK(proc_run(&spec, &result, &err) == 0);
	CHECK(result.end == PROC_EXITED && result.exit_status == 3);
	CHECK(!result.timed_out && !result.interrupted_by && !result.start_errno);
	CHECK(!err_is_set(&err));
	CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
	return 0;
}

static void the_exit_status_is_the_childs(void **state)
{
	(void)state;
	assert_holds(exit_status_scenario);
}

static int death_by_signal_scenario(void)
{
	struct watch watch = { 0 };
	struct proc_spec spec = spec_of(shell("kill -TERM $$"), &watch);
	struct proc_result result;
	struct err err = ERR_INIT;

	CHECK(proc_run(&spec, &result, &err) == 0);
	CHECK(result.end == PROC_SIGNALLED && result.signal == SIGTERM);
	CHECK(!result.interrupted_by);
	return 0;
}

static void death_by_a_signal_is_not_an_exit(void **state)
{
	(void)state;
	assert_holds(death_by_signal_scenario);
}

static int fails_to_start(char *const *argv, const char *cwd, int expected)
{
	struct watch watch = { 0 };
	struct proc_spec spec = spec_of(argv, &watch);
	struct proc_result result = { .end = PROC_EXITED };
	struct err err = ERR_INIT;

	spec.cwd = cwd;
	CHECK(proc_run(&spec, &result, &err) == 0);
	CHECK(result.end == PROC_NOT_STARTED);
	CHECK(result.start_errno == expected);
	CHECK(watch.pid == 0 && watch.out.len == 0 && watch.error.len == 0);
	CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
	return 0;
}

static int exec_failure_scenario(void)
{
	char missing[] = "/nonexistent/dbt", directory[] = "/";

	if (fails_to_start((char *[]) { missing, NULL }, NULL, ENOENT) ||
	    fails_to_start((char *[]) { directory, NULL }, NULL, EACCES) ||
	    fails_to_start(shell("exit 0"), "/nonexistent", ENOENT))
		return 1;
	return 0;
}

static void what_cannot_be_executed_says_why(void **state)
{
	(void)state;
	assert_holds(exec_failure_scenario);
}

static void reap_it(void *context, const char *data, size_t len)
{
	struct watch *watch = context;

	(void)data;
	(void)len;
	waitpid(watch->pid, NULL, 0);
}

static int lost_status_scenario(void)
{
	struct watch watch = { 0 };
	struct proc_spec spec = spec_of(shell("echo x"), &watch);
	struct proc_result result;
	struct err err = ERR_INIT;

	spec.on_stdout = reap_it;
	CHECK(proc_run(&spec, &result, &err) == -1);
	CHECK(err.code == ERR_INTERNAL);
	CHECK(strcmp(err.message, "the exit status of '/bin/sh' was lost") == 0);
	err_release(&err);
	return 0;
}

static void a_lost_exit_status_is_an_error(void **state)
{
	(void)state;
	assert_holds(lost_status_scenario);
}

/* What children are started with. */

static int cwd_and_environment_scenario(void)
{
	char variable[] = "COLOUR=blue";
	char *const environment[] = { variable, NULL };
	struct watch watch = { 0 };
	struct proc_spec spec = spec_of(shell("pwd; echo $COLOUR; echo $USER"), &watch);
	struct proc_result result;
	struct err err = ERR_INIT;

	spec.cwd = "/usr";
	spec.envp = environment;
	CHECK(proc_run(&spec, &result, &err) == 0);
	CHECK(prints(&watch, "/usr\nblue\n\n"));
	return 0;
}

static void cwd_and_environment_are_those_of_the_spec(void **state)
{
	(void)state;
	assert_holds(cwd_and_environment_scenario);
}

static int stdin_scenario(void)
{
	struct watch watch = { 0 };
	struct proc_spec spec = spec_of(shell("cat; echo end"), &watch);
	struct proc_result result;
	struct err err = ERR_INIT;
	int ends[2];

	/* Ours would never end. */
	CHECK(pipe(ends) == 0 && dup2(ends[0], 0) == 0);
	CHECK(proc_run(&spec, &result, &err) == 0);
	CHECK(prints(&watch, "end\n"));
	return 0;
}

static void stdin_is_empty(void **state)
{
	(void)state;
	assert_holds(stdin_scenario);
}

static int own_group_scenario(void)
{
	struct watch watch = { 0 };
	struct proc_spec spec = spec_of(role("ids"), &watch);
	struct proc_result result;
	struct err err = ERR_INIT;
	char *expected;

	CHECK(proc_run(&spec, &result, &err) == 0);
	expected = mem_printf("pid %d group %d parent %d\n", watch.pid, watch.pid, getpid());
	CHECK(prints(&watch, expected));
	CHECK(watch.out_len_at_start == 0);
	return 0;
}

static void a_child_leads_its_own_group(void **state)
{
	(void)state;
	assert_holds(own_group_scenario);
}

static int input_scenario(void)
{
	struct watch watch = { 0 };
	struct proc_spec spec = spec_of(shell("cat; echo; cat"), &watch);
	struct proc_result result;
	struct err err = ERR_INIT;

	spec.input = "{\"id\": 1}";
	spec.input_len = strlen(spec.input);
	CHECK(proc_run(&spec, &result, &err) == 0);
	CHECK(result.end == PROC_EXITED && result.exit_status == 0);
	CHECK(prints(&watch, "{\"id\": 1}\n"));
	return 0;
}

static void a_child_reads_its_input_to_the_end(void **state)
{
	(void)state;
	assert_holds(input_scenario);
}

static int original_signals_scenario(void)
{
	struct watch watch = { 0 };
	struct proc_spec spec = spec_of(role("signals"), &watch);
	struct proc_result result;
	struct err err = ERR_INIT;
	char *expected;
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	signal(SIGUSR2, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	proc_supervise();
	/* What airlock changes later is its own affair. */
	signal(SIGPIPE, SIG_IGN);
	CHECK(proc_run(&spec, &result, &err) == 0);
	expected = mem_printf("blocked %d ignored %d\n", SIGUSR1, SIGUSR2);
	CHECK(prints(&watch, expected));
	return 0;
}

static void a_child_gets_the_original_mask_and_dispositions(void **state)
{
	(void)state;
	assert_holds(original_signals_scenario);
}

static int held_mask_scenario(void)
{
	struct watch watch = { 0 };
	struct proc_spec spec = spec_of(role("signals"), &watch);
	struct proc_result result;
	struct err err = ERR_INIT;
	char *expected = mem_printf("blocked %d %d %d ignored\n", SIGHUP, SIGINT, SIGTERM);

	spec.hold_signals = true;
	CHECK(proc_run(&spec, &result, &err) == 0);
	CHECK(prints(&watch, expected));
	return 0;
}

static void a_held_child_has_the_signals_blocked(void **state)
{
	(void)state;
	assert_holds(held_mask_scenario);
}

static int child_has_three_descriptors(void)
{
	struct watch watch = { 0 };
	struct proc_spec spec = spec_of(role("descriptors"), &watch);
	struct proc_result result;
	struct err err = ERR_INIT;
	int fd = open("/dev/null", O_RDONLY);

	CHECK(fd >= 0 && fcntl(fd, F_DUPFD, 200) >= 200);
	CHECK(proc_run(&spec, &result, &err) == 0);
	CHECK(prints(&watch, "0 1 2\n"));
	/* Ours stay open. */
	CHECK(fcntl(fd, F_GETFD) == 0);
	return 0;
}

static void a_child_has_descriptors_0_to_2_only(void **state)
{
	(void)state;
	assert_holds(child_has_three_descriptors);
}

/* Makes a system call fail with ENOSYS from here on, as an old kernel would. */
static int deny(long call)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = ARRAY_LEN(filter), .filter = filter };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static int without_close_range_scenario(void)
{
	CHECK(deny(SYS_close_range) == 0);
	return child_has_three_descriptors();
}

static int without_listing_scenario(void)
{
	CHECK(deny(SYS_close_range) == 0);
	CHECK(deny(SYS_getdents64) == 0);
	return child_has_three_descriptors();
}

static void descriptors_are_closed_without_close_range(void **state)
{
	(void)state;
	assert_holds(without_close_range_scenario);
}

static void descriptors_are_closed_without_proc(void **state)
{
	(void)state;
	assert_holds(without_listing_scenario);
}

static int closed_descriptors_scenario(void)
{
	struct watch watch = { 0 };
	struct proc_spec spec = spec_of(shell("echo out; echo error >&2"), &watch);
	struct proc_result result;
	struct err err = ERR_INIT;

	close(0);
	close(1);
	close(2);
	proc_supervise();
	for (int fd = 0; fd <= 2; fd++)
		CHECK(fcntl(fd, F_GETFD) == 0);
	/* They may be closed later, too. */
	close(0);
	close(2);
	CHECK(proc_run(&spec, &result, &err) == 0);
	CHECK(result.end == PROC_EXITED && result.exit_status == 0);
	CHECK(prints(&watch, "out\n"));
	CHECK(strcmp(buf_cstr(&watch.error), "error\n") == 0);
	return 0;
}

static void closed_standard_descriptors_are_opened(void **state)
{
	(void)state;
	assert_holds(closed_descriptors_scenario);
}

static int ignored_sigchld_scenario(void)
{
	signal(SIGCHLD, SIG_IGN);
	return exit_status_scenario();
}

static int unwaited_sigchld_scenario(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };

	sigaction(SIGCHLD, &action, NULL);
	return exit_status_scenario();
}

static void an_ignored_sigchld_loses_no_exit_status(void **state)
{
	(void)state;
	assert_holds(ignored_sigchld_scenario);
	assert_holds(unwaited_sigchld_scenario);
}

static int many_scenario(void)
{
	struct proc_result result;
	struct err err = ERR_INIT;
	int before = -1, after;

	/* What the first one leaves is the supervision's own. */
	for (int i = 0; i < 200; i++) {
		struct watch watch = { 0 };
		struct proc_spec spec = spec_of(shell("echo x; exit 5"), &watch);

		CHECK(proc_run(&spec, &result, &err) == 0);
		CHECK(result.end == PROC_EXITED && result.exit_status == 5);
		CHECK(prints(&watch, "x\n"));
		buf_release(&watch.out);
		if (i == 0)
			before = open("/dev/null", O_RDONLY);
	}
	after = open("/dev/null", O_RDONLY);
	CHECK(after == before + 1);
	return 0;
}

static void many_children_leave_no_descriptor(void **state)
{
	(void)state;
	assert_holds(many_scenario);
}

/* Output. */

static int large_output_scenario(void)
{
	struct watch watch = { 0 };
	struct proc_spec spec = spec_of(shell("head -c 3000000 /dev/zero | tr '\\0' o &"
					      "head -c 5000000 /dev/zero | tr '\\0' e >&2; wait"),
					&watch);
	struct proc_result result;
	struct err err = ERR_INIT;

	CHECK(proc_run(&spec, &result, &err) == 0);
	CHECK(result.end == PROC_EXITED && result.exit_status == 0);
	CHECK(watch.out.len == 3000000 && strspn(buf_cstr(&watch.out), "o") == 3000000);
	CHECK(watch.error.len == 5000000 && strspn(buf_cstr(&watch.error), "e") == 5000000);
	buf_release(&watch.out);
	buf_release(&watch.error);
	return 0;
}

static void both_pipes_are_drained(void **state)
{
	(void)state;
	assert_holds(large_output_scenario);
}

static int discarded_output_scenario(void)
{
	struct watch watch = { 0 };
	struct proc_spec spec = spec_of(
		shell("head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2; exit 4"), &watch);
	struct proc_result result;
	struct err err = ERR_INIT;

	spec.on_start = NULL;
	spec.on_stdout = NULL;
	spec.on_stderr = NULL;
	CHECK(proc_run(&spec, &result, &err) == 0);
	CHECK(result.end == PROC_EXITED && result.exit_status == 4);
	return 0;
}

static void output_that_nobody_wants_is_discarded(void **state)
{
	(void)state;
	assert_holds(discarded_output_scenario);
}

static int closed_output_scenario(void)
{
	struct watch watch = { 0 };
	struct proc_spec spec = spec_of(shell("exec >&- 2>&-; sleep 0.3; exit 6"), &watch);
	struct proc_result result;
	struct err err = ERR_INIT;

	CHECK(proc_run(&spec, &result, &err) == 0);
	CHECK(result.end == PROC_EXITED && result.exit_status == 6);
	CHECK(result.elapsed_ms >= 250);
	return 0;
}

static void a_child_that_closes_its_output_is_waited_for(void **state)
{
	(void)state;
	assert_holds(closed_output_scenario);
}

static int grandchild_scenario(void)
{
	struct watch watch = { 0 };
	struct proc_spec spec = spec_of(shell("sleep 10 & echo $!"), &watch);
	struct proc_result result;
	struct err err = ERR_INIT;
	int64_t before = host_monotonic_ms(), took;
	pid_t grandchild;

	CHECK(proc_run(&spec, &result, &err) == 0);
	took = host_monotonic_ms() - before;
	grandchild = atoi(buf_cstr(&watch.out));
	CHECK(grandchild > 1);
	/* A child that ended by itself leaves what it leaves. */
	CHECK(host_process_is_alive(grandchild, 0));
	kill(grandchild, SIGKILL);
	CHECK(result.end == PROC_EXITED);
	CHECK(took >= 190 && took < 5000);
	return 0;
}

static void a_grandchild_that_holds_a_pipe_is_not_waited_for(void **state)
{
	(void)state;
	assert_holds(grandchild_scenario);
}

static int late_output_scenario(void)
{
	struct watch watch = { 0 };
	struct proc_spec spec = spec_of(shell("(sleep 0.05; echo late) & echo early"), &watch);
	struct proc_result result;
	struct err err = ERR_INIT;

	CHECK(proc_run(&spec, &result, &err) == 0);
	CHECK(prints(&watch, "early\nlate\n"));
	return 0;
}

static void output_right_after_the_exit_is_delivered(void **state)
{
	(void)state;
	assert_holds(late_output_scenario);
}

static void take_long(void *context, const char *data, size_t len)
{
	struct watch *watch = context;

	if (watch->out.len == 0)
		poll(NULL, 0, 400);
	buf_add(&watch->out, data, len);
}

static int slow_reader_scenario(void)
{
	struct watch watch = { 0 };
	struct proc_spec spec =
		spec_of(shell("sleep 10 & echo $!; sleep 0.1; head -c 60000 /dev/zero"), &watch);
	struct proc_result result;
	struct err err = ERR_INIT;

	spec.on_stdout = take_long;
	CHECK(proc_run(&spec, &result, &err) == 0);
	CHECK(watch.out.len > 60000);
	kill(atoi(buf_cstr(&watch.out)), SIGKILL);
	return 0;
}

static void a_slow_reader_loses_nothing_that_was_written(void **state)
{
	(void)state;
	assert_holds(slow_reader_scenario);
}

static int chatty_grandchild_scenario(void)
{
	struct watch watch = { 0 };
	struct proc_spec spec = spec_of(shell("yes & echo $! >&2"), &watch);
	struct proc_result result;
	struct err err = ERR_INIT;
	int64_t before = host_monotonic_ms();

	CHECK(proc_run(&spec, &result, &err) == 0);
	CHECK(host_monotonic_ms() - before < 10000);
	/* It ends by itself: nobody reads its pipe any more. */
	CHECK(waits_for_end(atoi(buf_cstr(&watch.error)), 0));
	buf_release(&watch.out);
	return 0;
}

static void a_grandchild_that_goes_on_writing_is_cut_off(void **state)
{
	(void)state;
	assert_holds(chatty_grandchild_scenario);
}

static void sleep_lasts_as_long_as_it_says(void **state)
{
	int64_t began = host_monotonic_ms();

	(void)state;
	proc_sleep(40);
	assert_in_range(host_monotonic_ms() - began, 39, 2000);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sleep_lasts_as_long_as_it_says),
		cmocka_unit_test(the_exit_status_is_the_childs),
		cmocka_unit_test(death_by_a_signal_is_not_an_exit),
		cmocka_unit_test(what_cannot_be_executed_says_why),
		cmocka_unit_test(a_lost_exit_status_is_an_error),
		cmocka_unit_test(cwd_and_environment_are_those_of_the_spec),
		cmocka_unit_test(stdin_is_empty),
		cmocka_unit_test(a_child_leads_its_own_group),
		cmocka_unit_test(a_child_reads_its_input_to_the_end),
		cmocka_unit_test(a_child_gets_the_original_mask_and_dispositions),
		cmocka_unit_test(a_held_child_has_the_signals_blocked),
		cmocka_unit_test(a_child_has_descriptors_0_to_2_only),
		cmocka_unit_test(descriptors_are_closed_without_close_range),
		cmocka_unit_test(descriptors_are_closed_without_proc),
		cmocka_unit_test(closed_standard_descriptors_are_opened),
		cmocka_unit_test(an_ignored_sigchld_loses_no_exit_status),
		cmocka_unit_test(many_children_leave_no_descriptor),
		cmocka_unit_test(both_pipes_are_drained),
		cmocka_unit_test(output_that_nobody_wants_is_discarded),
		cmocka_unit_test(a_child_that_closes_its_output_is_waited_for),
		cmocka_unit_test(a_grandchild_that_holds_a_pipe_is_not_waited_for),
		cmocka_unit_test(output_right_after_the_exit_is_delivered),
		cmocka_unit_test(a_slow_reader_loses_nothing_that_was_written),
		cmocka_unit_test(a_grandchild_that_goes_on_writing_is_cut_off),
	};

	support_init(argc, argv);
	return cmocka_run_group_tests_name("proc", tests, NULL, NULL);
}
