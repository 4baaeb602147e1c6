/*
 * A table that takes the place of another one on PostgreSQL.
 *
 * The new one is built aside in the schema of production, with the columns of staging. Names of
 * indexes are one per schema, so those that both tables have are built under names of their own
 * and get the final ones when the old table has moved away. Constraints that own no index belong
 * to their table alone and have their names from the beginning.
 *
 * An exact one has the rows of a restore point and for the rest what the history says of the table
 * that it was; there may be none that it takes the place of.
 */
#include <stdlib.h>
#include <string.h>

#include "publish_postgres.h"

/* The table must still be what the plan saw: nothing has begun to depend on it, and no column,
 * index or constraint was added. */
#define UNCHANGED_BODY                                                                             \
	"do declare t constant oid := {old_name:literal}::regclass; what text; begin "             \
	"select string_agg(distinct w, ', ') into what from ("                                     \
	"select 'it is used by ' || r.ev_class::regclass::text as w "                              \
	"from pg_depend d join pg_rewrite r on r.oid = d.objid "                                   \
	"where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass "        \
	"and d.refobjid = t and r.ev_class <> t "                                                  \
	"and r.ev_class <> all (array[{known:statement}]::regclass[]::oid[]) "                     \
	"union all select 'it is used by ' || d.objid::regprocedure::text from pg_depend d "       \
	"where d.classid = 'pg_proc'::regclass and d.refobjid in (t, "                             \
	"(select c.reltype from pg_class c where c.oid = t)) "                                     \
	"union all select 'it is referenced by ' || k.conrelid::regclass::text "                   \
	"from pg_constraint k where k.confrelid = t and k.contype = 'f' "                          \
	"union all select 'it has the trigger ' || g.tgname from pg_trigger g "                    \
	"where g.tgrelid = t and not g.tgisinternal "                                              \
	"union all select 'it has the policy ' || p.polname from pg_policy p "                     \
	"where p.polrelid = t "                                                                    \
	"union all select 'it has row security' from pg_class c "                                  \
	"where c.oid = t and c.relrowsecurity "                                                    \
	"union all select 'it is in the publication ' || u.pubname from pg_publication_rel m "     \
	"join pg_publication u on u.oid = m.prpubid where m.prrelid = t "                          \
	"union all select 'its columns changed' where {columns:number} <> (select count(*) "       \
	"from pg_attribute a where a.attrelid = t and a.attnum > 0 and not a.attisdropped) "       \
	"union all select 'its indexes changed' where {indexes:number} <> (select count(*) "       \
	"from pg_index x where x.indrelid = t) "                                                   \
	"union all select 'its constraints changed' where {constraints:number} <> "                \
	"(select count(*) from pg_constraint k where k.conrelid = t "                              \
	"and k.contype in ('p', 'u', 'x', 'c', 'f'))) q; "                                         \
	"if what is not null then raise exception '" DIALECT_RAISED_CONFLICT                       \
	" % (production) is no longer what was planned: %', {shown:literal}, what; end if; end"

/* Staging's own name for an index that production did not have, unless it is taken there. */
#define RENAME_IF_FREE_BODY                                                                        \
	"do begin if to_regclass({wanted:literal}) is null then "                                  \
	"alter index {index:relation} rename to {name:ident}; end if; end"

/* Names that exist for the length of the transaction, or for good in the restore schema. */
static char *aside_name(const struct publish_table *t, const char *prefix, size_t part)
{
	char *suffix CLEANUP(mem_free_string) =
		part > 0 ? mem_printf("_%zu_%zu", t->number, part) : mem_printf("_%zu", t->number);

	return sql_bind_mark(prefix, "id", suffix);
}

static struct relation beside(const struct publish_table *t, const char *identifier)
{
	return (struct relation) { t->to->database, t->to->schema, identifier };
}

/* What the new one is to be, but for what staging says. */
static const struct table *table_as(const struct publish_table *t)
{
	return t->is_exact ? t->from_table : t->to_table;
}

/* An index, or a constraint, that the new table will have. */
struct kept {
	const struct table_part *part;
	bool is_constraint;
	bool of_staging; /* production has none like it */
	size_t number;   /* of its name aside */
};

struct kept_list {
	struct kept *v;
	size_t n;
};

static void kept_release(struct kept_list *list)
{
	free(list->v);
}

static void keep(struct kept_list *list, const struct table_part *part, bool is_constraint,
		 bool of_staging)
{
	list->v[list->n] = (struct kept) {
		.part = part,
		.is_constraint = is_constraint,
		.of_staging = of_staging,
		.number = list->n + 1,
	};
	list->n++;
}

/* Foreign keys come back behind all tables. */
static struct kept_list exact_parts(const struct table *table)
{
	struct kept_list list = { .n = 0 };

	list.v = mem_alloc((table->index_count + table->constraint_count + 1) * sizeof(*list.v));
	for (size_t i = 0; i < table->index_count; i++)
		keep(&list, &table->indexes[i], false, false);
	for (size_t i = 0; i < table->constraint_count; i++)
		if (!table_is_foreign_key(&table->constraints[i]))
			keep(&list, &table->constraints[i], true, false);
	return list;
}

/* Those of production that the new columns allow, then what only staging has. A foreign key of
 * staging points into staging. */
static struct kept_list kept_parts(const struct dialect *dialect, const struct publish_table *t)
{
	static const struct table unknown = { .kind = "table" };
	const struct table *from = t->from_table ? t->from_table : &unknown;
	const struct table *to = t->to_table;
	struct kept_list list = { .n = 0 };

	if (t->is_exact)
		return exact_parts(from);
	list.v = mem_alloc((to->index_count + to->constraint_count + from->index_count +
			    from->constraint_count + 1) *
			   sizeof(*list.v));
	for (size_t i = 0; i < to->index_count; i++)
		if (!table_loses_index(dialect, from, &to->indexes[i]))
			keep(&list, &to->indexes[i], false, false);
	for (size_t i = 0; i < to->constraint_count; i++)
		if (!table_loses_constraint(dialect, from, &to->constraints[i]))
			keep(&list, &to->constraints[i], true, false);
	for (size_t i = 0; i < from->index_count; i++)
		if (!table_has_index(to, &from->indexes[i]))
			keep(&list, &from->indexes[i], false, true);
	for (size_t i = 0; i < from->constraint_count; i++)
		if (!table_has_constraint(to, &from->constraints[i]) &&
		    !table_is_foreign_key(&from->constraints[i]))
			keep(&list, &from->constraints[i], true, true);
	return list;
}

static bool owns_index(const struct kept *kept)
{
	return !kept->is_constraint || kept->part->owns_index;
}

static const char *part_statement(const struct kept *kept)
{
	if (kept->is_constraint)
		return "alter table {table} add constraint {name} {definition}";
	return kept->part->unique ? "create unique index {name} on {table} {definition}"
				  : "create index {name} on {table} {definition}";
}

static int push_part(struct strv *statements, const struct dialect *dialect,
		     const struct publish_table *t, const struct relation *aside,
		     const struct kept *kept, struct err *err)
{
	char *own CLEANUP(mem_free_string) = aside_name(t, "airlock_i_", kept->number);
	const struct postgres_words words = {
		.name = owns_index(kept) ? own : kept->part->name,
		.definition = kept->part->definition,
		.text = kept->part->comment,
	};
	const struct relation index = beside(t, own);

	if (postgres_push_on(statements, dialect, aside, part_statement(kept), &words, err) < 0)
		return -1;
	if (!kept->part->comment)
		return 0;
	if (kept->is_constraint)
		return postgres_push_on(statements, dialect, aside,
					"comment on constraint {name} on {table} is {text:literal}",
					&words, err);
	return postgres_push_on(statements, dialect, &index,
				"comment on index {table} is {text:literal}", &words, err);
}

static int push_parts(struct strv *statements, const struct dialect *dialect,
		      const struct publish_table *t, const struct relation *aside, struct err *err)
{
	struct kept_list list CLEANUP(kept_release) = kept_parts(dialect, t);

	for (size_t i = 0; i < list.n; i++)
		if (push_part(statements, dialect, t, aside, &list.v[i], err) < 0)
			return -1;
	return 0;
}

/* What staging says of the column, if it has it; a restore point has rows alone. */
static const struct table_column *staging_column(const struct dialect *dialect,
						 const struct publish_table *t, const char *name)
{
	static const struct table_column bare = { .name = NULL };

	return t->is_exact ? &bare : table_column(dialect, t->from_table, name);
}

static int push_columns(struct strv *statements, const struct dialect *dialect,
			const struct publish_table *t, const struct relation *on, bool defaults,
			struct err *err)
{
	const struct table *like = table_as(t);
	const char *text =
		defaults ? "alter table {table} alter column {name} set default {definition}"
			 : "alter table {table} alter column {name} set not null";

	for (size_t i = 0; t->from_table && i < like->column_count; i++) {
		const struct table_column *old = &like->columns[i];
		const struct table_column *new = staging_column(dialect, t, old->name);
		const struct postgres_words words = { .name = old->name, .definition = old->value };

		if (new &&
		    (defaults ? old->value && !new->value : old->not_null && !new->not_null) &&
		    postgres_push_on(statements, dialect, on, text, &words, err) < 0)
			return -1;
	}
	return 0;
}

int postgres_push_defaults(struct strv *statements, const struct dialect *dialect,
			   const struct publish_table *t, const struct relation *on,
			   struct err *err)
{
	return push_columns(statements, dialect, t, on, true, err);
}

int postgres_push_not_null(struct strv *statements, const struct dialect *dialect,
			   const struct publish_table *t, const struct relation *on,
			   struct err *err)
{
	return push_columns(statements, dialect, t, on, false, err);
}

static int push_table_settings(struct strv *statements, const struct dialect *dialect,
			       const struct publish_table *t, const struct relation *aside,
			       struct err *err)
{
	static const struct table bare = { .kind = "table" };
	const struct table *like = table_as(t);
	const struct postgres_words words = {
		.name = like->owner,
		.definition = table_is_view(like) ? NULL : like->options,
	};

	if (postgres_push_comments(statements, dialect, t, aside,
				   t->is_exact ? &bare : t->from_table, err) < 0)
		return -1;
	if (words.definition &&
	    postgres_push_on(statements, dialect, aside, "alter table {table} set ({definition})",
			     &words, err) < 0)
		return -1;
	if (!words.name)
		return 0;
	return postgres_push_on(statements, dialect, aside, "alter table {table} owner to {name}",
				&words, err);
}

int postgres_push_aside(struct strv *statements, const struct dialect *dialect,
			const struct publish_table *t, struct err *err)
{
	char *name CLEANUP(mem_free_string) = aside_name(t, "airlock_", 0);
	const struct relation aside = beside(t, name);

	if (postgres_push_like(statements, dialect, t, &aside,
			       " excluding indexes excluding constraints", err) < 0 ||
	    postgres_push_insert(statements, dialect, t, &aside, err) < 0 ||
	    postgres_push_defaults(statements, dialect, t, &aside, err) < 0 ||
	    postgres_push_not_null(statements, dialect, t, &aside, err) < 0 ||
	    push_parts(statements, dialect, t, &aside, err) < 0)
		return -1;
	return push_table_settings(statements, dialect, t, &aside, err);
}

static int add_known(struct buf *known, const struct dialect *dialect,
		     const struct relation *relation, struct err *err)
{
	char *name CLEANUP(mem_free_string) = postgres_relation_text(dialect, relation, err);
	const struct sql_arg arg = SQL_ARG_LITERAL("name", name);

	if (!name)
		return -1;
	if (known->len > 0)
		buf_add_str(known, ", ");
	return sql_render(known, dialect, "{name}", &arg, 1, err);
}

/* The views that may read the table: what the publish makes anew or removes itself. */
static int list_known(const struct publish_set *set, const struct dialect *dialect,
		      struct buf *known, struct err *err)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct publish_table *t = &set->tables[i];

		if (t->to_table && table_is_view(t->to_table) &&
		    add_known(known, dialect, t->to, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < set->dependent_count; i++)
		if (add_known(known, dialect, &set->dependents[i].view->relation, err) < 0)
			return -1;
	return 0;
}

/* Before any view steps aside: it is known by its name. */
int postgres_push_unchanged(struct strv *statements, const struct dialect *dialect,
			    const struct publish_set *set, const struct publish_table *t,
			    struct err *err)
{
	const struct table *to = t->to_table;
	char *old_name CLEANUP(mem_free_string) = postgres_relation_text(dialect, t->to, err);
	char *shown CLEANUP(mem_free_string) = relation_display(t->to);
	struct buf known CLEANUP(buf_release) = BUF_INIT;
	size_t indexes = to->index_count;

	if (!old_name || list_known(set, dialect, &known, err) < 0)
		return -1;
	for (size_t i = 0; i < to->constraint_count; i++)
		indexes += to->constraints[i].owns_index;
	const struct sql_arg args[] = {
		SQL_ARG_LITERAL("old_name", old_name),
		SQL_ARG_LITERAL("shown", shown),
		SQL_ARG_STATEMENT("known", buf_cstr(&known)),
		SQL_ARG_NUMBER("columns", (int64_t)to->column_count),
		SQL_ARG_NUMBER("indexes", (int64_t)indexes),
		SQL_ARG_NUMBER("constraints", (int64_t)to->constraint_count),
	};

	return dialect_push_text(statements, dialect, UNCHANGED_BODY, args, ARRAY_LEN(args), err);
}

static int push_index_rename(struct strv *statements, const struct dialect *dialect,
			     const struct publish_table *t, const char *from, const char *to,
			     struct err *err)
{
	const struct relation index = beside(t, from);
	const struct postgres_words words = { .name = to };

	return postgres_push_on(statements, dialect, &index, "alter index {table} rename to {name}",
				&words, err);
}

/* Names of indexes live in the schema: the old ones step aside before the table moves away. */
static int push_old_names(struct strv *statements, const struct dialect *dialect,
			  const struct publish_table *t, struct err *err)
{
	const struct table *to = t->to_table;
	size_t count = to->index_count + to->constraint_count;

	for (size_t i = 0; i < count; i++) {
		bool is_constraint = i >= to->index_count;
		const struct table_part *part =
			is_constraint ? &to->constraints[i - to->index_count] : &to->indexes[i];
		char *name CLEANUP(mem_free_string) = aside_name(t, "r_i_", i + 1);

		if ((!is_constraint || part->owns_index) &&
		    push_index_rename(statements, dialect, t, part->name, name, err) < 0)
			return -1;
	}
	return 0;
}

/* A restore point must not forbid what others do to their tables. */
static int push_drop_foreign_keys(struct strv *statements, const struct dialect *dialect,
				  const struct publish_table *t, struct err *err)
{
	for (size_t i = 0; i < t->to_table->constraint_count; i++) {
		const struct table_part *constraint = &t->to_table->constraints[i];
		const struct postgres_words words = { .name = constraint->name };

		if (table_is_foreign_key(constraint) &&
		    postgres_push_on(statements, dialect, t->to,
				     "alter table {table} drop constraint {name}", &words, err) < 0)
			return -1;
	}
	return 0;
}

/* A view keeps its privileges until the new object has them; its text is in the history. */
int postgres_push_room(struct strv *statements, const struct dialect *dialect,
		       const struct publish_table *t, struct err *err)
{
	char *old CLEANUP(mem_free_string) = aside_name(t, "r_", 0);
	const struct relation moved = beside(t, old);
	const struct postgres_words rename = { .name = old };
	const struct postgres_words schema = { .name = t->restore.schema };

	if (table_is_view(t->to_table))
		return postgres_push_view_aside(statements, dialect, t->to, "airlock_o_", t->number,
						err);
	if (push_old_names(statements, dialect, t, err) < 0 ||
	    push_drop_foreign_keys(statements, dialect, t, err) < 0 ||
	    postgres_push_on(statements, dialect, t->to, "alter table {table} rename to {name}",
			     &rename, err) < 0)
		return -1;
	if (!t->restore.identifier)
		return 0;
	if (postgres_push_on(statements, dialect, &moved, "alter table {table} set schema {name}",
			     &schema, err) < 0)
		return -1;
	return postgres_push_marker(statements, dialect, t, err);
}

int postgres_push_discard(struct strv *statements, const struct dialect *dialect,
			  const struct publish_table *t, struct err *err)
{
	char *old CLEANUP(mem_free_string) = aside_name(t, "r_", 0);
	const struct relation moved = beside(t, old);

	if (t->restore.identifier || table_is_view(t->to_table))
		return 0;
	return postgres_push_pair(statements, dialect, "drop table {a}", &moved, &moved, err);
}

static int push_final_name(struct strv *statements, const struct dialect *dialect,
			   const struct publish_table *t, const struct kept *kept, struct err *err)
{
	char *own CLEANUP(mem_free_string) = aside_name(t, "airlock_i_", kept->number);
	const struct relation wanted = beside(t, kept->part->name);
	const struct relation index = beside(t, own);

	if (!kept->of_staging)
		return push_index_rename(statements, dialect, t, own, kept->part->name, err);
	char *text CLEANUP(mem_free_string) = postgres_relation_text(dialect, &wanted, err);
	const struct sql_arg args[] = {
		SQL_ARG_LITERAL("wanted", text),
		SQL_ARG_RELATION("index", &index),
		SQL_ARG_IDENT("name", kept->part->name),
	};

	return text ? dialect_push_text(statements, dialect, RENAME_IF_FREE_BODY, args,
					ARRAY_LEN(args), err)
		    : -1;
}

static int push_final_names(struct strv *statements, const struct dialect *dialect,
			    const struct publish_table *t, struct err *err)
{
	struct kept_list list CLEANUP(kept_release) = kept_parts(dialect, t);

	for (size_t i = 0; i < list.n; i++)
		if (owns_index(&list.v[i]) &&
		    push_final_name(statements, dialect, t, &list.v[i], err) < 0)
			return -1;
	return 0;
}

int postgres_push_exchange(struct strv *statements, const struct dialect *dialect,
			   const struct publish_table *t, struct err *err)
{
	char *name CLEANUP(mem_free_string) = aside_name(t, "airlock_", 0);
	const struct relation aside = beside(t, name);
	const struct postgres_words rename = { .name = t->to->identifier };

	if (t->to_table && (postgres_push_grants_of(statements, dialect, t->to, &aside, err) < 0 ||
			    postgres_push_room(statements, dialect, t, err) < 0))
		return -1;
	if (postgres_push_on(statements, dialect, &aside, "alter table {table} rename to {name}",
			     &rename, err) < 0)
		return -1;
	return push_final_names(statements, dialect, t, err);
}

/* Numbered as push_old_names() did: `from_table` is the picture from which that was made. */
static int push_names_back(struct strv *statements, const struct dialect *dialect,
			   const struct publish_table *t, struct err *err)
{
	const struct table *table = t->from_table;
	size_t count = table->index_count + table->constraint_count;

	for (size_t i = 0; i < count; i++) {
		bool is_constraint = i >= table->index_count;
		const struct table_part *part =
			is_constraint ? &table->constraints[i - table->index_count]
				      : &table->indexes[i];
		/* r_<id>_<n> of the table, r_i_<id>_<n>_<i> of its indexes. */
		char *name CLEANUP(mem_free_string) =
			mem_printf("r_i_%s_%zu", t->from->identifier + strlen("r_"), i + 1);

		if ((!is_constraint || part->owns_index) &&
		    push_index_rename(statements, dialect, t, name, part->name, err) < 0)
			return -1;
	}
	return 0;
}

int postgres_push_foreign_keys(struct strv *statements, const struct dialect *dialect,
			       const struct publish_table *t, struct err *err)
{
	bool comes_back = t->way == PUBLISH_RETURN || (t->way == PUBLISH_EXCHANGE && t->is_exact);

	for (size_t i = 0; comes_back && i < t->from_table->constraint_count; i++) {
		const struct table_part *constraint = &t->from_table->constraints[i];
		const struct postgres_words words = { .name = constraint->name,
						      .definition = constraint->definition };

		if (table_is_foreign_key(constraint) &&
		    postgres_push_on(statements, dialect, t->to,
				     "alter table {table} add constraint {name} {definition}",
				     &words, err) < 0)
			return -1;
	}
	return 0;
}

int postgres_push_return(struct strv *statements, const struct dialect *dialect,
			 const struct publish_table *t, struct err *err)
{
	const struct relation moved = beside(t, t->from->identifier);
	const struct postgres_words schema = { .name = t->to->schema };
	const struct postgres_words rename = { .name = t->to->identifier };
	const struct postgres_words comment = { .text = t->from_table->comment };

	if (t->to_table && postgres_push_room(statements, dialect, t, err) < 0)
		return -1;
	if (postgres_push_on(statements, dialect, t->from, "alter table {table} set schema {name}",
			     &schema, err) < 0 ||
	    postgres_push_on(statements, dialect, &moved, "alter table {table} rename to {name}",
			     &rename, err) < 0 ||
	    push_names_back(statements, dialect, t, err) < 0)
		return -1;
	return postgres_push_on(statements, dialect, t->to,
				"comment on table {table} is {text:literal}", &comment, err);
}
