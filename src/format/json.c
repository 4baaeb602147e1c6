#include "airlock/format/json.h"

#include <string.h>

#include "airlock/base/fs.h"

#define MARKER_LEN 7 /* <<<<<<<, =======, >>>>>>> */

void js_free(json_t **json)
{
	json_decref(*json);
	*json = NULL;
}

static bool is_blank(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!strchr(" \t\r\n", text[i]))
			return false;
	return true;
}

/* The start of line `number` (from 1), or NULL when there are fewer. */
static const char *find_line(const char *text, size_t len, int number)
{
	const char *end = text + len;

	for (int i = 1; i < number && text; i++) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		text = newline ? newline + 1 : NULL;
	}
	return text;
}

static bool is_conflict_marker(const char *line, const char *end)
{
	if (!line || end - line < MARKER_LEN || !strchr("<=>", *line))
		return false;
	for (int i = 1; i < MARKER_LEN; i++)
		if (line[i] != *line)
			return false;
	return true;
}

static int parse_error(const char *text, size_t len, const char *name, const json_error_t *error,
		       enum err_code code, struct err *err)
{
	if (is_conflict_marker(find_line(text, len, error->line), text + len))
		return err_set(err, code, "%s:%d:1: a merge conflict marker instead of JSON", name,
			       error->line);
	switch ((int)json_error_code(error)) {
	case json_error_premature_end_of_input:
		return err_set(err, code, "%s:%d:%d: the file ends in the middle of a value", name,
			       error->line, error->column);
	case json_error_end_of_input_expected:
		return err_set(err, code, "%s:%d:%d: something follows the end of the document",
			       name, error->line, error->column);
	case json_error_stack_overflow:
		return err_set(err, code, "%s:%d:%d: values are nested deeper than %d levels", name,
			       error->line, error->column, 2048);
	default:
		return err_set(err, code, "%s:%d:%d: not JSON: %s", name, error->line,
			       error->column, error->text);
	}
}

json_t *js_parse(const char *text, size_t len, const char *name, enum err_code code,
		 struct err *err)
{
	json_error_t error;
	json_t *json;

	if (is_blank(text, len)) {
		err_set(err, code, "%s:1:1: the file is empty", name);
		return NULL;
	}
	/* NUL is allowed because dbt copies it into texts that nobody reads here. */
	json = json_loadb(text, len, JSON_ALLOW_NUL, &error);
	if (!json)
		parse_error(text, len, name, &error, code, err);
	return json;
}

json_t *js_read_file(const char *path, size_t limit, enum err_code code, struct err *err)
{
	CLEANUP(buf_release) struct buf content = BUF_INIT;

	if (fs_is_directory(path)) {
		err_set(err, code, "'%s' is a directory where a JSON file is expected", path);
		return NULL;
	}
	if (fs_read(path, limit, &content, err) < 0)
		return NULL;
	return js_parse(buf_cstr(&content), content.len, path, code, err);
}

const char *js_get_string(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	const char *s = json_string_value(value);

	/* With a NUL inside, what C sees is not the value. */
	return s && strlen(s) == json_string_length(value) ? s : NULL;
}

bool js_text_is(const json_t *object, const char *key, const char *text)
{
	const char *own = js_get_string(object, key);

	return own && strcmp(own, text) == 0;
}

json_int_t js_get_integer(const json_t *object, const char *key, json_int_t fallback)
{
	const json_t *value = json_object_get(object, key);

	return json_is_integer(value) ? json_integer_value(value) : fallback;
}

bool js_get_bool(const json_t *object, const char *key, bool fallback)
{
	const json_t *value = json_object_get(object, key);

	return json_is_boolean(value) ? json_is_true(value) : fallback;
}

json_t *js_get_object(const json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	return json_is_object(value) ? value : NULL;
}

json_t *js_get_array(const json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	return json_is_array(value) ? value : NULL;
}

static int add_piece(const char *piece, size_t len, void *out)
{
	buf_add(out, piece, len);
	return 0;
}

void js_write_pretty(const json_t *json, struct buf *out)
{
	json_dump_callback(json, add_piece, out, JSON_ENCODE_ANY | JSON_INDENT(2));
	buf_add_char(out, '\n');
}

void js_write_line(const json_t *json, struct buf *out)
{
	json_dump_callback(json, add_piece, out, JSON_ENCODE_ANY | JSON_COMPACT);
}

json_t *js_string_or_null(const char *s)
{
	return s ? json_string(s) : json_null();
}
