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

/* publish_postgres_locks.c: against writers of production, and against anything that would replace
 * a table of staging; then against the readers of what makes room. */
int postgres_push_writer_locks(struct strv *statements, const struct dialect *dialect,
			       const struct publish_set *set, struct err *err);
int postgres_push_reader_locks(struct strv *statements, const struct dialect *dialect,
			       const struct publish_set *set, struct err *err);

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

/* An index or constraint, with its name and comment. */
int postgres_push_part(struct strv *statements, const struct dialect *dialect,
		       const struct relation *on, const struct table_part *part, bool is_constraint,
		       struct err *err);
/* A statement about two relations, {a} and {b}. */
int postgres_push_pair(struct strv *statements, const struct dialect *dialect,
		       const char *statement, const struct relation *a, const struct relation *b,
		       struct err *err);

/* An empty table like staging's, logged or not as that one is; `but` is SQL behind INCLUDING ALL.
 */
int postgres_push_like(struct strv *statements, const struct dialect *dialect,
		       const struct publish_table *t, const struct relation *table, const char *but,
		       struct err *err);

/* Staging's comments on table and columns where it has them, else those of production; but not
 * what `has` has already. */
int postgres_push_comments(struct strv *statements, const struct dialect *dialect,
			   const struct publish_table *t, const struct relation *on,
			   const struct table *has, struct err *err);

/* The comment that says what the restore point is. */
int postgres_push_marker(struct strv *statements, const struct dialect *dialect,
			 const struct publish_table *t, struct err *err);

/* Nobody writes the tables of the set any more, and they are what the plan saw. */
int postgres_push_guards(struct strv *statements, const struct dialect *dialect,
			 const struct publish_set *set, struct err *err);
/* Builds the new table beside the old one, while readers still read that. */
int postgres_push_aside(struct strv *statements, const struct dialect *dialect,
			const struct publish_table *t, struct err *err);
/* What columns of production had and those of staging do not say anything about. */
int postgres_push_defaults(struct strv *statements, const struct dialect *dialect,
			   const struct publish_table *t, const struct relation *on,
			   struct err *err);
int postgres_push_not_null(struct strv *statements, const struct dialect *dialect,
			   const struct publish_table *t, const struct relation *on,
			   struct err *err);
/* The two change places; nobody may read the old one meanwhile. */
int postgres_push_exchange(struct strv *statements, const struct dialect *dialect,
			   const struct publish_table *t, struct err *err);
/* What the exchange could not put into the restore schema is dropped. */
int postgres_push_discard(struct strv *statements, const struct dialect *dialect,
			  const struct publish_table *t, struct err *err);
/* The table or view of production makes room: to the restore schema, or aside. */
int postgres_push_room(struct strv *statements, const struct dialect *dialect,
		       const struct publish_table *t, struct err *err);
/* Nothing has begun to depend on it since it was observed. */
int postgres_push_unchanged(struct strv *statements, const struct dialect *dialect,
			    const struct publish_set *set, const struct publish_table *t,
			    struct err *err);

/* publish_postgres_grants.c */
/* `grants:` of the nodes that set them, as dbt gives them: no others stay. */
int postgres_push_node_grants(struct strv *statements, const struct dialect *dialect,
			      const struct publish_set *set, struct err *err);
/* A text that names {old_name:literal} and {new_name:literal}. */
int postgres_push_of_two(struct strv *statements, const struct dialect *dialect, const char *body,
			 const struct relation *old, const struct relation *new, struct err *err);
/* The privileges of `old` and of its columns, no more and no fewer. */
int postgres_push_grants_of(struct strv *statements, const struct dialect *dialect,
			    const struct relation *old, const struct relation *new,
			    struct err *err);

/* publish_postgres_views.c */
int postgres_choose_view(const struct publish_table *table, enum publish_way *ret_way,
			 const char **ret_reason, struct err *err);
/* `view` NULL: not decided yet. */
int postgres_push_view_assert(struct strv *statements, const struct dialect *dialect,
			      const struct relation *relation, const struct table *view,
			      const char *what, struct err *err);
/* <prefix><id>_<number> in the schema of the relation; *ret_name is for free(). */
struct relation postgres_aside(const struct relation *relation, char **ret_name, const char *prefix,
			       size_t number);
int postgres_push_view_aside(struct strv *statements, const struct dialect *dialect,
			     const struct relation *view, const char *prefix, size_t number,
			     struct err *err);
int postgres_push_views_aside(struct strv *statements, const struct dialect *dialect,
			      const struct publish_set *set, struct err *err);
int postgres_push_views(struct strv *statements, const struct dialect *dialect,
			const struct publish_set *set, struct err *err);
int postgres_push_view_drops(struct strv *statements, const struct dialect *dialect,
			     const struct publish_set *set, struct err *err);
int postgres_push_view_check(struct strv *statements, const struct dialect *dialect,
			     const struct publish_table *t, struct err *err);

/* The object that an exchange or a removal moved away comes back, with the names it had. */
int postgres_push_return(struct strv *statements, const struct dialect *dialect,
			 const struct publish_table *t, struct err *err);
/* Of a table that is what it was before: behind all moves. Nothing for others. */
int postgres_push_foreign_keys(struct strv *statements, const struct dialect *dialect,
			       const struct publish_table *t, struct err *err);

#endif
