#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "airlock/deploy/plan.h"
#include "airlock/format/json.h"
#include "made.h"

#define UNDECIDED "\1?"

static void step_of(struct step *step, const char *const *sql)
{
	*step = (struct step) { .id = "publish", .kind = STEP_TRANSACTION };
	for (; *sql; sql++)
		strv_push(&step->sql, *sql);
}

static void compare(const char *const *was, const char *const *is, const char *difference)
{
	CLEANUP(mem_free_string) char *found = NULL;
	struct step before, after;
	bool same;

	step_of(&before, was);
	step_of(&after, is);
	same = plan_same_sql(&before, &after, &found);
	assert_string_equal(found ? found : "", difference ? difference : "");
	assert_true(same == !difference);
	strv_release(&before.sql);
	strv_release(&after.sql);
}

#define SQL(...) ((const char *const[]) { __VA_ARGS__, NULL })

static void equal_statements_are_the_same(void **state)
{
	(void)state;
	compare(SQL("a", "b"), SQL("a", "b"), NULL);
	compare(SQL("a '\1id\1'"), SQL("a '\1id\1'"), NULL);
	compare(SQL("a"), SQL("b"), "was: a\n  is: b");
	compare(SQL("delete from a"), SQL("drop table b; delete from a"),
		"was: delete from a\n  is: drop table b; delete from a");
	compare(SQL("a"), SQL("ab"), "was: a\n  is: ab");
	compare(SQL("ab"), SQL("a"), "was: ab\n  is: a");
}

static void more_or_fewer_statements_differ(void **state)
{
	(void)state;
	compare(SQL("a"), SQL("a", "b"), "was: nothing\n  is: b");
	compare(SQL("a", "b"), SQL("a"), "was: b\n  is: nothing");
}

static void an_undecided_value_may_become_anything(void **state)
{
	(void)state;
	compare(SQL("a (" UNDECIDED "columns\1) b"), SQL("a (x, y) b"), NULL);
	compare(SQL("a (" UNDECIDED "columns\1) b"), SQL("a () b"), NULL);
	compare(SQL(UNDECIDED "x\1"), SQL("anything"), NULL);
	compare(SQL("a" UNDECIDED "x\1" UNDECIDED "y\1z"), SQL("abz"), NULL);
	compare(SQL("a " UNDECIDED "x\1 b " UNDECIDED "y\1 c"), SQL("a 1 b 2 b 3 c"), NULL);
	compare(SQL("a " UNDECIDED "x\1 b"), SQL("a " UNDECIDED "x\1 b"), NULL);
}

static void what_stands_around_it_must_stay(void **state)
{
	(void)state;
	compare(SQL("a (" UNDECIDED "x\1) b"), SQL("drop a; a (x) b"),
		"was: a (<x>) b\n  is: drop a; a (x) b");
	compare(SQL("a (" UNDECIDED "x\1) b"), SQL("a (x) b; drop"),
		"was: a (<x>) b\n  is: a (x) b; drop");
	compare(SQL("a " UNDECIDED "x\1 b " UNDECIDED "y\1"), SQL("a 1 c 2"),
		"was: a <x> b <y>\n  is: a 1 c 2");
	compare(SQL("aa" UNDECIDED "x\1aa"), SQL("aaa"), "was: aa<x>aa\n  is: aaa");
	compare(SQL("a '\1id\1' " UNDECIDED "x\1"), SQL("a '\1pid\1' 1"),
		"was: a '<id>' <x>\n  is: a '<pid>' 1");
}

/* A plan of one table with a step of each kind, as text and as JSON. */
struct world {
	struct config config;
	struct manifest *from;
	struct routes routes;
	struct plan plan;
	struct plan_table table;
};

static void make(struct world *w)
{
	static const struct made_node nodes[] = {
		{ .name = "orders", .tags = "mart" },
		{ .name = "other" },
	};
	struct err err = ERR_INIT;
	struct step *step;

	made_config(&w->config, "--from staging --tags mart");
	w->from = made_manifest("duckdb", nodes, ARRAY_LEN(nodes));
	assert_int_equal(routes_resolve(&w->config, dialect_find("duckdb"), w->from, NULL, NULL,
					NULL, NULL, &w->routes, &err),
			 0);
	plan_init(&w->plan);
	w->plan.strategy = "wac";
	w->plan.from = "staging";
	w->plan.dialect = dialect_find("duckdb");
	w->plan.atomic = true;
	w->table = (struct plan_table) { .route = &w->routes.items[0],
					 .way = PUBLISH_NEW,
					 .reason = "new" };
	w->plan.tables = &w->table;
	w->plan.table_count = 1;
	strv_push(&w->plan.warnings, "careful");
	step = plan_add_step(&w->plan, "build", "build", STEP_DBT, "made");
	strv_push(&step->command, "build");
	strv_push(&step->command, "--vars");
	strv_push(&step->command, "{it: 1}");
	step = plan_add_step(&w->plan, "publish", "publish", STEP_TRANSACTION, "shown");
	step->changes_production = true;
	strv_push(&step->sql, "insert '\1id\1' " UNDECIDED "columns\1");
	plan_add_step(&w->plan, "audit", "audit", STEP_CHECK, "judged");
}

static void world_release(struct world *w)
{
	plan_release(&w->plan);
	routes_release(&w->routes);
	manifest_free(w->from);
	config_release(&w->config);
}

static void the_text_shows_every_step(void **state)
{
	CLEANUP(world_release) struct world w = { .from = NULL };
	CLEANUP(buf_release) struct buf out = BUF_INIT;

	(void)state;
	make(&w);
	plan_write_text(&w.plan, &w.routes, &out);
	assert_string_equal(
		buf_cstr(&out),
		"wac from 'staging' on DuckDB: 1 table, in one transaction\n"
		"  model.shop.orders (has the tag mart)\n"
		"      db.stage.orders -> db.mart.orders\n"
		"      new: new\n"
		"warning: careful\n"
		"1. build (build, dbt): made\n"
		"      dbt build --vars '{it: 1}'\n"
		"2. publish (publish, transaction): shown\n"
		"      begin;\n"
		"      insert '<id>' <columns>;\n"
		"      commit;\n"
		"3. audit (audit, check): judged\n"
		"<...> is decided when it runs; production changes in the step 'publish' only\n");
}

static void the_json_has_the_shape_that_scripts_rely_on(void **state)
{
	CLEANUP(world_release) struct world w = { .from = NULL };
	CLEANUP(buf_release) struct buf out = BUF_INIT;
	CLEANUP(js_free) json_t *json = NULL;

	(void)state;
	make(&w);
	json = plan_json(&w.plan, &w.routes);
	assert_non_null(json);
	js_write_line(json, &out);
	for (char *p = out.data; *p; p++)
		if (*p == '"')
			*p = '\'';
	assert_string_equal(
		buf_cstr(&out),
		"{'version':1,'strategy':'wac','from':'staging','to':null,'adapter':'duckdb',"
		"'atomic':true,'conflict':{'by':null,'unseen':null},"
		"'restore_points':{'kept':0,'kept_bytes':0,'expired':[],'expired_bytes':0},'routes'"
		":["
		"{'unique_id':'model.shop.orders','resource_type':'model','materialized':'table',"
		"'tags':['mart'],'from':{'database':'db','schema':'stage','identifier':'orders',"
		"'relation_name':null},'to':{'database':'db','schema':'mart',"
		"'identifier':'orders','relation_name':'\\'db\\'.\\'mart\\'.\\'orders\\''},"
		"'in_scope':true,'reason':'has the tag mart'},"
		"{'unique_id':'model.shop.other','resource_type':'model','materialized':'table',"
		"'tags':[],'from':{'database':'db','schema':'stage','identifier':'other',"
		"'relation_name':null},'to':null,'in_scope':false,"
		"'reason':'has none of the tags mart'}],"
		"'steps':[{'id':'build','phase':'build','kind':'dbt','reason':'made',"
		"'command':['build','--vars','{it: 1}'],'sql':[],'changes_production':false},"
		"{'id':'publish','phase':'publish','kind':'transaction','reason':'shown',"
		"'command':null,'sql':['insert '<id>' <columns>'],'changes_production':true},"
		"{'id':'audit','phase':'audit','kind':'check','reason':'judged','command':null,"
		"'sql':[],'changes_production':false}],'warnings':['careful']}");
}

static void steps_are_found_by_id(void **state)
{
	CLEANUP(world_release) struct world w = { .from = NULL };

	(void)state;
	make(&w);
	assert_string_equal(plan_step(&w.plan, "publish")->reason, "shown");
	assert_null(plan_step(&w.plan, "nowhere"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_statements_are_the_same),
		cmocka_unit_test(more_or_fewer_statements_differ),
		cmocka_unit_test(an_undecided_value_may_become_anything),
		cmocka_unit_test(what_stands_around_it_must_stay),
		cmocka_unit_test(the_text_shows_every_step),
		cmocka_unit_test(the_json_has_the_shape_that_scripts_rely_on),
		cmocka_unit_test(steps_are_found_by_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
