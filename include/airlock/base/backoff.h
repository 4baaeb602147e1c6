/*
 * backoff: waits between tries, each twice as long as the one before, until the time is up.
 *
 * Life cycle: backoff_init(), `while (try fails) if (!backoff_wait(&b)) give up;`. The time counts
 *             from the first failure, however long that try took. The last wait is cut short so
 *             that one more try is made when the time is up.
 */
#ifndef AIRLOCK_BASE_BACKOFF_H
#define AIRLOCK_BASE_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

struct backoff {
	int next_ms;
	int longest_ms;
	int64_t limit_ms;
	int64_t until;  /* from the first wait on */
	unsigned tries; /* waits so far */
	bool is_deaf;   /* waits on when a signal is received */
};

/* `limit_ms` 0: no wait at all. */
void backoff_init(struct backoff *backoff, int first_ms, int longest_ms, int64_t limit_ms);

bool backoff_has_time(const struct backoff *backoff);

/* False when the time is up, or a signal was received (proc_interrupted()) and it is not deaf. */
bool backoff_wait(struct backoff *backoff);

#endif
