/* A pipe to ourselves: the handler wakes the poll, what has arrived stands in flags. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "proc_internal.h"

static volatile sig_atomic_t arrived[NSIG];
static int wake[2];

/* A pipe that is full wakes as well. */
static void note(int number)
{
	int saved = errno;
	ssize_t n;

	arrived[number] = 1;
	n = write(wake[1], "", 1);
	(void)n;
	errno = saved;
}

int proc_signals_open(const sigset_t *watched)
{
	struct sigaction action = { .sa_handler = note, .sa_flags = SA_RESTART };

	if (proc_pipe(wake) || fcntl(wake[0], F_SETFL, O_NONBLOCK) ||
	    fcntl(wake[1], F_SETFL, O_NONBLOCK))
		return -1;
	sigfillset(&action.sa_mask);
	for (int number = 1; number < NSIG; number++)
		if (sigismember(watched, number) == 1)
			sigaction(number, &action, NULL);
	sigprocmask(SIG_UNBLOCK, watched, NULL);
	return wake[0];
}

void proc_signals_give_back(void)
{
	for (int number = 1; number < NSIG; number++)
		if (arrived[number])
			raise(number);
}

/* Emptied first: what arrives behind that wakes again. */
int proc_signals_next(int fd)
{
	char bytes[64];

	while (read(fd, bytes, sizeof(bytes)) > 0)
		;
	for (int number = 1; number < NSIG; number++) {
		if (!arrived[number])
			continue;
		arrived[number] = 0;
		return number;
	}
	return 0;
}
