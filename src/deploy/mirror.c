#include "airlock/deploy/mirror.h"

#include <stdlib.h>
#include <string.h>

#include "airlock/deploy/state.h"
#include "airlock/format/json.h"
#include "airlock/warehouse/marker.h"

void mirror_release(struct mirror *mirror)
{
	strv_release(&mirror->fresh);
	strv_release(&mirror->tests);
	strv_release(&mirror->left);
	strv_release(&mirror->laid_out);
	json_decref(mirror->found);
}

const struct manifest_node *mirror_source(const struct manifest_node *raw)
{
	for (size_t i = 0; i < raw->parent_count; i++)
		if (raw->parents[i]->type == MANIFEST_SOURCE)
			return raw->parents[i];
	return NULL;
}

char *mirror_source_name(const struct manifest_node *raw)
{
	const struct manifest_node *source = mirror_source(raw);

	return source ? mem_printf("%s.%s", source->source_name, source->name) : mem_strdup("?");
}

bool mirror_is_configured(const struct config *config)
{
	return config_list(config, OPTION_MIRROR_RAW)->n > 0;
}

bool mirror_leaves_test(const struct config *config, const struct manifest_node *test)
{
	return test->type == MANIFEST_TEST && mirror_is_configured(config) && mirror_source(test);
}

bool mirror_accepts(const struct config *config, const struct manifest_node *raw)
{
	const struct strv *accepted = config_list(config, OPTION_ACCEPT);
	char *source CLEANUP(mem_free_string) = mirror_source_name(raw);

	return manifest_is_named(raw, accepted) || strv_contains(accepted, source);
}

void mirror_route(struct routes *routes, const struct manifest_node *raw, const char *database,
		  const char *id, size_t number, struct route *ret_route)
{
	char *source CLEANUP(mem_free_string) = mirror_source_name(raw);

	*ret_route = (struct route) {
		.node = raw,
		.to_node = raw,
		.from = { database, STATE_SCHEMA,
			  arena_printf(&routes->arena, "mirror_%s_%zu", id, number) },
		.to = raw->relation,
		.has_to = true,
		.in_scope = true,
		.reason = arena_printf(&routes->arena, "copies the source %s", source),
	};
}

static bool counts(const json_t *freshness, const char *key)
{
	return json_is_integer(json_object_get(js_get_object(freshness, key), "count"));
}

static int note_layout(struct mirror *mirror, const struct manifest *manifest,
		       const struct manifest_node *raw, struct err *err)
{
	static const char *const keys[] = { "partition_by", "cluster_by" };

	if (!raw->config.at)
		return 0;
	json_t *config CLEANUP(js_free) = manifest_json(manifest, raw->config, err);

	if (!config)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (json_object_get(config, keys[i]) &&
		    !json_is_null(json_object_get(config, keys[i])) &&
		    !strv_contains(&mirror->laid_out, raw->unique_id))
			strv_push(&mirror->laid_out, raw->unique_id);
	return 0;
}

int mirror_add_checks(struct mirror *mirror, const struct manifest *manifest,
		      const struct manifest_node *raw, struct err *err)
{
	const struct manifest_node *source = mirror_source(raw);
	bool says = source && source->freshness.at;
	json_t *freshness CLEANUP(js_free) =
		says ? manifest_json(manifest, source->freshness, err) : NULL;

	if (!source || (says && !freshness))
		return -1;
	if (counts(freshness, "error_after") || counts(freshness, "warn_after"))
		strv_pushf(&mirror->fresh, "source:%s.%s.%s", source->package, source->source_name,
			   source->name);
	for (size_t i = 0; i < source->child_count; i++)
		if (source->children[i]->type == MANIFEST_TEST)
			strv_push(&mirror->tests, source->children[i]->name);
	return note_layout(mirror, manifest, raw, err);
}

int mirror_check_model(const struct manifest_node *raw, struct err *err)
{
	if (raw->type != MANIFEST_MODEL || strcmp(raw->materialized, "table") != 0) {
		err_set(err, ERR_UNSUPPORTED,
			"'%s' is in the raw layer, and a %s: a copy of a source is a model of "
			"materialization table",
			raw->unique_id,
			raw->type == MANIFEST_MODEL ? raw->materialized : raw->resource_type);
		return err_hint(err, "set it to table, or leave it out of mirror: raw");
	}
	if (raw->parent_count == 1 && mirror_source(raw))
		return 0;
	err_set(err, ERR_UNSUPPORTED,
		"'%s' is in the raw layer and reads %zu nodes: a copy reads one source and nothing "
		"else",
		raw->unique_id, raw->parent_count);
	return err_hint(err, "let it read one source, or leave it out of mirror: raw");
}

int mirror_push_copy(const struct mirror_copy *copy, struct strv *statements, struct err *err)
{
	static const char *const plain[] = {
		"create table {copy} {query:query}",
		"comment on table {copy} is {marker:literal}",
		NULL,
	};
	const struct dialect *dialect = copy->dialect;
	const char *sql = copy->sql;
	const char *layout = copy->last ? copy->last->layout : NULL;
	char *marker CLEANUP(mem_free_string) = marker_mirror(copy->id, &copy->route->to);
	char *query CLEANUP(mem_free_string) = mem_printf("as (\n%s\n)", sql ? sql : "");
	char *partly CLEANUP(mem_free_string) =
		mem_printf("%s%s", layout && *layout ? " " : "", layout ? layout : "");
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("copy", &copy->route->from),
		{ .name = "query",
		  .kind = SQL_QUERY,
		  .text = query,
		  .undecided = sql ? NULL : "the SQL of the model" },
		SQL_ARG_LITERAL("marker", marker),
		SQL_ARG_CATALOG("layout", partly),
	};

	if (!copy->goes_on && dialect_push_text(statements, dialect, "drop table if exists {copy}",
						args, ARRAY_LEN(args), err) < 0)
		return -1;
	for (const char *const *text = dialect->side_copy ? dialect->side_copy : plain; *text;
	     text++)
		if (dialect_push_text(statements, dialect, *text, args, ARRAY_LEN(args), err) < 0)
			return -1;
	return 0;
}

const char *mirror_judge(const struct config *config, const struct manifest_node *raw,
			 const struct table *copy, const struct table *last, struct arena *arena,
			 const char **ret_why)
{
	int64_t percent = config_number(config, OPTION_MIRROR_MAX_SHRINK);
	int64_t before = last ? last->rows : -1;

	if (mirror_accepts(config, raw))
		return NULL;
	if (copy->rows == 0 && before != 0) {
		*ret_why = before < 0 ? "the source is empty, and there is no copy yet"
				      : arena_printf(arena,
						     "the source is empty, and the last good copy "
						     "has %lld rows",
						     (long long)before);
		return "empty";
	}
	if (copy->rows >= before || (before - copy->rows) * 100 <= before * percent)
		return NULL;
	*ret_why = arena_printf(arena,
				"the source has %lld rows and the last good copy %lld: more than "
				"%lld %% are gone",
				(long long)copy->rows, (long long)before, (long long)percent);
	return "shrunk";
}

static json_t *detail_of(const json_t *row)
{
	const char *text = js_get_string(row, "detail");
	struct err ignored CLEANUP(err_release) = ERR_INIT;

	return text && js_text_is(row, "event", STATE_PUBLISHED)
		       ? js_parse(text, strlen(text), "airlock_log", ERR_NO_ANSWER, &ignored)
		       : NULL;
}

/* Before the newest one of a table is known, whether it is still there: who took it back. */
static json_t *taken_back(const json_t *rows)
{
	json_t *ids = json_object();

	for (size_t i = 0; i < json_array_size(rows); i++) {
		json_t *detail CLEANUP(js_free) = detail_of(json_array_get(rows, i));
		const char *of = js_get_string(detail, "of");

		if (of)
			json_object_set_new(ids, of, json_true());
	}
	return ids;
}

json_t *mirror_ages(const json_t *rows)
{
	json_t *back CLEANUP(js_free) = taken_back(rows);
	json_t *ages = json_object();

	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);
		const char *id = js_get_string(row, "id");
		json_t *detail CLEANUP(js_free) = detail_of(row);
		const json_t *tables = js_get_array(detail, "tables");

		if (!js_text_is(detail, "strategy", "mirror") || json_object_get(back, id))
			continue;
		for (size_t k = 0; k < json_array_size(tables); k++) {
			const json_t *table = json_array_get(tables, k);

			json_object_set_new(ages, js_get_string(table, "unique_id"),
					    json_pack("{s:s, s:s?, s:I, s:I}", "id", id, "at",
						      js_get_string(row, "at"), "age",
						      js_get_integer(row, "age", 0), "rows",
						      js_get_integer(table, "rows", -1)));
		}
	}
	return ages;
}

void mirror_write_age(int64_t seconds, struct buf *out)
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = { { 86400, "day" }, { 3600, "hour" }, { 60, "minute" }, { 1, "second" } };
	size_t i = 0;

	while (i + 1 < ARRAY_LEN(units) && seconds < 2 * units[i].seconds)
		i++;
	int64_t n = seconds / units[i].seconds;

	buf_printf(out, "%lld %s%s", (long long)n, units[i].name, n == 1 ? "" : "s");
}

char *mirror_old(const struct config *config, const struct routes *routes, const json_t *ages)
{
	struct buf names = BUF_INIT;

	for (size_t i = 0; config_text(config, OPTION_MIRROR_MAX_AGE) && i < routes->n; i++) {
		const struct manifest_node *node = routes->items[i].node;
		const json_t *last = json_object_get(ages, node->unique_id);
		int64_t age = js_get_integer(last, "age", 0);

		if (!routes->items[i].is_mirror ||
		    (last && age <= config_number(config, OPTION_MIRROR_MAX_AGE)))
			continue;
		buf_printf(&names, "%s%s (", names.len ? ", " : "", node->name);
		if (last)
			mirror_write_age(age, &names);
		else
			buf_add_str(&names, "never refreshed");
		buf_add_char(&names, ')');
	}
	if (names.len > 0)
		return buf_take(&names);
	buf_release(&names);
	return NULL;
}
