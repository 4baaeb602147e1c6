/*
 * publish_postgres: what the files of publishing on PostgreSQL share. Not for others.
 *
 * All append statements and return 0, or -1 with *err set.
 */
#ifndef AIRLOCK_WAREHOUSE_PUBLISH_POSTGRES_H
#define AIRLOCK_WAREHOUSE_PUBLISH_POSTGRES_H

#include "airlock/warehouse/dialect_rows.h"

/* "schema"."identifier", as the text that ::regclass reads. free() it; NULL on error. */
char *postgres_relation_text(const struct dialect *dialect, const struct relation *relation,
			     struct err *err);

/* The rows of staging, by the names of its columns. */
int postgres_push_insert(struct strv *statements, const struct dialect *dialect,
			 const struct publish_table *t, const struct relation *into,
			 struct err *err);

/* A statement about {table} with at most {name}, {definition} and {text:literal}. */
struct postgres_words {
	const char *name;
	const char *definition;
	const char *text;
};

int postgres_push_on(struct strv *statements, const struct dialect *dialect,
		     const struct relation *table, const char *statement,
		     const struct postgres_words *words, struct err *err);

/* A statement about two relations, {a} and {b}. */
int postgres_push_pair(struct strv *statements, const struct dialect *dialect,
		       const char *statement, const struct relation *a, const struct relation *b,
		       struct err *err);

/* Staging's comments on table and columns where it has them, else those of production; but not
 * what `has` has already. */
int postgres_push_comments(struct strv *statements, const struct dialect *dialect,
			   const struct publish_table *t, const struct relation *on,
			   const struct table *has, struct err *err);

/* The comment that says what the restore point is. */
int postgres_push_marker(struct strv *statements, const struct dialect *dialect,
			 const struct publish_table *t, struct err *err);

/* Builds the new table beside the old one, while readers still read that. */
int postgres_push_aside(struct strv *statements, const struct dialect *dialect,
			const struct publish_table *t, struct err *err);
/* The two change places; nobody may read the old one meanwhile. */
int postgres_push_exchange(struct strv *statements, const struct dialect *dialect,
			   const struct publish_table *t, struct err *err);
/* Production had none: what is there moves to the restore schema. */
int postgres_push_removal(struct strv *statements, const struct dialect *dialect,
			  const struct publish_table *t, struct err *err);
/* The object that an exchange or a removal moved away comes back, with the names it had. */
int postgres_push_return(struct strv *statements, const struct dialect *dialect,
			 const struct publish_table *t, struct err *err);

#endif
