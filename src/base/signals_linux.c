#include <errno.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "proc_internal.h"

/* They are blocked for good and read from a descriptor: no handler runs. */
int proc_signals_open(const sigset_t *watched)
{
	sigprocmask(SIG_BLOCK, watched, NULL);
	return signalfd(-1, watched, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* They are pending still. */
void proc_signals_give_back(void)
{
}

int proc_signals_next(int fd)
{
	struct signalfd_siginfo info;
	ssize_t n;

	do
		n = read(fd, &info, sizeof(info));
	while (n < 0 && errno == EINTR);
	return n == sizeof(info) ? (int)info.ssi_signo : 0;
}
