/* What a journal says of the processes that may have outlived their deployment. */
#include <stdlib.h>
#include <string.h>

#include "airlock/deploy/journal.h"
#include "airlock/format/json.h"
#include "airlock/format/jsonl.h"

enum {
	JOURNAL_MAX = 256 * 1024 * 1024,
	LINE_MAX_BYTES = 16 * 1024 * 1024,
};

struct reading {
	struct journal_processes *processes;
	const char *host;
	const char *boot;
	bool is_ours; /* written on this host since it was started */
};

static void add_process(struct journal_processes *processes, const json_t *record)
{
	json_int_t pid = js_get_integer(record, "pid", 0);
	json_int_t start = js_get_integer(record, "start", 0);

	if (pid <= 1 || start <= 0)
		return;
	processes->items =
		mem_realloc(processes->items, processes->n + 1, sizeof(*processes->items));
	processes->items[processes->n++] =
		(struct journal_process) { .pid = (pid_t)pid, .start = (uint64_t)start };
}

static void note_newer(struct journal_processes *processes, const char *version)
{
	free(processes->newer);
	processes->newer = mem_strdup(version ? version : "unknown");
}

/* A line that is torn, or of a kind that is not known, says nothing. */
static void on_line(void *context, const char *line, size_t len)
{
	struct reading *reading = context;
	struct journal_processes *processes = reading->processes;
	struct err ignored CLEANUP(err_release) = ERR_INIT;
	json_t *record CLEANUP(js_free) =
		line ? js_parse(line, len, "journal", ERR_FILE, &ignored) : NULL;
	const char *event = js_get_string(record, "event");

	if (!event)
		return;
	if (strcmp(event, "deployment") == 0) {
		/* Somebody goes on with it, and reads this to end what was left before. */
		reading->is_ours = *reading->boot && js_text_is(record, "host", reading->host) &&
				   js_text_is(record, "boot", reading->boot);
		if (js_get_integer(record, "journal", 1) > JOURNAL_VERSION)
			note_newer(processes, js_get_string(record, "version"));
	} else if (strcmp(event, "done") == 0 || strcmp(event, "failed") == 0) {
		/* The step is over, and so are its processes. */
		processes->n = 0;
	} else if (strcmp(event, "process") == 0 && reading->is_ours) {
		add_process(processes, record);
	}
}

void journal_find_processes(const char *text, size_t len, const char *host, const char *boot,
			    struct journal_processes *ret_processes)
{
	struct reading reading = { .processes = ret_processes, .host = host, .boot = boot };
	struct jsonl jsonl CLEANUP(jsonl_release) = { .limit = 0 };

	*ret_processes = (struct journal_processes) { 0 };
	jsonl_init(&jsonl, LINE_MAX_BYTES);
	jsonl_feed(&jsonl, text, len, on_line, &reading);
	jsonl_end(&jsonl, on_line, &reading);
	if (ret_processes->newer)
		ret_processes->n = 0;
}

int journal_read_processes(const char *deployments_directory, const char *id, const char *host,
			   const char *boot, struct journal_processes *ret_processes,
			   struct err *err)
{
	char *directory CLEANUP(mem_free_string) = fs_join(deployments_directory, id);
	char *file CLEANUP(mem_free_string) = fs_join(directory, "journal.jsonl");
	struct buf content CLEANUP(buf_release) = BUF_INIT;

	if (fs_exists(file) && fs_read(file, JOURNAL_MAX, &content, err) < 0)
		return -1;
	journal_find_processes(buf_cstr(&content), content.len, host, boot, ret_processes);
	return 0;
}

void journal_processes_release(struct journal_processes *processes)
{
	free(processes->items);
	free(processes->newer);
	*processes = (struct journal_processes) { 0 };
}
