#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

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
	/* The project says who may: no others are given it. */
	table.grants = grants;
	table.grant_count = 1;
	table.sets_grants = true;
	publishes("bigquery", table, false, PUBLISH_REPLACE,
		  "grant `" ROLE "` on table `shop-eu`.`mart`.`orders` to 'user:c@example.com'");
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
		cmocka_unit_test(another_layout_takes_the_name_where_the_user_says_so),
		cmocka_unit_test(a_rollback_puts_options_and_description_back),
		cmocka_unit_test(permissions_of_the_replaced_table_are_given_again_and_compared),
		cmocka_unit_test(only_what_the_service_says_ends_a_statement),
		cmocka_unit_test(a_role_cannot_end_its_quotes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
