/*
 * Plans and templates as they were reviewed: test/golden/<strategy>/<dialect>_<case>.{txt,json} and
 * test/golden/sql/<dialect>.sql, made from test/golden/input (test/support/golden_input.py).
 * With AIRLOCK_GOLDEN_UPDATE they are written (scripts/golden-update shows the difference).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "airlock/deploy/mirror.h"
#include "airlock/deploy/strategy_rows.h"
#include "airlock/format/json.h"
#include "golden_support.h"
#include "planned.h"

struct plan_case {
	const char *strategy;
	const char *dialect;
	const char *name;    /* what follows the dialect in the name of the file */
	const char *picture; /* of test/golden/input/<dialect> */
	const char *options;
	const char *build; /* an option of dbt's for the build; NULL: none */
};

#define TO_PROD "--from staging --to prod --tags mart,utils"
#define GREEN_TO_PROD "--from green --to prod --tags mart,utils"
#define FILES_TO_PROD "--from green --to prod --conflict"
#define DATABASES_TO_PROD                                                                          \
	"--from blue_green --to prod --prepare clone --state-database SHOP_AIRLOCK"
#define AUDIT_TO_PROD "--from prod_audit --to prod --tags mart --stale-ok *"
#define BY_TAG "--from staging --tags mart,utils"

static void plan_of_verb_is_golden(const struct plan_case *c, bool builds_nothing)
{
	CLEANUP(mem_free_string)
	char *from = mem_printf("%sinput/%s/%s.json", GOLDEN, c->dialect,
				strstr(c->options, "--from green")        ? "green"
				: strstr(c->options, "--from blue_green") ? "blue_green"
				: strstr(c->options, "--from prod_audit") ? "prod_audit"
									  : "staging");
	CLEANUP(mem_free_string)
	char *to = mem_printf("%sinput/%s/%s.json", GOLDEN, c->dialect,
			      strstr(c->options, FILES_TO_PROD) ? "green_prod" : "prod");
	CLEANUP(mem_free_string)
	char *picture = mem_printf("%sinput/%s/%s.json", GOLDEN, c->dialect, c->picture);
	CLEANUP(mem_free_string)
	char *text_name = mem_printf("%s/%s%s.txt", c->strategy, c->dialect, c->name);
	CLEANUP(mem_free_string)
	char *json_name = mem_printf("%s/%s%s.json", c->strategy, c->dialect, c->name);
	CLEANUP(strv_release) struct strv options = STRV_INIT;
	CLEANUP(planned_release) struct planned planned;
	CLEANUP(err_release) struct err err = ERR_INIT;
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(buf_release) struct buf json = BUF_INIT;

	planned_init(&planned);
	planned.builds_nothing = builds_nothing;
	strv_push(&options, c->strategy);
	strv_split(&options, c->options, " ");
	if (c->build)
		strv_push(&planned.build_options, c->build);
	if (planned_all(&planned, from, strstr(c->options, "--to") ? to : NULL, picture,
			strv_argv(&options), &err) < 0)
		fail_msg("%s", err.message);
	plan_write_text(&planned.plan, &planned.routes, &text);
	is_golden(text_name, &text);

	CLEANUP(js_free) json_t *document = plan_json(&planned.plan, &planned.routes);

	js_write_pretty(document, &json);
	is_golden(json_name, &json);
}

static void plan_is_golden(const struct plan_case *c)
{
	plan_of_verb_is_golden(c, false);
}

static void plans_of_publish(void **state)
{
	static const struct plan_case cases[] = {
		{ "wac", "bigquery", "_publish", "built", TO_PROD, NULL },
		{ "wac", "duckdb", "_publish", "built", TO_PROD, NULL },
		{ "wac", "postgres", "_publish", "built", TO_PROD, NULL },
		{ "wac", "snowflake", "_publish", "built", TO_PROD, NULL },
		{ "wap", "postgres", "_publish", "built", TO_PROD " --publish-by copy", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		plan_of_verb_is_golden(&cases[i], true);
}

static void plans_of_wac(void **state)
{
	static const struct plan_case cases[] = {
		{ "wac", "bigquery", "", "before", TO_PROD, NULL },
		{ "wac", "bigquery", "_built", "built", TO_PROD, NULL },
		{ "wac", "bigquery", "_by_tag", "built", BY_TAG, NULL },
		{ "wac", "duckdb", "", "before", TO_PROD, NULL },
		{ "wac", "duckdb", "_built", "built", TO_PROD, NULL },
		{ "wac", "duckdb", "_by_tag", "built", BY_TAG, NULL },
		{ "wac", "duckdb", "_orphans", "orphans", TO_PROD, NULL },
		{ "wac", "duckdb", "_orphans_drop", "orphans", TO_PROD " --orphans drop", NULL },
		{ "wac", "postgres", "", "before", TO_PROD, NULL },
		{ "wac", "postgres", "_built", "built", TO_PROD, NULL },
		{ "wac", "postgres", "_by_tag", "built", BY_TAG, NULL },
		{ "wac", "postgres", "_orphans", "orphans", TO_PROD, NULL },
		{ "wac", "postgres", "_orphans_drop", "orphans", TO_PROD " --orphans drop", NULL },
		{ "wac", "postgres", "_commands", "before",
		  TO_PROD " --build seed --build run --build test", "--full-refresh" },
		{ "wac", "snowflake", "", "before", TO_PROD, NULL },
		{ "wac", "snowflake", "_built", "built", TO_PROD, NULL },
		{ "wac", "snowflake", "_by_tag", "built", BY_TAG, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		plan_is_golden(&cases[i]);
}

static void plans_of_wap(void **state)
{
	static const struct plan_case cases[] = {
		{ "wap", "bigquery", "_copy", "built", TO_PROD " --publish-by copy", NULL },
		{ "wap", "bigquery", "_rebuild", "built", TO_PROD " --stale-ok *", NULL },
		{ "wap", "duckdb", "_audit_copy", "audit_built", AUDIT_TO_PROD " --publish-by copy",
		  NULL },
		{ "wap", "duckdb", "_audit_rebuild", "audit_built", AUDIT_TO_PROD, NULL },
		{ "wap", "duckdb", "_copy", "built", TO_PROD " --publish-by copy", NULL },
		{ "wap", "duckdb", "_rebuild", "built", TO_PROD " --stale-ok *", NULL },
		{ "wap", "postgres", "_audit_copy", "audit_built",
		  AUDIT_TO_PROD " --publish-by copy", NULL },
		{ "wap", "postgres", "_rebuild", "before",
		  "--from staging --to prod --tags utils --stale-ok *", NULL },
		{ "wap", "postgres", "_rebuild_built", "built",
		  "--from staging --to prod --tags utils --stale-ok *", NULL },
		{ "wap", "postgres", "_copy", "built", TO_PROD " --publish-by copy", NULL },
		{ "wap", "snowflake", "_copy", "built", TO_PROD " --publish-by copy", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		plan_is_golden(&cases[i]);
}

static void plans_of_blue_green(void **state)
{
	static const struct plan_case cases[] = {
		{ "blue-green", "duckdb", "", "green_before", FILES_TO_PROD " identity",
		  "--full-refresh" },
		{ "blue-green", "duckdb", "_built", "green_built", FILES_TO_PROD " content",
		  "--full-refresh" },
		{ "blue-green", "duckdb", "_clone", "green_before",
		  FILES_TO_PROD " content --prepare clone", NULL },
		{ "blue-green", "postgres", "", "green_before", GREEN_TO_PROD, "--full-refresh" },
		{ "blue-green", "postgres", "_clone", "green_built",
		  GREEN_TO_PROD " --prepare clone", NULL },
		{ "blue-green", "snowflake", "", "green_before", GREEN_TO_PROD, "--full-refresh" },
		{ "blue-green", "snowflake", "_built", "green_built", GREEN_TO_PROD,
		  "--full-refresh" },
		{ "blue-green", "snowflake", "_databases", "databases_built", DATABASES_TO_PROD,
		  NULL },
		{ "blue-green", "snowflake", "_foreign", "foreign_before",
		  DATABASES_TO_PROD " --foreign-objects clone,MART.CHANGES", NULL },
		{ "blue-green", "snowflake", "_foreign_built", "foreign_built",
		  DATABASES_TO_PROD " --foreign-objects clone,mart.changes", NULL },
		{ "blue-green", "postgres", "_built", "green_built", GREEN_TO_PROD,
		  "--full-refresh" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		plan_is_golden(&cases[i]);
}

static void plans_of_production_rollback(void **state)
{
	static const struct {
		const char *name, *picture, *options, *build;
	} kinds[] = {
		{ "", "whole", TO_PROD ",history", NULL },
		{ "_built", "built", TO_PROD, NULL },
		{ "_full_refresh", "whole", TO_PROD ",history", "--full-refresh" },
		{ "_parents_copy", "whole", TO_PROD ",history --parents copy", NULL },
	};
	static const char *const dialects[] = { "bigquery", "duckdb", "postgres", "snowflake" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(dialects); i++)
		for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
			plan_is_golden(&(const struct plan_case) {
				.dialect = dialects[i],
				.name = kinds[k].name,
				.picture = kinds[k].picture,
				.strategy = "production-rollback",
				.options = kinds[k].options,
				.build = kinds[k].build,
			});
}

/* A refresh of four sources: one has lost rows, one cannot be read, one is new. */
struct refresh {
	struct manifest *manifest;
	struct config config;
	struct routes routes;
	struct observed observed;
	struct mirror mirror;
	struct plan plan;
	json_t *compiled;
};

static void refresh_release(struct refresh *r)
{
	plan_release(&r->plan);
	mirror_release(&r->mirror);
	observed_release(&r->observed);
	routes_release(&r->routes);
	config_release(&r->config);
	manifest_free(r->manifest);
	json_decref(r->compiled);
}

static int read_refresh(struct refresh *r, const char *dialect, const char *picture,
			struct err *err)
{
	static const char *const ids[] = { "model.shop.raw_customers", "model.shop.raw_orders",
					   "model.shop.raw_payments", "model.shop.raw_refunds" };
	CLEANUP(mem_free_string)
	char *path = mem_printf(GOLDEN "input/mirror/%s.json", picture);
	CLEANUP(js_free) json_t *json = js_read_file(path, 1 << 20, ERR_NO_ANSWER, err);

	config_init(&r->config);
	config_set_strategy(&r->config, "wac");
	arena_init(&r->routes.arena);
	r->routes.dialect = dialect_find(dialect);
	r->routes.items = arena_alloc(&r->routes.arena, ARRAY_LEN(ids) * sizeof(struct route));
	r->mirror.id = "20261124235621_47e851";
	r->mirror.found = json_object();
	r->compiled = json_object();
	if (!json || observed_parse(json, &r->observed, err) < 0 ||
	    manifest_read(GOLDEN "input/mirror/manifest.json", &r->manifest, err) < 0 ||
	    config_set_argument(&r->config, option_row(OPTION_FROM), false, "staging", err) < 0 ||
	    config_set_argument(&r->config, option_row(OPTION_TO), false, "prod", err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		const struct manifest_node *raw = manifest_find(r->manifest, ids[i]);

		if (mirror_check_model(raw, err) < 0 ||
		    mirror_add_checks(&r->mirror, r->manifest, raw, err) < 0)
			return -1;
		mirror_route(&r->routes, raw, "shop", r->mirror.id, i + 1, &r->routes.items[i]);
		json_object_set_new(r->compiled, ids[i],
				    json_sprintf("select * from shop_source.%s", raw->name + 4));
	}
	r->routes.n = r->routes.scope_count = ARRAY_LEN(ids);
	if (!r->observed.built)
		return 0;
	json_object_set_new(r->mirror.found, ids[3],
			    json_pack("{s:s, s:s}", "state", "missing", "why", "does not exist"));
	r->routes.items[3].lacks_from = true;
	strv_push(&r->mirror.left, "mirror_20261123000000_0a1b2c_1");
	return 0;
}

static void refresh_is_golden(const char *dialect, const char *picture, const char *name)
{
	static const struct strv none = STRV_INIT;
	CLEANUP(refresh_release) struct refresh r = { .manifest = NULL };
	CLEANUP(err_release) struct err err = ERR_INIT;
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(buf_release) struct buf json = BUF_INIT;
	CLEANUP(mem_free_string) char *text_name = mem_printf("mirror/%s%s.txt", dialect, name);
	CLEANUP(mem_free_string) char *json_name = mem_printf("mirror/%s%s.json", dialect, name);
	bool reads = read_refresh(&r, dialect, picture, &err) == 0;
	const struct strategy_input input = {
		.config = &r.config,
		.routes = &r.routes,
		.dialect = r.routes.dialect,
		.observed = &r.observed,
		.build_options = &none,
		.build_select = &none,
		.database = "shop",
		.compiled = r.compiled,
		.mirror = &r.mirror,
	};

	if (!reads || strategy_plan(&strategy_mirror, &input, &r.plan, &err) < 0)
		fail_msg("%s", err.message);
	plan_write_text(&r.plan, &r.routes, &text);
	is_golden(text_name, &text);

	CLEANUP(js_free) json_t *document = plan_json(&r.plan, &r.routes);

	js_write_pretty(document, &json);
	is_golden(json_name, &json);
}

static void plans_of_the_mirror(void **state)
{
	static const char *const dialects[] = { "bigquery", "duckdb", "postgres", "snowflake" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(dialects); i++) {
		refresh_is_golden(dialects[i], "before", "");
		refresh_is_golden(dialects[i], "built", "_built");
	}
}

static const char *const template_names[DIALECT_TEMPLATE_COUNT] = {
	[DIALECT_OBSERVE_SESSION] = "observe_session",
	[DIALECT_OBSERVE_SCHEMAS] = "observe_schemas",
	[DIALECT_OBSERVE_RELATIONS] = "observe_relations",
	[DIALECT_OBSERVE_CONTENT] = "observe_content",
	[DIALECT_OBSERVE_ROWS] = "observe_rows",
	[DIALECT_OBSERVE_HISTORY] = "observe_history",
	[DIALECT_OBSERVE_PRIVILEGES] = "observe_privileges",
	[DIALECT_OBSERVE_DDL] = "observe_ddl",
	[DIALECT_OBSERVE_EXISTING] = "observe_existing",
	[DIALECT_OBSERVE_CONTAINERS] = "observe_containers",
	[DIALECT_OBSERVE_FUTURE] = "observe_future",
	[DIALECT_OBSERVE_TAGS] = "observe_tags",
	[DIALECT_OBSERVE_DYNAMIC] = "observe_dynamic",
	[DIALECT_ASIDE_CHECK] = "aside_check",
	[DIALECT_ASIDE_DROP] = "aside_drop",
	[DIALECT_ASIDE_DATABASE_CHECK] = "aside_database_check",
	[DIALECT_ASIDE_DATABASE_DROP] = "aside_database_drop",
	[DIALECT_GRANTS_KEEP] = "grants_keep",
	[DIALECT_GRANTS_BACK] = "grants_back",
	[DIALECT_LOG_ASIDE] = "log_aside",
	[DIALECT_LOG_ALTERED] = "log_altered",
	[DIALECT_OBSERVE_RESTORES] = "observe_restores",
	[DIALECT_OBSERVE_PUBLISHED] = "observe_published",
	[DIALECT_OBSERVE_LEFT] = "observe_left",
	[DIALECT_RESTORE_CHECK] = "restore_check",
	[DIALECT_RESTORE_DROP] = "restore_drop",
	[DIALECT_RESTORE_DROPPED] = "restore_dropped",
	[DIALECT_SCHEMA_CREATE] = "schema_create",
	[DIALECT_LOG_CREATE] = "log_create",
	[DIALECT_LOCK_CREATE] = "lock_create",
	[DIALECT_LOCK_ACQUIRE] = "lock_acquire",
	[DIALECT_LOCK_ACQUIRE_NEXT] = "lock_acquire_next",
	[DIALECT_LOCK_TAKE] = "lock_take",
	[DIALECT_LOCK_RESUME] = "lock_resume",
	[DIALECT_LOCK_READ] = "lock_read",
	[DIALECT_LOCK_HELD] = "lock_held",
	[DIALECT_LOCK_LIST] = "lock_list",
	[DIALECT_LOCK_RELEASE] = "lock_release",
	[DIALECT_TAG] = "tag",
	[DIALECT_RUNNING] = "running",
	[DIALECT_CANCEL] = "cancel",
	[DIALECT_FENCE_RAISE] = "fence_raise",
	[DIALECT_FENCE_CHECK] = "fence_check",
	[DIALECT_FENCE_HELD] = "fence_held",
	[DIALECT_FENCE_PRODUCTION] = "fence_production",
	[DIALECT_LOG_INSERT] = "log_insert",
	[DIALECT_LOG_BEGUN] = "log_begun",
	[DIALECT_LOG_HELD] = "log_held",
	[DIALECT_LOG_OBJECTS] = "log_objects",
	[DIALECT_LOG_RESTORES] = "log_restores",
	[DIALECT_LOG_PROBE] = "log_probe",
	[DIALECT_LOG_READ] = "log_read",
};

static void add_template(struct buf *out, const struct dialect *dialect, size_t which)
{
	static const struct relation awkward[] = { { "Wh", "ma\"rt", "it's {{ all }} $$" },
						   { "Wh", "mart", "orders" } };
	const struct relation lock = { "Wh", "airlock", "airlock_lock_0123456789abcdef" };
	const struct relation log = { "Wh", "airlock", "airlock_log" };
	const struct relation restore = { "Wh", "airlock_restore", "r_20260102030405_abcdef_1" };
	bool counts = which == DIALECT_OBSERVE_ROWS || which == DIALECT_OBSERVE_CONTENT;
	const struct sql_arg args[] = {
		/* The only template with a name that is no bind. */
		{ .name = "name",
		  .kind = which == DIALECT_SCHEMA_CREATE ? SQL_LITERAL : SQL_BIND,
		  .text = which == DIALECT_SCHEMA_CREATE ? awkward[0].schema : "name" },
		SQL_ARG_NAMES("names", awkward, counts ? 1 : 2),
		SQL_ARG_RELATION("relation", &awkward[0]),
		SQL_ARG_SCHEMA("schema", &awkward[0]),
		SQL_ARG_RELATION("log", &log),
		SQL_ARG_RELATION("lock", &lock),
		SQL_ARG_RELATION("previous", &lock),
		SQL_ARG_NUMBER("seen", 41),
		SQL_ARG_NUMBER("dead_for_sure", 0),
		SQL_ARG_LITERAL("doing", "build"),
		SQL_ARG_RELATION("from", &awkward[0]),
		SQL_ARG_RELATION("to", &awkward[1]),
		SQL_ARG_IDENT("key", "dbt_scd_id"),
		SQL_ARG_LITERAL("in_schema", "mart"),
		SQL_ARG_IDENT("project", "Wh"),
		SQL_ARG_IDENT("region", "region-of Wh.mart"),
		SQL_ARG_SCHEMA("states", &log),
		SQL_ARG_SCHEMA("restores", &restore),
		SQL_ARG_LITERAL("state", "airlock"),
		SQL_ARG_IDENT("home", "Wh"),
		SQL_ARG_IDENT("catalog", "Wh"),
		SQL_ARG_LITERAL("database", "Wh"),
		SQL_ARG_LITERAL("holder", "0011223344556677"),
		SQL_ARG_LITERAL("dead", "20260102030405_abcdef"),
		SQL_ARG_LITERAL("container", "Wh.\"it's\""),
		SQL_ARG_LITERAL("event", "intent"),
		SQL_ARG_LITERAL("detail", "{\"a\":\"it's \\\"b\\\"\"}"),
		SQL_ARG_LITERAL("only", ""),
		SQL_ARG_LITERAL("of", "20260102030405_abcdef"),
		SQL_ARG_STATEMENT("kind", "schema"),
		SQL_ARG_STATEMENT("snapshot", "snapshot "),
		SQL_ARG_LITERAL("type", "table"),
		SQL_ARG_LITERAL("it", "\"Wh.\".\"it's\".\"r\""),
		SQL_ARG_LITERAL("configured", "[[\"mart\",\"orders\"]]"),
		SQL_ARG_RELATION("restore", &restore),
		SQL_ARG_SCHEMA("aside", &restore),
		SQL_ARG_LITERAL("identifier", restore.identifier),
		SQL_ARG_LITERAL("marker", "airlock: it's ours"),
		SQL_ARG_LITERAL("job", "it's-4711"),
		SQL_ARG_LITERAL("maker", "20260102030405_abcdef"),
		SQL_ARG_LITERAL("going", "[\"utils__airlock_20260102030405_abcdef\"]"),
		SQL_ARG_LITERAL("shown", "Wh.airlock_restore.r"),
		SQL_ARG_LITERAL("restore_schema", "airlock_restore"),
		SQL_ARG_BIND("id"),
		SQL_ARG_BIND("user"),
		SQL_ARG_BIND("host"),
		SQL_ARG_BIND("boot"),
		SQL_ARG_BIND("pid"),
		SQL_ARG_BIND("start"),
		SQL_ARG_BIND("since"),
		SQL_ARG_BIND("nonce"),
		SQL_ARG_BIND("phase"),
		SQL_ARG_BIND("lease"),
	};
	CLEANUP(buf_release) struct buf sql = BUF_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;

	if (!template_names[which])
		fail_msg("template %zu has no name here", which);
	if ((which == DIALECT_OBSERVE_PRIVILEGES || which == DIALECT_OBSERVE_DDL) &&
	    !dialect->templates[which])
		return;
	if (which >= DIALECT_OBSERVE_CONTAINERS && which <= DIALECT_LOG_ASIDE &&
	    (!dialect->templates[which] || !(dialect->swaps_schemas || dialect->labels_jobs)))
		return;
	if ((which == DIALECT_OBSERVE_PUBLISHED || which == DIALECT_FENCE_HELD) &&
	    !dialect->templates[which])
		return;
	if (dialect_render(&sql, dialect, (enum dialect_template)which, args, ARRAY_LEN(args),
			   &err) < 0)
		fail_msg("%s of %s: %s", template_names[which], dialect->name, err.message);
	buf_printf(out, "%s-- %s\n", which ? "\n" : "", template_names[which]);
	sql_show(out, buf_cstr(&sql));
	buf_add_str(out, ";\n");
}

static void templates_of_every_dialect(void **state)
{
	size_t n;
	const struct dialect *const *all = dialect_all(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		CLEANUP(mem_free_string) char *name = mem_printf("sql/%s.sql", all[i]->name);
		CLEANUP(buf_release) struct buf text = BUF_INIT;

		for (size_t which = 0; which < DIALECT_TEMPLATE_COUNT; which++)
			add_template(&text, all[i], which);
		is_golden(name, &text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plans_of_blue_green),
		cmocka_unit_test(plans_of_the_mirror),
		cmocka_unit_test(plans_of_publish),
		cmocka_unit_test(plans_of_wac),
		cmocka_unit_test(plans_of_wap),
		cmocka_unit_test(plans_of_production_rollback),
		cmocka_unit_test(templates_of_every_dialect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
