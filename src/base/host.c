#include "airlock/base/host.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "airlock/base/fs.h"
#include "host_internal.h"

enum {
	PROC_FILE_LIMIT = 64 * 1024,
	RANDOM_CHUNK = 256, /* getrandom(2) gives this many at once, uninterrupted */
};

/* Fields of /proc/PID/stat, as proc(5) numbers them. */
enum {
	STAT_STATE = 3,
	STAT_GROUP = 5,
	STAT_START = 22,
};

void host_time_utc(char ret_time[HOST_TIME_SIZE])
{
	struct timespec now = { 0 };
	struct tm parts = { 0 };
	size_t len;

	clock_gettime(CLOCK_REALTIME, &now);
	if (!gmtime_r(&now.tv_sec, &parts))
		abort();
	len = strftime(ret_time, HOST_TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(ret_time + len, HOST_TIME_SIZE - len, ".%03uZ",
		 (unsigned)(now.tv_nsec / 1000000) % 1000);
}

int64_t host_wall_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t host_monotonic_ms(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_MONOTONIC, &now))
		abort();
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void random_bytes(unsigned char *bytes, size_t n)
{
	while (n) {
		ssize_t got = getrandom(bytes, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			abort();
		bytes += got;
		n -= (size_t)got;
	}
}

void host_random_hex(char *ret_hex, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[RANDOM_CHUNK];

	for (size_t i = 0; i < n; i++) {
		size_t at = i % RANDOM_CHUNK;

		if (at == 0)
			random_bytes(bytes, n - i < RANDOM_CHUNK ? n - i : RANDOM_CHUNK);
		ret_hex[2 * i] = digits[bytes[at] >> 4];
		ret_hex[2 * i + 1] = digits[bytes[at] & 15];
	}
	ret_hex[2 * n] = '\0';
}

char *host_name(void)
{
	char name[256] = "";

	/* A name that does not fit is cut, with or without NUL. */
	if (gethostname(name, sizeof(name) - 1) || !name[0])
		return mem_strdup("unknown");
	return mem_strdup(name);
}

char *host_user(void)
{
	static const char *const variables[] = { "USER", "LOGNAME" };

	for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
		const char *value = getenv(variables[i]);

		if (value && *value)
			return mem_strdup(value);
	}
	return mem_printf("uid %ju", (uintmax_t)getuid());
}

/* The text of a field of /proc/PID/stat, counted from field 2, whose end is `name_end`. */
static const char *find_field(const char *name_end, int wanted)
{
	const char *field = name_end;

	for (int number = 2; field && number < wanted; number++)
		field = strchr(field + 1, ' ');
	return field ? field + 1 : NULL;
}

bool host_read_stat(pid_t pid, struct host_stat *ret_stat)
{
	CLEANUP(buf_release) struct buf stat = BUF_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;
	CLEANUP(mem_free_string) char *path = mem_printf("/proc/%jd/stat", (intmax_t)pid);
	const char *name_end, *state, *group, *start;

	if (pid <= 0 || fs_read(path, PROC_FILE_LIMIT, &stat, &err))
		return false;
	/* Field 2 is the program's name in parentheses and may itself hold ") ". */
	name_end = strrchr(buf_cstr(&stat), ')');
	if (!name_end)
		return false;
	state = find_field(name_end, STAT_STATE);
	group = find_field(name_end, STAT_GROUP);
	start = find_field(name_end, STAT_START);
	if (!state || !group || !start)
		return false;
	*ret_stat = (struct host_stat) {
		.is_alive = *state != 'Z' && *state != 'X' && *state != 'x',
		.group = (pid_t)strtol(group, NULL, 10),
		.start = strtoull(start, NULL, 10),
	};
	return true;
}

uint64_t host_process_start(pid_t pid)
{
	struct host_stat stat;

	return host_read_stat(pid, &stat) ? stat.start : 0;
}

/*
 * When in doubt it is alive: whoever asks takes a dead process's lock away. /proc may hide the
 * processes of other users (hidepid), kill(2) still tells whether there is one.
 */
bool host_process_is_alive(pid_t pid, uint64_t start)
{
	struct host_stat stat;

	if (pid <= 0)
		return false;
	if (!host_read_stat(pid, &stat))
		return kill(pid, 0) == 0 || errno == EPERM;
	return stat.is_alive && (start == 0 || start == stat.start);
}

char *host_boot_id(void)
{
	CLEANUP(buf_release) struct buf id = BUF_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;

	if (fs_read("/proc/sys/kernel/random/boot_id", PROC_FILE_LIMIT, &id, &err))
		return mem_strdup("");
	return mem_strndup(buf_cstr(&id), strcspn(buf_cstr(&id), "\n"));
}
