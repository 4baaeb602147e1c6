#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "publish_support.h"

struct publish_table one_table(const struct relation *from, const struct relation *to,
			       const struct table *staging, const struct table *production)
{
	return (struct publish_table) {
		.from = from,
		.to = to,
		.from_table = staging,
		.to_table = production,
		.decided = true,
		.runs = true,
		.number = 1,
		.stage = { to->database, "airlock", "airlock_stage_x_1" },
		.restore = { to->database, "airlock_restore", "r_x_1" },
	};
}

void has_no_way(const char *dialect, struct publish_table table, const char *why)
{
	CLEANUP(err_release) struct err err = ERR_INIT;
	enum publish_way way;
	const char *reason;

	assert_int_equal(dialect_find(dialect)->choose_way(&table, &way, &reason, &err), -1);
	assert_int_equal(err.code, ERR_UNSUPPORTED);
	if (!strstr(err.message, why))
		fail_msg("%s", err.message);
}

void publishes(const char *name, struct publish_table table, bool resumed,
	       enum publish_way expected, const char *statement)
{
	const struct dialect *dialect = dialect_find(name);
	CLEANUP(strv_release) struct strv statements = STRV_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;
	const struct publish_set set = { .tables = &table, .n = 1, .is_resumed = resumed };
	const char *reason;

	if (dialect->choose_way(&table, &table.way, &reason, &err) < 0 ||
	    dialect->publish(dialect, &set, &statements, &err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(table.way, expected);
	if (!strv_contains(&statements, statement))
		fail_msg("no '%s'", statement);
}
