/*
 * dialect: one row per warehouse: how names are written, what it can do, its templates.
 *
 * A warehouse is a file (dialect_<name>.c) and a row in dialect.c; its goldens come with it.
 * Ownership: everything is static.
 */
#ifndef AIRLOCK_WAREHOUSE_DIALECT_H
#define AIRLOCK_WAREHOUSE_DIALECT_H

#include <stdbool.h>
#include <stddef.h>

/* How several statements become one transaction (measured with dbt 1.11, see dialect_*.c). */
enum dialect_transaction {
	DIALECT_TRANSACTION_CALLS = 1, /* begin, each statement and commit are calls of their own */
	DIALECT_TRANSACTION_STRING, /* one string with all of them */
};

struct dialect {
	const char *name; /* dbt's adapter type, as in manifest metadata.adapter_type */
	const char *title; /* for people */
	char quote;
	size_t identifier_max; /* bytes */
	bool folds_case; /* names that differ in case only are one name */
	bool names_database; /* statements carry the database part */
	bool changes_set_atomically; /* all tables of a publish in one transaction */
	enum dialect_transaction transaction;
	/* Statements put around a transaction, in the transaction (NULL-ended). */
	const char *const *transaction_settings;
	const char *const *templates; /* by enum dialect_template */
};

const struct dialect *dialect_find(const char *adapter_type); /* NULL: not known */
const struct dialect *const *dialect_all(size_t *ret_n);

#endif
