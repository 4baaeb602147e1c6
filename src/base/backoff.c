#include "airlock/base/backoff.h"

#include <stdlib.h>

#include "airlock/base/host.h"
#include "airlock/base/proc.h"

void backoff_init(struct backoff *backoff, int first_ms, int longest_ms, int64_t limit_ms)
{
	*backoff = (struct backoff) {
		.next_ms = first_ms,
		.longest_ms = longest_ms,
		.limit_ms = limit_ms,
	};
}

static int64_t time_left(const struct backoff *backoff)
{
	return backoff->tries == 0 ? backoff->limit_ms : backoff->until - host_monotonic_ms();
}

bool backoff_has_time(const struct backoff *backoff)
{
	return time_left(backoff) > 0;
}

/* Three quarters to five quarters of it: those that failed together do not come back together. */
static int vary(int ms)
{
	char random[5];

	host_random_hex(random, 2);
	return (int)((int64_t)ms * 3 / 4 + (int64_t)ms * strtol(random, NULL, 16) / 131070);
}

/* Asked in any case: a signal that stays unread would end every sleep at once. */
static bool is_called_off(const struct backoff *backoff)
{
	return proc_interrupted() && !backoff->is_deaf;
}

bool backoff_wait(struct backoff *backoff)
{
	int64_t left = time_left(backoff);
	int64_t ms = vary(backoff->next_ms);
	int64_t end;

	if (left <= 0 || is_called_off(backoff))
		return false;
	backoff->next_ms = backoff->next_ms * 2 < backoff->longest_ms ? backoff->next_ms * 2
								      : backoff->longest_ms;
	if (backoff->tries++ == 0)
		backoff->until = host_monotonic_ms() + backoff->limit_ms;
	end = host_monotonic_ms() + (ms < left ? ms : left);
	for (left = end - host_monotonic_ms(); left > 0; left = end - host_monotonic_ms()) {
		proc_sleep((int)left);
		if (is_called_off(backoff))
			return false;
	}
	return true;
}
