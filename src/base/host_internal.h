/* host_internal: what /proc says of one process, for host and proc. */
#ifndef AIRLOCK_BASE_HOST_INTERNAL_H
#define AIRLOCK_BASE_HOST_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct host_stat {
	bool is_alive; /* neither zombie nor dead */
	pid_t group;
	uint64_t start; /* clock ticks since boot */
};

/* False when there is no such process or it cannot be seen. */
bool host_read_stat(pid_t pid, struct host_stat *ret_stat);

#endif
