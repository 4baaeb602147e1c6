/*
 * journal: what one deployment did, as lines of JSON on disk, each written and synced before the
 * next thing happens: target/airlock/deployments/<id>/journal.jsonl.
 *
 * Life cycle: journal_open(), journal_write(), journal_close(). A journal that cannot be written
 *             is an error: nothing may happen unrecorded.
 */
#ifndef AIRLOCK_DEPLOY_JOURNAL_H
#define AIRLOCK_DEPLOY_JOURNAL_H

#include <jansson.h>

#include "airlock/base/err.h"
#include "airlock/base/fs.h"

struct journal {
	struct fs_log log;
	char *directory;
};

#define JOURNAL_CLOSED                                                                             \
	{                                                                                          \
		.log = FS_LOG_CLOSED                                                               \
	}

int journal_open(const char *deployments_directory, const char *id, struct journal *ret_journal,
		 struct err *err);

/* {"at", "event", "step", ...fields}; `fields` is borrowed and may be NULL. */
int journal_write(struct journal *journal, const char *event, const char *step,
		  const json_t *fields, struct err *err);
void journal_close(struct journal *journal);

/* The form of the lines; "deployment" has it as "journal". */
#define JOURNAL_VERSION 1

struct journal_process {
	pid_t pid;
	uint64_t start; /* host.h */
};

/* Those that may still run: started on this host since it booted, in a step that has no end. */
struct journal_processes {
	struct journal_process *items;
	size_t n;
	char *newer; /* the version of airlock that wrote it in a newer form: then there are none */
};

/* A text that is torn anywhere has those that can be read. */
void journal_find_processes(const char *text, size_t len, const char *host, const char *boot,
			    struct journal_processes *ret_processes);
/* None of a journal that is not there. */
int journal_read_processes(const char *deployments_directory, const char *id, const char *host,
			   const char *boot, struct journal_processes *ret_processes,
			   struct err *err);
void journal_processes_release(struct journal_processes *processes);

#endif
