/*
 * The statements of publishes, of every kind that no plan of test_golden.c has: where tables change
 * one by one test/golden/publish/<dialect>.sql, where containers do <dialect>_swap.sql.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "airlock/base/mem.h"
#include "airlock/warehouse/sql.h"
#include "golden_support.h"
#include "publish_support.h"

static const struct relation in_staging = { "SHOP", "STAGE", "ORDERS" };
static const struct relation in_production = { "SHOP", "MART", "ORDERS" };
static const char *const grants[] = { "select", "analyst" };
static const char *const roles[] = { "roles/bigquery.dataViewer", "user:eve@example.org" };

/* A table or a view, in words. */
enum what {
	NOTHING,
	PLAIN,
	TRANSIENT,    /* Snowflake: with a comment, clustered by the service */
	PARTITIONED,  /* BigQuery: its partitions go */
	BY_ANOTHER,   /* BigQuery: partitioned otherwise, with labels and readers */
	VIEW,         /* with a comment and labels */
	VIEW_OF_LIST, /* Snowflake: its text has a list of columns */
};

static const struct table tables[] = {
	[PLAIN] = { .kind = "table", .owned = true, .object = "1", .version = "2" },
	[TRANSIENT] = { .kind = "table",
			.owned = true,
			.object = "3",
			.version = "4",
			.is_transient = true,
			.clusters = true,
			.layout = "cluster by (DAY)",
			.comment = "it's ours" },
	[PARTITIONED] = { .kind = "table",
			  .owned = true,
			  .object = "5",
			  .version = "6",
			  .layout = "PARTITION BY day",
			  .options = "partition_expiration_days = 3.0" },
	[BY_ANOTHER] = { .kind = "table",
			 .owned = true,
			 .object = "7",
			 .version = "8",
			 .layout = "PARTITION BY hour",
			 .options = "labels = [STRUCT(\"team\", \"x\")]",
			 .privileges = "roles/bigquery.dataViewer user:eve@example.org" },
	[VIEW] = { .kind = "view",
		   .owned = true,
		   .object = "9",
		   .comment = "it's ours",
		   .options = "labels = [STRUCT(\"team\", \"x\")]" },
	[VIEW_OF_LIST] = { .kind = "view", .owned = true, .object = "10" },
};

struct publish_case {
	const char *name;
	enum what from, to; /* from NOTHING: it is removed */
	bool resumed, exact, copies, missed;
};

static const struct publish_case of_snowflake[] = {
	{ "new", .from = PLAIN },
	{ "new_transient_resumed", .from = TRANSIENT, .resumed = true },
	{ "replace", .from = PLAIN, .to = PLAIN },
	{ "replace_transient", .from = TRANSIENT, .to = TRANSIENT },
	{ "replace_resumed", .from = PLAIN, .to = PLAIN, .resumed = true },
	{ "rollback", .from = PLAIN, .to = TRANSIENT, .exact = true },
	{ "remove", .to = PLAIN },
	{ "remove_resumed", .to = PLAIN, .resumed = true },
	{ "view_new", .from = VIEW },
	{ "view_replace", .from = VIEW, .to = VIEW },
	{ "view_of_a_list", .from = VIEW_OF_LIST, .to = VIEW },
	{ "view_resumed", .from = VIEW, .to = VIEW, .resumed = true },
	{ "view_rollback", .from = VIEW, .to = VIEW_OF_LIST, .exact = true },
	{ "view_remove", .to = VIEW },
	{ "view_remove_resumed", .to = VIEW, .resumed = true },
};

static const struct publish_case of_bigquery[] = {
	{ "new", .from = PLAIN },
	{ "new_resumed", .from = PARTITIONED, .resumed = true },
	{ "replace", .from = PLAIN, .to = PLAIN },
	{ "replace_partitioned", .from = PARTITIONED, .to = PARTITIONED },
	{ "replace_and_keep_a_copy", .from = PARTITIONED, .to = PARTITIONED, .copies = true },
	{ "replace_resumed", .from = PLAIN, .to = PLAIN, .resumed = true },
	{ "exchange", .from = PARTITIONED, .to = BY_ANOTHER, .missed = true },
	{ "exchange_resumed", .from = PARTITIONED, .to = BY_ANOTHER, .missed = true,
	  .resumed = true },
	{ "rollback", .from = PLAIN, .to = BY_ANOTHER, .exact = true, .missed = true },
	{ "remove", .to = PLAIN },
	{ "remove_resumed", .to = PLAIN, .resumed = true },
	{ "view_new", .from = VIEW },
	{ "view_replace", .from = VIEW, .to = VIEW },
	{ "view_resumed", .from = VIEW, .to = VIEW, .resumed = true },
	{ "view_rollback", .from = VIEW, .to = VIEW_OF_LIST, .exact = true },
	{ "view_remove", .to = VIEW },
};

static void add_statements(struct buf *out, const char *name, const struct strv *statements)
{
	buf_printf(out, "%s-- %s\n", out->len ? "\n" : "", name);
	for (size_t i = 0; i < statements->n; i++) {
		sql_show(out, statements->v[i]);
		buf_add_str(out, ";\n");
	}
}

static void add_case(struct buf *out, const struct dialect *dialect, const struct publish_case *c)
{
	bool is_bigquery = strcmp(dialect->name, "bigquery") == 0;
	struct publish_table table = one_table(&in_staging, &in_production, &tables[c->from],
					       c->to == NOTHING ? NULL : &tables[c->to]);
	const struct publish_set set = { .tables = &table,
					 .n = 1,
					 .turns = 2,
					 .is_resumed = c->resumed,
					 .guard = "select 'the lock is held'" };
	CLEANUP(strv_release) struct strv statements = STRV_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;
	const char *reason;

	table.is_exact = c->exact;
	table.restore_is_copy = c->copies;
	table.may_be_missed = c->missed;
	table.side = (struct relation) { "SHOP", "MART", "airlock_x_1" };
	if (table_is_view(c->from == NOTHING ? &tables[c->to] : &tables[c->from])) {
		table.stage.identifier = table.restore.identifier = NULL;
		table.turn = c->from == NOTHING ? 0 : 1;
	}
	if (c->from == NOTHING) {
		table.from = NULL;
		table.from_table = NULL;
		table.stage.identifier = NULL;
		table.way = PUBLISH_REMOVE;
	} else {
		table.grants = is_bigquery ? roles : grants;
		table.grant_count = c->exact ? 0 : 1;
		if (table_is_view(&tables[c->from]))
			table.view =
				c->from == VIEW ? "as select 1 as n" : "(\"N\") as select 1 as n";
		if (dialect->choose_way(&table, &table.way, &reason, &err) < 0)
			fail_msg("%s: %s", c->name, err.message);
	}
	if (dialect->publish(dialect, &set, &statements, &err) < 0)
		fail_msg("%s: %s", c->name, err.message);
	add_statements(out, c->name, &statements);
}

static void statements_are_golden(const char *name, const struct publish_case *cases, size_t n)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(mem_free_string) char *path = mem_printf("publish/%s.sql", name);

	for (size_t i = 0; i < n; i++)
		add_case(&text, dialect_find(name), &cases[i]);
	is_golden(path, &text);
}

static void publishes_one_by_one(void **state)
{
	(void)state;
	statements_are_golden("snowflake", of_snowflake, ARRAY_LEN(of_snowflake));
	statements_are_golden("bigquery", of_bigquery, ARRAY_LEN(of_bigquery));
}

/* --- containers --- */

static struct container_grant of_schema[] = {
	{ "schema", "MART", "MART", "USAGE", "ROLE", "ANALYST", true },
	{ "table", "MART", "ORDERS", "SELECT", "ROLE", "ANALYST", false },
	{ "table", "MART", "ORDERS", "SELECT", "DATABASE_ROLE", "READER", false },
	{ "future table", "MART", "", "SELECT", "ROLE", "ANALYST", true },
	{ "future materialized_view", "MART", "", "SELECT", "ROLE", "ANALYST", false },
};
static struct container_grant made[] = {
	{ "schema", "STAGE", "STAGE", "USAGE", "ROLE", "BUILDER", false },
	{ "table", "STAGE", "ORDERS", "SELECT", "DATABASE_ROLE", "BUILDERS", false },
	{ "future view", "STAGE", "", "SELECT", "ROLE", "BUILDER", false },
};
static struct container_grant of_database[] = {
	{ "database", "", "SHOP", "USAGE", "ROLE", "ANALYST", false },
	{ "schema", "MART", "MART", "USAGE", "ROLE", "ANALYST", false },
	{ "table", "MART", "ORDERS", "SELECT", "ROLE", "ANALYST", false },
	{ "future table", "", "", "SELECT", "ROLE", "ANALYST", false },
};
static struct container_tag tags[] = {
	{ "", { "GOV", "TAGS", "COST" }, "it's" },
	{ "MART", { "GOV", "TAGS", "TEAM" }, "sales" },
};
static struct container_tag old_tags[] = {
	{ "", { "GOV", "TAGS", "OLD" }, "x" },
	{ "MART", { "GOV", "TAGS", "OLD" }, "x" },
};
static struct container_schema managed = {
	.name = "MART", .owned = true, .owner = "R", .is_managed = true, .retention_days = 3
};
static struct container_schema simple = { .name = "MART", .owned = true, .owner = "R" };
static const struct container_object cold = { .kind = "dynamic table",
					      .name = "COLD",
					      .schema = "MART",
					      .identifier = "COLD",
					      .runs_nth = 1 };
static const struct container_object event = { .kind = "stream",
					       .schema = "MART",
					       .identifier = "EVENTS" };

struct swap_case {
	const char *name;
	const char *from, *to; /* a schema of SHOP; "" the databases STG and SHOP */
	struct container green, production;
	bool clones;
};

static const struct swap_case swaps[] = {
	{ "schemas", .from = "STAGE", .to = "MART",
	  .green = { .seen = "s",
		     .grants = made,
		     .grant_count = ARRAY_LEN(made),
		     .is_managed = true },
	  .production = { .seen = "t",
			  .grants = of_schema,
			  .grant_count = ARRAY_LEN(of_schema),
			  .retention_days = 3,
			  .tags = tags + 1,
			  .tag_count = 1 } },
	{ "transient_schemas", .from = "STAGE", .to = "MART",
	  .green = { .seen = "s", .is_transient = true, .tags = old_tags + 1, .tag_count = 1 },
	  .production = { .seen = "t",
			  .is_transient = true,
			  .is_managed = true,
			  .comment = "it's ours" } },
	{ "cloned_schemas", .from = "STAGE", .to = "MART", .green = { .seen = "s" },
	  .production = { .seen = "t", .altered = "a" }, .clones = true },
	{ "cloned_transient_schemas", .from = "STAGE", .to = "MART",
	  .green = { .seen = "s", .is_transient = true },
	  .production = { .seen = "t", .is_transient = true, .altered = "a" }, .clones = true },
	{ "databases", .from = "", .to = "",
	  .green = { .seen = "s",
		     .schemas = &simple,
		     .schema_count = 1,
		     .tags = old_tags,
		     .tag_count = ARRAY_LEN(old_tags) },
	  .production = { .seen = "t",
			  .schemas = &managed,
			  .schema_count = 1,
			  .grants = of_database,
			  .grant_count = ARRAY_LEN(of_database),
			  .tags = tags,
			  .tag_count = ARRAY_LEN(tags),
			  .retention_days = 7 } },
	{ "transient_databases", .from = "", .to = "",
	  .green = { .seen = "s", .is_transient = true },
	  .production = { .seen = "t", .is_transient = true } },
	{ "cloned_transient_databases", .from = "", .to = "",
	  .green = { .seen = "s", .is_transient = true },
	  .production = { .seen = "t", .is_transient = true, .altered = "a" }, .clones = true },
};

static void add_swap(struct buf *out, const struct swap_case *c)
{
	const struct dialect *dialect = dialect_find("snowflake");
	bool of_databases = !*c->from;
	const struct relation from = { of_databases ? "STG" : "SHOP",
				       of_databases ? "MART" : c->from, "ORDERS" };
	struct publish_table table =
		one_table(&from, &in_production, &tables[PLAIN], &tables[PLAIN]);
	struct container green = c->green, production = c->production;
	const struct container_object *foreign[] = { &cold };
	const struct container_object *left_out[] = { &event };
	struct publish_container container = {
		.from = { from.database, c->from, NULL },
		.to = { "SHOP", c->to, NULL },
		.restore = { of_databases ? "SHOP__airlock_x" : "SHOP",
			     of_databases ? "" : "MART__airlock_x", NULL },
		.from_seen = &green,
		.to_seen = &production,
		.is_cloned = c->clones,
		.foreign = foreign,
		.foreign_count = c->clones,
		.left_out = left_out,
		.left_out_count = c->clones,
	};
	const struct publish_set set = { .tables = &table,
					 .n = 1,
					 .turns = 1,
					 .containers = &container,
					 .container_count = 1,
					 .guard = "select 'the lock is held'" };
	CLEANUP(strv_release) struct strv statements = STRV_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;

	green.schema = container.from;
	production.schema = container.to;
	table.way = PUBLISH_SWAP;
	if (dialect->mark(dialect, &set, &statements, &err) < 0 ||
	    dialect->publish(dialect, &set, &statements, &err) < 0)
		fail_msg("%s: %s", c->name, err.message);
	add_statements(out, c->name, &statements);
}

static void containers_change_places(void **state)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(swaps); i++)
		add_swap(&text, &swaps[i]);
	is_golden("publish/snowflake_swap.sql", &text);
}

int main(void)
{
	const struct CMUnitTest tests_of_publish[] = {
		cmocka_unit_test(publishes_one_by_one),
		cmocka_unit_test(containers_change_places),
	};

	return cmocka_run_group_tests(tests_of_publish, NULL, NULL);
}
