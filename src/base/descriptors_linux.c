#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proc_internal.h"

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

enum {
	FIRST_PRIVATE = STDERR_FILENO + 1,
	LAST_GUESS = 65536, /* without close_range(2) and /proc */
};

static int number_of(const char *digits)
{
	int number = 0;

	for (; *digits >= '0' && *digits <= '9'; digits++)
		number = number * 10 + (*digits - '0');
	return number;
}

/* readdir(3) allocates, so the system call itself. */
static bool mark_listed_descriptors(void)
{
	struct entry {
		uint64_t inode;
		int64_t next;
		unsigned short size;
		unsigned char type;
		char name[];
	};
	_Alignas(struct entry) char entries[4096];
	int dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long len;

	if (dir < 0)
		return false;
	while ((len = syscall(SYS_getdents64, dir, entries, sizeof(entries))) > 0) {
		for (long at = 0; at < len;) {
			const struct entry *entry = (const void *)(entries + at);
			int fd = number_of(entry->name);

			if (fd >= FIRST_PRIVATE)
				fcntl(fd, F_SETFD, FD_CLOEXEC);
			at += entry->size;
		}
	}
	close(dir);
	return len == 0;
}

void proc_close_others_on_exec(void)
{
#ifdef SYS_close_range
	if (syscall(SYS_close_range, FIRST_PRIVATE, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
		return;
#endif
	if (mark_listed_descriptors())
		return;
	for (int fd = FIRST_PRIVATE; fd < LAST_GUESS; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}
