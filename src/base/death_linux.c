#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "proc_internal.h"

int proc_death_prepare(void)
{
	return 0;
}

bool proc_death_follow(pid_t parent)
{
	/* If airlock died before the call, nothing will ever send that signal. */
	return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent;
}

void proc_death_forget(pid_t pid)
{
	(void)pid;
}
