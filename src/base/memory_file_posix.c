#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "airlock/base/fs.h"
#include "airlock/base/mem.h"
#include "proc_internal.h"

/* On a disk, but nobody else can open it: its name is gone before anything is in it. */
int proc_unnamed_file(void)
{
	const char *directory = getenv("TMPDIR");
	CLEANUP(mem_free_string)
	char *path = fs_join(directory && *directory ? directory : "/tmp", "airlock-XXXXXX");
	int fd = mkstemp(path);

	if (fd >= 0) {
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		unlink(path);
	}
	return fd;
}
