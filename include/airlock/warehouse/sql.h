/*
 * sql: SQL text from templates with typed placeholders; there is no way to splice raw text.
 *
 * A placeholder is {name}, {name:kind}; the kind must be the argument's own (default: any).
 * "{{" is a literal brace. Kinds and what they render:
 *
 *   relation    "db"."schema"."identifier", or "schema"."identifier" where the dialect's
 *               statements cannot name a database
 *   schema      the first two parts of a relation, likewise; the first alone where the second is ""
 *   ident       one quoted identifier
 *   idents      a comma list of quoted identifiers
 *   relations   a comma list of relations
 *   names       a comma list of rows of literals, ('database', 'schema', 'identifier'), ...
 *   literal     a quoted string literal, NULL as null
 *   number      a decimal integer
 *   catalog     text that the warehouse itself wrote and that is SQL already (a type name of
 *               format_type, pg_get_indexdef, duckdb_indexes.sql); never anything else
 *   statement   SQL that sql_render itself made before (a column list, a body)
 *   query       what stands behind "create view NAME": a model's SQL as dbt compiled it, in
 *               brackets, or a definition of the catalog
 *   bind        a value only known when it runs, by name: see below
 *
 * What only the build or the locked state decides has no value yet: an argument with `undecided`
 * set is printed as <its text> whatever its kind, and cannot be run.
 *
 * Binds: the deployment's id, time, host, nonce and fences are not known when a plan is made.
 * They stand in the text as a mark (SQL_BIND_MARK name SQL_BIND_MARK) that sql_show() prints as
 * <name> and sql_bind() replaces: inside quotes as it is (values are checked to be
 * [A-Za-z0-9_.:-]), so that a template writes '{id}' or an identifier holds one (sql_bind_mark()).
 * A mark that comes from anywhere else is refused before (relation_check, observed_parse).
 */
#ifndef AIRLOCK_WAREHOUSE_SQL_H
#define AIRLOCK_WAREHOUSE_SQL_H

#include <stddef.h>
#include <stdint.h>

#include "airlock/base/buf.h"
#include "airlock/base/err.h"
#include "airlock/base/strv.h"
#include "airlock/warehouse/relation.h"

#define SQL_BIND_MARK '\x01'

enum sql_kind {
	SQL_RELATION = 1,
	SQL_SCHEMA,
	SQL_IDENT,
	SQL_IDENTS,
	SQL_RELATIONS,
	SQL_NAMES,
	SQL_LITERAL,
	SQL_NUMBER,
	SQL_CATALOG,
	SQL_STATEMENT,
	SQL_QUERY,
	SQL_BIND,
};

struct sql_arg {
	const char *name;
	enum sql_kind kind;
	const struct relation *relation; /* RELATION, SCHEMA; RELATIONS, NAMES: the first of n */
	const char *text;                /* IDENT, LITERAL, CATALOG, STATEMENT, QUERY, BIND */
	const char *const *idents;       /* IDENTS: n names */
	size_t n;
	int64_t number;
	const char *undecided; /* what it will be, in words; NULL when it is decided */
};

#define SQL_ARG_RELATION(NAME, RELATION)                                                           \
	{                                                                                          \
		.name = (NAME), .kind = SQL_RELATION, .relation = (RELATION)                       \
	}
#define SQL_ARG_SCHEMA(NAME, RELATION)                                                             \
	{                                                                                          \
		.name = (NAME), .kind = SQL_SCHEMA, .relation = (RELATION)                         \
	}
#define SQL_ARG_IDENT(NAME, TEXT)                                                                  \
	{                                                                                          \
		.name = (NAME), .kind = SQL_IDENT, .text = (TEXT)                                  \
	}
#define SQL_ARG_IDENTS(NAME, IDENTS, N)                                                            \
	{                                                                                          \
		.name = (NAME), .kind = SQL_IDENTS, .idents = (IDENTS), .n = (N)                   \
	}
#define SQL_ARG_RELATIONS(NAME, FIRST, N)                                                          \
	{                                                                                          \
		.name = (NAME), .kind = SQL_RELATIONS, .relation = (FIRST), .n = (N)               \
	}
#define SQL_ARG_NAMES(NAME, FIRST, N)                                                              \
	{                                                                                          \
		.name = (NAME), .kind = SQL_NAMES, .relation = (FIRST), .n = (N)                   \
	}
#define SQL_ARG_LITERAL(NAME, TEXT)                                                                \
	{                                                                                          \
		.name = (NAME), .kind = SQL_LITERAL, .text = (TEXT)                                \
	}
#define SQL_ARG_NUMBER(NAME, NUMBER)                                                               \
	{                                                                                          \
		.name = (NAME), .kind = SQL_NUMBER, .number = (NUMBER)                             \
	}
#define SQL_ARG_CATALOG(NAME, TEXT)                                                                \
	{                                                                                          \
		.name = (NAME), .kind = SQL_CATALOG, .text = (TEXT)                                \
	}
#define SQL_ARG_STATEMENT(NAME, TEXT)                                                              \
	{                                                                                          \
		.name = (NAME), .kind = SQL_STATEMENT, .text = (TEXT)                              \
	}
#define SQL_ARG_QUERY(NAME, TEXT)                                                                  \
	{                                                                                          \
		.name = (NAME), .kind = SQL_QUERY, .text = (TEXT)                                  \
	}
#define SQL_ARG_BIND(NAME)                                                                         \
	{                                                                                          \
		.name = (NAME), .kind = SQL_BIND, .text = (NAME)                                   \
	}
#define SQL_ARG_UNDECIDED(NAME, WORDS)                                                             \
	{                                                                                          \
		.name = (NAME), .undecided = (WORDS)                                               \
	}

/* ERR_NAME_UNUSABLE for what cannot be quoted; ERR_INTERNAL for a template that does not fit. */
int sql_render(struct buf *out, const struct dialect *dialect, const char *template_text,
	       const struct sql_arg *args, size_t n, struct err *err);

/* `prefix`<bind>`suffix` as one name or literal for an argument, e.g. r_<id>_1; free() it. It is
 * the only text with a mark that IDENT, IDENTS, RELATION and LITERAL take. */
char *sql_bind_mark(const char *prefix, const char *bind, const char *suffix);

/* What is printed: each bind and undecided value as <name>. */
void sql_show(struct buf *out, const char *sql);

struct sql_binding {
	const char *name;
	const char *value;
};

/* What is run. ERR_INTERNAL when a bind has no binding or its value holds other characters. */
int sql_bind(struct buf *out, const char *sql, const struct sql_binding *bindings, size_t n,
	     struct err *err);

#endif
