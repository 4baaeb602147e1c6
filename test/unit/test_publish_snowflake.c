#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "publish_support.h"

static const struct relation from = { "DB", "STAGE", "ORDERS" };
static const struct relation to = { "DB", "MART", "ORDERS" };

static const struct table permanent = { .kind = "table", .owned = true };
static const struct table transient = { .kind = "table", .owned = true, .is_transient = true };
static const struct table a_view = { .kind = "view", .owned = true };

static struct publish_table published(const struct table *staging, const struct table *production)
{
	return one_table(&from, &to, staging, production);
}

static void what_no_statement_can_replace_is_refused(void **state)
{
	struct publish_table view = published(&a_view, &permanent);
	static const char *const secure[] = { "it is a secure view" };
	const struct table secured = {
		.kind = "view", .owned = true, .refuses = secure, .refuse_count = 1
	};
	struct publish_table of_secure = published(&a_view, &secured);

	(void)state;
	view.view = of_secure.view = "as select 1";
	has_no_way("snowflake", view, "it is a table in production");
	has_no_way("snowflake", of_secure, "it is a secure view");
	has_no_way("snowflake", published(&permanent, &a_view), "it is a view in production");
	has_no_way("snowflake", published(&transient, &permanent),
		   "cannot be cloned to a permanent one");
}

static void a_table_stays_as_transient_as_it_is(void **state)
{
	(void)state;
	publishes("snowflake", published(&permanent, &permanent), false, PUBLISH_REPLACE,
		  "create or replace table \"DB\".\"MART\".\"ORDERS\" clone "
		  "\"DB\".\"airlock\".\"airlock_stage_x_1\" copy grants");
	publishes("snowflake", published(&permanent, &transient), false, PUBLISH_REPLACE,
		  "create or replace transient table \"DB\".\"MART\".\"ORDERS\" clone "
		  "\"DB\".\"airlock\".\"airlock_stage_x_1\" copy grants");
	publishes("snowflake", published(&permanent, &transient), false, PUBLISH_REPLACE,
		  "create table if not exists \"DB\".\"airlock\".\"airlock_stage_x_1\" clone "
		  "\"DB\".\"STAGE\".\"ORDERS\"");
	publishes("snowflake", published(&transient, NULL), false, PUBLISH_NEW,
		  "create transient table \"DB\".\"MART\".\"ORDERS\" clone "
		  "\"DB\".\"airlock\".\"airlock_stage_x_1\"");
}

static void what_another_process_made_is_no_hindrance_to_who_goes_on(void **state)
{
	(void)state;
	publishes("snowflake", published(&transient, NULL), true, PUBLISH_NEW,
		  "create transient table if not exists \"DB\".\"MART\".\"ORDERS\" clone "
		  "\"DB\".\"airlock\".\"airlock_stage_x_1\"");
	publishes("snowflake", published(&transient, &transient), true, PUBLISH_REPLACE,
		  "create transient table if not exists \"DB\".\"airlock_restore\".\"r_x_1\" clone "
		  "\"DB\".\"MART\".\"ORDERS\"");
}

static void what_was_dropped_before_is_no_hindrance_to_who_goes_on(void **state)
{
	const struct dialect *dialect = dialect_find("snowflake");
	const struct table gone = {
		.kind = "table", .object = "1", .version = "2", .is_gone = true
	};
	struct publish_table table = published(NULL, &gone);
	CLEANUP(strv_release) struct strv statements = STRV_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;
	const struct publish_set set = { .tables = &table, .n = 1, .is_resumed = true };

	(void)state;
	table.from = NULL;
	table.stage.identifier = NULL;
	table.way = PUBLISH_REMOVE;
	assert_int_equal(dialect->publish(dialect, &set, &statements, &err), 0);
	assert_non_null(strstr(statements.v[0], "= '1/2') = 1 or (select count(*)"));
	assert_true(strv_contains(&statements, "drop table if exists \"DB\".\"MART\".\"ORDERS\""));
	for (size_t i = 0; i < statements.n; i++)
		if (strstr(statements.v[i], "airlock_restore"))
			fail_msg("%s", statements.v[i]);
}

static void a_table_that_comes_back_says_of_itself_what_it_said(void **state)
{
	const struct table was = { .kind = "table", .owned = true, .comment = "the report's" };
	struct publish_table silent = published(&permanent, &was);
	struct publish_table spoke = published(&was, &permanent);

	(void)state;
	silent.is_exact = spoke.is_exact = true;
	publishes("snowflake", silent, false, PUBLISH_REPLACE,
		  "comment on table \"DB\".\"MART\".\"ORDERS\" is ''");
	publishes("snowflake", spoke, false, PUBLISH_REPLACE,
		  "comment on table \"DB\".\"MART\".\"ORDERS\" is 'the report''s'");
}

static void a_table_does_not_change_its_owner(void **state)
{
	static const struct table of_another = {
		.kind = "table", .owner = "LOADER", .owned = true, .owned_by_another = true
	};
	const struct dialect *dialect = dialect_find("snowflake");
	struct publish_table table = published(&permanent, &of_another);
	CLEANUP(err_release) struct err err = ERR_INIT;
	enum publish_way way;
	const char *reason;

	(void)state;
	table.runs = true;
	assert_int_equal(dialect->choose_way(&table, &way, &reason, &err), -1);
	assert_int_equal(err.code, ERR_UNSUPPORTED);
	assert_non_null(strstr(err.message, "it belongs to 'LOADER' in production"));

	/* The way back is not barred, and a plan only warns. */
	table.is_exact = true;
	assert_int_equal(dialect->choose_way(&table, &way, &reason, &err), 0);
	table.is_exact = table.runs = false;
	assert_int_equal(dialect->choose_way(&table, &way, &reason, &err), 0);
}

/* One table whose schema changes places with production's. */
static void swaps(const struct container *green, const struct container *production,
		  struct strv *statements, struct err *err)
{
	const struct dialect *dialect = dialect_find("snowflake");
	struct publish_table table = published(&permanent, &permanent);
	struct publish_container container = {
		.from = { from.database, from.schema, NULL },
		.to = { to.database, to.schema, NULL },
		.restore = { to.database, "MART__airlock_x", NULL },
		.from_seen = green,
		.to_seen = production,
	};
	const struct publish_set set = {
		.tables = &table, .n = 1, .containers = &container, .container_count = 1
	};

	table.way = PUBLISH_SWAP;
	dialect->publish(dialect, &set, statements, err);
}

static void what_changed_places_already_does_not_do_so_again(void **state)
{
	static const char swap[] = "alter schema \"DB\".\"MART\" swap with \"DB\".\"STAGE\"";
	static const char rename[] =
		"alter schema \"DB\".\"STAGE\" rename to \"DB\".\"MART__airlock_x\"";
	static const struct {
		struct container green;
		bool swaps, renames;
	} cases[] = {
		{ { .seen = "s" }, true, true },
		{ { .seen = "s", .is_swapped = true }, false, true },
		{ { .seen = "s", .is_swapped = true, .is_aside = true }, false, false },
	};
	const struct container production = { .seen = "t" };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(strv_release) struct strv statements = STRV_INIT;
		CLEANUP(err_release) struct err err = ERR_INIT;

		swaps(&cases[i].green, &production, &statements, &err);
		if (err_is_set(&err))
			fail_msg("%s", err.message);
		assert_int_equal(strv_contains(&statements, swap), cases[i].swaps);
		assert_int_equal(strv_contains(&statements, rename), cases[i].renames);
	}
}

static void what_a_swap_would_lose_is_refused(void **state)
{
	static struct container_grant shared = { "schema", "MART", "MART", "USAGE",
						 "SHARE",  "OUT",  false };
	const struct container cases[] = {
		{ .seen = "t", .grants = &shared, .grant_count = 1 },
		{ .seen = "t", .is_transient = true },
	};
	static const char *const words[] = { "SHARE 'OUT'", "production is transient" };
	const struct container green = { .seen = "s" };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(strv_release) struct strv statements = STRV_INIT;
		CLEANUP(err_release) struct err err = ERR_INIT;

		swaps(&green, &cases[i], &statements, &err);
		assert_int_equal(err.code, ERR_UNSUPPORTED);
		if (!strstr(err.message, words[i]))
			fail_msg("%s", err.message);
	}
}

static void assert_has(const struct strv *statements, const char *const *expected, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strv_contains(statements, expected[i]))
			fail_msg("%s", expected[i]);
}

/* The same of two databases. */
static void swaps_databases(const struct container *green, const struct container *production,
			    struct strv *statements, struct err *err)
{
	static const struct relation in_green = { "STG", "MART", "ORDERS" };
	const struct dialect *dialect = dialect_find("snowflake");
	struct publish_table table = one_table(&in_green, &to, &permanent, &permanent);
	struct publish_container container = {
		.from = { "STG", "", NULL },
		.to = { to.database, "", NULL },
		.restore = { "DB__airlock_x", "", NULL },
		.from_seen = green,
		.to_seen = production,
	};
	const struct publish_set set = {
		.tables = &table, .n = 1, .containers = &container, .container_count = 1
	};

	table.way = PUBLISH_SWAP;
	dialect->publish(dialect, &set, statements, err);
}

static void a_database_leaves_an_empty_one_in_its_place(void **state)
{
	static const struct {
		struct container green;
		bool swaps, leaves;
	} cases[] = {
		{ { .seen = "s", .schema = { "STG", "", NULL } }, true, true },
		{ { .seen = "s", .schema = { "STG", "", NULL }, .is_swapped = true }, false, true },
		{ { .seen = "s",
		    .schema = { "STG", "", NULL },
		    .is_swapped = true,
		    .is_aside = true },
		  false,
		  false },
	};
	const struct container production = { .seen = "t", .schema = { "DB", "", NULL } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(strv_release) struct strv statements = STRV_INIT;
		CLEANUP(err_release) struct err err = ERR_INIT;

		swaps_databases(&cases[i].green, &production, &statements, &err);
		if (err_is_set(&err))
			fail_msg("%s", err.message);
		assert_int_equal(
			strv_contains(&statements, "alter database \"DB\" swap with \"STG\""),
			cases[i].swaps);
		assert_int_equal(strv_contains(&statements,
					       "create database if not exists \"DB__airlock_x\""),
				 cases[i].leaves);
		assert_int_equal(
			strv_contains(&statements,
				      "alter database \"STG\" swap with \"DB__airlock_x\""),
			cases[i].leaves);
	}
}

static void privileges_and_settings_inside_a_database_come_along(void **state)
{
	static struct container_grant grants[] = {
		{ "database", "", "DB", "USAGE", "ROLE", "ANALYST", false },
		{ "schema", "MART", "MART", "USAGE", "ROLE", "ANALYST", true },
		{ "table", "MART", "ORDERS", "SELECT", "ROLE", "ANALYST", false },
		/* There is no such schema in staging: it was said that production may lose it. */
		{ "schema", "OLD", "OLD", "USAGE", "ROLE", "ANALYST", false },
	};
	static struct container_grant more = { "table", "MART",    "ORDERS", "INSERT",
					       "ROLE",  "BUILDER", false };
	static struct container_schema of_green = { .name = "MART", .owned = true, .owner = "R" };
	static struct container_schema of_production = {
		.name = "MART", .owned = true, .owner = "R", .is_managed = true, .retention_days = 3
	};
	const struct container green = { .seen = "s",
					 .schema = { "STG", "", NULL },
					 .schemas = &of_green,
					 .schema_count = 1,
					 .grants = &more,
					 .grant_count = 1 };
	const struct container production = { .seen = "t",
					      .schema = { "DB", "", NULL },
					      .schemas = &of_production,
					      .schema_count = 1,
					      .grants = grants,
					      .grant_count = 4 };
	static const char *const expected[] = {
		"alter schema \"STG\".\"MART\" enable managed access",
		"alter schema \"STG\".\"MART\" set data_retention_time_in_days = 3",
		"revoke INSERT on table \"STG\".\"MART\".\"ORDERS\" from role \"BUILDER\"",
		"grant USAGE on database \"STG\" to role \"ANALYST\"",
		"grant USAGE on schema \"STG\".\"MART\" to role \"ANALYST\" with grant option",
		"grant SELECT on table \"STG\".\"MART\".\"ORDERS\" to role \"ANALYST\"",
	};
	CLEANUP(strv_release) struct strv statements = STRV_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;

	(void)state;
	swaps_databases(&green, &production, &statements, &err);
	assert_false(err_is_set(&err));
	assert_has(&statements, expected, sizeof(expected) / sizeof(*expected));
	for (size_t i = 0; i < statements.n; i++)
		if (strstr(statements.v[i], "\"OLD\""))
			fail_msg("%s", statements.v[i]);
}

static void tags_of_a_database_and_its_schemas_are_productions(void **state)
{
	static struct container_tag own[] = {
		{ "", { "GOV", "TAGS", "COST" }, "old" },
		{ "MART", { "GOV", "TAGS", "PII" }, "yes" },
		{ "MART", { "STG", "MART", "OWN" }, "cloned" },
	};
	static struct container_tag tags[] = {
		{ "", { "GOV", "TAGS", "COST" }, "it's" },
		{ "MART", { "GOV", "TAGS", "TEAM" }, "sales" },
		/* It is in both, and the same: nothing to do. */
		{ "MART", { "DB", "MART", "OWN" }, "cloned" },
		/* There is no such schema in staging: it was said that production may lose it. */
		{ "OLD", { "GOV", "TAGS", "TEAM" }, "none" },
	};
	static struct container_tag within = { "MART", { "DB", "MART", "LOST" }, "x" };
	static struct container_schema schema = { .name = "MART", .owned = true };
	struct container green = { .seen = "s",
				   .schema = { "STG", "", NULL },
				   .schemas = &schema,
				   .schema_count = 1,
				   .tags = own,
				   .tag_count = 3 };
	struct container production = { .seen = "t",
					.schema = { "DB", "", NULL },
					.schemas = &schema,
					.schema_count = 1,
					.tags = tags,
					.tag_count = 4 };
	static const char *const expected[] = {
		"alter schema \"STG\".\"MART\" unset tag \"GOV\".\"TAGS\".\"PII\"",
		"alter database \"STG\" set tag \"GOV\".\"TAGS\".\"COST\" = 'it''s'",
		"alter schema \"STG\".\"MART\" set tag \"GOV\".\"TAGS\".\"TEAM\" = 'sales'",
	};
	CLEANUP(strv_release) struct strv statements = STRV_INIT;
	CLEANUP(strv_release) struct strv none = STRV_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;
	size_t n = 0;

	(void)state;
	swaps_databases(&green, &production, &statements, &err);
	assert_false(err_is_set(&err));
	assert_has(&statements, expected, sizeof(expected) / sizeof(*expected));
	for (size_t i = 0; i < statements.n; i++)
		n += strstr(statements.v[i], "set tag") != NULL;
	assert_int_equal(n, 3);

	production.tags = &within;
	production.tag_count = 1;
	swaps_databases(&green, &production, &none, &err);
	assert_true(strstr(err.message, "DB.MART.LOST is set on it, and is itself in what"));

	/* Nor where the new side has the very same one, from a clone or by hand. */
	err_release(&err);
	green.tags = &within;
	green.tag_count = 1;
	swaps_databases(&green, &production, &none, &err);
	assert_true(strstr(err.message, "DB.MART.LOST is set on it, and is itself in what"));

	/* What staging has not is not tagged. */
	err_release(&err);
	within.schema = "OLD";
	green.tag_count = 0;
	swaps_databases(&green, &production, &none, &err);
	assert_false(err_is_set(&err));
}

static void what_will_be_granted_there_comes_along_and_is_given_on_what_is_new(void **state)
{
	static const struct relation in_green = { "STG", "MART", "ORDERS" };
	static struct container_grant grants[] = {
		{ "future table", "MART", "", "SELECT", "ROLE", "ANALYST", true },
		{ "future materialized_view", "", "", "SELECT", "ROLE", "ANALYST", false },
		{ "future table", "", "", "INSERT", "ROLE", "LOADER", false },
		{ "future table", "MART", "", "OWNERSHIP", "ROLE", "BOSS", false },
		{ "future masking_policy", "MART", "", "APPLY", "ROLE", "BOSS", false },
	};
	static struct container_grant more = { "future view", "MART",    "",   "SELECT",
					       "ROLE",        "BUILDER", false };
	static struct container_schema schema = { .name = "MART", .owned = true };
	const struct container green = { .seen = "s",
					 .schema = { "STG", "", NULL },
					 .schemas = &schema,
					 .schema_count = 1,
					 .grants = &more,
					 .grant_count = 1 };
	const struct container production = { .seen = "t",
					      .schema = { "DB", "", NULL },
					      .schemas = &schema,
					      .schema_count = 1,
					      .grants = grants,
					      .grant_count = 5 };
	static const char *const expected[] = {
		"revoke SELECT on future views in schema \"STG\".\"MART\" from role \"BUILDER\"",
		"grant SELECT on future tables in schema \"STG\".\"MART\" to role \"ANALYST\" with "
		"grant option",
		"grant SELECT on future materialized views in database \"STG\" to role \"ANALYST\"",
		"grant APPLY on future masking policies in schema \"STG\".\"MART\" to role "
		"\"BOSS\"",
		/* Those of the schema, and not those of the database, nor a new owner. */
		"grant SELECT on table \"STG\".\"MART\".\"ORDERS\" to role \"ANALYST\" with grant "
		"option",
	};
	struct publish_table table = one_table(&in_green, &to, &permanent, NULL);
	struct publish_container container = {
		.from = { "STG", "", NULL },
		.to = { to.database, "", NULL },
		.restore = { "DB__airlock_x", "", NULL },
		.from_seen = &green,
		.to_seen = &production,
	};
	const struct publish_set set = {
		.tables = &table, .n = 1, .containers = &container, .container_count = 1
	};
	CLEANUP(strv_release) struct strv statements = STRV_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;

	(void)state;
	table.way = PUBLISH_SWAP;
	dialect_find("snowflake")->publish(dialect_find("snowflake"), &set, &statements, &err);
	assert_false(err_is_set(&err));
	assert_has(&statements, expected, sizeof(expected) / sizeof(*expected));
	for (size_t i = 0; i < statements.n; i++)
		if (strstr(statements.v[i], "on table \"STG\"") &&
		    !strstr(statements.v[i], "SELECT"))
			fail_msg("%s", statements.v[i]);
}

/* A new table, made in a schema beside production's: SELECT and INSERT on it come from the
 * database. */
static void swaps_new_in_schema(struct container_grant *of_production, size_t n,
				struct strv *statements)
{
	static const struct relation in_green = { "DB", "STAGE", "ORDERS" };
	static struct container_grant made[] = {
		{ "table", "STAGE", "ORDERS", "SELECT", "ROLE", "ANALYST", false },
		{ "table", "STAGE", "ORDERS", "INSERT", "ROLE", "LOADER", false },
	};
	const struct container green = {
		.seen = "s", .schema = { "DB", "STAGE", NULL }, .grants = made, .grant_count = 2
	};
	const struct container production = { .seen = "t",
					      .schema = { "DB", "MART", NULL },
					      .grants = of_production,
					      .grant_count = n };
	struct publish_table table = one_table(&in_green, &to, &permanent, NULL);
	struct publish_container container = {
		.from = { "DB", "STAGE", NULL },
		.to = { "DB", "MART", NULL },
		.restore = { "DB", "MART__airlock_x", NULL },
		.from_seen = &green,
		.to_seen = &production,
	};
	const struct publish_set set = {
		.tables = &table, .n = 1, .containers = &container, .container_count = 1
	};
	CLEANUP(err_release) struct err err = ERR_INIT;

	table.way = PUBLISH_SWAP;
	dialect_find("snowflake")->publish(dialect_find("snowflake"), &set, statements, &err);
	assert_false(err_is_set(&err));
}

static void what_a_database_grants_on_what_is_new_stays_where_schemas_are_exchanged(void **state)
{
	static struct container_grant grants[] = {
		{ "future table", "", "", "SELECT", "ROLE", "ANALYST", false },
		{ "future table", "", "", "DELETE", "ROLE", "CLEANER", false },
		/* Of another kind: it does not stand instead of the first ones. */
		{ "future view", "MART", "", "SELECT", "ROLE", "ANALYST", false },
	};
	static const char *const expected[] = {
		"revoke INSERT on table \"DB\".\"STAGE\".\"ORDERS\" from role \"LOADER\"",
		"grant SELECT on future views in schema \"DB\".\"STAGE\" to role \"ANALYST\"",
		"grant DELETE on table \"DB\".\"STAGE\".\"ORDERS\" to role \"CLEANER\"",
	};
	CLEANUP(strv_release) struct strv statements = STRV_INIT;

	(void)state;
	swaps_new_in_schema(grants, 3, &statements);
	assert_has(&statements, expected, sizeof(expected) / sizeof(*expected));
	for (size_t i = 0; i < statements.n; i++)
		if (strstr(statements.v[i], "in database") ||
		    strstr(statements.v[i], "SELECT on table"))
			fail_msg("%s", statements.v[i]);
}

static void what_a_schema_grants_on_what_is_new_stands_instead_of_its_databases(void **state)
{
	static struct container_grant grants[] = {
		{ "future table", "", "", "SELECT", "ROLE", "ANALYST", false },
		{ "future table", "MART", "", "INSERT", "ROLE", "LOADER", false },
	};
	static const char *const expected[] = {
		"revoke SELECT on table \"DB\".\"STAGE\".\"ORDERS\" from role \"ANALYST\"",
		"grant INSERT on future tables in schema \"DB\".\"STAGE\" to role \"LOADER\"",
	};
	CLEANUP(strv_release) struct strv statements = STRV_INIT;

	(void)state;
	swaps_new_in_schema(grants, 2, &statements);
	assert_has(&statements, expected, sizeof(expected) / sizeof(*expected));
}

static void whose_privileges_cannot_all_be_seen_is_refused(void **state)
{
	static struct container_schema mine = { .name = "MART", .owned = true };
	static struct container_schema another = { .name = "MART", .owner = "OTHER" };
	const struct container green = {
		.seen = "s", .schema = { "STG", "", NULL }, .schemas = &mine, .schema_count = 1
	};
	const struct container production = {
		.seen = "t", .schema = { "DB", "", NULL }, .schemas = &another, .schema_count = 1
	};
	CLEANUP(strv_release) struct strv statements = STRV_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;

	(void)state;
	swaps_databases(&green, &production, &statements, &err);
	assert_int_equal(err.code, ERR_UNSUPPORTED);
	assert_non_null(strstr(err.message, "belongs to 'OTHER'"));
	assert_non_null(strstr(err.message, "may not see all"));
}

static void what_leaves_with_a_database_is_refused(void **state)
{
	static struct container_grant of_role = { "table",         "MART",   "ORDERS", "SELECT",
						  "DATABASE_ROLE", "READER", false };
	static struct container_schema owned = { .name = "MART", .owned = true, .owner = "OTHER" };
	static struct container_schema mine = { .name = "MART", .owned = true, .owner = "R" };
	const struct container green = {
		.seen = "s", .schema = { "STG", "", NULL }, .schemas = &mine, .schema_count = 1
	};
	const struct container cases[] = {
		{ .seen = "t", .schema = { "DB", "", NULL }, .grants = &of_role, .grant_count = 1 },
		{ .seen = "t", .schema = { "DB", "", NULL }, .schemas = &owned, .schema_count = 1 },
		{ .seen = "t", .schema = { "DB", "", NULL }, .is_transient = true },
	};
	static const char *const words[] = { "DATABASE_ROLE 'READER'",
					     "'STG.MART' cannot be exchanged: it belongs to 'R' in "
					     "staging and to 'OTHER'",
					     "'STG' cannot be exchanged: it is permanent" };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(strv_release) struct strv statements = STRV_INIT;
		CLEANUP(err_release) struct err err = ERR_INIT;

		swaps_databases(&green, &cases[i], &statements, &err);
		assert_int_equal(err.code, ERR_UNSUPPORTED);
		if (!strstr(err.message, words[i]))
			fail_msg("%s", err.message);
	}
}

static void a_lost_connection_is_no_answer(void **state)
{
	const struct dialect *dialect = dialect_find("snowflake");

	(void)state;
	assert_true(
		dialect->is_answer("statement 3 of 9: 002003 (42S02): 01b2: Object 'X' does not "
				   "exist (or not authorized)"));
	assert_false(
		dialect->is_answer("statement 3 of 9: 250001 (08001): the connection was lost"));
	assert_false(dialect->is_answer("statement 3 of 9: 250001: the connection was lost"));
	assert_false(dialect->is_answer("dbt was killed (SIGKILL)"));
	assert_false(dialect->is_answer(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_no_statement_can_replace_is_refused),
		cmocka_unit_test(a_table_stays_as_transient_as_it_is),
		cmocka_unit_test(what_another_process_made_is_no_hindrance_to_who_goes_on),
		cmocka_unit_test(what_was_dropped_before_is_no_hindrance_to_who_goes_on),
		cmocka_unit_test(a_table_that_comes_back_says_of_itself_what_it_said),
		cmocka_unit_test(what_changed_places_already_does_not_do_so_again),
		cmocka_unit_test(what_a_swap_would_lose_is_refused),
		cmocka_unit_test(a_database_leaves_an_empty_one_in_its_place),
		cmocka_unit_test(privileges_and_settings_inside_a_database_come_along),
		cmocka_unit_test(a_table_does_not_change_its_owner),
		cmocka_unit_test(tags_of_a_database_and_its_schemas_are_productions),
		cmocka_unit_test(
			what_will_be_granted_there_comes_along_and_is_given_on_what_is_new),
		cmocka_unit_test(
			what_a_database_grants_on_what_is_new_stays_where_schemas_are_exchanged),
		cmocka_unit_test(
			what_a_schema_grants_on_what_is_new_stands_instead_of_its_databases),
		cmocka_unit_test(whose_privileges_cannot_all_be_seen_is_refused),
		cmocka_unit_test(what_leaves_with_a_database_is_refused),
		cmocka_unit_test(a_lost_connection_is_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
