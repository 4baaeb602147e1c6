/*
 * A dbt without a start of Python for each command: hands what this process has inherited to the
 * server at DIRECT_SOCKET (server.py), whose child does the work in this process group, and ends as
 * it does. It dies with this process; of an interrupt of the group only the child makes something.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* server.py unpacks it as "=6I3Q". */
struct request {
	uint32_t parent, group, words, variables, size, unused;
	uint64_t blocked, ignored, file_size;
};

enum { PASSED = 4 };

static void fail(const char *what)
{
	fprintf(stderr, "the dbt of DIRECT_SOCKET: %s: %s\n", what, strerror(errno));
	exit(126);
}

static int connected(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv("DIRECT_SOCKET");
	int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (!path || strlen(path) >= sizeof(address.sun_path))
		fail("DIRECT_SOCKET");
	strcpy(address.sun_path, path);
	if (server < 0 || connect(server, (struct sockaddr *)&address, sizeof(address)))
		fail(path);
	return server;
}

static uint64_t bits_of(const sigset_t *set)
{
	uint64_t bits = 0;
	int number;

	for (number = 1; number <= 31; number++)
		bits |= (uint64_t)(sigismember(set, number) == 1) << number;
	return bits;
}

static struct request inherited(void)
{
	struct request request = { .parent = (uint32_t)getppid(), .group = (uint32_t)getpgrp() };
	struct sigaction action;
	struct rlimit limit;
	sigset_t blocked;
	int number;

	sigprocmask(SIG_SETMASK, NULL, &blocked);
	request.blocked = bits_of(&blocked);
	for (number = 1; number <= 31; number++) {
		if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
			request.ignored |= (uint64_t)1 << number;
	}
	getrlimit(RLIMIT_FSIZE, &limit);
	request.file_size = limit.rlim_cur;
	return request;
}

static uint32_t length_of(char **texts, uint32_t *count)
{
	uint32_t length = 0;

	for (*count = 0; texts[*count]; ++*count)
		length += (uint32_t)strlen(texts[*count]) + 1;
	return length;
}

static char *copy_of(char *end, char **texts)
{
	for (; *texts; texts++)
		end = stpcpy(end, *texts) + 1;
	return end;
}

/* The descriptors go out with the first byte. */
static void send_request(int server, struct request *request, char **words)
{
	int passed[PASSED] = { 0, 1, 2, open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
	union {
		char bytes[CMSG_SPACE(sizeof(passed))];
		struct cmsghdr align;
	} control = { { 0 } };
	struct iovec head = { request, sizeof(*request) };
	struct msghdr message = { .msg_iov = &head,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
	size_t sent = 0;
	char *texts;

	request->size = length_of(words, &request->words);
	request->size += length_of(environ, &request->variables);
	texts = malloc(request->size);
	if (!texts)
		fail("memory");
	copy_of(copy_of(texts, words), environ);
	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof(passed));
	memcpy(CMSG_DATA(rights), passed, sizeof(passed));
	if (sendmsg(server, &message, MSG_NOSIGNAL) != (ssize_t)sizeof(*request))
		fail("what it inherited could not be sent");
	while (sent < request->size) {
		ssize_t some = send(server, texts + sent, request->size - sent, MSG_NOSIGNAL);

		if (some < 0 && errno != EINTR)
			fail("the command could not be sent");
		sent += some > 0 ? (size_t)some : 0;
	}
	free(texts);
}

/* As waitpid() has it. */
static int status_of(int server)
{
	int32_t status;
	ssize_t got;

	while ((got = recv(server, &status, sizeof(status), MSG_WAITALL)) < 0 && errno == EINTR)
		;
	if (got != (ssize_t)sizeof(status))
		fail("the server is gone");
	return status;
}

int main(int count, char **words)
{
	struct request request = inherited();
	int server = connected();
	int status;

	(void)count;
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	send_request(server, &request, words + 1);
	status = status_of(server);
	if (WIFSIGNALED(status)) {
		signal(WTERMSIG(status), SIG_DFL);
		raise(WTERMSIG(status));
	}
	return WEXITSTATUS(status);
}
