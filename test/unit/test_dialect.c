#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "airlock/warehouse/dialect.h"

/* What a dialect has no use for. */
static bool may_lack(const struct dialect *d, size_t template)
{
	switch (template) {
	case DIALECT_GRANTS_KEEP:
	case DIALECT_GRANTS_BACK:
	case DIALECT_OBSERVE_PRIVILEGES:
	case DIALECT_OBSERVE_DDL:
	case DIALECT_TAG:
	case DIALECT_RUNNING:
	case DIALECT_OBSERVE_PUBLISHED:
		return true;
	case DIALECT_FENCE_HELD:
		return d->transaction != DIALECT_TRANSACTION_NONE;
	case DIALECT_CANCEL:
		return !d->labels_jobs;
	default:
		if (template == DIALECT_OBSERVE_DYNAMIC || template == DIALECT_LOG_ALTERED)
			return !d->clones_containers;
		if (template == DIALECT_OBSERVE_FUTURE || template == DIALECT_OBSERVE_TAGS ||
		    template == DIALECT_ASIDE_DATABASE_CHECK ||
		    template == DIALECT_ASIDE_DATABASE_DROP)
			return !d->swaps_databases;
		return template >= DIALECT_OBSERVE_CONTAINERS && template <= DIALECT_LOG_ASIDE &&
		       !d->swaps_schemas;
	}
}

static void the_table_is_sorted_and_whole(void **state)
{
	size_t n;
	const struct dialect *const *all = dialect_all(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		const struct dialect *d = all[i];

		if (i)
			assert_true(strcmp(all[i - 1]->name, d->name) < 0);
		assert_ptr_equal(dialect_find(d->name), d);
		assert_true(*d->title && d->quote);
		assert_true(d->identifier_max > 0);
		assert_true(d->transaction == DIALECT_TRANSACTION_CALLS ||
			    d->transaction == DIALECT_TRANSACTION_STRING ||
			    d->transaction == DIALECT_TRANSACTION_NONE);
		assert_non_null(d->choose_way);
		assert_non_null(d->publish);
		assert_non_null(d->transaction_settings);
		for (size_t t = 0; t < DIALECT_TEMPLATE_COUNT; t++)
			if (!d->templates[t] && !may_lack(d, t))
				fail_msg("%s has no template %zu", d->name, t);
	}
	assert_null(dialect_find("redshift"));
	assert_null(dialect_find(""));
}

static void renders_text(const char *template_text, const struct sql_arg *args, size_t n,
			 const char *expected)
{
	CLEANUP(strv_release) struct strv statements = STRV_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;

	if (dialect_push_text(&statements, dialect_find("postgres"), template_text, args, n, &err) <
	    0)
		fail_msg("%s", err.message);
	assert_int_equal(statements.n, 1);
	assert_string_equal(statements.v[0], expected);
}

static void a_block_is_a_literal_that_no_name_can_end(void **state)
{
	static const struct relation evil = { "d", "$$ end; drop", "it's $body$" };
	const struct sql_arg args[] = { SQL_ARG_RELATION("r", &evil),
					SQL_ARG_LITERAL("l", "it's") };

	(void)state;
	renders_text("do begin perform {r}, {l:literal}; end", args, 2,
		     "do 'begin perform \"$$ end; drop\".\"it''s $body$\", ''it''''s''; end'");
	renders_text("done {l:literal}", args, 2, "done 'it''s'");
}

static void a_template_takes_no_argument_of_another_kind(void **state)
{
	static const struct relation log = { "d", "s", "log" };
	const struct sql_arg args[] = { SQL_ARG_IDENT("log", log.identifier), SQL_ARG_BIND("id") };
	CLEANUP(strv_release) struct strv statements = STRV_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(
		dialect_push(&statements, dialect_find("duckdb"), DIALECT_LOG_PROBE, args, 2, &err),
		-1);
	assert_int_equal(err.code, ERR_INTERNAL);
	assert_int_equal(statements.n, 0);
}

static void every_way_has_a_name(void **state)
{
	(void)state;
	assert_string_equal(publish_way_name(PUBLISH_NEW), "new");
	assert_string_equal(publish_way_name(PUBLISH_REWRITE), "rewrite");
	assert_string_equal(publish_way_name(PUBLISH_EXCHANGE), "exchange");
	assert_string_equal(publish_way_name(PUBLISH_REPLACE), "replace");
}

/* A transaction on PostgreSQL must not wait for ever, nor lose rows to a policy. */
static void a_transaction_begins_with_its_settings(void **state)
{
	const char *const *settings = dialect_find("postgres")->transaction_settings;
	bool bounded = false, unfiltered = false;

	(void)state;
	for (; *settings; settings++) {
		bounded = bounded || strstr(*settings, "lock_timeout");
		unfiltered = unfiltered || strstr(*settings, "row_security = off");
	}
	assert_true(bounded && unfiltered);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_is_sorted_and_whole),
		cmocka_unit_test(a_block_is_a_literal_that_no_name_can_end),
		cmocka_unit_test(a_template_takes_no_argument_of_another_kind),
		cmocka_unit_test(every_way_has_a_name),
		cmocka_unit_test(a_transaction_begins_with_its_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
