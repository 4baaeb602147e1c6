/*
 * dialect_rows: what the files of one warehouse give to the table in dialect.c. Not for others.
 */
#ifndef AIRLOCK_WAREHOUSE_DIALECT_ROWS_H
#define AIRLOCK_WAREHOUSE_DIALECT_ROWS_H

#include "airlock/warehouse/dialect.h"

/* The rows of a table called x, in any order; x.* is no column of it. */
#define POSTGRES_CONTENT "coalesce(sum(hashtextextended(row(x.*)::text, 0)::numeric), 0)::text"

/* As DuckDB compares names: letters of ASCII only, which lower() is not limited to. */
#define DUCKDB_FOLD(NAME)                                                                          \
	"translate(" NAME ", 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz')"

extern const struct dialect dialect_bigquery;
extern const struct dialect dialect_duckdb;
extern const struct dialect dialect_postgres;
extern const struct dialect dialect_snowflake;

int duckdb_choose_way(const struct publish_table *table, enum publish_way *ret_way,
		      const char **ret_reason, struct err *err);
int duckdb_publish(const struct dialect *dialect, const struct publish_set *set,
		   struct strv *statements, struct err *err);
/* The tables of the set and both files are what was tested and seen. */
/* column NULL: of the relation itself. */
int duckdb_push_comment(struct strv *statements, const struct dialect *dialect,
			const struct relation *relation, bool is_view, const char *column,
			const char *comment, struct err *err);
int duckdb_push_index(struct strv *statements, const struct dialect *dialect,
		      const struct relation *on, const struct table_part *index, const char *name,
		      struct err *err);
/* In swap_duckdb.c. ERR_UNSUPPORTED for what the new file would lack. */
int duckdb_carry(const struct dialect *dialect, const struct publish_set *set,
		 struct strv *statements, struct err *err);
int duckdb_push_asserts(const struct dialect *dialect, const struct publish_set *set,
			struct strv *statements, struct err *err);
int duckdb_check_files(const struct dialect *dialect, const struct publish_set *set,
		       struct strv *statements, struct err *err);
int postgres_choose_way(const struct publish_table *table, enum publish_way *ret_way,
			const char **ret_reason, struct err *err);
int postgres_publish(const struct dialect *dialect, const struct publish_set *set,
		     struct strv *statements, struct err *err);
int postgres_mark(const struct dialect *dialect, const struct publish_set *set,
		  struct strv *statements, struct err *err);
/* The containers of the set change places. */
int postgres_swap(const struct dialect *dialect, const struct publish_set *set,
		  struct strv *statements, struct err *err);

int duckdb_copy(const struct dialect *dialect, const struct publish_set *set,
		struct strv *statements, struct err *err);
enum publish_way postgres_choose_copy(const struct publish_table *table);
int postgres_copy(const struct dialect *dialect, const struct publish_set *set,
		  struct strv *statements, struct err *err);

int snowflake_choose_way(const struct publish_table *table, enum publish_way *ret_way,
			 const char **ret_reason, struct err *err);
bool snowflake_is_answer(const char *message);
bool bigquery_is_answer(const char *message);
/* Lines as struct table has them, of DIALECT_OBSERVE_PRIVILEGES's arguments. */
#define BIGQUERY_PRIVILEGES                                                                        \
	"coalesce((select string_agg(g, '\\n' order by g) from (select distinct "                  \
	"privilege_type || ' ' || grantee as g "                                                   \
	"from {project}.{region}.INFORMATION_SCHEMA.OBJECT_PRIVILEGES "                            \
	"where object_schema = {in_schema:literal} and object_name = {identifier:literal})), '')"
int snowflake_publish(const struct dialect *dialect, const struct publish_set *set,
		      struct strv *statements, struct err *err);
int snowflake_mark(const struct dialect *dialect, const struct publish_set *set,
		   struct strv *statements, struct err *err);
int snowflake_copy(const struct dialect *dialect, const struct publish_set *set,
		   struct strv *statements, struct err *err);

int bigquery_choose_way(const struct publish_table *table, enum publish_way *ret_way,
			const char **ret_reason, struct err *err);
int bigquery_publish(const struct dialect *dialect, const struct publish_set *set,
		     struct strv *statements, struct err *err);
int bigquery_keep(const struct dialect *dialect, const struct publish_set *set,
		  struct strv *statements, struct err *err);
int bigquery_give_back(const struct dialect *dialect, const struct publish_set *set,
		       struct strv *statements, struct err *err);
int bigquery_copy(const struct dialect *dialect, const struct publish_set *set,
		  struct strv *statements, struct err *err);

/* ERR_UNSUPPORTED for what no way can publish: the wrong kind, a feature that would be lost. */
int publish_check(const struct publish_table *table, struct err *err);
int publish_refuse(const struct publish_table *table, const char *what, const char *hint,
		   struct err *err);
/* Each a table of its own, with the rows and the marker. */
int publish_keep(const struct dialect *dialect, const struct publish_set *set,
		 struct strv *statements, struct err *err);
/* Into staging, where a table that is there is replaced. */
enum publish_way publish_choose_copy(const struct publish_table *table);
/* With commas between; free() it. */
char *publish_list(const char *const *words, size_t n);

#endif
