#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "airlock/base/buf.h"
#include "airlock/dbt/select.h"

#define FIXTURE AIRLOCK_SOURCE_DIR "/test/unit/data/manifest.json"

static struct manifest *manifest;

static int read_fixture(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	return manifest_read(FIXTURE, &manifest, &err);
}

static int free_fixture(void **state)
{
	(void)state;
	manifest_free(manifest);
	return 0;
}

/* "model.shop.orders seed.shop.raw" -> "orders raw", "ASK", or the message of the error. */
static char *answer_of(const struct manifest *from, const char *select, const char *exclude)
{
	CLEANUP(strv_release) struct strv selected = STRV_INIT;
	CLEANUP(strv_release) struct strv excluded = STRV_INIT;
	CLEANUP(strv_release) struct strv ids = STRV_INIT;
	CLEANUP(strv_release) struct strv names = STRV_INIT;
	enum select_answer answer;
	struct err err = ERR_INIT;
	char *message;

	if (select)
		strv_push(&selected, select);
	if (exclude)
		strv_push(&excluded, exclude);
	if (select_nodes(from, &selected, &excluded, NULL, &ids, &answer, &err) < 0) {
		message = mem_strdup(err.message);
		err_release(&err);
		return message;
	}
	if (answer == SELECT_ASK_DBT)
		return mem_strdup(ids.n ? "ids beside the question" : "ASK");
	for (size_t i = 0; i < ids.n; i++)
		strv_push(&names, strchr(strchr(ids.v[i], '.') + 1, '.') + 1);
	return names.n ? strv_join(&names, " ") : mem_strdup("");
}

struct row {
	const char *select;
	const char *exclude;
	const char *expected;
};

static void assert_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		CLEANUP(mem_free_string)
		char *answer = answer_of(manifest, rows[i].select, rows[i].exclude);
		if (strcmp(answer, rows[i].expected) != 0)
			fail_msg("'%s' without '%s': '%s', not '%s'",
				 rows[i].select ? rows[i].select : "(all)",
				 rows[i].exclude ? rows[i].exclude : "", answer, rows[i].expected);
	}
}

/* The answers of `dbt ls` of dbt-core 1.11.16 over the project of the fixture. */
static void names_select_as_dbt_does(void **state)
{
	static const struct row rows[] = {
		{ "orders", NULL, "orders" },
		{ "shop.staging", NULL, "stg_eph stg_orders" },
		{ "staging", NULL, "h_stg stg_eph stg_orders" },
		{ "helper", NULL, "h_mart h_stg" },
		{ "marts.deep", NULL, "deep_one deep_two" },
		{ "shop.marts.nope", NULL, "" },
		{ "customers", NULL, "customers.v1 customers.v2" },
		{ "customers.v1", NULL, "customers.v1" },
		{ "customers_v2", NULL, "customers.v2" },
		{ "x.customers.v1", NULL, "customers.v1" },
		{ "fqn:shop.marts.orders", NULL, "orders" },
		{ "dotted.name", NULL, "dotted.name" },
		{ "raw_orders", NULL, "raw_orders" },
		{ "snap_orders", NULL, "snap_orders" },
		{ "web", NULL, "" },
		{ "dash", NULL, "" },
		{ "no_negative", NULL, "" },
		{ "", NULL, "" },
		{ "orders ", NULL, "orders" },
	};

	(void)state;
	assert_rows(rows, ARRAY_LEN(rows));
}

static void wildcards_select_as_dbt_does(void **state)
{
	static const struct row rows[] = {
		{ "*orders", NULL, "orders stg_orders raw_orders snap_orders" },
		{ "stg_*", NULL, "stg_eph stg_orders" },
		{ "shop.*.orders", NULL, "orders" },
		{ "marts.cust*", NULL, "customers.v1 customers.v2" },
		{ "customers_v*", NULL, "" },
		{ "[so]*", NULL,
		  "h_mart h_stg bad below customers.v1 customers.v2 deep_one deep_two dotted.name "
		  "orders orders_x stg_eph stg_orders raw_orders snap_orders" },
		{ "o?ders*", NULL, "orders orders_x" },
		{ "[.a]*", NULL, "" },
	};

	(void)state;
	assert_rows(rows, ARRAY_LEN(rows));
}

static void tags_select_as_dbt_does(void **state)
{
	static const struct row rows[] = {
		{ "tag:mart", NULL,
		  "bad below customers.v1 customers.v2 deep_one deep_two dotted.name orders "
		  "orders_x" },
		{ "tag:m*", NULL,
		  "bad below customers.v1 customers.v2 deep_one deep_two dotted.name orders "
		  "orders_x" },
		{ "tag:ext", NULL, "" },
		{ "tag:\xc3\xa9t\xc3\xa9", NULL, "h_mart h_stg" },
		{ "tag:nope", NULL, "" },
		{ "tag:hourly,tag:mart,shop.marts.deep", NULL, "deep_one deep_two" },
	};

	(void)state;
	assert_rows(rows, ARRAY_LEN(rows));
}

static void paths_select_as_dbt_does(void **state)
{
	static const struct row rows[] = {
		{ "models/staging", NULL, "h_stg stg_eph stg_orders" },
		{ "./models/staging/", NULL, "h_stg stg_eph stg_orders" },
		{ "path:models/marts/*.sql", NULL,
		  "bad below customers.v1 customers.v2 dotted.name orders orders_x" },
		{ "models/**/d*", NULL, "deep_one deep_two dotted.name" },
		{ "models/marts/schema.yml", NULL, "customers.v1 customers.v2 orders" },
		{ "models/st*/stg_orders.sql", NULL, "stg_orders" },
		{ "seeds/raw_orders.csv", NULL, "raw_orders" },
		{ "snapshots/snap.yml", NULL, "snap_orders" },
		{ "models/marts/deep/**", NULL, "deep_one deep_two" },
		{ "path:**,tag:staging", NULL, "stg_eph stg_orders" },
	};

	(void)state;
	assert_rows(rows, ARRAY_LEN(rows));
}

static void pluses_follow_the_graph(void **state)
{
	static const struct row rows[] = {
		{ "stg_orders+", NULL,
		  "bad below customers.v1 customers.v2 orders stg_orders snap_orders" },
		{ "+orders", NULL, "orders stg_orders raw_orders" },
		{ "1+orders", NULL, "orders stg_orders" },
		{ "0+orders+0", NULL, "orders" },
		{ "raw_orders+1", NULL, "stg_orders raw_orders" },
		{ "+dash", NULL, "orders stg_orders raw_orders" },
		{ "1+no_negative", NULL, "orders" },
		{ "+sums", NULL, "customers.v1 customers.v2 stg_orders raw_orders" },
		{ "+relationships*", NULL, "customers.v2 orders stg_orders raw_orders" },
		{ "bad+", NULL, "bad below" },
		{ "2+deep_two", NULL, "h_mart h_stg deep_one deep_two" },
		{ "99999999999999999999999+below", NULL, "bad below stg_orders raw_orders" },
		{ "+tag:pkg+", NULL, "h_mart h_stg deep_two" },
	};

	(void)state;
	assert_rows(rows, ARRAY_LEN(rows));
}

static void unions_intersections_and_exclusions(void **state)
{
	static const struct row rows[] = {
		{ "orders bad", NULL, "bad orders" },
		{ "shop.marts,tag:hourly,+below", NULL, "bad below" },
		{ "stg_orders+", "bad+",
		  "customers.v1 customers.v2 orders stg_orders snap_orders" },
		{ NULL, "shop.marts", "h_mart h_stg stg_eph stg_orders raw_orders snap_orders" },
		{ NULL, "tag:mart tag:pkg", "stg_eph stg_orders raw_orders snap_orders" },
		{ "tag:mart", "+orders stg_eph",
		  "bad below customers.v1 customers.v2 deep_one deep_two dotted.name orders_x" },
		{ "orders,", NULL, "" },
		{ "orders,,bad", NULL, "" },
		{ "tag:mart,orders tag:staging", "orders", "stg_eph stg_orders" },
	};

	(void)state;
	assert_rows(rows, ARRAY_LEN(rows));
}

/* What each method selects is compared with dbt in test/select. */
static void other_methods_select_as_dbt_does(void **state)
{
	static const struct row rows[] = {
		{ "config.materialized:incremental", NULL, "orders" },
		{ "config.severity:WARN", NULL, "" },
		{ "1+config.severity:WARN", NULL, "orders" },
		{ "source:web+", NULL, "stg_eph" },
		{ "tag.x:mart,orders", NULL, "orders" },
		{ "@orders", NULL, "customers.v2 orders stg_orders raw_orders" },
		{ "orders.sql", NULL, "orders" },
		{ "file:orders", NULL, "orders" },
		{ "orders h_mart", "package:helper", "orders" },
		{ "package:this,resource_type:seed", NULL, "raw_orders" },
		{ "version:old", NULL, "customers.v1" },
		{ "1+test_type:unit,customers.v1", NULL, "customers.v1" },
		{ "access:protected,orders", NULL, "orders" },
		{ "1+exposure:shop.dash", NULL, "orders" },
		{ "group:g metric:m semantic_model:s saved_query:q", NULL, "" },
	};

	(void)state;
	assert_rows(rows, ARRAY_LEN(rows));
}

static void what_only_dbt_knows_is_left_to_dbt(void **state)
{
	static const struct row rows[] = {
		{ "state:modified", NULL, "ASK" },
		{ "result:error", NULL, "ASK" },
		{ "source_status:fresher+", NULL, "ASK" },
		{ "orders tag:mart,state:new", NULL, "ASK" },
		{ "path:../x", NULL, "ASK" },
		{ "/abs/models", NULL, "ASK" },
		{ "models/a**b", NULL, "ASK" },
		{ "path:", NULL, "ASK" },
		{ "orders+\xd9\xa3", NULL, "ASK" },
		{ "\xc3\xa9:x", NULL, "ASK" },
		/* Only the package is known to have these, and no directory was given to look at.
		 */
		{ "models/only_pkg", NULL, "ASK" },
		{ "models/*", NULL, "ASK" },
	};

	(void)state;
	assert_rows(rows, ARRAY_LEN(rows));
}

static void a_method_that_dbt_does_not_have_is_refused(void **state)
{
	static const struct row rows[] = {
		{ "tga:mart", NULL, "'tga' in 'tga:mart' is not a selection method of dbt" },
		{ "orders", "2+bogus.x:y+",
		  "'bogus' in 'bogus.x:y' is not a selection method of dbt" },
		{ "selector:nightly", NULL,
		  "'selector' in 'selector:nightly' is not a selection method of dbt" },
		{ "state:new bogus:x", NULL,
		  "'bogus' in 'bogus:x' is not a selection method of dbt" },
		{ "@orders+", NULL, "'@' before and '+' behind 'orders' exclude each other" },
		{ "source:a.b.c.d", NULL, "'a.b.c.d' names no source: it has 4 parts" },
		{ "metric:a.b.c", NULL, "'a.b.c' names no metric: it has 3 parts" },
		{ "resource_type:nope", NULL, "'nope' is no resource type of dbt" },
		{ "test_type:nope", NULL,
		  "'nope' is no type of tests: generic, singular, unit and data are" },
		{ "version:x", NULL,
		  "'x' is no kind of version: latest, prerelease, old and none are" },
	};
	CLEANUP(strv_release) struct strv words = STRV_INIT;
	CLEANUP(strv_release) struct strv none = STRV_INIT;
	CLEANUP(strv_release) struct strv ids = STRV_INIT;
	enum select_answer answer;
	struct err err = ERR_INIT;

	(void)state;
	assert_rows(rows, ARRAY_LEN(rows));
	strv_push(&words, "tga:mart");
	assert_int_equal(select_nodes(manifest, &words, &none, NULL, &ids, &answer, &err), -1);
	assert_int_equal(err.code, ERR_SELECTOR_INVALID);
	assert_string_equal(err.hint, "did you mean 'tag:mart'?");
	err_release(&err);
}

/* "" and the sorted ids, "ASK", or the message of the error. */
static char *selector_answer(const char *yaml, const char *name)
{
	struct selectors *selectors;
	CLEANUP(strv_release) struct strv ids = STRV_INIT;
	CLEANUP(strv_release) struct strv types = STRV_INIT;
	struct select_request request = { .selector = name, .resource_types = &types };
	enum select_answer answer;
	struct err err = ERR_INIT;
	char *text;

	strv_push(&types, "model");
	assert_int_equal(selectors_parse(yaml, strlen(yaml), "selectors.yml", &selectors, &err), 0);
	request.selectors = selectors;
	if (select_run(manifest, &request, &ids, &answer, &err) < 0)
		text = mem_strdup(err.message);
	else if (answer == SELECT_ASK_DBT)
		text = mem_strdup("ASK");
	else
		text = ids.n ? strv_join(&ids, " ") : mem_strdup("");
	err_release(&err);
	selectors_free(selectors);
	return text;
}

static void selectors_of_a_file_are_known_by_name(void **state)
{
	static const char yaml[] = "selectors:\n"
				   "- {name: one, definition: 'orders'}\n"
				   "- {name: two, definition: {tag: '{{ var(\"x\") }}'}}\n"
				   "- {name: three, definition: {method: selector, value: one}}\n"
				   "- {name: four, definition: {method: selector, value: five}}\n"
				   "- {name: five, default: true, definition: {fqn: bad}}\n"
				   "- {name: six, definition: {method: fqn, value: 12}}\n"
				   "- {name: seven, definition: {tag: [a]}}\n";
	static const struct {
		const char *name;
		const char *expected;
	} rows[] = {
		{ "one", "model.shop.orders" },
		{ "two", "ASK" },
		{ "three", "model.shop.orders" },
		{ "four", "ASK" }, /* which is defined below */
		{ NULL, "model.shop.bad" },
		{ "six", "ASK" },
		{ "seven", "ASK" },
		{ "thre", "selectors.yml has no selector 'thre'" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(mem_free_string) char *answer = selector_answer(yaml, rows[i].name);

		assert_string_equal(answer, rows[i].expected);
	}
}

/* Each selector names the one before it twice: small as a file, endless as a tree. */
static void selectors_that_grow_without_end_are_left_to_dbt(void **state)
{
	CLEANUP(buf_release) struct buf yaml = BUF_INIT;
	CLEANUP(mem_free_string) char *answer = NULL;

	(void)state;
	buf_add_str(&yaml, "selectors:\n- {name: s0, definition: {fqn: orders}}\n");
	for (int i = 1; i < 50; i++)
		buf_printf(&yaml,
			   "- {name: s%d, definition: {union: [{method: selector, value: s%d},"
			   " {method: selector, value: s%d}]}}\n",
			   i, i - 1, i - 1);
	answer = selector_answer(buf_cstr(&yaml), "s3");
	assert_string_equal(answer, "model.shop.orders");
	free(answer);
	answer = selector_answer(buf_cstr(&yaml), "s49");
	assert_string_equal(answer, "ASK");
}

static struct manifest *with_version(const char *version)
{
	CLEANUP(mem_free_string)
	char *text = mem_printf(
		"{\"metadata\": {\"dbt_version\": \"%s\", \"project_name\": \"a\"}, \"nodes\": {"
		"\"model.a.stg_x\": {\"resource_type\": \"model\", \"package_name\": \"a\","
		" \"fqn\": [\"a\", \"staging\", \"stg_x\"],"
		" \"original_file_path\": \"models/staging/stg_x.sql\"}}}",
		version);
	struct manifest *parsed;
	struct err err = ERR_INIT;

	assert_int_equal(manifest_parse(text, strlen(text), "m.json", &parsed, &err), 0);
	return parsed;
}

static void what_dbt_versions_read_differently_is_left_to_dbt(void **state)
{
	static const struct {
		const char *version;
		const char *select;
		const char *expected;
	} rows[] = {
		/* A wildcard for a name in a folder: new in 1.11.16, absent up to 1.11.14. */
		{ "1.11.16", "stg_*", "stg_x" },
		{ "1.11.15", "stg_*", "ASK" },
		{ "1.11.14", "stg_*", "" },
		{ "1.9.4", "stg_*", "" },
		{ "1.10.20", "stg_*", "" },
		{ "1.10.24", "stg_*", "ASK" },
		{ "1.12.6", "stg_*", "stg_x" },
		{ "1.12.3", "stg_*", "ASK" },
		{ "", "stg_*", "ASK" },
		{ "1.12.3", "*stg_*", "stg_x" },
		{ "2.0.0-beta.2", "*stg_*", "ASK" },
		{ "2.0.0-beta.2", "a.staging", "stg_x" },
		{ "2.0.0-beta.2", "stg_x", "stg_x" },
		{ "2.0.0-beta.2", "models/staging", "stg_x" },
		{ "2.0.0-beta.2", "models/st*", "ASK" },
		/* A later dbt may have methods that are not known here. */
		{ "1.12.3", "selector:nightly", "ASK" },
		{ "2.0.0-beta.2", "selector:nightly", "ASK" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct manifest *parsed = with_version(rows[i].version);
		CLEANUP(mem_free_string) char *answer = answer_of(parsed, rows[i].select, NULL);

		manifest_free(parsed);
		if (strcmp(answer, rows[i].expected) != 0)
			fail_msg("'%s' in %s: '%s'", rows[i].select, rows[i].version, answer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_select_as_dbt_does),
		cmocka_unit_test(wildcards_select_as_dbt_does),
		cmocka_unit_test(tags_select_as_dbt_does),
		cmocka_unit_test(paths_select_as_dbt_does),
		cmocka_unit_test(pluses_follow_the_graph),
		cmocka_unit_test(unions_intersections_and_exclusions),
		cmocka_unit_test(other_methods_select_as_dbt_does),
		cmocka_unit_test(what_only_dbt_knows_is_left_to_dbt),
		cmocka_unit_test(a_method_that_dbt_does_not_have_is_refused),
		cmocka_unit_test(selectors_of_a_file_are_known_by_name),
		cmocka_unit_test(selectors_that_grow_without_end_are_left_to_dbt),
		cmocka_unit_test(what_dbt_versions_read_differently_is_left_to_dbt),
	};

	return cmocka_run_group_tests(tests, read_fixture, free_fixture);
}
