#include "airlock/deploy/sides.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "airlock/base/backoff.h"
#include "airlock/base/fs.h"
#include "airlock/base/proc.h"
#include "airlock/dbt/fresh.h"
#include "airlock/deploy/state.h"

enum { SIDES = 2, FIRST_WAIT_MS = 50, LONGEST_WAIT_MS = 1000 };

/* One side on its way to its manifest. */
struct side {
	const char *target;
	const struct sides_side *own;
	char *directory;
	struct fresh *fresh;
	char *invocation_id; /* of the manifest that serves; NULL: it has to be parsed */
	struct strv arguments;
	struct manifest **manifest;
};

static void side_release(struct side *side)
{
	free(side->directory);
	free(side->invocation_id);
	fresh_free(side->fresh);
	strv_release(&side->arguments);
}

static struct fresh *take(const struct sides *sides, const char *target,
			  const struct sides_side *own, const char *dbt)
{
	const struct fresh_input input = {
		.project = &sides->project,
		.target = target,
		.options = &sides->for_ops, /* the project is where the manifest is */
		.environment = &own->environment,
		.dbt = dbt,
	};

	return fresh_take(&input);
}

struct fresh *sides_picture(const struct sides *sides)
{
	return take(sides, sides->from, &sides->from_side, NULL);
}

/* Whether the manifest that is there serves. */
static void look(const struct sides *sides, struct side *side)
{
	side->directory = sides_parse_path(sides->project.directory, side->own->name, NULL);
	side->fresh = take(sides, side->target, side->own, sides->dbt);
	free(fresh_compare(side->fresh, side->directory, &side->invocation_id));
	if (side->invocation_id)
		return;
	fresh_forget(side->directory);
	strv_push(&side->arguments, "parse");
	sides_push_target(sides, side->target, side->own->name, &side->arguments);
}

static int read_manifest(const struct side *side, const char *invocation_id, struct err *err)
{
	char *path CLEANUP(mem_free_string) = fs_join(side->directory, "manifest.json");

	if (manifest_read(path, side->manifest, err) < 0)
		return -1;
	if (strcmp(manifest_invocation_id(*side->manifest), invocation_id) == 0)
		return 0;
	return err_set(err, ERR_NO_ANSWER, "'%s' was not written by this 'dbt parse --target %s'",
		       path, side->target);
}

static int read_parsed(const struct side *side, const struct runner_result *result, struct err *err)
{
	char *what CLEANUP(mem_free_string) = mem_printf("dbt parse --target %s", side->target);

	if (!runner_succeeded(result))
		return runner_error(result, what, err);
	if (read_manifest(side, result->invocation_id, err) < 0)
		return -1;
	return fresh_keep(side->fresh, side->directory, result->invocation_id, err);
}

static int parse(struct sides *sides, struct side *side, size_t n, struct err *err)
{
	struct runner_command commands[SIDES] = { 0 };
	struct runner_result results[SIDES] = { 0 };
	struct side *parsed[SIDES];
	size_t count = 0;
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		if (side[i].invocation_id)
			continue;
		commands[count].arguments = &side[i].arguments;
		commands[count].environment = &side[i].own->environment;
		parsed[count++] = &side[i];
	}
	if (count > 0)
		rc = runner_run_all(sides->runner, commands, count, results, err);
	for (size_t i = 0; i < count; i++) {
		if (rc == 0)
			rc = read_parsed(parsed[i], &results[i], err);
		runner_result_release(&results[i]);
	}
	for (size_t i = 0; i < n && rc == 0; i++) {
		if (!side[i].invocation_id)
			continue;
		rc = read_manifest(&side[i], side[i].invocation_id, err);
		if (rc < 0)
			fresh_forget(side[i].directory);
	}
	return rc;
}

int sides_wait_for(const struct sides *sides, const char *path, const char *doing,
		   struct fs_lock *ret_lock, struct err *err)
{
	int64_t seconds = config_number(sides->config, OPTION_LOCK_TIMEOUT);
	struct backoff backoff;
	int held;

	backoff_init(&backoff, FIRST_WAIT_MS, LONGEST_WAIT_MS, seconds * 1000);
	while ((held = fs_lock_try(path, ret_lock, err)) > 0) {
		if (backoff_wait(&backoff))
			continue;
		if (proc_interrupted())
			return err_set(err, ERR_INTERRUPTED, "interrupted while another airlock %s",
				       doing);
		err_set(err, ERR_LOCKED, "another airlock %s, for longer than %" PRId64 " seconds",
			doing, seconds);
		return err_hint(err, "run it again later, or wait longer with --lock-timeout");
	}
	return held;
}

int sides_lock_parses(const struct sides *sides, struct fs_lock *ret_lock, struct err *err)
{
	/* Beside the folder of the parses, where a target could have this name. */
	char *path CLEANUP(mem_free_string) = fs_join(sides->home, "parse.lock");
	struct err ignored CLEANUP(err_release) = ERR_INIT;

	/* Where nothing can be written nobody writes. */
	if (fs_make_directories(sides->home, &ignored) < 0 || fs_touch(path, &ignored) < 0)
		return 0;
	return sides_wait_for(sides, path, "reads this project", ret_lock, err);
}

/* A name without quotes is stored in capitals there. */
static int name_state_database(struct sides *sides, struct err *err)
{
	const char *written = config_text(sides->config, OPTION_STATE_DATABASE);
	size_t len = written ? strlen(written) : 0;
	bool is_quoted = len > 2 && written[0] == '"' && written[len - 1] == '"';

	if (len == 0)
		return 0;
	if (!sides->dialect->crosses_databases) {
		err_set(err, ERR_UNSUPPORTED,
			"'state_database: %s' cannot be followed: on %s the records are in "
			"production's database",
			written, sides->dialect->title);
		return err_hint(err, "leave it out");
	}
	free(sides->state_database);
	sides->state_database = is_quoted ? mem_strndup(written + 1, len - 2) : mem_strdup(written);
	for (char *p = sides->state_database; !is_quoted && *p; p++)
		*p = (char)toupper((unsigned char)*p);
	const struct relation home = { sides->state_database, STATE_SCHEMA, STATE_SCHEMA };

	return relation_check(sides->dialect, &home, err);
}

int sides_parse(struct sides *sides, struct err *err)
{
	struct fs_lock lock CLEANUP(fs_lock_release) = FS_LOCK_FREE;
	struct side side[SIDES] = {
		{ sides->from, .own = &sides->from_side, .manifest = &sides->from_manifest },
		{ sides->to, .own = &sides->to_side, .manifest = &sides->to_manifest },
	};
	size_t n = sides->to ? 2 : 1;
	int rc;

	if (sides_lock_parses(sides, &lock, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		look(sides, &side[i]);
	rc = parse(sides, side, n, err);
	for (size_t i = 0; i < n; i++)
		side_release(&side[i]);
	if (rc == 0)
		rc = sides_check_adapters(sides->config, sides->from_manifest, sides->to_manifest,
					  &sides->dialect, err);
	if (rc == 0 && sides->dialect->labels_jobs && !sides->connection.job_label)
		sides->connection.job_label = "{}";
	if (rc == 0)
		sides->connection.query_setting = sides->dialect->query_setting;
	if (rc == 0)
		rc = name_state_database(sides, err);
	if (rc == 0 && !sides->connection.directory)
		sides->connection.directory = fs_join(sides->home, "ops");
	return rc;
}
