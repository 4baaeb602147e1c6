#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <strings.h>

#include "airlock/deploy/observed.h"
#include "airlock/warehouse/dialect.h"
#include "made.h"

/* One table from stage.orders to mart.orders, seen in a picture. */
struct world {
	const char *from; /* of the JSON of each table: what follows its name and kind */
	const char *to;   /* NULL: production has none */
	bool undecided, keeps_nothing, shown_only, is_exact;
	const char *const *grants;
	size_t grant_count;
	bool sets_grants;

	struct observed observed;
	struct publish_table table;
	struct strv sql;
	const char *reason;
	struct err err;
};

#define WORLD CLEANUP(world_release) struct world w

static const struct relation stage_orders = { "db", "stage", "orders" };
static const struct relation mart_orders = { "db", "mart", "orders" };

static void world_release(struct world *w)
{
	observed_release(&w->observed);
	strv_release(&w->sql);
	err_release(&w->err);
}

static void look(struct world *w)
{
	const struct dialect *postgres = dialect_find("postgres");
	char *text CLEANUP(mem_free_string) = mem_printf(
		"{'relations': [{'database': 'db', 'schema': 'stage', 'identifier': 'orders', %s},"
		" {'database': 'db', 'schema': '%s', 'identifier': 'orders', %s}]}",
		w->from, w->to ? "mart" : "elsewhere", w->to ? w->to : "'kind': 'table'");

	made_picture(&w->observed, text);
	w->table = (struct publish_table) {
		.from = &stage_orders,
		.to = &mart_orders,
		.from_table = observed_table(&w->observed, postgres, &stage_orders),
		.to_table = observed_table(&w->observed, postgres, &mart_orders),
		.decided = !w->undecided,
		.runs = !w->shown_only,
		.is_exact = w->is_exact,
		.number = 1,
		.grants = w->grants,
		.grant_count = w->grant_count,
		.sets_grants = w->sets_grants,
	};
	if (w->to && !w->keeps_nothing)
		w->table.restore = (struct relation) { "db", "airlock_restore", "r_1" };
}

static int choose(struct world *w)
{
	look(w);
	return dialect_find("postgres")->choose_way(&w->table, &w->table.way, &w->reason, &w->err);
}

static void chooses(struct world *w, enum publish_way way)
{
	if (choose(w) < 0)
		fail_msg("%s", w->err.message);
	assert_string_equal(publish_way_name(w->table.way), publish_way_name(way));
	assert_true(*w->reason != '\0');
}

static void refused(struct world *w, const char *message)
{
	if (choose(w) == 0)
		fail_msg("not refused: %s", message);
	assert_int_equal(w->err.code, ERR_UNSUPPORTED);
	assert_string_equal(w->err.message, message);
	assert_true(w->err.hint && *w->err.hint);
}

static int publish(struct world *w)
{
	struct publish_set set = {
		.tables = &w->table, .n = 1, .lock_attempt_ms = 300, .timeout_ms = 30000
	};

	return dialect_find("postgres")->publish(dialect_find("postgres"), &set, &w->sql, &w->err);
}

static void published(struct world *w, enum publish_way way)
{
	chooses(w, way);
	if (publish(w) < 0)
		fail_msg("%s", w->err.message);
	for (size_t i = 0; i < w->sql.n; i++)
		assert_null(strcasestr(w->sql.v[i], "cascade"));
}

/* The number from 1 of the first statement that holds the text; 0 without. */
static size_t place(const struct world *w, const char *text)
{
	for (size_t i = 0; i < w->sql.n; i++)
		if (strstr(w->sql.v[i], text))
			return i + 1;
	return 0;
}

static void in_this_order(const struct world *w, const char *const *texts)
{
	size_t last = 0;

	for (; *texts; texts++) {
		size_t at = place(w, *texts);

		if (at <= last)
			fail_msg("'%s' is statement %zu, after %zu", *texts, at, last);
		last = at;
	}
	assert_int_equal(last, w->sql.n);
}

#define ORDER(...) ((const char *const[]) { __VA_ARGS__, NULL })
#define ID "{'name': 'id', 'type': 'integer'}"
#define DAY "{'name': 'day', 'type': 'date'}"
#define TABLE(COLUMNS) "'kind': 'table', 'object': '1/2', 'columns': [" COLUMNS "]"

static void the_columns_decide_the_way(void **state)
{
	WORLD = { .from = TABLE(ID) };
	CLEANUP(world_release)
	struct world same = { .from = TABLE(ID "," DAY), .to = TABLE(DAY "," ID) };
	CLEANUP(world_release) struct world more = { .from = TABLE(ID "," DAY), .to = TABLE(ID) };
	CLEANUP(world_release) struct world fewer = { .from = TABLE(ID), .to = TABLE(ID "," DAY) };
	CLEANUP(world_release)
	struct world type = { .from = TABLE(ID),
			      .to = TABLE("{'name': 'id',"
					  " 'type': 'bigint'}") };

	(void)state;
	chooses(&w, PUBLISH_NEW);
	chooses(&same, PUBLISH_REWRITE);
	chooses(&more, PUBLISH_EXCHANGE);
	chooses(&fewer, PUBLISH_EXCHANGE);
	chooses(&type, PUBLISH_EXCHANGE);
}

static void what_no_way_keeps_is_refused(void **state)
{
	WORLD = { .from = TABLE(ID), .to = TABLE(ID) ", 'refuses': ['trigger t', 'policy p']" };
	CLEANUP(world_release)
	struct world view = { .from = TABLE(ID), .to = "'kind': 'materialized view'" };
	CLEANUP(world_release) struct world from_view = { .from = "'kind': 'view'" };
	CLEANUP(world_release)
	struct world others = { .from = TABLE(ID),
				.to = TABLE(ID) ", 'owner': 'ada', 'owned': false" };

	(void)state;
	refused(&w, "'db.mart.orders' cannot be published: trigger t, policy p");
	refused(&view, "'db.mart.orders' cannot be published: it is a materialized view in "
		       "production and a "
		       "table in staging");
	refused(&from_view,
		"'db.stage.orders' is a view in staging, and is to be published as a table");
	refused(&others, "'db.mart.orders' cannot be published: it belongs to 'ada', and this "
			 "session may not act as its owner");
}

static void what_an_exchange_loses_is_refused_once_it_is_certain(void **state)
{
#define DEPENDED ", 'refuses_exchange': ['view v', 'view w']"
	WORLD = { .from = TABLE(ID), .to = TABLE(DAY) DEPENDED };
	CLEANUP(world_release)
	struct world open = { .undecided = true, .from = TABLE(ID), .to = TABLE(DAY) DEPENDED };
	CLEANUP(world_release) struct world same = { .from = TABLE(ID), .to = TABLE(ID) DEPENDED };

	(void)state;
	refused(&w, "the columns of 'db.mart.orders' changed, so a new table has to take its "
		    "place, and that would lose: view v, view w");
	chooses(&open, PUBLISH_EXCHANGE);
	chooses(&same, PUBLISH_REWRITE);
}

static void a_new_table_is_compared_made_filled_and_counted(void **state)
{
	WORLD = { .from = TABLE(ID) ", 'comment': 'described'" };

	(void)state;
	published(&w, PUBLISH_NEW);
	in_this_order(&w, ORDER("lock table", "(staging) changed",
				"create table \"mart\".\"orders\" (like \"stage\".\"orders\" "
				"including all)",
				"insert into \"mart\".\"orders\" (\"id\") select \"id\" from "
				"\"stage\".\"orders\"",
				"comment on table \"mart\".\"orders\" is 'described'",
				DIALECT_RAISED_COUNT));
}

static void a_rewrite_locks_writers_out_before_it_compares(void **state)
{
	WORLD = { .from = TABLE(ID) ", 'indexes': [{'name': 'i', 'definition': '(id)'}]",
		  .to = TABLE(ID) };

	(void)state;
	published(&w, PUBLISH_REWRITE);
	in_this_order(&w,
		      ORDER("share row exclusive", "(staging) changed", "(production) was changed",
			    "create table \"airlock_restore\".\"r_1\" as table",
			    "delete from \"mart\".\"orders\"", "insert into \"mart\".\"orders\"",
			    "create index on \"mart\".\"orders\" (id)", DIALECT_RAISED_COUNT));
	assert_int_equal(place(&w, "array[''access exclusive'']"), 0);
}

static void comments_of_staging_reach_a_table_that_stays(void **state)
{
	WORLD = {
		.from = TABLE(
			"{'name': 'id', 'type': 'integer', 'comment': 'new'}") ", 'comment': 'all'",
		.to = TABLE(
			"{'name': 'id', 'type': 'integer', 'comment': 'old'}") ", 'comment': 'all'"
	};
	CLEANUP(world_release)
	struct world silent = { .from = TABLE(ID), .to = TABLE(ID) ", 'comment': 'by hand'" };

	(void)state;
	published(&w, PUBLISH_REWRITE);
	assert_true(place(&w, "comment on column \"mart\".\"orders\".\"id\" is 'new'") > 0);
	assert_int_equal(place(&w, "comment on table \"mart\""), 0);
	published(&silent, PUBLISH_REWRITE);
	assert_int_equal(place(&silent, "comment on table \"mart\""), 0);
	assert_int_equal(place(&silent, "comment on column"), 0);
}

/* A rollback: what it did not have before, it has not after. */
static void an_exact_table_loses_what_was_added(void **state)
{
	WORLD = {
		.is_exact = true,
		.from = TABLE(ID),
		.to = TABLE(
			"{'name': 'id', 'type': 'integer', 'comment': 'new'}") ", 'comment': "
									       "'new', 'indexes': "
									       "[{'name': 'i', "
									       "'definition': "
									       "'(id)'}]"
	};
	CLEANUP(world_release)
	struct world same = { .is_exact = true, .from = TABLE(ID), .to = TABLE(ID) };

	(void)state;
	published(&w, PUBLISH_REWRITE);
	assert_true(place(&w, "comment on table \"mart\".\"orders\" is null") > 0);
	assert_true(place(&w, "comment on column \"mart\".\"orders\".\"id\" is null") > 0);
	assert_true(place(&w, "drop index \"mart\".\"i\"") > 0);
	published(&same, PUBLISH_REWRITE);
	assert_int_equal(place(&same, "comment on table \"mart\""), 0);
	assert_int_equal(place(&same, "comment on column"), 0);
}

#define OLD                                                                                        \
	TABLE("{'name': 'id', 'type': 'integer', 'not_null': true, 'default': '7',"                \
	      " 'comment': 'key'}")                                                                \
	", 'owner': 'ada', 'options': 'fillfactor = 70', 'indexes': [{'name': 'i',"                \
	" 'unique': true, 'definition': 'USING btree (id)', 'columns': ['id'],"                    \
	" 'comment': 'fast'}], 'constraints': [{'name': 'k', 'definition': 'UNIQUE (id)',"         \
	" 'owns_index': true, 'columns': ['id']}, {'name': 'f',"                                   \
	" 'definition': 'FOREIGN KEY (id) REFERENCES p(id)', 'columns': ['id']}]"
#define NEW                                                                                        \
	TABLE(ID "," DAY)                                                                          \
	", 'indexes': [{'name': 'd', 'definition': 'USING hash (day)',"                            \
	" 'columns': ['day']}]"

static void an_exchange_builds_aside_and_then_changes_names(void **state)
{
	WORLD = { .from = NEW, .to = OLD };

	(void)state;
	published(&w, PUBLISH_EXCHANGE);
	in_this_order(&w,
		      ORDER("share row exclusive", "(staging) changed", "(production) was changed",
			    "create table \"mart\".\"airlock_\1id\1_1\" (like",
			    "insert into \"mart\".\"airlock_\1id\1_1\"",
			    "alter column \"id\" set default 7", "alter column \"id\" set not null",
			    "create unique index \"airlock_i_\1id\1_1_1\" on "
			    "\"mart\".\"airlock_\1id\1_1\" "
			    "USING btree (id)",
			    "comment on index \"mart\".\"airlock_i_\1id\1_1_1\" is 'fast'",
			    "add constraint \"airlock_i_\1id\1_1_2\" UNIQUE (id)",
			    "add constraint \"f\" FOREIGN KEY (id)",
			    "create index \"airlock_i_\1id\1_1_4\" on",
			    "comment on column \"mart\".\"airlock_\1id\1_1\".\"id\" is 'key'",
			    "set (fillfactor = 70)", "owner to \"ada\"",
			    "array[''access exclusive'']", "is no longer what was planned",
			    "revoke %s on table",
			    "alter index \"mart\".\"i\" rename to \"r_i_\1id\1_1_1\"",
			    "alter index \"mart\".\"k\" rename to \"r_i_\1id\1_1_2\"",
			    "drop constraint \"f\"",
			    "alter table \"mart\".\"orders\" rename to \"r_\1id\1_1\"",
			    "set schema \"airlock_restore\"",
			    "alter table \"mart\".\"airlock_\1id\1_1\" rename to \"orders\"",
			    "alter index \"mart\".\"airlock_i_\1id\1_1_1\" rename to \"i\"",
			    "alter index \"mart\".\"airlock_i_\1id\1_1_2\" rename to \"k\"",
			    "to_regclass(''\"mart\".\"d\"'') is null", DIALECT_RAISED_COUNT));
}

static void without_a_restore_point_the_old_table_is_dropped(void **state)
{
	WORLD = { .from = NEW, .to = OLD, .keeps_nothing = true };

	(void)state;
	published(&w, PUBLISH_EXCHANGE);
	assert_true(place(&w, "drop table \"mart\".\"r_\1id\1_1\"") >
		    place(&w, "array[''access exclusive'']"));
	assert_int_equal(place(&w, "airlock_restore"), 0);
}

static void grants_of_the_node_are_given_as_dbt_would(void **state)
{
	static const char *const grants[] = { "select", "Reporter", "INSERT", "\"Reporter\"",
					      "all",    "public",   "select", "\"public\"" };
	static const char *const bad[] = { "select on x to y; drop", "r" };
	WORLD = { .from = TABLE(ID), .grants = grants, .grant_count = 4 };
	CLEANUP(world_release)
	struct world v = { .from = TABLE(ID), .grants = bad, .grant_count = 1 };

	(void)state;
	published(&w, PUBLISH_NEW);
	assert_true(place(&w, "grant select on \"mart\".\"orders\" to \"reporter\"") > 0);
	assert_true(place(&w, "grant INSERT on \"mart\".\"orders\" to \"Reporter\"") > 0);
	assert_true(place(&w, "grant all on \"mart\".\"orders\" to public") > 0);
	assert_true(place(&w, "grant select on \"mart\".\"orders\" to \"public\"") > 0);
	chooses(&v, PUBLISH_NEW);
	assert_int_equal(publish(&v), -1);
	assert_int_equal(v.err.code, ERR_CONFIG_INVALID);
}

static void what_the_grants_of_the_node_do_not_name_goes(void **state)
{
	static const char *const grants[] = { "select", "reporter" };
	WORLD = { .from = TABLE(ID),
		  .to = TABLE(ID),
		  .grants = grants,
		  .grant_count = 1,
		  .sets_grants = true };
	CLEANUP(world_release)
	struct world nobody = { .from = TABLE(ID), .to = TABLE(ID), .sets_grants = true };
	CLEANUP(world_release) struct world unset = { .from = TABLE(ID), .to = TABLE(ID) };

	(void)state;
	published(&w, PUBLISH_REWRITE);
	assert_true(place(&w, "[[\"select\",\"reporter\"]]") > 0);
	published(&nobody, PUBLISH_REWRITE);
	assert_true(place(&nobody, "revoke %s on table") > 0);
	published(&unset, PUBLISH_REWRITE);
	assert_int_equal(place(&unset, "revoke"), 0);
}

static void another_engines_way_is_a_defect(void **state)
{
	WORLD = { .from = TABLE(ID), .to = TABLE(ID) };

	(void)state;
	chooses(&w, PUBLISH_REWRITE);
	w.table.way = PUBLISH_REPLACE;
	assert_int_equal(publish(&w), -1);
	assert_int_equal(w.err.code, ERR_INTERNAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_columns_decide_the_way),
		cmocka_unit_test(what_no_way_keeps_is_refused),
		cmocka_unit_test(what_an_exchange_loses_is_refused_once_it_is_certain),
		cmocka_unit_test(a_new_table_is_compared_made_filled_and_counted),
		cmocka_unit_test(a_rewrite_locks_writers_out_before_it_compares),
		cmocka_unit_test(comments_of_staging_reach_a_table_that_stays),
		cmocka_unit_test(an_exact_table_loses_what_was_added),
		cmocka_unit_test(an_exchange_builds_aside_and_then_changes_names),
		cmocka_unit_test(without_a_restore_point_the_old_table_is_dropped),
		cmocka_unit_test(grants_of_the_node_are_given_as_dbt_would),
		cmocka_unit_test(what_the_grants_of_the_node_do_not_name_goes),
		cmocka_unit_test(another_engines_way_is_a_defect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
