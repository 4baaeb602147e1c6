#include "airlock/base/proc.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "airlock/base/host.h"
#include "proc_internal.h"

enum {
	GRACE_MS = 25000, /* with TERM_WAIT_MS less than the 30 s that orchestrators give */
	TERM_WAIT_MS = 2000,
	KILL_WAIT_MS = 1000,
	DRAIN_MS = 200,
	GROUP_POLL_MS = 20,
	CHUNK = 64 * 1024,
	LAST_DRAIN_CHUNKS = 64, /* more than a pipe holds, bounded if a grandchild goes on */
	POLLED = 3,             /* descriptors per child: its output, its link */
};

static const int64_t never = INT64_MAX;

/* How far the ending of a child has gone that was asked to end; each stage is entered once. */
enum stage {
	STAGE_RUNNING,
	STAGE_INTERRUPTED,
	STAGE_TERMINATED,
	STAGE_KILLED,
};

struct child {
	const struct proc_spec *spec;
	struct proc_result result;
	struct proc_spawned spawned;
	bool is_reaped;
	bool is_group_gone;
	enum stage stage;
	int64_t started_at;
	int64_t reaped_at;
	int64_t next_stage_at;
	int64_t beaten_at;
};

struct run {
	struct child *children;
	size_t n;
	struct pollfd *polled; /* the signals, then POLLED for each child */
	char *chunk;
	unsigned signals_seen;
	const char *lost_status_of; /* a child that somebody else has reaped */
};

static int64_t after(int64_t now, int64_t ms)
{
	return ms > never - now ? never : now + ms;
}

static int64_t grace_of(const struct child *child)
{
	return child->spec->grace_ms > 0 ? child->spec->grace_ms : GRACE_MS;
}

/* The group outlives its leader when that was a wrapper around the program that does the work. */
static void enter_next_stage(struct child *child, int64_t now)
{
	int64_t grace = grace_of(child);

	switch (child->stage) {
	case STAGE_RUNNING:
		kill(-child->spawned.pid, SIGINT);
		child->stage = STAGE_INTERRUPTED;
		child->next_stage_at = after(now, grace);
		break;
	case STAGE_INTERRUPTED:
		kill(-child->spawned.pid, SIGTERM);
		child->stage = STAGE_TERMINATED;
		child->next_stage_at = after(now, grace < TERM_WAIT_MS ? grace : TERM_WAIT_MS);
		break;
	case STAGE_TERMINATED:
		kill(-child->spawned.pid, SIGKILL);
		child->stage = STAGE_KILLED;
		child->next_stage_at = after(now, KILL_WAIT_MS);
		break;
	case STAGE_KILLED:
		/* Others that outlive SIGKILL are given up, the leader is waited for. */
		child->is_group_gone = child->is_reaped;
		child->next_stage_at = after(now, KILL_WAIT_MS);
		break;
	}
}

static bool is_ending(const struct child *child)
{
	return child->stage != STAGE_RUNNING;
}

static bool has_output(const struct child *child)
{
	return child->spawned.output[0] >= 0 || child->spawned.output[1] >= 0;
}

static bool is_done(const struct child *child)
{
	if (!child->spawned.pid)
		return true;
	return child->is_reaped && !has_output(child) &&
	       (!is_ending(child) || child->is_group_gone);
}

static bool all_done(const struct run *run)
{
	for (size_t i = 0; i < run->n; i++)
		if (!is_done(&run->children[i]))
			return false;
	return true;
}

static void close_output(struct child *child, size_t which)
{
	if (child->spawned.output[which] >= 0)
		close(child->spawned.output[which]);
	child->spawned.output[which] = -1;
}

/* One piece, so that no child starves another. False when there is nothing now. */
static bool pump(struct run *run, struct child *child, size_t which)
{
	proc_output_fn *deliver = which == 0 ? child->spec->on_stdout : child->spec->on_stderr;
	ssize_t n;

	if (child->spawned.output[which] < 0)
		return false;
	n = read(child->spawned.output[which], run->chunk, CHUNK);
	if (n > 0) {
		deliver(child->spec->context, run->chunk, (size_t)n);
		return true;
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		close_output(child, which);
	return false;
}

/* A slow reader may have used up the time: what the pipes hold by now is still delivered. */
static void finish_output(struct run *run, struct child *child)
{
	for (size_t which = 0; which < ARRAY_LEN(child->spawned.output); which++) {
		for (int i = 0; i < LAST_DRAIN_CHUNKS && pump(run, child, which); i++)
			;
		close_output(child, which);
	}
}

enum ending {
	ENDING_OPEN, /* it runs */
	ENDING_KNOWN,
	ENDING_LOST,
};

static enum ending ask_ending(const struct child *child, int *ret_status)
{
	pid_t pid;

	if (child->spawned.link >= 0)
		return forker_reap(&child->spawned, ret_status) ? ENDING_KNOWN : ENDING_OPEN;
	do
		pid = waitpid(child->spawned.pid, ret_status, WNOHANG);
	while (pid < 0 && errno == EINTR);
	if (pid == 0)
		return ENDING_OPEN;
	return pid < 0 ? ENDING_LOST : ENDING_KNOWN;
}

static void reap(struct run *run, struct child *child, int64_t now)
{
	struct proc_result *result = &child->result;
	enum ending ending;
	int status;

	if (!child->spawned.pid || child->is_reaped)
		return;
	ending = ask_ending(child, &status);
	if (ending == ENDING_OPEN)
		return;
	child->is_reaped = true;
	proc_death_forget(child->spawned.pid);
	child->reaped_at = now;
	result->elapsed_ms = now - child->started_at;
	if (ending == ENDING_LOST) {
		run->lost_status_of = child->spec->argv[0];
	} else if (WIFSIGNALED(status)) {
		result->end = PROC_SIGNALLED;
		result->signal = WTERMSIG(status);
	} else {
		result->end = PROC_EXITED;
		result->exit_status = WEXITSTATUS(status);
	}
}

static void pass_signal_on(struct child *child, int number, int64_t now)
{
	bool is_second = child->result.interrupted_by != 0;

	if (is_done(child) || (child->is_reaped && !is_ending(child)))
		return;
	if (!is_second)
		child->result.interrupted_by = number;
	if (child->spec->hold_signals || child->stage == STAGE_KILLED)
		return;
	if (is_second) {
		child->stage = STAGE_TERMINATED;
		enter_next_stage(child, now);
	} else if (!is_ending(child)) {
		enter_next_stage(child, now);
	}
}

static void pass_signals_on(struct run *run, int64_t now)
{
	for (; run->signals_seen != proc_supervision()->noted; run->signals_seen++) {
		for (size_t i = 0; i < run->n; i++)
			pass_signal_on(&run->children[i], proc_supervision()->last_noted, now);
		if (proc_supervision()->watcher)
			proc_supervision()->watcher(proc_supervision()->watcher_context,
						    proc_supervision()->last_noted,
						    run->signals_seen + 1);
	}
}

static int64_t timeout_at(const struct child *child)
{
	if (child->spec->timeout_ms <= 0 || is_ending(child) || child->is_reaped)
		return never;
	return after(child->started_at, child->spec->timeout_ms);
}

static int64_t beat_at(const struct child *child)
{
	if (!child->spec->on_beat || !child->spawned.pid || is_ending(child) || child->is_reaped)
		return never;
	return after(child->beaten_at, child->spec->beat_ms);
}

static void beat(struct child *child)
{
	if (host_monotonic_ms() < beat_at(child))
		return;
	if (!child->spec->on_beat(child->spec->context)) {
		child->result.stopped = true;
		enter_next_stage(child, host_monotonic_ms());
	}
	child->beaten_at = host_monotonic_ms();
}

static int64_t drained_at(const struct child *child)
{
	return child->is_reaped && has_output(child) ? after(child->reaped_at, DRAIN_MS) : never;
}

static void act_on_time(struct run *run, struct child *child, int64_t now)
{
	if (is_done(child))
		return;
	if (child->is_reaped && is_ending(child) && !child->is_group_gone)
		child->is_group_gone = proc_group_is_empty(child->spawned.pid);
	if (now >= timeout_at(child)) {
		child->result.timed_out = true;
		/* It would not hear the others, and there is no more time to give. */
		if (child->spec->hold_signals)
			child->stage = STAGE_TERMINATED;
		enter_next_stage(child, now);
	} else if (is_ending(child) && !child->is_group_gone && now >= child->next_stage_at) {
		enter_next_stage(child, now);
	}
	if (now >= drained_at(child))
		finish_output(run, child);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t next_act_at(const struct child *child, int64_t now)
{
	int64_t at = earlier(earlier(timeout_at(child), drained_at(child)), beat_at(child));

	if (is_done(child) || !is_ending(child) || child->is_group_gone)
		return at;
	if (child->is_reaped)
		at = earlier(at, now + GROUP_POLL_MS);
	return earlier(at, child->next_stage_at);
}

static int poll_timeout(const struct run *run)
{
	int64_t now = host_monotonic_ms();
	int64_t at = never;

	for (size_t i = 0; i < run->n; i++)
		at = earlier(at, next_act_at(&run->children[i], now));
	if (at == never)
		return -1;
	if (at <= now)
		return 0;
	return at - now > INT_MAX ? INT_MAX : (int)(at - now);
}

static void poll_child(const struct child *child, struct pollfd polled[POLLED])
{
	for (size_t which = 0; which < 2; which++)
		polled[which] = (struct pollfd) {
			.fd = child->spawned.output[which],
			.events = POLLIN,
		};
	/* Nothing more comes from it after the end, which would be found ready for ever. */
	polled[2] = (struct pollfd) {
		.fd = child->is_reaped ? -1 : child->spawned.link,
		.events = POLLIN,
	};
}

static void wait_for_something(struct run *run)
{
	run->polled[0] = (struct pollfd) { .fd = proc_supervision()->signal_fd, .events = POLLIN };
	for (size_t i = 0; i < run->n; i++)
		poll_child(&run->children[i], run->polled + 1 + POLLED * i);
	/* Interrupted or not: everything is looked at again. */
	poll(run->polled, (nfds_t)(1 + POLLED * run->n), poll_timeout(run));
}

/*
 * The order matters: the callbacks of pump() may read the signals through proc_interrupted(), and
 * those of beat() run other children, so these are reaped after them and before the next poll,
 * whether or not a SIGCHLD was seen.
 */
static void turn(struct run *run)
{
	int64_t now;

	wait_for_something(run);
	for (size_t i = 0; i < run->n; i++)
		for (size_t which = 0; which < 2; which++)
			if (run->polled[1 + POLLED * i + which].revents)
				pump(run, &run->children[i], which);
	for (size_t i = 0; i < run->n; i++)
		beat(&run->children[i]);
	proc_note_signals();
	now = host_monotonic_ms();
	for (size_t i = 0; i < run->n; i++)
		reap(run, &run->children[i], now);
	pass_signals_on(run, now);
	for (size_t i = 0; i < run->n; i++)
		act_on_time(run, &run->children[i], now);
}

static int start(struct child *child, struct err *err)
{
	const struct proc_spec *spec = child->spec;
	int input = spec->input ? proc_memory_file(spec->input, spec->input_len) : -1;
	int rc;

	if (spec->input && input < 0)
		return err_set(err, ERR_FILE, "cannot start '%s': %s", spec->argv[0],
			       strerror(errno));
	rc = proc_spawn(spec, &proc_supervision()->origin, input, &child->spawned, err);
	if (input >= 0)
		close(input);
	if (rc)
		return -1;
	child->result.start_errno = child->spawned.start_errno;
	child->started_at = child->beaten_at = host_monotonic_ms();
	if (child->spawned.pid && spec->on_start)
		spec->on_start(spec->context, child->spawned.pid);
	return 0;
}

/* When one cannot be started those before it are ended, not left behind. */
static int start_all(struct run *run, struct err *err)
{
	for (size_t i = 0; i < run->n; i++) {
		if (start(&run->children[i], err) == 0)
			continue;
		while (i-- > 0)
			if (!is_done(&run->children[i]))
				enter_next_stage(&run->children[i], host_monotonic_ms());
		return -1;
	}
	return 0;
}

static void run_init(struct run *run, const struct proc_spec *specs, size_t n)
{
	*run = (struct run) {
		.children = mem_realloc(NULL, n, sizeof(*run->children)),
		.n = n,
		.polled = mem_realloc(NULL, 1 + POLLED * n, sizeof(*run->polled)),
		.chunk = mem_realloc(NULL, CHUNK, 1),
		.signals_seen = proc_supervision()->noted,
	};
	for (size_t i = 0; i < n; i++)
		run->children[i] = (struct child) {
			.spec = &specs[i],
			.spawned = { .output = { -1, -1 }, .link = -1 },
		};
}

static void run_release(struct run *run)
{
	for (size_t i = 0; i < run->n; i++)
		if (run->children[i].spawned.link >= 0)
			close(run->children[i].spawned.link);
	free(run->children);
	free(run->polled);
	free(run->chunk);
}

int proc_run(const struct proc_spec *spec, struct proc_result *ret_result, struct err *err)
{
	return proc_run_all(spec, 1, ret_result, err);
}

int proc_run_all(const struct proc_spec *specs, size_t n, struct proc_result *ret_results,
		 struct err *err)
{
	struct run run;
	int result;

	proc_supervise();
	run_init(&run, specs, n);
	result = start_all(&run, err);
	while (!all_done(&run))
		turn(&run);
	if (result == 0 && run.lost_status_of)
		result = err_set(err, ERR_INTERNAL, "the exit status of '%s' was lost",
				 run.lost_status_of);
	for (size_t i = 0; i < n && result == 0; i++)
		ret_results[i] = run.children[i].result;
	run_release(&run);
	return result;
}
