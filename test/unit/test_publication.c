#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "airlock/base/fs.h"
#include "airlock/deploy/publication.h"
#include "airlock/format/json.h"
#include "planned.h"

#define INPUT AIRLOCK_SOURCE_DIR "/test/golden/input/"

/* A publish of what the picture shows, with more options; the message when there is none, else "".
 */
static char *planned_of(struct planned *planned, const char *dialect, const char *picture,
			const char *more)
{
	CLEANUP(mem_free_string) char *from = mem_printf(INPUT "%s/staging.json", dialect);
	CLEANUP(mem_free_string) char *to = mem_printf(INPUT "%s/prod.json", dialect);
	CLEANUP(strv_release) struct strv options = STRV_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;

	planned_init(planned);
	strv_split(&options, "--from staging --to prod --tags mart,utils", " ");
	if (*more)
		strv_split(&options, more, " ");
	if (planned_all(planned, from, to, picture, strv_argv(&options), &err) == 0)
		return mem_strdup("");
	return mem_strdup(err.message);
}

/* Of what is built. */
static char *planned_with(struct planned *planned, const char *dialect, const char *more)
{
	CLEANUP(mem_free_string) char *picture = mem_printf(INPUT "%s/built.json", dialect);

	return planned_of(planned, dialect, picture, more);
}

/* --- row access policies and authorized views --- */

static void refuses(const char *dialect, const char *options, const char *why)
{
	CLEANUP(planned_release) struct planned planned;
	CLEANUP(mem_free_string) char *message = planned_with(&planned, dialect, options);

	assert_non_null(strstr(message, why));
}

static bool warns(const struct planned *planned, const char *what)
{
	for (size_t i = 0; i < planned->plan.warnings.n; i++)
		if (strstr(planned->plan.warnings.v[i], what))
			return true;
	return false;
}

static const char *recorded(const struct planned *planned)
{
	const struct step *publish = plan_step(&planned->plan, "publish");

	for (size_t i = 0; i < publish->sql.n; i++)
		if (strstr(publish->sql.v[i], "'published'"))
			return publish->sql.v[i];
	return "";
}

#define UNCHECKED "\"not_checked\":[\"row access policies\",\"authorized views\"]"

static void what_nobody_says_is_not_checked_and_the_history_knows(void **state)
{
	CLEANUP(planned_release) struct planned planned;
	CLEANUP(mem_free_string) char *message = planned_with(&planned, "bigquery", "--stale-ok *");

	(void)state;
	assert_string_equal(message, "");
	assert_true(warns(&planned, "row access policies are not checked"));
	assert_true(warns(&planned, "authorized views are not checked"));
	assert_non_null(strstr(recorded(&planned), UNCHECKED));
}

static void what_the_project_says_is_neither_warned_of_nor_recorded(void **state)
{
	CLEANUP(planned_release) struct planned planned;
	CLEANUP(mem_free_string)
	char *message = planned_with(&planned, "bigquery",
				     "--row-access-policies stg_orders --authorized-views none");

	(void)state;
	assert_string_equal(message, "");
	assert_false(warns(&planned, "not checked: no statement"));
	assert_null(strstr(recorded(&planned), "not_checked"));
}

static void a_replace_that_would_lose_them_is_refused(void **state)
{
	(void)state;
	refuses("bigquery", "--row-access-policies customers",
		"'\"shop-eu\".mart.customers' cannot be published: it has row access policies");
	refuses("bigquery", "--row-access-policies model.shop.customers",
		"its readers would see every row");
	refuses("bigquery", "--authorized-views open_orders", "it is an authorized view");
}

static void what_is_new_has_nothing_to_lose(void **state)
{
	CLEANUP(planned_release) struct planned planned;
	CLEANUP(mem_free_string)
	char *message = planned_with(&planned, "bigquery", "--row-access-policies calendar");

	(void)state;
	assert_string_equal(message, "");
	assert_true(warns(&planned, "has none of the row access policies"));
}

static void names_are_those_of_nodes(void **state)
{
	(void)state;
	refuses("bigquery", "--row-access-policies cusomers",
		"'row_access_policies' names 'cusomers', which no node is");
	refuses("bigquery", "--authorized-views none,open_orders",
		"'authorized_views' says 'none', and other names beside it");
	refuses("postgres", "--row-access-policies none",
		"'row_access_policies' is for BigQuery, and this is PostgreSQL");
}

/* --- what the service limits --- */

static size_t updates_of(const struct planned *planned, const char *of)
{
	for (size_t i = 0; i < planned->plan.update_count; i++)
		if (strcmp(planned->plan.updates[i].of, of) == 0)
			return planned->plan.updates[i].n;
	return 0;
}

/* What is built on BigQuery, but for what `change` does to its picture. */
static void plans_changed(struct planned *planned, void (*change)(json_t *picture))
{
	CLEANUP(err_release) struct err err = ERR_INIT;
	CLEANUP(js_free)
	json_t *picture = js_read_file(INPUT "bigquery/built.json", 1 << 20, ERR_FILE, &err);
	char path[] = "/tmp/airlock-quota.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0 && close(fd) == 0);
	change(picture);

	CLEANUP(mem_free_string) char *text = json_dumps(picture, 0);

	assert_int_equal(fs_write_atomic(path, text, strlen(text), 0600, &err), 0);

	CLEANUP(mem_free_string) char *message = planned_of(planned, "bigquery", path, "");

	unlink(path);
	assert_string_equal(message, "");
}

static void stays(json_t *picture)
{
	(void)picture;
}

static void lacks_utils(json_t *picture)
{
	json_array_remove(js_get_array(picture, "schemas"), 2);
}

static void gives_five_roles(json_t *picture)
{
	json_object_set_new(json_array_get(js_get_array(picture, "relations"), 0), "privileges",
			    json_string("a user:a\nb user:a\nc user:a\nd user:a\ne user:a"));
}

/* A copy, its expiration and its description; a copy, its grants and its description. */
static void each_change_of_a_table_is_counted(void **state)
{
	CLEANUP(planned_release) struct planned planned;

	(void)state;
	plans_changed(&planned, stays);
	assert_int_equal(updates_of(&planned, "\"shop-eu\".mart.orders"), 3);
	assert_int_equal(updates_of(&planned, "\"shop-eu\".mart.customers"), 3);
	assert_int_equal(updates_of(&planned, "\"shop-eu\".mart.open_orders"), 1);
	assert_int_equal(updates_of(&planned, "\"shop-eu\".utils"), 0);
	assert_false(warns(&planned, "the service takes"));
}

static void a_dataset_that_is_made_is_counted(void **state)
{
	CLEANUP(planned_release) struct planned planned;

	(void)state;
	plans_changed(&planned, lacks_utils);
	assert_int_equal(updates_of(&planned, "\"shop-eu\".utils"), 1);
}

static void more_than_the_service_takes_at_once_is_said(void **state)
{
	CLEANUP(planned_release) struct planned planned;

	(void)state;
	plans_changed(&planned, gives_five_roles);
	assert_true(warns(&planned, "is changed 7 times, and the service takes 5 in 10 seconds"));
}

/* Of these tables so many snapshots were made today. */
static void add_restores(json_t *picture, const char *table, json_int_t snapshots)
{
	json_t *restores = json_object_get(picture, "restores");

	if (!restores) {
		restores = json_array();
		json_object_set_new(picture, "restores", restores);
	}
	json_array_append_new(restores, json_pack("{s:s, s:s, s:s, s:I, s:I, s:{s:I, s:[s, s, s]}}",
						  "identifier", "r_x_1", "id", "x", "at",
						  "2026-11-24T00:00:00.000Z", "age", (json_int_t)9,
						  "snapshots", snapshots, "restore", "number",
						  (json_int_t)1, "of", "shop-eu", "mart", table));
}

static void has_many_snapshots(json_t *picture)
{
	add_restores(picture, "customers", 49);
	add_restores(picture, "orders", 50);
}

static void is_to_be_built(json_t *picture)
{
	has_many_snapshots(picture);
	json_object_set_new(picture, "built", json_false());
}

static const char *statement_of(const struct planned *planned, const char *begins)
{
	const struct step *publish = plan_step(&planned->plan, "publish");

	for (size_t i = 0; i < publish->sql.n; i++)
		if (strncmp(publish->sql.v[i], begins, strlen(begins)) == 0)
			return publish->sql.v[i];
	return "";
}

static void a_restore_point_is_a_copy_where_the_service_makes_no_more_snapshots(void **state)
{
	CLEANUP(planned_release) struct planned planned;

	(void)state;
	plans_changed(&planned, has_many_snapshots);
	assert_non_null(strstr(statement_of(&planned, "create snapshot table if not exists "),
			       " clone `shop-eu`.`mart`.`customers` options ("));
	assert_non_null(strstr(statement_of(&planned, "create table if not exists "
						      "`shop-eu`.`airlock_restore`."),
			       " copy `shop-eu`.`mart`.`orders` options (expiration_timestamp = "
			       "timestamp_add("));
	assert_true(warns(&planned, "the restore point of '\"shop-eu\".mart.orders' is a copy"));
	assert_false(warns(&planned, "mart.customers' is a copy"));
	/* Only snapshots are counted the next time. */
	assert_non_null(strstr(statement_of(&planned, "begin;"), "\"copy\":true"));
}

/* How many there are behind the build nobody knows before it. */
static void which_of_both_it_is_stays_open_until_the_build(void **state)
{
	CLEANUP(planned_release) struct planned planned;
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	(void)state;
	plans_changed(&planned, is_to_be_built);
	plan_write_text(&planned.plan, &planned.routes, &text);
	assert_non_null(strstr(buf_cstr(&text),
			       "create <snapshot of \"shop-eu\".mart.customers, or "
			       "a copy where the service makes no more today>"));
	assert_true(warns(&planned, "the restore point of '\"shop-eu\".mart.orders' is a copy"));
}

static void nothing_is_counted_where_nothing_is_limited(void **state)
{
	CLEANUP(planned_release) struct planned planned;
	CLEANUP(mem_free_string) char *message = planned_with(&planned, "postgres", "");

	(void)state;
	assert_string_equal(message, "");
	assert_null(planned.plan.updates);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_nobody_says_is_not_checked_and_the_history_knows),
		cmocka_unit_test(what_the_project_says_is_neither_warned_of_nor_recorded),
		cmocka_unit_test(a_replace_that_would_lose_them_is_refused),
		cmocka_unit_test(what_is_new_has_nothing_to_lose),
		cmocka_unit_test(names_are_those_of_nodes),
		cmocka_unit_test(each_change_of_a_table_is_counted),
		cmocka_unit_test(a_dataset_that_is_made_is_counted),
		cmocka_unit_test(more_than_the_service_takes_at_once_is_said),
		cmocka_unit_test(nothing_is_counted_where_nothing_is_limited),
		cmocka_unit_test(
			a_restore_point_is_a_copy_where_the_service_makes_no_more_snapshots),
		cmocka_unit_test(which_of_both_it_is_stays_open_until_the_build),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
