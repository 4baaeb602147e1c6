#include "airlock/deploy/journal.h"

#include <stdlib.h>

#include "airlock/base/host.h"
#include "airlock/format/json.h"

int journal_open(const char *deployments_directory, const char *id, struct journal *ret_journal,
		 struct err *err)
{
	char *directory = fs_join(deployments_directory, id);
	char *file CLEANUP(mem_free_string) = fs_join(directory, "journal.jsonl");

	if (fs_make_directories(directory, err) < 0 ||
	    fs_log_open(file, &ret_journal->log, err) < 0) {
		free(directory);
		return -1;
	}
	ret_journal->directory = directory;
	return 0;
}

int journal_write(struct journal *journal, const char *event, const char *step,
		  const json_t *fields, struct err *err)
{
	char at[HOST_TIME_SIZE];
	struct buf line CLEANUP(buf_release) = BUF_INIT;
	json_t *record CLEANUP(js_free) = NULL;

	host_time_utc(at);
	record = json_pack("{s:s, s:s, s:s?}", "at", at, "event", event, "step", step);
	if (fields)
		json_object_update_missing(record, (json_t *)(uintptr_t)fields);
	js_write_line(record, &line);
	if (line.len == 0 || line.data[line.len - 1] != '\n')
		buf_add_char(&line, '\n');
	if (fs_log_append(&journal->log, line.data, line.len, err) == 0)
		return 0;
	return err_wrap(err, "the journal in '%s'", journal->directory);
}

void journal_close(struct journal *journal)
{
	fs_log_close(&journal->log);
	free(journal->directory);
	journal->directory = NULL;
}
