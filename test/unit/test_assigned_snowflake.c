#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "publish_support.h"

static const struct relation from = { "DB", "STAGE", "ORDERS" };
static const struct relation to = { "DB", "MART", "ORDERS" };

#define STAGE "alter table \"DB\".\"airlock\".\"airlock_stage_x_1\" "

/* What GET_DDL says of a table with two columns. */
#define TABLE(OF_ID, OF_MAIL, OF_TABLE)                                                            \
	"create or replace TRANSIENT TABLE DB.MART.ORDERS cluster by (ID)(\n\tID NUMBER(38,0)"     \
	" NOT NULL" OF_ID ",\n\t\"e mail\" VARCHAR(16777216)" OF_MAIL                              \
	",\n\tprimary key (ID)\n)" OF_TABLE ";"

static struct publish_table published(const char *staging, const char *production)
{
	static struct table tables[2];

	tables[0] = (struct table) { .kind = "table", .owned = true, .ddl = staging };
	tables[1] = (struct table) { .kind = "table", .owned = true, .ddl = production };
	return one_table(&from, &to, &tables[0], &tables[1]);
}

static void refuses(const char *staging, const char *production, const char *why)
{
	has_no_way("snowflake", published(staging, production), why);
}

static void gives(const char *staging, const char *production, const char *statement)
{
	publishes("snowflake", published(staging, production), false, PUBLISH_REPLACE, statement);
}

static void what_production_has_is_put_on_the_frozen_clone(void **state)
{
	(void)state;
	gives(TABLE("", "", ""), TABLE("", " WITH MASKING POLICY GOV.P.\"h i\"", ""),
	      STAGE "modify column \"e mail\" set masking policy GOV.P.\"h i\" force");
	gives(TABLE("", "", ""),
	      TABLE(" WITH MASKING POLICY G.P.HIDE USING (ID, \"e mail\")", "", ""),
	      STAGE
	      "modify column \"ID\" set masking policy G.P.HIDE USING (ID, \"e mail\") force");
	gives(TABLE("", "", ""),
	      TABLE("", "", " WITH ROW ACCESS POLICY G.P.OWN ON (ID, \"e mail\")\n"),
	      STAGE "drop all row access policies");
	gives(TABLE("", "", ""),
	      TABLE("", "", " WITH ROW ACCESS POLICY G.P.OWN ON (ID, \"e mail\")\n"),
	      STAGE "add row access policy G.P.OWN ON (ID, \"e mail\")");
	gives(TABLE("", "", ""),
	      TABLE("", "", " WITH TAG (G.P.COST='it's', G.P.PII='no')\nCOMMENT='c'\n"),
	      STAGE "set tag G.P.COST = 'it''s'");
	gives(TABLE("", "", ""),
	      TABLE("", "", " WITH TAG (G.P.COST='it's', G.P.PII='no')\nCOMMENT='c'\n"),
	      STAGE "set tag G.P.PII = 'no'");
	gives(TABLE("", " WITH TAG (G.P.PII='no')", ""),
	      TABLE(" WITH TAG (G.P.PII='no')", " WITH TAG (G.P.PII='no')", ""),
	      STAGE "modify column \"ID\" set tag G.P.PII = 'no'");
}

static void nothing_is_given(const char *staging, const char *production)
{
	const struct dialect *dialect = dialect_find("snowflake");
	struct publish_table table = published(staging, production);
	const struct publish_set set = { .tables = &table, .n = 1 };
	CLEANUP(strv_release) struct strv statements = STRV_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;
	const char *reason;

	if (dialect->choose_way(&table, &table.way, &reason, &err) < 0 ||
	    dialect->publish(dialect, &set, &statements, &err) < 0)
		fail_msg("%s", err.message);
	assert_true(statements.n > 0);
	for (size_t i = 0; i < statements.n; i++)
		if (strncmp(statements.v[i], "alter", strlen("alter")) == 0)
			fail_msg("%s", statements.v[i]);
}

static void what_both_have_or_whose_column_goes_is_left_alone(void **state)
{
	static const char whole[] =
		TABLE(" WITH MASKING POLICY G.P.HIDE USING (ID) WITH TAG (G.P.PII='no') COMMENT "
		      "'it''s \\' \\\\'",
		      "",
		      " WITH AGGREGATION POLICY G.P.SUM ENTITY KEY (ID)\n WITH ROW ACCESS POLICY "
		      "G.P.OWN ON (ID)\n WITH TAG (G.P.COST='a')\n");
	static const char other_column[] =
		"create or replace TABLE DB.STAGE.ORDERS (\n\tID NUMBER(38,0),\n\tNEW NUMBER(38,0) "
		"WITH MASKING POLICY G.P.HIDE\n);";

	(void)state;
	nothing_is_given(whole, whole);
	nothing_is_given(other_column, TABLE("", " WITH MASKING POLICY #unknown_policy", ""));
	nothing_is_given(TABLE("", "", ""), TABLE("", " COMMENT 'POLICY, TAG (and all)'", ""));
	nothing_is_given(TABLE("", "", " WITH TAG (G.P.COST='a')"), NULL);
	nothing_is_given(NULL, TABLE("", "", ""));
	refuses(NULL, whole, "what staging has was not read");
}

static void a_difference_is_refused_by_name(void **state)
{
	(void)state;
	refuses(TABLE("", " WITH MASKING POLICY G.P.SHOW", ""),
		TABLE("", " WITH MASKING POLICY G.P.HIDE", ""),
		"the masking policy G.P.HIDE on column e mail is production's, and staging has the "
		"masking policy G.P.SHOW on column e mail instead");
	refuses(TABLE("", "", " WITH TAG (G.P.PII='yes')\n"),
		TABLE("", "", " WITH TAG (G.P.PII='no')\n"),
		"the tag G.P.PII = no is production's, and staging has the tag G.P.PII = yes "
		"instead");
	refuses(TABLE("", "", " WITH ROW ACCESS POLICY G.P.OWN ON (ID)\n"), TABLE("", "", ""),
		"the row access policy G.P.OWN ON (ID) is staging's, and production has none");
	refuses(TABLE("", "", ""), TABLE("", "", " WITH AGGREGATION POLICY G.P.SUM\n"),
		"the aggregation policy G.P.SUM is production's");
	refuses(TABLE("", "", ""), TABLE(" WITH PROJECTION POLICY G.P.X", "", ""),
		"the projection policy G.P.X on column ID is production's");
}

static void what_a_role_may_not_see_is_refused(void **state)
{
	static const char hidden[] = TABLE(" WITH MASKING POLICY #unknown_policy", "", "");

	(void)state;
	refuses(TABLE("", "", ""), hidden, "this role may not see which it is");
	refuses(hidden, hidden, "this role may not see which it is");
	refuses(hidden, TABLE("", "", ""), "this role may not see which it is");
	refuses(TABLE("", "", ""), TABLE("", "", " WITH TAG (#UNKNOWN_TAG='#UNKNOWN_VALUE')\n"),
		"the tag (unknown)");
	refuses(TABLE("", "", ""), TABLE("", "", " WITH TAG (#UNKNOWN_TAG='#UNKNOWN_VALUE)\n"),
		"the tag (unknown)");
	refuses(TABLE("", "", ""), TABLE("", "", " WITH ROW ACCESS POLICY #UNKNOWN_POLICY\n"),
		"the row access policy (unknown)");
}

static void a_text_that_is_not_understood_is_refused(void **state)
{
	(void)state;
	/* A policy that stands inside what was taken for a text. */
	refuses(TABLE("", "", ""),
		TABLE(" COMMENT 'it's'", " WITH MASKING POLICY G.P.HIDE COMMENT 'it's'", ""),
		"not understood");
	refuses(TABLE("", "", ""), TABLE(" COMMENT 'it", "", ""), "not understood");
	refuses(TABLE("", "", ""), TABLE(" WITH MASKING POLICY ", "", ""), "not understood");
	refuses(TABLE("", "", ""), TABLE("", "", " WITH TAG (G.P.PII)\n"), "not understood");
	refuses(TABLE("", "", ""), "create or replace TABLE T (\n\tA NUMBER(38,0",
		"not understood");
	refuses(TABLE("", "", ""),
		TABLE("", "",
		      " COMMENT='\x01"
		      "id\x01'"),
		"not understood");
}

static void a_view_that_has_any_is_not_made_anew(void **state)
{
	const struct table view = {
		.kind = "view",
		.owned = true,
		.ddl = "create or replace view DB.MART.ORDERS(\n\tID WITH MASKING POLICY "
		       "G.P.HIDE\n) as select 1 as id;"
	};
	const struct table plain = {
		.kind = "view",
		.owned = true,
		.ddl = "create or replace view DB.MART.ORDERS(\n\tID\n) COMMENT='it''s'\n "
		       "as select ' WITH TAG (' as id from t where '' = ')';"
	};
	struct publish_table table = one_table(&from, &to, &plain, &view);
	CLEANUP(err_release) struct err err = ERR_INIT;
	enum publish_way way;
	const char *reason;

	(void)state;
	table.view = "as select 1 as id";
	has_no_way("snowflake", table,
		   "the masking policy G.P.HIDE on column ID is production's, and a view that is "
		   "made anew loses it");
	table.to_table = &plain;
	assert_int_equal(dialect_find("snowflake")->choose_way(&table, &way, &reason, &err), 0);
	table.from_table = &view;
	has_no_way("snowflake", table, "the masking policy G.P.HIDE on column ID is staging's");
	table.to_table = NULL;
	has_no_way("snowflake", table, "the masking policy G.P.HIDE on column ID is staging's");
}

/* A rollback asks for no way. */
static void cannot_be_published(const char *restored, const char *production, const char *why)
{
	const struct dialect *dialect = dialect_find("snowflake");
	struct publish_table table = published(restored, production);
	const struct publish_set set = { .tables = &table, .n = 1 };
	CLEANUP(strv_release) struct strv statements = STRV_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;

	table.is_exact = true;
	table.way = PUBLISH_REPLACE;
	assert_int_equal(dialect->publish(dialect, &set, &statements, &err), -1);
	if (!strstr(err.message, why))
		fail_msg("%s", err.message);
}

static void what_comes_back_has_its_own_and_what_production_got_since(void **state)
{
	struct publish_table table = published(TABLE(" WITH MASKING POLICY G.P.HIDE", "", ""),
					       TABLE("", " WITH MASKING POLICY G.P.HIDE", ""));

	(void)state;
	has_no_way("snowflake", table, "is staging's, and production has none");
	cannot_be_published(
		TABLE(" WITH MASKING POLICY G.P.HIDE", "", ""),
		TABLE(" WITH MASKING POLICY G.P.NEW", "", ""),
		"the masking policy G.P.NEW on column ID is production's, and staging has");
	table = published(TABLE(" WITH MASKING POLICY G.P.HIDE", "", ""),
			  TABLE("", " WITH MASKING POLICY G.P.HIDE", ""));
	table.is_exact = true;
	publishes("snowflake", table, false, PUBLISH_REPLACE,
		  STAGE "modify column \"e mail\" set masking policy G.P.HIDE force");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_production_has_is_put_on_the_frozen_clone),
		cmocka_unit_test(what_both_have_or_whose_column_goes_is_left_alone),
		cmocka_unit_test(a_difference_is_refused_by_name),
		cmocka_unit_test(what_a_role_may_not_see_is_refused),
		cmocka_unit_test(a_text_that_is_not_understood_is_refused),
		cmocka_unit_test(a_view_that_has_any_is_not_made_anew),
		cmocka_unit_test(what_comes_back_has_its_own_and_what_production_got_since),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
