#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "airlock/dbt/manifest.h"

#define FIXTURE AIRLOCK_SOURCE_DIR "/test/unit/data/manifest.json"

static struct manifest *manifest;

static int read_fixture(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	return manifest_read_whole(FIXTURE, &manifest, &err);
}

static int free_fixture(void **state)
{
	(void)state;
	manifest_free(manifest);
	return 0;
}

static struct manifest *parse(const char *text)
{
	struct manifest *parsed;
	struct err err = ERR_INIT;

	if (manifest_parse(text, strlen(text), "m.json", &parsed, &err) < 0)
		fail_msg("%s", err.message);
	return parsed;
}

static void assert_refused(const char *text, const char *message)
{
	struct manifest *parsed;
	struct err err = ERR_INIT;

	assert_int_equal(manifest_parse(text, strlen(text), "m.json", &parsed, &err), -1);
	assert_int_equal(err.code, ERR_MANIFEST_INVALID);
	assert_string_equal(err.message, message);
	err_release(&err);
}

static const struct manifest_node *node(const char *unique_id)
{
	const struct manifest_node *found = manifest_find(manifest, unique_id);

	if (!found)
		fail_msg("no %s", unique_id);
	return found;
}

static bool has_child(const struct manifest_node *parent, const char *unique_id)
{
	for (size_t i = 0; i < parent->child_count; i++)
		if (strcmp(parent->children[i]->unique_id, unique_id) == 0)
			return true;
	return false;
}

static void metadata_is_read(void **state)
{
	(void)state;
	assert_string_equal(manifest_adapter_type(manifest), "duckdb");
	assert_string_equal(manifest_dbt_version(manifest), "1.11.16");
	assert_string_equal(manifest_project_name(manifest), "shop");
	assert_int_equal(strlen(manifest_invocation_id(manifest)), 36);
	assert_string_equal(manifest_file(manifest), FIXTURE);
}

static void a_model_is_read_whole(void **state)
{
	const struct manifest_node *n = node("model.shop.orders");

	(void)state;
	assert_int_equal(n->type, MANIFEST_MODEL);
	assert_string_equal(n->resource_type, "model");
	assert_string_equal(n->name, "orders");
	assert_string_equal(n->package, "shop");
	assert_string_equal(n->path, "models/marts/orders.sql");
	assert_string_equal(n->patch_path, "models/marts/schema.yml");
	assert_string_equal(n->materialized, "incremental");
	assert_string_equal(n->relation.database, "dev");
	assert_string_equal(n->relation.schema, "main");
	assert_string_equal(n->relation.identifier, "orders_final");
	assert_string_equal(n->relation_name, "\"dev\".\"main\".\"orders_final\"");
	assert_int_equal(n->tag_count, 2);
	assert_true(manifest_has_tag(n, "mart"));
	assert_true(manifest_has_tag(n, "hourly"));
	assert_false(manifest_has_tag(n, "mar"));
	assert_int_equal(n->fqn_count, 3);
	assert_string_equal(n->fqn[2], "orders");
	assert_false(n->versioned);
	assert_null(n->version);
	assert_string_equal(n->operation_sql, "");
	assert_string_equal(n->access, "protected");
	assert_string_equal(n->group, "");
	assert_null(n->test_name);
	assert_int_equal(n->hook_count, 3);
	assert_string_equal(n->hooks[0], "select 1");
	assert_string_equal(n->hooks[2], "select 3");
	assert_int_equal(n->grant_count, 1);
	assert_string_equal(n->grants[0], "select");
	assert_string_equal(n->grants[1], "reader");
	assert_string_equal(n->severity, "");
}

static void versions_are_text(void **state)
{
	const struct manifest_node *n = node("model.shop.customers.v1");
	struct manifest *parsed;

	(void)state;
	assert_true(n->versioned);
	assert_string_equal(n->version, "1");
	assert_string_equal(n->latest_version, "2");
	assert_string_equal(n->relation.identifier, "customers_v1");
	parsed = parse("{\"nodes\": {"
		       "\"a\": {\"resource_type\": \"model\", \"version\": 1.5},"
		       "\"b\": {\"resource_type\": \"model\", \"version\": 2.0},"
		       "\"c\": {\"resource_type\": \"model\", \"version\": \"next\"},"
		       "\"d\": {\"resource_type\": \"test\", \"version\": 2}}}");
	assert_string_equal(manifest_find(parsed, "a")->version, "1.5");
	assert_string_equal(manifest_find(parsed, "b")->version, "2.0");
	assert_string_equal(manifest_find(parsed, "c")->version, "next");
	assert_false(manifest_find(parsed, "d")->versioned);
	manifest_free(parsed);
}

static void a_source_is_named_by_its_identifier(void **state)
{
	const struct manifest_node *n = node("source.shop.web.events");

	(void)state;
	assert_int_equal(n->type, MANIFEST_SOURCE);
	assert_string_equal(n->name, "events");
	assert_string_equal(n->relation.identifier, "raw_events");
	assert_true(manifest_has_tag(n, "ext"));
	assert_true(has_child(n, "model.shop.stg_eph"));
	assert_false(manifest_makes_relation(n));
}

static void edges_go_both_ways(void **state)
{
	const struct manifest_node *seed = node("seed.shop.raw_orders");
	const struct manifest_node *stg = node("model.shop.stg_orders");

	(void)state;
	assert_int_equal(seed->parent_count, 0);
	assert_int_equal(stg->parent_count, 1);
	assert_ptr_equal(stg->parents[0], seed);
	assert_true(has_child(seed, "model.shop.stg_orders"));
	assert_true(has_child(stg, "model.shop.orders"));
	assert_true(has_child(stg, "snapshot.shop.snap_orders"));
	assert_true(has_child(node("model.shop.orders"), "exposure.shop.dash"));
	assert_true(has_child(node("model.helper.h_mart"), "model.shop.deep_two"));
}

static void tests_are_children_of_what_they_test(void **state)
{
	const struct manifest_node *orders = node("model.shop.orders");
	size_t tests = 0;

	(void)state;
	for (size_t i = 0; i < orders->child_count; i++)
		tests += manifest_is_test(orders->children[i]);
	assert_int_equal(tests, 6);
	assert_true(has_child(node("model.shop.customers.v2"),
			      "unit_test.shop.customers.wrong_sums_v2"));
	assert_int_equal(node("unit_test.shop.customers.sums_v1")->type, MANIFEST_UNIT_TEST);
	assert_int_equal(node("unit_test.shop.customers.sums_v1")->parent_count, 1);
	assert_string_equal(node("test.shop.customer_warns.91acfb7a26")->severity, "warn");
	assert_string_equal(node("test.shop.no_negative")->severity, "error");
}

static void some_nodes_make_relations(void **state)
{
	(void)state;
	assert_true(manifest_makes_relation(node("model.shop.stg_orders")));
	assert_false(manifest_is_table(node("model.shop.stg_orders")));
	assert_false(manifest_makes_relation(node("model.shop.stg_eph")));
	assert_null(node("model.shop.stg_eph")->relation_name);
	assert_true(manifest_is_table(node("model.shop.orders")));
	assert_true(manifest_is_table(node("seed.shop.raw_orders")));
	assert_true(manifest_is_table(node("snapshot.shop.snap_orders")));
	assert_false(manifest_makes_relation(node("test.shop.no_negative")));
	assert_false(manifest_makes_relation(node("exposure.shop.dash")));
}

static void every_node_is_counted_and_found(void **state)
{
	(void)state;
	assert_int_equal(manifest_count(manifest), 30);
	for (size_t i = 0; i < manifest_count(manifest); i++) {
		const struct manifest_node *n = manifest_node(manifest, i);
		assert_ptr_equal(manifest_find(manifest, n->unique_id), n);
	}
	assert_null(manifest_find(manifest, "model.shop.nope"));
}

static void what_is_missing_or_null_is_empty(void **state)
{
	struct manifest *parsed = parse(
		"{\"nodes\": {\"model.a.b\": {\"resource_type\": \"model\", \"name\": \"b\","
		" \"database\": null, \"tags\": null, \"config\": {\"tags\": \"x\"},"
		" \"raw_sql\": \"select 1\", \"depends_on\": {\"nodes\": [\"model.a.gone\", 1,"
		" \"model.a.c\", \"model.a.c\"]}}, \"model.a.c\": {}}}");
	const struct manifest_node *n = manifest_find(parsed, "model.a.b");

	(void)state;
	assert_string_equal(manifest_adapter_type(parsed), "");
	assert_string_equal(manifest_project_name(parsed), "");
	assert_string_equal(n->relation.database, "");
	assert_string_equal(n->relation.identifier, "b");
	assert_string_equal(n->materialized, "");
	assert_null(n->patch_path);
	assert_true(manifest_has_tag(n, "x"));
	assert_int_equal(n->fqn_count, 0);
	assert_int_equal(n->parent_count, 1);
	assert_int_equal(manifest_find(parsed, "model.a.c")->child_count, 1);
	assert_int_equal(manifest_find(parsed, "model.a.c")->type, MANIFEST_OTHER);
	manifest_free(parsed);
}

static void disabled_nodes_are_left_out(void **state)
{
	struct manifest *parsed =
		parse("{\"nodes\": {\"model.a.b\": {\"config\": {\"enabled\": false}}}}");

	(void)state;
	assert_int_equal(manifest_count(parsed), 0);
	assert_null(manifest_find(parsed, "model.a.b"));
	manifest_free(parsed);
}

static void grants_may_name_one_grantee(void **state)
{
	struct manifest *parsed =
		parse("{\"nodes\": {\"model.a.b\": {\"config\": {\"grants\":"
		      " {\"select\": [\"x\", \"y\"], \"insert\": \"z\", \"delete\": []}}}}}");
	const struct manifest_node *n = manifest_find(parsed, "model.a.b");

	(void)state;
	assert_int_equal(n->grant_count, 3);
	assert_string_equal(n->grants[2], "select");
	assert_string_equal(n->grants[3], "y");
	assert_string_equal(n->grants[4], "insert");
	assert_string_equal(n->grants[5], "z");
	manifest_free(parsed);
}

static void what_is_no_manifest_is_refused_with_the_place(void **state)
{
	(void)state;
	assert_refused("", "m.json:1:1: the file is empty");
	assert_refused("<<<<<<< HEAD\n{}\n", "m.json:1:1: a merge conflict marker instead of JSON");
	assert_refused("{\"nodes\": {}}\n{\"nodes\": {}}\n",
		       "m.json:2:1: something follows the end of the document");
	assert_refused("{\"nodes\": {\"a\": ",
		       "m.json:1:17: the file ends in the middle of a value");
	assert_refused("[]", "m.json:1:1: no manifest of dbt: it has no 'nodes'");
	assert_refused("{\"nodes\": []}", "m.json:1:1: no manifest of dbt: it has no 'nodes'");
	assert_refused("{\"nodes\": {\"a\": 1}}", "m.json:1:17: a node that is no object");
	assert_refused("{\"nodes\": {\"a\": {\"name\": \"\xff\"}}}",
		       "m.json:1:26: not JSON: no valid string");
	assert_refused("\x7f"
		       "ELF\x02\x01",
		       "m.json:1:1: not JSON: '{' or '[' was expected");
}

static json_t *json_of(const struct manifest *from, struct jslice slice)
{
	struct err err = ERR_INIT;
	json_t *json = manifest_json(from, slice, &err);

	if (!json)
		fail_msg("%s", err.message);
	return json;
}

static void the_rest_of_a_node_is_parsed_when_it_is_asked_for(void **state)
{
	const struct manifest_node *n = node("model.shop.orders");
	json_t *json = json_of(manifest, n->json);
	json_t *config = json_of(manifest, n->config);

	(void)state;
	assert_non_null(
		strstr(json_string_value(json_object_get(json, "raw_code")), "ref('stg_orders')"));
	assert_string_equal(json_string_value(json_object_get(config, "unique_key")), "id");
	json_decref(json);
	json_decref(config);
	assert_string_equal(node("operation.shop.shop-on-run-start-0")->operation_sql,
			    "{{ print('hello from print') }}");
	assert_string_equal(node("test.shop.unique_orders_id.1360ecc70e")->test_name, "unique");
	assert_null(node("test.shop.no_negative")->test_name);
	assert_string_equal(node("source.shop.web.events")->source_name, "web");
}

static void the_last_of_two_with_one_name_counts(void **state)
{
	struct manifest *parsed =
		parse("{\"nodes\": {\"x\": {}}, \"nodes\": {"
		      "\"a\": {\"name\": \"old\", \"config\": {\"group\": \"g\"}, \"config\": {}},"
		      "\"b\": {\"name\": \"b\"},"
		      "\"\\u0061\": {\"name\": \"1\", \"name\": \"2\"}},"
		      "\"sources\": {\"s\": {}}, \"sources\": null}");

	(void)state;
	assert_int_equal(manifest_count(parsed), 2);
	assert_string_equal(manifest_node(parsed, 0)->unique_id, "a");
	assert_string_equal(manifest_node(parsed, 0)->name, "2");
	assert_string_equal(manifest_node(parsed, 0)->group, "");
	assert_null(manifest_find(parsed, "s"));
	manifest_free(parsed);
}

static void parent_map_stands_in_for_depends_on(void **state)
{
	struct manifest *parsed =
		parse("{\"parent_map\": {\"a\": [\"b\"], \"b\": [\"a\"], \"c\": 1},"
		      " \"nodes\": {\"a\": {}, \"b\": {\"depends_on\": {}}, \"c\": {}}}");

	(void)state;
	assert_int_equal(manifest_find(parsed, "a")->parent_count, 1);
	assert_int_equal(manifest_find(parsed, "b")->parent_count, 0);
	assert_int_equal(manifest_find(parsed, "b")->child_count, 1);
	manifest_free(parsed);
}

static void is_stored(const char *adapter, const char *alias, const char *relation_name,
		      const char *expected)
{
	CLEANUP(mem_free_string)
	char *text = mem_printf(
		"{\"metadata\": {\"adapter_type\": \"%s\"}, \"nodes\": {\"model.a.m\": "
		"{\"unique_id\": "
		"\"model.a.m\", \"resource_type\": \"model\", \"name\": \"m\", \"package_name\": "
		"\"a\", "
		"\"database\": \"Db.1\", \"schema\": \"Mart\", \"alias\": \"%s\", "
		"\"relation_name\": \"%s\", \"config\": {\"materialized\": \"table\"}}}}",
		adapter, alias, relation_name);
	struct manifest *parsed = parse(text);
	CLEANUP(mem_free_string)
	char *name = relation_display(&manifest_find(parsed, "model.a.m")->relation);

	assert_string_equal(name, expected);
	manifest_free(parsed);
}

static void folds_to(const char *adapter, const char *relation_name, const char *expected)
{
	is_stored(adapter, "Orders", relation_name, expected);
}

static void names_are_those_that_the_warehouse_stores(void **state)
{
	static const char *const adapters[] = { "postgres", "duckdb", "snowflake" };

	(void)state;
	folds_to("postgres", "Db.Mart.Orders", "\"Db.1\".Mart.Orders");
	folds_to("snowflake", "db.Mart.Orders", "\"DB.1\".MART.ORDERS");
	folds_to("snowflake", "\\\"Db.1\\\".Mart.\\\"Orders\\\"", "\"Db.1\".MART.Orders");
	folds_to("snowflake", "Db.\\\"Mart\\\".Orders", "\"DB.1\".Mart.ORDERS");
	for (size_t i = 0; i < ARRAY_LEN(adapters); i++)
		is_stored(adapters[i], "say \\\"\\\"hi\\\"\\\"",
			  "\\\"Db.1\\\".\\\"Mart\\\".\\\"say \\\"\\\"hi\\\"\\\"\\\"",
			  "\"Db.1\".Mart.\"say \"\"hi\"\"\"");
}

static void a_directory_and_a_missing_file_are_errors(void **state)
{
	struct manifest *parsed;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(manifest_read("/", &parsed, &err), -1);
	assert_string_equal(err.message, "'/' is a directory where a manifest.json is expected");
	err_release(&err);
	assert_int_equal(manifest_read("/nonexistent/m.json", &parsed, &err), -1);
	assert_int_equal(err.code, ERR_FILE);
	err_release(&err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(metadata_is_read),
		cmocka_unit_test(a_model_is_read_whole),
		cmocka_unit_test(versions_are_text),
		cmocka_unit_test(a_source_is_named_by_its_identifier),
		cmocka_unit_test(edges_go_both_ways),
		cmocka_unit_test(tests_are_children_of_what_they_test),
		cmocka_unit_test(some_nodes_make_relations),
		cmocka_unit_test(every_node_is_counted_and_found),
		cmocka_unit_test(what_is_missing_or_null_is_empty),
		cmocka_unit_test(disabled_nodes_are_left_out),
		cmocka_unit_test(grants_may_name_one_grantee),
		cmocka_unit_test(what_is_no_manifest_is_refused_with_the_place),
		cmocka_unit_test(the_rest_of_a_node_is_parsed_when_it_is_asked_for),
		cmocka_unit_test(the_last_of_two_with_one_name_counts),
		cmocka_unit_test(parent_map_stands_in_for_depends_on),
		cmocka_unit_test(names_are_those_that_the_warehouse_stores),
		cmocka_unit_test(a_directory_and_a_missing_file_are_errors),
	};

	return cmocka_run_group_tests(tests, read_fixture, free_fixture);
}
