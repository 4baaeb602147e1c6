#include <string.h>

#include "airlock/base/fs.h"
#include "airlock/base/host.h"
#include "airlock/cli/report.h"
#include "airlock/format/json.h"
#include "guard_internal.h"

enum {
	LOG_LIMIT = 16 << 20,
};

static char *file_of(const struct project *project)
{
	return fs_join(project->directory, "target/airlock/unguarded.jsonl");
}

int guard_log(const struct project *project, const char *verb, const char *target,
	      const char *reason, struct err *err)
{
	CLEANUP(mem_free_string) char *file = file_of(project);
	CLEANUP(mem_free_string) char *directory = fs_parent(file);
	CLEANUP(mem_free_string) char *user = host_user();
	CLEANUP(mem_free_string) char *host = host_name();
	CLEANUP(buf_release) struct buf line = BUF_INIT;
	CLEANUP(js_free) json_t *record = NULL;
	struct fs_log log = FS_LOG_CLOSED;
	char at[HOST_TIME_SIZE];
	int rc;

	host_time_utc(at);
	record = json_pack("{s:s, s:o, s:o, s:s, s:o, s:o}", "at", at, "user",
			   report_string_json(user), "host", report_string_json(host), "verb", verb,
			   "target", report_string_json(target), "reason",
			   report_string_json(reason));
	js_write_line(record, &line);
	buf_add_char(&line, '\n');
	if (fs_make_directories(directory, err) < 0 || fs_log_open(file, &log, err) < 0)
		return -1;
	rc = fs_log_append(&log, line.data, line.len, err);
	fs_log_close(&log);
	return rc;
}

json_t *guard_log_read(const struct project *project)
{
	CLEANUP(err_release) struct err ignored = ERR_INIT;
	CLEANUP(mem_free_string) char *file = file_of(project);
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(strv_release) struct strv lines = STRV_INIT;
	json_t *list = json_array();

	if (fs_exists(file) && fs_read(file, LOG_LIMIT, &text, &ignored) == 0)
		strv_split(&lines, buf_cstr(&text), "\n");
	for (size_t i = 0; i < lines.n; i++) {
		json_t *line = js_parse(lines.v[i], strlen(lines.v[i]), file, ERR_FILE, &ignored);

		if (json_is_object(line))
			json_array_append(list, line);
		json_decref(line);
	}
	return list;
}
