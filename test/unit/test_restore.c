/* Which restore points are expired, and which are not ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "airlock/deploy/restore.h"
#include "airlock/format/json.h"

#define OURS(ID, NUMBER, OF, AGE)                                                                  \
	"{\"identifier\": \"r_" ID "_" NUMBER "\", \"object\": \"7/9\", \"comment\": "             \
	"\"airlock: restore point of deployment " ID ", table " NUMBER ": db.mart." OF "\", "      \
	"\"bytes\": 100, \"id\": \"" ID "\", \"at\": \"2026\", \"age\": " AGE ", \"restore\": "    \
	"{\"number\": " NUMBER ", \"of\": [\"db\", \"mart\", \"" OF "\"], \"rows\": 3, "           \
	"\"object\": \"7/8\", \"keep\": 1, \"keep_for\": 50}}"

static void read_list(const char *text, struct restore_list *ret_list)
{
	CLEANUP(err_release) struct err err = ERR_INIT;
	CLEANUP(js_free) json_t *rows = js_parse(text, strlen(text), "x", ERR_NO_ANSWER, &err);

	assert_non_null(rows);
	assert_int_equal(restore_parse(rows, dialect_find("postgres"), "db", ret_list, &err), 0);
}

static enum restore_state state_of(const struct restore_list *list, const char *identifier)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->v[i].relation.identifier, identifier) == 0)
			return list->v[i].state;
	fail_msg("no %s", identifier);
	return 0;
}

static void both_rules_have_to_be_met(void **state)
{
	CLEANUP(restore_release) struct restore_list list = { .n = 0 };
	const struct restore_policy two = { .keep = 2, .keep_for_s = 50 };
	const struct restore_policy at_once = { .keep = 1, .keep_for_s = 0 };

	(void)state;
	read_list("[" OURS("a", "1", "orders", "300") "," OURS("b", "1", "orders", "200") "," OURS(
			  "c", "1", "orders", "40") "," OURS("d", "2", "customers", "999") "]",
		  &list);
	restore_judge(&list, dialect_find("postgres"), NULL, NULL, 0);
	assert_int_equal(state_of(&list, "r_a_1"), RESTORE_EXPIRED);
	assert_int_equal(state_of(&list, "r_b_1"), RESTORE_EXPIRED);
	assert_int_equal(state_of(&list, "r_c_1"), RESTORE_KEPT);
	assert_int_equal(state_of(&list, "r_d_2"), RESTORE_KEPT);
	restore_judge(&list, dialect_find("postgres"), &two, NULL, 0);
	assert_int_equal(state_of(&list, "r_a_1"), RESTORE_EXPIRED);
	assert_int_equal(state_of(&list, "r_b_1"), RESTORE_KEPT);
	restore_judge(&list, dialect_find("postgres"), &at_once, NULL, 0);
	assert_int_equal(state_of(&list, "r_b_1"), RESTORE_EXPIRED);
	assert_int_equal(state_of(&list, "r_c_1"), RESTORE_KEPT);
	assert_int_equal(state_of(&list, "r_d_2"), RESTORE_KEPT);
}

static void one_that_is_made_now_counts_as_the_newest(void **state)
{
	CLEANUP(restore_release) struct restore_list list = { .n = 0 };
	const struct restore_policy at_once = { .keep = 1, .keep_for_s = 0 };
	const struct relation made = { "db", "mart", "orders" };

	(void)state;
	read_list("[" OURS("a", "1", "orders", "300") "," OURS("d", "2", "customers", "999") "]",
		  &list);
	restore_judge(&list, dialect_find("postgres"), &at_once, &made, 1);
	assert_int_equal(state_of(&list, "r_a_1"), RESTORE_EXPIRED);
	assert_int_equal(state_of(&list, "r_d_2"), RESTORE_KEPT);
}

#define ASIDE(ID, NUMBER, OF, AGE)                                                                 \
	"{\"schema\": \"" OF "__airlock_" ID "\", \"object\": \"7\", \"comment\": "                \
	"\"[airlock: demoted by " ID "]\", \"id\": \"" ID "\", \"at\": \"2026\", \"age\": " AGE    \
	", "                                                                                       \
	"\"restore\": {\"number\": " NUMBER ", \"of\": [\"db\", \"" OF "\", \"\"], "               \
	"\"object\": \"7\", \"keep\": 1, \"keep_for\": 0}}"

static enum restore_state state_of_schema(const struct restore_list *list, const char *schema)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->v[i].relation.schema, schema) == 0)
			return list->v[i].state;
	fail_msg("no %s", schema);
	return 0;
}

static void schemas_of_one_exchange_are_kept_or_go_as_one(void **state)
{
	CLEANUP(restore_release) struct restore_list list = { .n = 0 };

	(void)state;
	/* The second exchange had no `utils` any more. */
	read_list("[" ASIDE("a", "1", "mart", "300") "," ASIDE("a", "2", "utils", "300") "," ASIDE(
			  "b", "1", "mart", "200") "," ASIDE("c", "1", "mart", "100") "]",
		  &list);
	restore_judge(&list, dialect_find("postgres"), NULL, NULL, 0);
	assert_int_equal(state_of_schema(&list, "utils__airlock_a"), RESTORE_KEPT);
	assert_int_equal(state_of_schema(&list, "mart__airlock_a"), RESTORE_KEPT);
	assert_int_equal(state_of_schema(&list, "mart__airlock_b"), RESTORE_EXPIRED);
	assert_int_equal(state_of_schema(&list, "mart__airlock_c"), RESTORE_KEPT);
}

static void what_is_not_proved_to_be_ours_is_left_alone(void **state)
{
	CLEANUP(restore_release) struct restore_list list = { .n = 0 };
	const struct restore_policy at_once = { .keep = 1, .keep_for_s = 0 };

	(void)state;
	read_list("[{\"identifier\": \"mine\", \"comment\": null, \"bytes\": 1, \"id\": null, "
		  "\"restore\": null},"
		  "{\"identifier\": \"r_x_1\", \"comment\": \"mine now\", \"bytes\": 1, \"id\": "
		  "\"x\", \"at\": \"2026\", \"age\": 900, \"restore\": {\"number\": 1, \"of\": "
		  "[\"db\", \"mart\", \"orders\"]}},"
		  "{\"identifier\": \"r_y_1\", \"object\": \"77/9\", \"comment\": \"airlock: "
		  "restore point of deployment y, table 1: db.mart.orders\", \"bytes\": 1, "
		  "\"id\": \"y\", \"at\": \"2026\", \"age\": 900, \"restore\": {\"number\": 1, "
		  "\"object\": \"7/8\", \"of\": [\"db\", \"mart\", \"orders\"]}}," OURS(
			  "z", "1", "orders", "999") "]",
		  &list);
	restore_judge(&list, dialect_find("postgres"), &at_once, NULL, 0);
	assert_int_equal(state_of(&list, "mine"), RESTORE_FOREIGN);
	assert_int_equal(state_of(&list, "r_x_1"), RESTORE_FOREIGN);
	assert_int_equal(state_of(&list, "r_y_1"), RESTORE_FOREIGN);
	/* They are not counted as newer ones either. */
	assert_int_equal(state_of(&list, "r_z_1"), RESTORE_KEPT);
}

#define UNDATED(ID)                                                                                \
	"{\"identifier\": \"r_" ID "_1\", \"comment\": \"airlock: restore point of deployment " ID \
	", table 1: db.mart.orders\", \"bytes\": 1, \"id\": \"" ID                                 \
	"\", \"restore\": {\"number\": 1, \"of\": [\"db\", \"mart\", \"orders\"]}}"

/* Two of one table, so that they are compared by age. */
static void one_of_unknown_age_is_left_alone(void **state)
{
	CLEANUP(restore_release) struct restore_list list = { .n = 0 };
	const struct restore_policy at_once = { .keep = 0, .keep_for_s = 0 };

	(void)state;
	read_list("[" UNDATED("a") "," UNDATED("b") "]", &list);
	restore_judge(&list, dialect_find("snowflake"), &at_once, NULL, 0);
	assert_int_equal(state_of(&list, "r_a_1"), RESTORE_FOREIGN);
	assert_int_equal(state_of(&list, "r_b_1"), RESTORE_FOREIGN);
}

static void a_snapshot_is_dropped_as_one_and_a_copy_as_a_table(void **state)
{
	CLEANUP(restore_release) struct restore_list list = { .n = 0 };
	CLEANUP(state_release) struct state state_of_it = { 0 };
	CLEANUP(strv_release) struct strv statements = STRV_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;
	const struct dialect *dialect = dialect_find("bigquery");

	(void)state;
	read_list("[" OURS("a", "1", "orders", "300") "," OURS("b", "2", "orders", "200") "]",
		  &list);
	list.v[1].is_snapshot = true;
	state_init(&state_of_it, dialect, "db", NULL);
	for (size_t i = 0; i < list.n; i++)
		assert_int_equal(
			restore_push_drop(&state_of_it, &list.v[i], "gc", &statements, &err), 0);
	assert_true(strv_contains(&statements, "drop table `db`.`airlock_restore`.`r_b_2`"));
	assert_true(
		strv_contains(&statements, "drop snapshot table `db`.`airlock_restore`.`r_a_1`"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_rules_have_to_be_met),
		cmocka_unit_test(one_that_is_made_now_counts_as_the_newest),
		cmocka_unit_test(schemas_of_one_exchange_are_kept_or_go_as_one),
		cmocka_unit_test(what_is_not_proved_to_be_ours_is_left_alone),
		cmocka_unit_test(one_of_unknown_age_is_left_alone),
		cmocka_unit_test(a_snapshot_is_dropped_as_one_and_a_copy_as_a_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
