/*
 * container: what the warehouse's catalog says of a schema, a database or a file that is exchanged
 * whole, as observe read it. Of what is in a database or a file the names are "schema.name".
 *
 * `makes` and `removes` were written by the warehouse itself and are SQL.
 * Ownership: everything belongs to the picture (struct observed) that holds it.
 */
#ifndef AIRLOCK_WAREHOUSE_CONTAINER_H
#define AIRLOCK_WAREHOUSE_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "airlock/warehouse/relation.h"

struct container_object {
	const char *kind;   /* "table", "view", "function", ... */
	const char *name;   /* of a function with its arguments */
	const char *object; /* identity; NULL where the container's own list has them */
	/* The parts of its name and its owner, where the warehouse has other databases; or NULL. */
	const char *schema;
	const char *identifier;
	const char *owner;
	bool clusters;   /* a table that the service clusters by itself */
	size_t runs_nth; /* of dynamic tables that refresh themselves, by age; 0: it does not */
};

/* A privilege on it, or on something in it. */
struct container_grant {
	/* "database", "schema", "table", "view", ...; of those to come: "future table", ... */
	const char *on;
	const char *schema; /* of what it is on; "" of a database */
	const char *name;   /* of what it is on */
	const char *privilege;
	const char *to; /* "ROLE", "SHARE", ... */
	const char *grantee;
	bool with_option;
};

struct container_tag {
	const char *schema;  /* in it, that has the tag; "": a database itself */
	struct relation tag; /* its whole name */
	const char *value;
};

/* Something outside that follows the objects, and not their names. */
struct container_dependent {
	const char *what; /* "view reports.daily" */
	/* Of a view: its name, without a database; identifier NULL of others. */
	struct relation view;
	const char *removes; /* before the exchange; NULL: nothing */
	const char *makes;   /* after it, over the new objects; NULL: it cannot be made again */
};

/* What a relation of it has and no statement of ours gives to another one. */
struct container_given {
	const char *relation; /* its name */
	const char *what;     /* "trigger audit" */
};

/* In a database that is exchanged. */
struct container_schema {
	const char *name;
	const char *owner;
	const char *comment;
	bool owned; /* this session may act as its owner */
	bool is_transient;
	bool is_managed;
	int64_t retention_days;
};

struct container {
	struct relation schema; /* no identifier; of a database or a file "" */
	bool is_production;
	const char *object; /* identity */
	const char *owner;
	bool owned; /* this session may rename it */
	const char *comment;
	const char *seen; /* a hash of all of this */
	/* Changes with every write to what is in it, where a copy of it whole can be made. */
	const char *altered;
	/* Of staging, when a publish is resumed: it has changed places already, and what was
	 * production has its restore name too. */
	bool is_swapped;
	bool is_aside;
	struct container_object *objects;
	size_t object_count;
	struct container_dependent *dependents;
	size_t dependent_count;
	bool is_transient;
	bool is_managed; /* only its owner grants */
	int64_t retention_days;
	int64_t bytes; /* of a database */
	struct container_schema *schemas;
	size_t schema_count;
	struct container_grant *grants; /* where the warehouse does not carry them itself */
	size_t grant_count;
	struct container_tag *tags; /* likewise */
	size_t tag_count;
	struct container_given *given;
	size_t given_count;
};

/* Whether it holds an object of that name; "table" and "view" are one kind of name. */
const struct container_schema *container_schema(const struct container *container,
						const char *name);
bool container_has(const struct container *container, const struct container_object *object);
const struct container_object *container_find(const struct container *container,
					      const struct container_object *like);
bool container_has_relation(const struct container *container, const char *name);
bool container_has_given(const struct container *container, const struct container_given *given);

#endif
