#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "airlock/deploy/observed.h"
#include "airlock/warehouse/dialect.h"
#include "made.h"

/* Up to two tables, from schema stage to schema mart, seen in a picture. */
struct world {
	const char *from[2]; /* of the JSON of each table: what follows its name; NULL ends them */
	const char *to[2];   /* NULL: production has none */
	bool undecided, keeps_nothing;

	struct observed observed;
	struct relation relations[4];
	struct publish_table tables[2];
	size_t n;
	struct strv sql;
	struct err err;
};

#define WORLD CLEANUP(world_release) struct world w

static void world_release(struct world *w)
{
	observed_release(&w->observed);
	strv_release(&w->sql);
	err_release(&w->err);
}

static void add_json(struct buf *text, const char *schema, const char *name, const char *rest)
{
	if (rest)
		buf_printf(text, "%s{'database': 'db', 'schema': '%s', 'identifier': '%s', %s}",
			   text->len > 20 ? ", " : "", schema, name, rest);
}

static void look(struct world *w)
{
	static const char *const names[] = { "a", "b" };
	const struct dialect *duckdb = dialect_find("duckdb");
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	buf_add_str(&text, "{'relations': [");
	for (size_t i = 0; i < 2; i++) {
		add_json(&text, "stage", names[i], w->from[i]);
		add_json(&text, "mart", names[i], w->to[i]);
	}
	buf_add_str(&text, "]}");
	made_picture(&w->observed, buf_cstr(&text));
	for (size_t i = 0; i < 2 && w->from[i]; i++) {
		struct relation *pair = &w->relations[2 * i];

		pair[0] = (struct relation) { "db", "stage", names[i] };
		pair[1] = (struct relation) { "db", "mart", names[i] };
		w->tables[w->n++] = (struct publish_table) {
			.from = &pair[0],
			.to = &pair[1],
			.from_table = observed_table(&w->observed, duckdb, &pair[0]),
			.to_table = observed_table(&w->observed, duckdb, &pair[1]),
			.decided = !w->undecided,
			.runs = true,
			.number = i + 1,
			.restore = { "db", "airlock_restore", w->keeps_nothing ? NULL : "r_1" },
		};
	}
}

static int publish(struct world *w)
{
	const struct dialect *duckdb = dialect_find("duckdb");
	struct publish_set set = { .tables = w->tables };
	const char *reason;

	look(w);
	set.n = w->n;
	for (size_t i = 0; i < w->n; i++)
		if (duckdb->choose_way(&w->tables[i], &w->tables[i].way, &reason, &w->err) < 0)
			return -1;
	return duckdb->publish(duckdb, &set, &w->sql, &w->err);
}

static void published(struct world *w)
{
	if (publish(w) < 0)
		fail_msg("%s", w->err.message);
}

static void refused(struct world *w, const char *message)
{
	if (publish(w) == 0)
		fail_msg("not refused: %s", message);
	assert_int_equal(w->err.code, ERR_UNSUPPORTED);
	assert_string_equal(w->err.message, message);
}

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
#define ID "{'name': 'id', 'type': 'INTEGER'}"
#define TABLE(COLUMNS) "'kind': 'table', 'columns': [" COLUMNS "]"

static void a_new_table_is_compared_made_filled_and_counted(void **state)
{
	WORLD = { .from = { TABLE(ID) ", 'comment': 'described'" } };

	(void)state;
	published(&w);
	assert_int_equal(w.tables[0].way, PUBLISH_NEW);
	in_this_order(&w, ORDER("stage.a (staging) changed",
				"create table \"db\".\"mart\".\"a\" (\"id\" INTEGER)",
				"insert into \"db\".\"mart\".\"a\" (\"id\") select \"id\" from",
				"comment on table \"db\".\"mart\".\"a\" is 'described'",
				DIALECT_RAISED_COUNT));
}

static void a_replaced_table_gets_back_what_it_had(void **state)
{
	WORLD = {
		.from = { TABLE(ID ", {'name': 'n', 'type': 'VARCHAR'}") },
		.to = { TABLE("{'name': 'ID', 'type': 'BIGINT', 'not_null': true, 'default': '7',"
			      " 'comment': 'key'}") ", 'comment': 'all',"
						    " 'constraints': [{'name': 'pk', 'definition': "
						    "'PRIMARY KEY(ID)',"
						    " 'columns': ['ID']}], 'indexes': [{'name': "
						    "'i', 'unique': true,"
						    " 'definition': '(ID)', 'columns': ['ID'], "
						    "'comment': 'fast'}]" },
	};

	(void)state;
	published(&w);
	assert_int_equal(w.tables[0].way, PUBLISH_REPLACE);
	in_this_order(&w, ORDER("stage.a (staging) changed", "mart.a (production) was changed",
				"create table \"db\".\"airlock_restore\".\"r_1\" as from "
				"\"db\".\"mart\".\"a\"",
				"create or replace table \"db\".\"mart\".\"a\" (\"id\" INTEGER "
				"default (7) not null, \"n\" VARCHAR, PRIMARY KEY(ID))",
				"insert into \"db\".\"mart\".\"a\" (\"id\", \"n\")",
				"create unique index \"i\" on \"db\".\"mart\".\"a\" (ID)",
				"comment on index \"db\".\"mart\".\"i\" is 'fast'",
				"comment on table \"db\".\"mart\".\"a\" is 'all'",
				"comment on column \"db\".\"mart\".\"a\".\"id\" is 'key'",
				DIALECT_RAISED_COUNT));
}

static void staging_has_the_last_word(void **state)
{
	WORLD = { .from = { TABLE("{'name': 'id', 'type': 'INTEGER', 'default': '1',"
				  " 'comment': 'new'}") ", 'comment': 'new',"
							" 'constraints': [{'name': 'pk', "
							"'definition': 'PRIMARY KEY(id, d)',"
							" 'columns': []}, {'name': 'fk',"
							" 'definition': 'FOREIGN KEY (id) "
							"REFERENCES p(id)'}]" },
		  .to = { TABLE("{'name': 'id', 'type': 'INTEGER', 'default': '2',"
				" 'comment': 'old'}") ", 'comment': 'old',"
						      " 'constraints': [{'name': 'p', "
						      "'definition': 'PRIMARY KEY(id)',"
						      " 'columns': ['id']}]" } };

	(void)state;
	published(&w);
	assert_true(place(&w, "(\"id\" INTEGER default (1), PRIMARY KEY(id, d))") > 0);
	assert_int_equal(place(&w, "FOREIGN KEY"), 0);
	assert_int_equal(place(&w, "'old'"), 0);
}

static void the_whole_set_is_compared_first_and_counted_last(void **state)
{
	WORLD = { .from = { TABLE(ID), TABLE(ID) }, .to = { TABLE(ID), NULL } };

	(void)state;
	published(&w);
	assert_true(place(&w, "stage.b (staging) changed") < place(&w, "create or replace"));
	assert_true(place(&w, "insert into \"db\".\"mart\".\"b\"") <
		    place(&w, DIALECT_RAISED_COUNT));
}

static void an_index_of_staging_gives_way_to_one_of_its_name(void **state)
{
#define INDEX(NAME, DEFINITION)                                                                    \
	", 'indexes': [{'name': '" NAME "', 'definition': '" DEFINITION "', 'columns': ['id']}]"
	WORLD = { .from = { TABLE(ID) INDEX("i", "(id)"), TABLE(ID) INDEX("I", "(id)") } };
	CLEANUP(world_release)
	struct world v = { .from = { TABLE(ID) INDEX("i", "(id)") },
			   .to = { TABLE(ID) INDEX("i", "(id, id)") } };

	(void)state;
	published(&w);
	assert_true(place(&w, "create index \"i\" on \"db\".\"mart\".\"a\" (id)") > 0);
	assert_true(place(&w, "create index \"I_2\" on \"db\".\"mart\".\"b\" (id)") > 0);
	published(&v);
	assert_true(place(&v, "create index \"i\" on \"db\".\"mart\".\"a\" (id, id)") > 0);
	assert_true(place(&v, "create index \"i_1\" on \"db\".\"mart\".\"a\" (id)") > 0);
}

static void before_the_build_it_is_open(void **state)
{
	WORLD = { .from = { TABLE(ID) }, .to = { TABLE(ID) }, .undecided = true };

	(void)state;
	published(&w);
	assert_true(place(&w, "\1?identity of db.stage.a\1") > 0);
	assert_true(place(&w, "\1?identity of db.mart.a\1") > 0);
	assert_true(place(&w, "(\1?columns of db.stage.a, with the constraints of production that "
			      "they still allow\1)") > 0);
}

static void what_cannot_be_replaced_is_refused(void **state)
{
	WORLD = { .from = { TABLE(ID) }, .to = { TABLE(ID) ", 'refuses': ['generated column']" } };
	CLEANUP(world_release)
	struct world v = { .from = { TABLE(ID) }, .to = { TABLE(ID) ", 'owned': false" } };

	(void)state;
	refused(&w, "'db.mart.a' cannot be published: generated column");
	refused(&v, "'db.mart.a' cannot be published: this session may only read its database");
}

static void without_a_restore_point_nothing_is_kept(void **state)
{
	WORLD = { .from = { TABLE(ID) }, .to = { TABLE(ID) }, .keeps_nothing = true };

	(void)state;
	published(&w);
	assert_int_equal(place(&w, "airlock_restore"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_table_is_compared_made_filled_and_counted),
		cmocka_unit_test(a_replaced_table_gets_back_what_it_had),
		cmocka_unit_test(staging_has_the_last_word),
		cmocka_unit_test(the_whole_set_is_compared_first_and_counted_last),
		cmocka_unit_test(an_index_of_staging_gives_way_to_one_of_its_name),
		cmocka_unit_test(before_the_build_it_is_open),
		cmocka_unit_test(what_cannot_be_replaced_is_refused),
		cmocka_unit_test(without_a_restore_point_nothing_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
