/*
 * table: what the warehouse's catalog says of one relation, as observe read it.
 *
 * Texts called `definition`, `type` and `value` were written by the warehouse itself and are SQL
 * (format_type, pg_get_indexdef, duckdb_constraints): templates take them as `catalog`.
 * Ownership: everything belongs to the picture (struct observed) that holds it.
 */
#ifndef AIRLOCK_WAREHOUSE_TABLE_H
#define AIRLOCK_WAREHOUSE_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "airlock/base/strv.h"
#include "airlock/warehouse/relation.h"

struct table_column {
	const char *name;
	const char *type;
	bool not_null;
	const char *value;   /* its default; NULL without */
	const char *comment; /* NULL without */
	const char *tags;    /* policy tags, sorted, with commas between; NULL without */
};

/* An index, or a constraint (PRIMARY KEY, UNIQUE, CHECK, FOREIGN KEY). */
struct table_part {
	const char *name;
	const char *definition; /* index: "USING btree (id)"; constraint: "PRIMARY KEY (id)" */
	bool unique;            /* index */
	bool owns_index;        /* constraint */
	const char *comment;    /* NULL without */
	const char *const *columns;
	size_t column_count;
};

struct table {
	struct relation relation;
	const char *kind;   /* "table", "view", ... */
	const char *object; /* identity: PostgreSQL oid/relfilenode; of a view a hash of its text */
	const char *owner;  /* NULL where there are none */
	bool owned;         /* this session may act as its owner */
	bool owned_by_another; /* who may, and what it makes anew would belong to this one */
	bool is_transient;     /* without fail-safe, as Snowflake has it */
	bool clusters;         /* the service clusters it by itself */
	bool is_gone;          /* it is what it was before a publish that is resumed dropped it */
	const char *comment;
	const char *options; /* storage parameters as SQL, "fillfactor = '70'"; NULL without */
	/* Partitioning and clustering as SQL, "PARTITION BY day"; NULL without. */
	const char *layout;
	/* Of a view: what stands behind its name when it is created, "AS SELECT ..". NULL
	 * otherwise, and where the catalog's text is not understood. */
	const char *definition;
	/* All; on BigQuery fields by their path, those with a comment or tags. */
	struct table_column *columns;
	size_t column_count;
	/* There: the paths of all fields. */
	const char *const *fields;
	size_t field_count;
	struct table_part *indexes;
	size_t index_count;
	struct table_part *constraints;
	size_t constraint_count;
	/* Why it cannot be replaced, by name ("trigger t"); and why not by another object. */
	const char *const *refuses;
	size_t refuse_count;
	const char *const *refuses_exchange;
	size_t refuse_exchange_count;
	/* What else it has that another one may lack ("collation C of column name"). */
	const char *const *settings;
	size_t setting_count;
	/* "role grantee" of each that was given for itself, sorted, in lines; NULL: not known. */
	const char *privileges;
	/* The statement that makes it, with its policies and tags; NULL: it was not read. */
	const char *ddl;
	int64_t rows; /* -1: not counted */
	int64_t lost; /* rows of a snapshot that the one in its place lacks; -1: not counted */
	json_t *json; /* as the catalog answered; borrowed from the picture */
	const char *version; /* changes with every write, where no hash is made; NULL otherwise */
	const char *content; /* hash of the rows where the identity needs one; NULL otherwise */
};

/* Names are compared as the dialect compares them. */
const struct table_column *table_column(const struct dialect *dialect, const struct table *table,
					const char *name);

/* The same columns with the same types, in any order. */
bool table_same_columns(const struct dialect *dialect, const struct table *a,
			const struct table *b);

/* Whether a view with the columns of `after` can replace one with those of `before` in place: the
 * same columns in the same order, and perhaps more behind them. */
bool table_extends_columns(const struct table *before, const struct table *after);

/* What the catalog says of two; it says nothing where it would say "". */
bool table_same_text(const char *a, const char *b);
/* The same object, or none on both sides. */
bool table_same_object(const struct table *a, const struct table *b);
/* Whether a list of a table, what it refuses or its settings, has the word. */
bool table_lists(const char *const *words, size_t n, const char *word);
/* Adds the settings of `was` that `now` has not, but for those of columns that went. */
void table_list_lost(const struct dialect *dialect, const struct table *was,
		     const struct table *now, struct strv *lost);

bool table_is_view(const struct table *table);
bool table_is_materialized(const struct table *table); /* a view with rows of its own */
bool table_same_layout(const struct table *a, const struct table *b);
bool table_has_index(const struct table *table, const struct table_part *index);
bool table_has_constraint(const struct table *table, const struct table_part *constraint);
bool table_is_foreign_key(const struct table_part *constraint);
bool table_is_primary_key(const struct table_part *constraint);

/*
 * What a new table with the columns of `from` cannot take over from the one that it replaces: a
 * part whose column is gone, or a constraint for which `from` has another, by name or as its
 * primary key.
 */
bool table_loses_index(const struct dialect *dialect, const struct table *from,
		       const struct table_part *index);
bool table_loses_constraint(const struct dialect *dialect, const struct table *from,
			    const struct table_part *constraint);

#endif
