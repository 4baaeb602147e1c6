#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_nobody_says_is_not_checked_and_the_history_knows),
		cmocka_unit_test(what_the_project_says_is_neither_warned_of_nor_recorded),
		cmocka_unit_test(a_replace_that_would_lose_them_is_refused),
		cmocka_unit_test(what_is_new_has_nothing_to_lose),
		cmocka_unit_test(names_are_those_of_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
