/*
 * host: who and when. Time for people is UTC wall clock; every time-out uses the monotonic one.
 * No getpw*, no name service: usable in a static program.
 */
#ifndef AIRLOCK_BASE_HOST_H
#define AIRLOCK_BASE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define HOST_TIME_SIZE 25 /* 2026-01-31T23:59:59.123Z and NUL */

void host_time_utc(char ret_time[HOST_TIME_SIZE]);
int64_t host_monotonic_ms(void);
int64_t host_wall_ns(void); /* since 1970, as files have it */

/* n random bytes as 2n lower-case hex digits and NUL; aborts when the system gives none. */
void host_random_hex(char *ret_hex, size_t n);

/* What opens as this program's own file, called as `called_as`; free() it. */
char *host_self(const char *called_as);

const char *host_signal_name(int number); /* "SIGINT"; NULL when it has none */

char *host_name(void); /* gethostname; free() it */
char *host_user(void); /* USER, LOGNAME, the name in /etc/passwd, else "uid N"; free() it */
/* Of a text like /etc/passwd: the name of the first line with that uid; NULL without. free() it. */
char *host_passwd_name(const char *text, uid_t uid);

/*
 * A process that can be told from a later one with the same pid: its start time in clock ticks
 * since boot (field 22 of /proc/PID/stat). 0 when it does not exist (or cannot be known).
 */
uint64_t host_process_start(pid_t pid);
/* A zombie is not alive. In doubt (start 0, a process that cannot be seen) it is. */
bool host_process_is_alive(pid_t pid, uint64_t start);

/*
 * Where a pid means something: the kernel since it booted, and in it the pid namespace (a container
 * has one of its own): "BOOT:NAMESPACE:MACHINE", the last one of /etc/machine-id. "" when unknown,
 * or when /proc shows another namespace than ours; free() it.
 */
char *host_pid_space(void);
/* Whether the pids of one can be looked up in the other. Never of what is unknown. */
bool host_is_pid_space(const char *theirs, const char *ours);
/* The same machine, booted again since: nothing of then still runs. Only where neither is in a
 * container: those of one image may have the same name and machine id on different machines. */
bool host_pid_space_is_gone(const char *theirs, const char *ours);

#endif
