#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "publish_support.h"

static const struct relation from = { "shop-eu", "stage", "orders" };
static const struct relation to = { "shop-eu", "mart", "orders" };

static const struct table plain = { .kind = "table", .owned = true };
static const struct table a_view = { .kind = "view", .owned = true };
static const struct table by_day = {
	.kind = "table",
	.owned = true,
	.layout = "PARTITION BY day",
	.options = "partition_expiration_days = 3.0",
};
static const struct table of_day = {
	.kind = "table",
	.owned = true,
	.layout = "PARTITION BY day",
	.options = "expiration_timestamp = TIMESTAMP \"2027-01-01T00:00:00.000Z\"",
};

static struct publish_table published(const struct table *staging, const struct table *production)
{
	return one_table(&from, &to, staging, production);
}

static void what_no_statement_can_replace_is_refused(void **state)
{
	struct publish_table view = published(&a_view, &plain);

	(void)state;
	view.view = "as select 1";
	has_no_way("bigquery", view, "it is a table in production");
	has_no_way("bigquery", published(&plain, &a_view), "it is a view in production");
	has_no_way("bigquery", published(&plain, &by_day),
		   "'PARTITION BY day' in production and 'none' in "
		   "staging");
}

static void a_table_does_not_expire_with_what_it_was_copied_from(void **state)
{
	(void)state;
	publishes("bigquery", published(&by_day, &of_day), false, PUBLISH_REPLACE,
		  "create or replace table `shop-eu`.`mart`.`orders` copy "
		  "`shop-eu`.`airlock`.`airlock_stage_x_1` options (expiration_timestamp = "
		  "TIMESTAMP \"2027-01-01T00:00:00.000Z\", partition_expiration_days = null)");
	publishes("bigquery", published(&plain, &plain), false, PUBLISH_REPLACE,
		  "create or replace table `shop-eu`.`mart`.`orders` copy "
		  "`shop-eu`.`airlock`.`airlock_stage_x_1` options (expiration_timestamp = null)");
	publishes("bigquery", published(&plain, NULL), false, PUBLISH_NEW,
		  "alter table `shop-eu`.`mart`.`orders` set options "
		  "(expiration_timestamp = null)");
}

/* Its partitions would go one by one, as production's do. */
static void a_restore_point_that_is_a_copy_keeps_all_partitions(void **state)
{
	struct publish_table table = published(&by_day, &by_day);

	(void)state;
	table.restore_is_copy = true;
	publishes("bigquery", table, false, PUBLISH_REPLACE,
		  "create table if not exists `shop-eu`.`airlock_restore`.`r_x_1` copy "
		  "`shop-eu`.`mart`.`orders` options (expiration_timestamp = "
		  "timestamp_add(current_timestamp(), interval 2592000 second), description = "
		  "'airlock: restore point of deployment \x01id\x01, table 1: "
		  "\"shop-eu\".mart.orders', partition_expiration_days = null)");
	publishes("bigquery", table, false, PUBLISH_REPLACE,
		  "alter table `shop-eu`.`airlock_restore`.`r_x_1` set options "
		  "(partition_expiration_days = null)");
}

#define SIDE "`shop-eu`.`mart`.`airlock_x_1`"

/* With all that it needs before the old one goes, and not without the new one. */
static void another_layout_takes_the_name_where_the_user_says_so(void **state)
{
	static const struct table read_by = { .kind = "table",
					      .owned = true,
					      .layout = "PARTITION BY day",
					      .options = "partition_expiration_days = 3.0",
					      .privileges = "" };
	struct publish_table table = published(&plain, &by_day);

	(void)state;
	table.may_be_missed = true;
	has_no_way("bigquery", table, "the permissions that go with it cannot be read");
	table.to_table = &read_by;
	table.side = (struct relation) { to.database, to.schema, "airlock_x_1" };
	publishes("bigquery", table, false, PUBLISH_EXCHANGE,
		  "create table if not exists " SIDE
		  " copy `shop-eu`.`airlock`.`airlock_stage_x_1` "
		  "options (expiration_timestamp = null)");
	publishes("bigquery", table, false, PUBLISH_EXCHANGE,
		  "alter table " SIDE " set options (expiration_timestamp = null)");
	publishes("bigquery", table, false, PUBLISH_EXCHANGE,
		  "select if((select count(*) from `shop-eu`.`mart`.INFORMATION_SCHEMA.TABLES as t "
		  "where t.table_name = 'airlock_x_1') = 1, 1, error('airlock-conflict: ' || 'what "
		  "was to become \"shop-eu\".mart.orders is gone')); drop table if exists "
		  "`shop-eu`.`mart`.`orders`; alter table " SIDE " rename to `orders`");
	table = published(&by_day, &of_day);
	table.may_be_missed = true;
	publishes("bigquery", table, false, PUBLISH_REPLACE,
		  "create or replace table `shop-eu`.`mart`.`orders` copy "
		  "`shop-eu`.`airlock`.`airlock_stage_x_1` options (expiration_timestamp = "
		  "TIMESTAMP \"2027-01-01T00:00:00.000Z\", partition_expiration_days = null)");
}

static void a_rollback_puts_options_and_description_back(void **state)
{
	static const struct table described = { .kind = "table",
						.owned = true,
						.comment = "it's ours",
						.options = "labels = [STRUCT(\"team\", \"x\")]" };
	struct publish_table table = published(&described, &plain);

	(void)state;
	table.is_exact = true;
	publishes("bigquery", table, false, PUBLISH_REPLACE,
		  "create or replace table `shop-eu`.`mart`.`orders` copy "
		  "`shop-eu`.`airlock`.`airlock_stage_x_1` options (labels = [STRUCT(\"team\", "
		  "\"x\")], expiration_timestamp = null)");
	publishes("bigquery", table, false, PUBLISH_REPLACE,
		  "alter table `shop-eu`.`mart`.`orders` set options (description = "
		  "'it\\'s ours')");
	table = published(&plain, &described);
	table.is_exact = true;
	publishes("bigquery", table, false, PUBLISH_REPLACE,
		  "alter table `shop-eu`.`mart`.`orders` set options (description = null)");
}

static void names_of_role(struct publish_table table, const char *role, bool is_one)
{
	const struct dialect *dialect = dialect_find("bigquery");
	CLEANUP(strv_release) struct strv statements = STRV_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;
	const char *grants[] = { role, "user:it's@example.com" };
	const struct publish_set set = { .tables = &table, .n = 1 };

	table.grants = grants;
	table.grant_count = 1;
	table.way = PUBLISH_REPLACE;
	assert_int_equal(dialect->publish(dialect, &set, &statements, &err), is_one ? 0 : -1);
	if (is_one)
		assert_true(strv_contains(&statements, "grant `roles/bigquery.dataViewer` on table "
						       "`shop-eu`.`mart`.`orders` to "
						       "'user:it\\'s@example.com'"));
}

static void cannot_be_stated(struct publish_table table, const char *why)
{
	const struct dialect *dialect = dialect_find("bigquery");
	CLEANUP(strv_release) struct strv statements = STRV_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;
	const struct publish_set set = { .tables = &table, .n = 1, .turns = 2 };

	assert_int_equal(dialect->publish(dialect, &set, &statements, &err), -1);
	assert_non_null(strstr(err.message, why));
}

/* This statement among the others, where the way is known. */
static void states(struct publish_table table, enum publish_way way, const char *statement)
{
	const struct dialect *dialect = dialect_find("bigquery");
	CLEANUP(strv_release) struct strv statements = STRV_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;
	const struct publish_set set = { .tables = &table, .n = 1, .turns = 2 };

	table.way = way;
	table.turn = table.view ? 1 : 0;
	assert_int_equal(dialect->publish(dialect, &set, &statements, &err), 0);
	if (!strv_contains(&statements, statement))
		fail_msg("no '%s'", statement);
}

#define ROLE "roles/bigquery.dataViewer"

/* What a replaced table may lose is given again, one statement for each role, and then compared. */
static void permissions_of_the_replaced_table_are_given_again_and_compared(void **state)
{
	static const struct table read_by = {
		.kind = "table",
		.owned = true,
		.privileges = ROLE " group:a@example.com\n" ROLE " user:b@example.com",
	};
	const char *grants[] = { ROLE, "user:c@example.com" };
	struct publish_table table = published(&plain, &read_by);
	static const char compares[] =
		"declare located string; set located = coalesce((select string_agg(g, '\\n' order "
		"by g) from (select distinct privilege_type || ' ' || grantee as g from "
		"`shop-eu`.`region-of shop-eu.mart`.INFORMATION_SCHEMA.OBJECT_PRIVILEGES where "
		"object_schema = 'mart' and object_name = 'orders')), ''); select if(located = "
		"'" ROLE " group:a@example.com\\n" ROLE " user:b@example.com', 1, "
		"error('airlock-count: ' || 'the permissions of \"shop-eu\".mart.orders are not "
		"those that it had: ' || located))";

	(void)state;
	publishes("bigquery", table, false, PUBLISH_REPLACE,
		  "grant `" ROLE "` on table `shop-eu`.`mart`.`orders` to 'group:a@example.com', "
		  "'user:b@example.com'");
	publishes("bigquery", table, false, PUBLISH_REPLACE, compares);
	/* A rollback that drops the table could not read who may: the history has it. */
	struct table as_it_was = by_day;

	as_it_was.privileges = ROLE " group:d@example.com";
	table = published(&as_it_was, &plain);
	table.is_exact = true;
	table.may_be_missed = true;
	table.side = (struct relation) { to.database, to.schema, "airlock_x_1" };
	states(table, PUBLISH_EXCHANGE,
	       "grant `" ROLE "` on table " SIDE " to 'group:d@example.com'");
	table = published(&plain, &read_by);
	/* The project says who may: no others are given it. */
	table.grants = grants;
	table.grant_count = 1;
	table.sets_grants = true;
	publishes("bigquery", table, false, PUBLISH_REPLACE,
		  "grant `" ROLE "` on table `shop-eu`.`mart`.`orders` to 'user:c@example.com'");
}

static const char *const fields[] = { "id", "Mail", "who", "who.name", "new" };

static struct table with_columns(struct table_column *columns, size_t n)
{
	return (struct table) {
		.kind = "table",
		.owned = true,
		.columns = columns,
		.column_count = n,
		.fields = fields,
		.field_count = ARRAY_LEN(fields),
	};
}

#define STAGE "`shop-eu`.`airlock`.`airlock_stage_x_1`"
#define TAGS_OF(DATASET, TABLE, WANTED, DISPLAY)                                                   \
	"select if(coalesce((select string_agg(l, '\\n' order by l) from (select c.field_path "    \
	"|| ' ' || array_to_string(array(select x from unnest(c.policy_tags) as x order by x), "   \
	"',') as l from `shop-eu`.`" DATASET "`.INFORMATION_SCHEMA.COLUMN_FIELD_PATHS as c where " \
	"c.table_name = '" TABLE "' and array_length(c.policy_tags) > 0)), '') = '" WANTED         \
	"', 1, error('airlock-count: ' || 'the policy tags of columns of " DISPLAY                 \
	" are not those that it shall have'))"

/* On what was frozen, so that production changes once. */
static void what_production_alone_says_of_a_column_stays(void **state)
{
	struct table_column tested[] = { { .name = "mail", .comment = "to write to" } };
	struct table_column before[] = { { .name = "id", .comment = "it's the key" },
					 { .name = "Mail", .comment = "an address" },
					 { .name = "gone", .comment = "no longer there" } };
	struct table staging = with_columns(tested, ARRAY_LEN(tested));
	struct table production = with_columns(before, ARRAY_LEN(before));
	struct publish_table table = published(&staging, &production);

	(void)state;
	publishes("bigquery", table, false, PUBLISH_REPLACE,
		  "alter table " STAGE " alter column `id` set options (description = 'it\\'s the "
		  "key')");
	publishes(
		"bigquery", table, false, PUBLISH_REPLACE,
		"select if(coalesce((select string_agg(l, '\\n' order by l) from (select "
		"c.field_path || ' ' || c.description as l from "
		"`shop-eu`.`mart`.INFORMATION_SCHEMA.COLUMN_FIELD_PATHS as c where c.table_name = "
		"'orders' and coalesce(c.description, '') != '')), '') = 'id it\\'s the key\\nmail "
		"to write to', 1, error('airlock-count: ' || 'the descriptions of columns of "
		"\"shop-eu\".mart.orders are not those that it shall have'))");
	before[0].name = "who.name";
	table.way = PUBLISH_REPLACE;
	cannot_be_stated(table, "its field 'who.name' has a description in production");
}

static void a_column_does_not_lose_its_policy_tags(void **state)
{
	struct table_column tested[] = { { .name = "mail", .tags = "t/1,t/2" },
					 { .name = "new", .tags = "t/3" } };
	struct table_column before[] = { { .name = "Mail", .tags = "t/1,t/2" },
					 { .name = "gone", .tags = "t/4" } };
	struct table staging = with_columns(tested, ARRAY_LEN(tested));
	struct table production = with_columns(before, ARRAY_LEN(before));
	struct publish_table table = published(&staging, &production);

	(void)state;
	publishes("bigquery", table, false, PUBLISH_REPLACE,
		  TAGS_OF("airlock", "airlock_stage_x_1", "mail t/1,t/2\\nnew t/3",
			  "\"shop-eu\".airlock.airlock_stage_x_1"));
	publishes("bigquery", table, false, PUBLISH_REPLACE,
		  TAGS_OF("mart", "orders", "mail t/1,t/2\\nnew t/3", "\"shop-eu\".mart.orders"));
	publishes("bigquery", published(&staging, NULL), false, PUBLISH_NEW,
		  TAGS_OF("mart", "orders", "mail t/1,t/2\\nnew t/3", "\"shop-eu\".mart.orders"));
	tested[0].tags = "t/1";
	has_no_way("bigquery", table,
		   "its column 'Mail' has the policy tags 't/1,t/2' in production, and what is "
		   "published has 't/1' there");
	tested[0].tags = NULL;
	has_no_way("bigquery", table, "has 'none' there: without them everybody would read it");
	/* What a rollback puts back has what it had then. */
	table.is_exact = true;
	table.way = PUBLISH_REPLACE;
	cannot_be_stated(table, "its column 'Mail' has the policy tags");
	staging.field_count = 0; /* of a record that does not name them */
	cannot_be_stated(table, "its column 'Mail' has the policy tags");
}

/* A view that is replaced has what the statement says, and nothing else. */
static void a_view_keeps_its_labels_and_its_description(void **state)
{
	static const struct table before = { .kind = "view",
					     .owned = true,
					     .options = "labels = [STRUCT(\"team\", \"x\")]",
					     .comment = "it's ours" };
	static const struct table described = { .kind = "view",
						.owned = true,
						.options =
							"expiration_timestamp = TIMESTAMP \"x\", "
							"labels = [STRUCT(\"a\", \"b\")]",
						.comment = "the project's" };
	struct publish_table view = published(&a_view, &before);

	(void)state;
	view.view = "as select 1";
	states(view, PUBLISH_VIEW,
	       "create or replace view `shop-eu`.`mart`.`orders` options (labels = "
	       "[STRUCT(\"team\", \"x\")], description = 'it\\'s ours') as select 1");
	view.from_table = &described;
	states(view, PUBLISH_VIEW,
	       "create or replace view `shop-eu`.`mart`.`orders` options (labels = "
	       "[STRUCT(\"team\", \"x\")], description = 'the project\\'s') as select 1");
	view.to_table = NULL;
	states(view, PUBLISH_NEW,
	       "create view `shop-eu`.`mart`.`orders` options (labels = [STRUCT(\"a\", \"b\")], "
	       "description = 'the project\\'s') as select 1");
	view = published(&a_view, &before);
	view.view = "as select 1";
	view.is_exact = true;
	states(view, PUBLISH_VIEW,
	       "create or replace view `shop-eu`.`mart`.`orders` options (description = null) as "
	       "select 1");
}

/* It has none behind its replace: the project's and production's own are set again. */
static void columns_of_a_view_keep_their_descriptions(void **state)
{
	struct table_column tested[] = { { .name = "Mail", .comment = "to write to" } };
	struct table_column before[] = { { .name = "ID", .comment = "it's the key" },
					 { .name = "mail", .comment = "an address" },
					 { .name = "gone", .comment = "no longer there" } };
	struct table staging = with_columns(tested, ARRAY_LEN(tested));
	struct table production = with_columns(before, ARRAY_LEN(before));
	struct publish_table view = published(&staging, &production);

	(void)state;
	staging.kind = "view";
	production.kind = "view";
	view.view = "as select 1";
	states(view, PUBLISH_VIEW,
	       "alter view `shop-eu`.`mart`.`orders` alter column `id` set options (description = "
	       "'it\\'s the key'), alter column `Mail` set options (description = 'to write to')");
	states(view, PUBLISH_VIEW,
	       "select if(coalesce((select string_agg(l, '\\n' order by l) from (select "
	       "c.field_path || ' ' || c.description as l from "
	       "`shop-eu`.`mart`.INFORMATION_SCHEMA.COLUMN_FIELD_PATHS as c where c.table_name = "
	       "'orders' and strpos('\\n' || 'Mail to write to\\nid it\\'s the key' || '\\n', "
	       "'\\n' "
	       "|| c.field_path || ' ' || c.description || '\\n') > 0)), '') = 'Mail to write "
	       "to\\nid it\\'s the key', 1, error('airlock-count: ' || 'the descriptions of "
	       "columns of "
	       "\"shop-eu\".mart.orders are not those that it shall have'))");
	view.to_table = NULL;
	states(view, PUBLISH_NEW,
	       "alter view `shop-eu`.`mart`.`orders` alter column `Mail` set options (description "
	       "= 'to write to')");
	/* A rollback gives it those that it had. */
	view = published(&production, &staging);
	view.view = "as select 1";
	view.is_exact = true;
	states(view, PUBLISH_VIEW,
	       "alter view `shop-eu`.`mart`.`orders` alter column `ID` set options (description = "
	       "'it\\'s the key'), alter column `mail` set options (description = 'an address'), "
	       "alter "
	       "column `gone` set options (description = 'no longer there')");
	/* What the project says of a field inside a column cannot be set either. */
	before[0].name = "who.name";
	tested[0].name = "who.name";
	view = published(&staging, &production);
	view.view = "as select 1";
	view.way = PUBLISH_VIEW;
	view.turn = 1;
	cannot_be_stated(view, "its field 'who.name' has a description in production, and no");
}

/* What dbt made anew has what the project says; the rest of what it had is set again. */
static void gives_back(const struct publish_table *table, const char *const *expected)
{
	const struct dialect *dialect = dialect_find("bigquery");
	CLEANUP(strv_release) struct strv statements = STRV_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;
	struct publish_table rebuilt = *table;
	const struct publish_set set = { .tables = &rebuilt, .n = 1 };

	rebuilt.way = PUBLISH_REBUILD;
	rebuilt.stage = (struct relation) { NULL, NULL, NULL };
	assert_int_equal(dialect->give_back(dialect, &set, &statements, &err), 0);
	for (size_t i = 0; expected[i]; i++) {
		if (i >= statements.n)
			fail_msg("no '%s'", expected[i]);
		assert_string_equal(statements.v[i], expected[i]);
		if (!expected[i + 1])
			assert_int_equal(statements.n, i + 1);
	}
	if (!expected[0])
		assert_int_equal(statements.n, 0);
}

#define UNLESS_SET(KIND, OPTION, VALUE)                                                            \
	"if not exists (select 1 from `shop-eu`.`mart`.INFORMATION_SCHEMA.TABLE_OPTIONS as o "     \
	"where o.table_name = 'orders' and o.option_name = '" OPTION "') then alter " KIND         \
	" `shop-eu`.`mart`.`orders` set options (" VALUE "); end if"

#define PERMISSIONS(WANTED)                                                                        \
	"declare located string; set located = coalesce((select string_agg(g, '\\n' order by g) "  \
	"from (select distinct privilege_type || ' ' || grantee as g from "                        \
	"`shop-eu`.`region-of shop-eu.mart`.INFORMATION_SCHEMA.OBJECT_PRIVILEGES where "           \
	"object_schema = 'mart' and object_name = 'orders')), ''); select if(located = '" WANTED   \
	"', 1, error('airlock-count: ' || 'the permissions of \"shop-eu\".mart.orders are not "    \
	"those that it had: ' || located))"

static void what_dbt_made_anew_gets_back_what_the_project_does_not_say(void **state)
{
	static const struct table had = {
		.kind = "table",
		.owned = true,
		.layout = "PARTITION BY day",
		.comment = "it's ours",
		.options =
			"expiration_timestamp = TIMESTAMP \"x\", labels = [STRUCT(\"a\", \"b\")], "
			"partition_expiration_days = 3.0",
		.privileges = ROLE " group:a@example.com",
	};
	static const struct table view = { .kind = "view",
					   .owned = true,
					   .options = "labels = [STRUCT(\"a\", \"b\")]" };
	const char *grants[] = { ROLE, "user:c@example.com" };
	struct publish_table table = published(&by_day, &had);

	(void)state;
	gives_back(&table,
		   (const char *const[]) {
			   UNLESS_SET("table", "expiration_timestamp",
				      "expiration_timestamp = TIMESTAMP \"x\""),
			   UNLESS_SET("table", "labels", "labels = [STRUCT(\"a\", \"b\")]"),
			   UNLESS_SET("table", "partition_expiration_days",
				      "partition_expiration_days = 3.0"),
			   UNLESS_SET("table", "description", "description = 'it\\'s ours'"),
			   "grant `" ROLE "` on table `shop-eu`.`mart`.`orders` to "
			   "'group:a@example.com'",
			   PERMISSIONS(ROLE " group:a@example.com"), NULL });
	/* dbt takes away what `grants:` of the node does not say. */
	table = published(&plain, &had);
	table.grants = grants;
	table.grant_count = 1;
	table.sets_grants = true;
	gives_back(&table,
		   (const char *const[]) {
			   UNLESS_SET("table", "expiration_timestamp",
				      "expiration_timestamp = TIMESTAMP \"x\""),
			   UNLESS_SET("table", "labels", "labels = [STRUCT(\"a\", \"b\")]"),
			   UNLESS_SET("table", "description", "description = 'it\\'s ours'"),
			   "grant `" ROLE "` on table `shop-eu`.`mart`.`orders` to "
			   "'user:c@example.com'",
			   PERMISSIONS(ROLE " user:c@example.com"), NULL });
	table = published(&a_view, &view);
	table.is_view = true;
	gives_back(&table,
		   (const char *const[]) {
			   UNLESS_SET("view", "labels", "labels = [STRUCT(\"a\", \"b\")]"), NULL });
	table = published(&by_day, NULL);
	gives_back(&table, (const char *const[]) { NULL });
}

static void only_what_the_service_says_ends_a_statement(void **state)
{
	const struct dialect *dialect = dialect_find("bigquery");

	(void)state;
	assert_true(dialect->is_answer("statement 3 of 9: Not found: Table x:y.z was not found"));
	assert_true(dialect->is_answer("statement 3 of 9: 409 Already Exists: Table x:y.z"));
	assert_true(dialect->is_answer("statement 3 of 9: airlock-conflict: changed"));
	assert_false(
		dialect->is_answer("statement 3 of 9: 504 POST http://x/jobs: Gateway Timeout"));
	assert_false(dialect->is_answer("statement 3 of 9: ('Connection aborted.', "
					"RemoteDisconnected('Remote end closed'))"));
	assert_false(dialect->is_answer("dbt was killed (SIGKILL)"));
	assert_false(dialect->is_answer(""));
}

static void a_role_cannot_end_its_quotes(void **state)
{
	(void)state;
	names_of_role(published(&plain, &plain), "roles/bigquery.dataViewer", true);
	names_of_role(published(&plain, &plain), "x` on table y to 'z'; --", false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_no_statement_can_replace_is_refused),
		cmocka_unit_test(a_table_does_not_expire_with_what_it_was_copied_from),
		cmocka_unit_test(a_restore_point_that_is_a_copy_keeps_all_partitions),
		cmocka_unit_test(another_layout_takes_the_name_where_the_user_says_so),
		cmocka_unit_test(a_rollback_puts_options_and_description_back),
		cmocka_unit_test(permissions_of_the_replaced_table_are_given_again_and_compared),
		cmocka_unit_test(what_production_alone_says_of_a_column_stays),
		cmocka_unit_test(a_column_does_not_lose_its_policy_tags),
		cmocka_unit_test(a_view_keeps_its_labels_and_its_description),
		cmocka_unit_test(columns_of_a_view_keep_their_descriptions),
		cmocka_unit_test(what_dbt_made_anew_gets_back_what_the_project_does_not_say),
		cmocka_unit_test(only_what_the_service_says_ends_a_statement),
		cmocka_unit_test(a_role_cannot_end_its_quotes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
