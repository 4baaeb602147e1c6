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
	RANDOM_CHUNK = 256, /* getentropy(3) gives this many at most */
	LINK_SIZE = 64,
	PASSWD_LIMIT = 1024 * 1024,
};

/* The pid namespace of the machine itself: the kernel's PROC_PID_INIT_INO, 0xEFFFFFFC. */
#define FIRST_NAMESPACE ":4026531836:"

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

void host_random_hex(char *ret_hex, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[RANDOM_CHUNK];

	for (size_t i = 0; i < n; i++) {
		size_t at = i % RANDOM_CHUNK;

		if (at == 0 && getentropy(bytes, n - i < RANDOM_CHUNK ? n - i : RANDOM_CHUNK))
			abort();
		ret_hex[2 * i] = digits[bytes[at] >> 4];
		ret_hex[2 * i + 1] = digits[bytes[at] & 15];
	}
	ret_hex[2 * n] = '\0';
}

const char *host_signal_name(int number)
{
	static const struct {
		int number;
		const char *name;
	} names[] = {
		{ SIGHUP, "SIGHUP" },   { SIGINT, "SIGINT" },   { SIGQUIT, "SIGQUIT" },
		{ SIGILL, "SIGILL" },   { SIGABRT, "SIGABRT" }, { SIGFPE, "SIGFPE" },
		{ SIGKILL, "SIGKILL" }, { SIGSEGV, "SIGSEGV" }, { SIGPIPE, "SIGPIPE" },
		{ SIGALRM, "SIGALRM" }, { SIGTERM, "SIGTERM" }, { SIGUSR1, "SIGUSR1" },
		{ SIGUSR2, "SIGUSR2" }, { SIGBUS, "SIGBUS" },   { SIGSYS, "SIGSYS" },
		{ SIGTRAP, "SIGTRAP" }, { SIGXCPU, "SIGXCPU" }, { SIGXFSZ, "SIGXFSZ" },
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i].number == number)
			return names[i].name;
	return NULL;
}

char *host_name(void)
{
	char name[256] = "";

	/* A name that does not fit is cut, with or without NUL. */
	if (gethostname(name, sizeof(name) - 1) || !name[0])
		return mem_strdup("unknown");
	return mem_strdup(name);
}

/* name:password:uid:... */
char *host_passwd_name(const char *text, uid_t uid)
{
	for (const char *line = text; *line;) {
		size_t len = strcspn(line, "\n"), name = strcspn(line, ":\n");
		const char *field = memchr(line + name, ':', len - name);
		char *end;

		field = field ? memchr(field + 1, ':', (size_t)(line + len - field - 1)) : NULL;
		if (name > 0 && field && field[1] >= '0' && field[1] <= '9' &&
		    strtoull(field + 1, &end, 10) == uid && *end == ':')
			return mem_strndup(line, name);
		line += len + (line[len] == '\n');
	}
	return NULL;
}

static char *name_in_passwd(void)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;

	if (fs_read("/etc/passwd", PASSWD_LIMIT, &text, &err))
		return NULL;
	return host_passwd_name(buf_cstr(&text), getuid());
}

char *host_user(void)
{
	char *name;
	static const char *const variables[] = { "USER", "LOGNAME" };

	for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
		const char *value = getenv(variables[i]);

		if (value && *value)
			return mem_strdup(value);
	}
	name = name_in_passwd();
	return name ? name : mem_printf("uid %ju", (uintmax_t)getuid());
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

/* Without its newline; "" when it cannot be read. */
static char *read_word(const char *path)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;

	if (fs_read(path, PROC_FILE_LIMIT, &text, &err))
		return mem_strdup("");
	return mem_strndup(buf_cstr(&text), strcspn(buf_cstr(&text), "\n"));
}

/* The text of a link of /proc; false when it cannot be read. */
static bool read_link(const char *path, char *ret_text, size_t size)
{
	ssize_t len = readlink(path, ret_text, size - 1);

	if (len <= 0)
		return false;
	ret_text[len] = '\0';
	return true;
}

char *host_pid_space(void)
{
	CLEANUP(mem_free_string) char *boot = read_word("/proc/sys/kernel/random/boot_id");
	CLEANUP(mem_free_string) char *machine = read_word("/etc/machine-id");
	char self[LINK_SIZE], space[LINK_SIZE];
	uintmax_t number;

	/* A /proc of another namespace shows that one's processes under their pids. */
	if (!*boot || !read_link("/proc/self", self, sizeof(self)) ||
	    strtoll(self, NULL, 10) != getpid() ||
	    !read_link("/proc/self/ns/pid", space, sizeof(space)) ||
	    sscanf(space, "pid:[%ju]", &number) != 1)
		return mem_strdup("");
	return mem_printf("%s:%ju:%s", boot, number, machine);
}

bool host_is_pid_space(const char *theirs, const char *ours)
{
	return *ours && strcmp(theirs, ours) == 0;
}

/* Behind the boot id; "" when there is none. */
static const char *behind_boot(const char *space)
{
	return space + strcspn(space, ":");
}

bool host_pid_space_is_gone(const char *theirs, const char *ours)
{
	const char *place = behind_boot(ours);

	return strncmp(place, FIRST_NAMESPACE, strlen(FIRST_NAMESPACE)) == 0 &&
	       place[strlen(FIRST_NAMESPACE)] != '\0' && strcmp(behind_boot(theirs), place) == 0 &&
	       strcmp(theirs, ours) != 0;
}
