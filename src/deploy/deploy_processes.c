/*
 * What a dead deployment left running on this host. Its dbt writes to staging until it has ended:
 * that comes before its locks change hands. The journal of this checkout knows the groups of what
 * it started; what it started knows it too, wherever it was started from.
 */
#include <stdlib.h>

#include "airlock/base/proc.h"
#include "deploy_parts.h"

enum {
	GRACE_MS = 5000,
};

int deploy_end_recorded(const struct deploy *deploy, const char *id, struct err *err)
{
	struct journal_processes left CLEANUP(journal_processes_release) = { 0 };
	char *directory CLEANUP(mem_free_string) = fs_join(deploy->sides.home, "deployments");

	if (journal_read_processes(directory, id, deploy_bound(deploy, "host"),
				   deploy_bound(deploy, "boot"), &left, err) < 0)
		return -1;
	if (left.newer) {
		err_set(err, ERR_NOT_RESUMABLE,
			"the journal of deployment '%s' was written by airlock %s, in a form that "
			"airlock %s does not know: what it may have left running cannot be ended",
			id, left.newer, AIRLOCK_VERSION);
		return err_hint(err,
				"use that version, or end its dbt by hand and delete "
				"target/airlock/deployments/%s",
				id);
	}
	for (size_t i = 0; i < left.n; i++)
		if (!proc_end_group(left.items[i].pid, left.items[i].start, GRACE_MS))
			return err_set(err, ERR_LOCKED,
				       "process %lld of deployment '%s' cannot be ended",
				       (long long)left.items[i].pid, id);
	return 0;
}

int deploy_end_started(const struct deploy *deploy, const struct state_lock *lock, struct err *err)
{
	if (!deploy_can_see(deploy, lock->host, lock->boot) ||
	    proc_end_started_by((pid_t)lock->pid, strtoull(lock->start, NULL, 10), GRACE_MS))
		return 0;
	err_set(err, ERR_LOCKED, "what deployment '%s' has left running here cannot be ended",
		lock->id);
	return err_hint(err,
			"end its dbt by hand: AIRLOCK_STARTED_BY=%lld:%s:%s in its "
			"environment tells which that is",
			(long long)lock->pid, lock->start, lock->boot);
}
