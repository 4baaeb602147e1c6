/*
 * observed: a read-only picture of the warehouse, taken in one operation. Pure: made from JSON
 * (what the catalog queries answered, or a file in tests).
 *
 *   {"session": {"user", "database", "version"}, "schemas": [{"database", "schema"}, ...],
 *    "relations": [struct table, ...], "rows": [{"database", "schema", "identifier", "object",
 *    "rows", "content"}, ...], "containers": [struct container, ...], "built": bool}
 *
 * `built` says that staging holds what this deployment built and tested; until then its columns
 * are only what a former one left there.
 */
#ifndef AIRLOCK_DEPLOY_OBSERVED_H
#define AIRLOCK_DEPLOY_OBSERVED_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "airlock/base/err.h"
#include "airlock/base/mem.h"
#include "airlock/warehouse/dialect.h"

struct observed {
	struct arena arena;
	json_t *json; /* the picture itself */
	const char *user;
	const char *database;
	const char *version;
	struct relation *schemas;
	size_t schema_count;
	struct table *tables;
	size_t table_count;
	struct container *containers;
	size_t container_count;
	bool built;
};

int observed_parse(const json_t *picture, struct observed *ret_observed, struct err *err);
/* Of the rows of a record what their "before" says: relations as they were before it. */
int observed_parse_before(const json_t *tables, struct observed *ret_before, struct err *err);
void observed_release(struct observed *observed);

/* NULL when the warehouse has no such relation. */
const struct table *observed_table(const struct observed *observed, const struct dialect *dialect,
				   const struct relation *relation);
/* A schema that is exchanged whole; NULL when the warehouse has none of that name. */
const struct container *observed_container(const struct observed *observed,
					   const struct dialect *dialect,
					   const struct relation *schema);
/* observed_container.c, for observed.c. */
int observed_read_containers(struct observed *observed, const json_t *picture, struct err *err);
bool observed_has_schema(const struct observed *observed, const struct dialect *dialect,
			 const struct relation *relation);

#endif
