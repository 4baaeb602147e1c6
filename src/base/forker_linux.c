#include "airlock/base/forker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "airlock/base/buf.h"
#include "airlock/base/host.h"
#include "proc_internal.h"

enum {
	LOAD_MS = 60000, /* a cold disk; executing the program would take as long */
	FORK_MS = 30000,
	SLICE_MS = 100, /* how soon an interruption ends the wait for the loading */
	WORD_SIZE = 64,
	PASSED = 5, /* descriptors of a request */
};

enum state {
	STATE_LOADING,
	STATE_READY,
	STATE_GONE, /* it has declined for good, or died */
};

struct forker {
	pid_t pid;
	int channel;
	enum state state;
};

static bool open_channel(int ends[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0;
}

static bool say(int fd, const void *data, size_t len)
{
	ssize_t n;

	do
		n = send(fd, data, len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)len;
}

/* One message without waiting: 1, 0 when there is none yet, -1 when none will come. */
static int hear(int fd, char word[WORD_SIZE])
{
	ssize_t n;

	do
		n = recv(fd, word, WORD_SIZE - 1, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	if (n <= 0)
		return -1;
	word[n] = '\0';
	return 1;
}

/* 0 when the time is over, or before that when airlock is interrupted and `patient` is not set. */
static int wait_and_hear(int fd, int64_t wait_ms, bool patient, char word[WORD_SIZE])
{
	int64_t deadline = host_monotonic_ms() + wait_ms;
	int heard;

	while ((heard = hear(fd, word)) == 0) {
		struct pollfd polled = { .fd = fd, .events = POLLIN };
		int64_t left = deadline - host_monotonic_ms();

		if (left <= 0 || (!patient && proc_interrupted()))
			return 0;
		poll(&polled, 1, left < SLICE_MS ? (int)left : SLICE_MS);
	}
	return heard;
}

struct forker *forker_start(char *const *argv, char *const *envp, const char *text, size_t len)
{
	const struct proc_spec spec = { .argv = argv, .envp = envp };
	struct err ignored CLEANUP(err_release) = ERR_INIT;
	struct proc_spawned spawned = { 0 };
	struct forker *forker;
	int ends[2];

	proc_supervise();
	if (len > FORKER_TEXT_LIMIT || !open_channel(ends))
		return NULL;
	if (!say(ends[0], text, len) ||
	    proc_spawn(&spec, proc_origin(), ends[1], &spawned, &ignored) || !spawned.pid) {
		close(ends[0]);
		close(ends[1]);
		return NULL;
	}
	close(ends[1]);
	forker = mem_alloc(sizeof(*forker));
	*forker = (struct forker) { .pid = spawned.pid, .channel = ends[0] };
	return forker;
}

void forker_free(struct forker *forker)
{
	if (!forker)
		return;
	kill(-forker->pid, SIGKILL);
	while (waitpid(forker->pid, NULL, 0) < 0 && errno == EINTR)
		;
	close(forker->channel);
	free(forker);
}

/* An interruption leaves it loading: what runs then is executed, and the next child asks again. */
static bool is_ready(struct forker *forker)
{
	char word[WORD_SIZE];
	int heard;

	if (forker->state == STATE_LOADING) {
		heard = wait_and_hear(forker->channel, LOAD_MS, false, word);
		if (heard > 0 && strcmp(word, "ready") == 0)
			forker->state = STATE_READY;
		else if (heard || !proc_interrupted())
			forker->state = STATE_GONE;
	}
	return forker->state == STATE_READY;
}

static void add_text(struct buf *out, const char *text)
{
	buf_add(out, text, strlen(text) + 1);
}

static void write_request(const struct proc_spec *spec, struct buf *out)
{
	size_t argc = 0;
	char count[32];

	while (spec->argv[argc])
		argc++;
	snprintf(count, sizeof(count), "%zu", argc);
	add_text(out, spec->hold_signals ? "hold" : "");
	add_text(out, spec->cwd ? spec->cwd : "");
	add_text(out, count);
	for (size_t i = 0; i < argc; i++)
		add_text(out, spec->argv[i]);
	for (char *const *variable = spec->envp; *variable; variable++)
		add_text(out, *variable);
}

/* A file, since there is no limit to an environment that a message would respect. */
static int open_request(const struct proc_spec *spec)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	write_request(spec, &text);
	return proc_memory_file(text.data, text.len);
}

static bool pass(int channel, const int fds[PASSED])
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(PASSED * sizeof(int))];
	} control = { 0 };
	char word[] = "fork";
	struct iovec piece = { .iov_base = word, .iov_len = strlen(word) };
	struct msghdr message = {
		.msg_iov = &piece,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	ssize_t n;

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(PASSED * sizeof(int));
	memcpy(CMSG_DATA(header), fds, PASSED * sizeof(int));
	do
		n = sendmsg(channel, &message, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n > 0;
}

static bool ask(const struct forker *forker, const struct proc_spec *spec, const int standard[3],
		int link)
{
	int request = open_request(spec);
	const int fds[PASSED] = { standard[0], standard[1], standard[2], link, request };
	bool passed = request >= 0 && pass(forker->channel, fds);

	if (request >= 0)
		close(request);
	return passed;
}

/* A helper that does not answer is of no use to those who run either: they would never end. */
static pid_t hear_pid(struct forker *forker, int link)
{
	char word[WORD_SIZE];
	int heard = wait_and_hear(link, FORK_MS, true, word);
	long pid;

	if (heard == 0) {
		kill(forker->pid, SIGKILL);
		forker->state = STATE_GONE;
	}
	if (heard <= 0 || sscanf(word, "pid %ld", &pid) != 1 || pid <= 1)
		return 0;
	return (pid_t)pid;
}

bool forker_fork(struct forker *forker, const struct proc_spec *spec, const int standard[3],
		 struct proc_spawned *spawned)
{
	int ends[2];
	pid_t pid = 0;
	uint64_t start;

	if (!is_ready(forker) || !open_channel(ends))
		return false;
	if (ask(forker, spec, standard, ends[1])) {
		close(ends[1]);
		pid = hear_pid(forker, ends[0]);
	} else {
		close(ends[1]);
		forker->state = STATE_GONE;
	}
	start = pid ? host_process_start(pid) : 0;
	/* Only now anything is run; a child that cannot hear it ends. */
	if (!pid || !say(ends[0], "go", 2)) {
		close(ends[0]);
		return false;
	}
	spawned->pid = pid;
	spawned->link = ends[0];
	spawned->start = start;
	return true;
}

bool forker_reap(const struct proc_spawned *spawned, int *ret_status)
{
	char word[WORD_SIZE];
	int heard = hear(spawned->link, word);

	if (heard == 0)
		return false;
	if (heard > 0 && sscanf(word, "end %d", ret_status) == 1)
		return true;
	proc_end_group(spawned->pid, spawned->start, 0);
	*ret_status = SIGKILL;
	return true;
}
