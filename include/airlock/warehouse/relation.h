/*
 * relation: a three-part name as the warehouse stores it.
 *
 * All parts are the exact names (from manifest.json: database, schema, alias), unquoted.
 * Ownership: the strings are borrowed from whoever filled the struct in.
 */
#ifndef AIRLOCK_WAREHOUSE_RELATION_H
#define AIRLOCK_WAREHOUSE_RELATION_H

#include <stdbool.h>

#include "airlock/base/err.h"
#include "airlock/base/mem.h"

struct dialect;

struct relation {
	const char *database;
	const char *schema;
	const char *identifier;
};

/* As the warehouse compares names: DuckDB without case, PostgreSQL exactly as stored. */
bool relation_equal(const struct dialect *dialect, const struct relation *a,
		    const struct relation *b);
bool relation_same_schema(const struct dialect *dialect, const struct relation *a,
			  const struct relation *b);
int relation_compare(const struct dialect *dialect, const struct relation *a,
		     const struct relation *b); /* for sorting: database, schema, identifier */

/* database.schema.identifier for people: quoted only where a part is not a plain name. */
char *relation_display(const struct relation *relation); /* free() it */

/* Length limits and characters that cannot be in a name here (NUL, other controls).
 * ERR_NAME_UNUSABLE naming the relation and the part. */
int relation_check(const struct dialect *dialect, const struct relation *relation, struct err *err);

#endif
