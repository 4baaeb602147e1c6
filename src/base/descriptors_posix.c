#include <fcntl.h>
#include <unistd.h>

#include "proc_internal.h"

enum {
	FIRST_PRIVATE = STDERR_FILENO + 1,
	LAST_GUESS = 65536, /* who may be asked which are open is not said everywhere */
};

void proc_close_others_on_exec(void)
{
	for (int fd = FIRST_PRIVATE; fd < LAST_GUESS; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}
