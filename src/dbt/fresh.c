#include "airlock/dbt/fresh.h"

#include <stdlib.h>
#include <string.h>

#include "airlock/base/env.h"
#include "airlock/base/host.h"
#include "airlock/format/json.h"
#include "fresh_internal.h"

#define RECORD "airlock_inputs.json"
#define MAX_RECORD ((size_t)64 << 20)

/* A file that was written so shortly before may have been written again with the same time. */
#define RACY_NS INT64_C(2000000000)

void fresh_doubt(struct fresh *fresh, const char *format, ...)
{
	va_list ap;

	if (fresh->doubt)
		return;
	va_start(ap, format);
	fresh->doubt = mem_vprintf(format, ap);
	va_end(ap);
}

static json_t *strings(const struct strv *strv)
{
	json_t *list = json_array();

	for (size_t i = 0; i < strv->n; i++)
		json_array_append_new(list, json_string_nocheck(strv->v[i]));
	return list;
}

struct fresh *fresh_take(const struct fresh_input *input)
{
	struct fresh *fresh = mem_alloc(sizeof(*fresh));

	fresh->taken_ns = host_wall_ns();
	fresh->files = json_object();
	fresh->identity = json_pack("{s:i, s:s, s:o}", "version", 1, "target", input->target,
				    "options", strings(input->options));
	strv_push_all(&fresh->environment, input->environment);
	fresh_look(fresh, input);
	return fresh;
}

void fresh_free(struct fresh *fresh)
{
	if (!fresh)
		return;
	json_decref(fresh->files);
	json_decref(fresh->sums);
	json_decref(fresh->identity);
	strv_release(&fresh->environment);
	free(fresh->doubt);
	free(fresh);
}

/* Those that differ from one command to the next without meaning anything to a project. */
static bool is_fleeting(const char *variable)
{
	static const char *const names[] = { "_=",
					     "SHLVL=",
					     "OLDPWD=",
					     "AIRLOCK_DEPTH=",
					     "COLUMNS=",
					     "LINES=",
					     "AIRLOCK_STARTED_BY=" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strncmp(variable, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

/* Only digests, and of what dbt calls a secret only that it is set: as with dbt's own partial
 * parsing it is no part of what a project says. */
static json_t *digest(const char *name, const char *text)
{
	char sum[MD5_HEX_SIZE];

	if (!text)
		return json_null();
	if (strstr(name, "ENV_SECRET_"))
		return json_true();
	md5_hex(text, strlen(text), sum);
	return json_string(sum);
}

/* dbt's own variables, those that files name, or all of them. */
static json_t *variables(const struct fresh *fresh, const struct strv *names, bool all)
{
	CLEANUP(strv_release) struct strv wanted = STRV_INIT;
	json_t *object = json_object();

	strv_push_all(&wanted, names);
	for (size_t i = 0; i < fresh->environment.n; i++) {
		const char *variable = fresh->environment.v[i];

		if ((all || strncmp(variable, "DBT_", 4) == 0) && !is_fleeting(variable))
			strv_take(&wanted, mem_strndup(variable, strcspn(variable, "=")));
	}
	for (size_t i = 0; i < wanted.n; i++) {
		const char *value = env_get(&fresh->environment, wanted.v[i]);

		json_object_set_new_nocheck(object, wanted.v[i], digest(wanted.v[i], value));
	}
	return object;
}

static bool read_content(const char *path, struct buf *ret_content)
{
	CLEANUP(err_release) struct err ignored = ERR_INIT;

	return fs_read(path, FRESH_MAX_CONTENT, ret_content, &ignored) == 0;
}

/* "" for one that is absent or too large: then size and time are all that is known. */
static void content_sum(const char *path, char ret_sum[MD5_HEX_SIZE], struct strv *names,
			bool *literal)
{
	CLEANUP(buf_release) struct buf content = BUF_INIT;

	ret_sum[0] = '\0';
	if (!read_content(path, &content))
		return;
	md5_hex(buf_cstr(&content), content.len, ret_sum);
	if (names)
		*literal &= fresh_variables(&content, names);
}

static bool is_racy(const json_t *stamp, int64_t taken_ns)
{
	return json_integer_value(json_array_get(stamp, 1)) > taken_ns - RACY_NS;
}

static char *compare_file(const char *path, const json_t *now, const json_t *then, int64_t taken_ns)
{
	char sum[MD5_HEX_SIZE];
	const char *expected = json_string_value(json_array_get(then, 2));
	bool same_time = json_equal(json_array_get(now, 1), json_array_get(then, 1));

	if (!then)
		return mem_printf("'%s' is new", path);
	if (json_array_size(now) == 0 || json_array_size(then) == 0)
		return json_array_size(now) == 0 && json_array_size(then) == 0
			       ? NULL
			       : mem_printf("'%s' came or went", path);
	if (!json_equal(json_array_get(now, 0), json_array_get(then, 0)))
		return mem_printf("'%s' changed", path);
	if (same_time && !is_racy(then, taken_ns))
		return NULL;
	content_sum(path, sum, NULL, NULL);
	return expected && *sum && strcmp(sum, expected) == 0 ? NULL
							      : mem_printf("'%s' changed", path);
}

static char *compare_files(const struct fresh *now, const json_t *record)
{
	const json_t *then = json_object_get(record, "files");
	int64_t taken = js_get_integer(record, "taken", INT64_MAX);
	const char *path;
	json_t *stamp;
	char *reason;

	json_object_foreach(now->files, path, stamp)
	{
		reason = compare_file(path, stamp, json_object_get(then, path), taken);
		if (reason)
			return reason;
	}
	json_object_foreach(
		(json_t *)(uintptr_t)then, path,
		stamp) if (!json_object_get(now->files, path)) return mem_printf("'%s' is gone",
										 path);
	return NULL;
}

static char *compare_identity(const struct fresh *now, const json_t *record)
{
	const json_t *then = json_object_get(record, "identity");
	const char *key;
	json_t *value;

	json_object_foreach(now->identity, key, value)
	{
		if (json_equal(value, json_object_get(then, key)))
			continue;
		if (strcmp(key, "packages") == 0 || strcmp(key, "dbt") == 0)
			return mem_strdup("another dbt is used");
		return mem_printf("the %s changed", key);
	}
	return NULL;
}

static char *compare_variables(const struct fresh *now, const json_t *record)
{
	const json_t *then = json_object_get(record, "variables");
	CLEANUP(strv_release) struct strv names = STRV_INIT;
	json_t *variables_now;
	char *reason = NULL;
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)then, name, value) strv_push(&names, name);
	variables_now = variables(now, &names, js_get_bool(record, "all_variables", true));
	json_object_foreach(variables_now, name, value)
	{
		if (!reason && !json_equal(value, json_object_get(then, name)))
			reason = mem_printf("the environment variable '%s' changed", name);
	}
	json_decref(variables_now);
	return reason;
}

void fresh_read(struct fresh *fresh)
{
	const char *path;
	json_t *stamp;

	fresh->sums = json_object();
	json_object_foreach(fresh->files, path, stamp)
	{
		char sum[MD5_HEX_SIZE];

		content_sum(path, sum, NULL, NULL);
		json_object_set_new_nocheck(fresh->sums, path, json_string(sum));
	}
}

/* A file that has another time and is there on both sides was perhaps only touched. */
static bool has_same_content(const char *path, const json_t *stamp, const struct fresh *before)
{
	const char *expected = json_string_value(json_object_get(before->sums, path));
	char sum[MD5_HEX_SIZE];

	if (!expected || !*expected || json_array_size(stamp) == 0)
		return false;
	content_sum(path, sum, NULL, NULL);
	return strcmp(sum, expected) == 0;
}

static const char *first_written(const struct fresh *before, const struct fresh *after)
{
	const char *path;
	json_t *stamp;

	json_object_foreach(after->files, path, stamp)
	{
		if (!json_equal(stamp, json_object_get(before->files, path)) &&
		    !has_same_content(path, stamp, before))
			return path;
	}
	json_object_foreach(before->files, path, stamp)
	{
		if (!json_object_get(after->files, path))
			return path;
	}
	return NULL;
}

char *fresh_written(const struct fresh *before, const struct fresh *after, const char **ret_doubt)
{
	const char *path = first_written(before, after);

	*ret_doubt = before->doubt ? before->doubt : after->doubt;
	return path ? mem_printf("'%s' was written", path) : NULL;
}

static json_t *stamp_of_manifest(const char *directory)
{
	CLEANUP(mem_free_string) char *path = fs_join(directory, "manifest.json");
	struct fs_stamp stamp;

	return fs_stamp(path, &stamp)
		       ? json_pack("[I, I]", (json_int_t)stamp.size, (json_int_t)stamp.mtime_ns)
		       : json_null();
}

static json_t *read_record(const char *directory)
{
	CLEANUP(mem_free_string) char *path = fs_join(directory, RECORD);
	CLEANUP(err_release) struct err ignored = ERR_INIT;

	return fs_exists(path) ? js_read_file(path, MAX_RECORD, ERR_FILE, &ignored) : NULL;
}

char *fresh_compare(const struct fresh *now, const char *directory, char **ret_invocation_id)
{
	CLEANUP(js_free) json_t *record = read_record(directory);
	CLEANUP(js_free) json_t *manifest = stamp_of_manifest(directory);
	const char *id = js_get_string(record, "invocation_id");
	char *reason;

	if (now->doubt)
		return mem_strdup(now->doubt);
	if (!record || !id)
		return mem_strdup("nothing is known of its parse");
	if (!json_equal(manifest, json_object_get(record, "manifest")))
		return mem_strdup("its manifest is another one");
	reason = compare_identity(now, record);
	if (!reason)
		reason = compare_files(now, record);
	if (!reason)
		reason = compare_variables(now, record);
	if (!reason)
		*ret_invocation_id = mem_strdup(id);
	return reason;
}

void fresh_forget(const char *directory)
{
	CLEANUP(mem_free_string) char *path = fs_join(directory, RECORD);
	CLEANUP(err_release) struct err ignored = ERR_INIT;

	fs_remove(path, &ignored);
}

/* Content is read now, before it is known whether it is what dbt read: a later change shows in
 * the time, and one within the same tick of the clock in the content. */
static json_t *files_with_sums(const struct fresh *before, struct strv *names, bool *literal)
{
	json_t *files = json_object();
	const char *path;
	json_t *stamp;

	json_object_foreach(before->files, path, stamp)
	{
		char sum[MD5_HEX_SIZE];
		struct fs_stamp now;
		json_t *row = json_copy(stamp);

		if (json_array_size(stamp) > 0) {
			content_sum(path, sum, names, literal);
			json_array_append_new(row, json_string(sum));
		}
		if (fs_stamp(path, &now) != (json_array_size(stamp) > 0) ||
		    (json_array_size(stamp) > 0 &&
		     now.mtime_ns != json_integer_value(json_array_get(stamp, 1)))) {
			json_decref(row);
			json_decref(files);
			return NULL;
		}
		json_object_set_new_nocheck(files, path, row);
	}
	return files;
}

int fresh_keep(const struct fresh *before, const char *directory, const char *invocation_id,
	       struct err *err)
{
	CLEANUP(mem_free_string) char *path = fs_join(directory, RECORD);
	CLEANUP(strv_release) struct strv names = STRV_INIT;
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(js_free) json_t *record = NULL;
	bool literal = true;
	json_t *files;

	if (before->doubt)
		return 0;
	files = files_with_sums(before, &names, &literal);
	if (!files)
		return 0;
	record = json_pack("{s:I, s:s, s:o, s:o, s:O, s:b, s:o}", "taken",
			   (json_int_t)before->taken_ns, "invocation_id", invocation_id, "manifest",
			   stamp_of_manifest(directory), "files", files, "identity",
			   before->identity, "all_variables", !literal, "variables",
			   variables(before, &names, !literal));
	if (!record)
		return 0;
	js_write_line(record, &text);
	return fs_write_atomic(path, buf_cstr(&text), text.len, 0600, err);
}
