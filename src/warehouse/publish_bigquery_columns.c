/*
 * Descriptions and policy tags of columns. A copy brings those of what it is a copy of, and what a
 * build makes anew has those of the project alone. A description that production has besides is set
 * on the frozen table before it is copied, so that production changes once. A view has none behind
 * its replace, and gets all: not by a list of columns in the statement that makes it, which would
 * break the view when a table that it reads all of gets another column. For policy tags there
 * is no statement, and without them everybody reads the column: they are compared before anything
 * changes, and again behind each copy.
 */
#include <string.h>
#include <strings.h>

#include "publish_bigquery.h"

/* Names of columns are compared without regard to case there. */
static const struct table_column *field_of(const struct table *table, const char *path)
{
	for (size_t i = 0; i < table->column_count; i++)
		if (strcasecmp(table->columns[i].name, path) == 0)
			return &table->columns[i];
	return NULL;
}

/* How the table itself writes it; NULL: it has none. Of an old record that does not name them it
 * may have every one. */
static const char *find_field(const struct table *table, const char *path)
{
	if (table->field_count == 0)
		return path;
	for (size_t i = 0; i < table->field_count; i++)
		if (strcasecmp(table->fields[i], path) == 0)
			return table->fields[i];
	return NULL;
}

static bool is_nested(const char *path)
{
	return strchr(path, '.') != NULL;
}

static bool is_described(const struct publish_table *t)
{
	return t->decided && t->from_table && t->way != PUBLISH_REMOVE && t->way != PUBLISH_KEEP;
}

static bool is_compared(const struct publish_table *t)
{
	return t->decided && !t->view && t->from_table && t->way != PUBLISH_REMOVE;
}

static int refuse_tags(const struct publish_table *t, const struct table_column *was,
		       const struct table_column *becomes, struct err *err)
{
	char *why CLEANUP(mem_free_string) =
		mem_printf("its column '%s' has the policy tags '%s' in production, and what is "
			   "published has '%s' there: without them everybody would read it",
			   was->name, was->tags, becomes && becomes->tags ? becomes->tags : "none");

	return publish_refuse(t, why,
			      "give that column the same 'policy_tags' in the project, with "
			      "'persist_docs: {columns: true}', or take them from production's",
			      err);
}

int bigquery_check_columns(const struct publish_table *t, struct err *err)
{
	if (!is_compared(t) || !t->to_table)
		return 0;
	for (size_t i = 0; i < t->to_table->column_count; i++) {
		const struct table_column *was = &t->to_table->columns[i];
		const struct table_column *becomes = field_of(t->from_table, was->name);

		if (was->tags && find_field(t->from_table, was->name) &&
		    !table_same_text(was->tags, becomes ? becomes->tags : NULL))
			return refuse_tags(t, was, becomes, err);
	}
	return 0;
}

/* What the project says of it comes along with a copy, and with a view only by a statement. */
static bool says_itself(const struct publish_table *t, const struct table_column *column)
{
	return column && column->comment && !(t->view && is_nested(column->name));
}

/* Production's own, where what is published says nothing. A rollback puts back what there was. */
static bool keeps_description(const struct publish_table *t, const struct table_column *was)
{
	return was->comment && !t->is_exact && find_field(t->from_table, was->name) &&
	       !says_itself(t, field_of(t->from_table, was->name));
}

static int refuse_nested(const struct push *p, const struct publish_table *t,
			 const struct table_column *was)
{
	char *why CLEANUP(mem_free_string) = mem_printf(
		"its field '%s' has a description in production%s, and no statement sets that of a "
		"field inside a column",
		was->name, t->view ? "" : " and none in what is published");

	return publish_refuse(t, why,
			      t->view ? "take it from production's"
				      : "describe it in the project, with 'persist_docs: "
					"{columns: true}', or take it from production's",
			      p->err);
}

static int add_description(const struct push *p, struct buf *actions, const char *name,
			   const char *comment)
{
	const struct sql_arg args[] = {
		SQL_ARG_IDENT("column", name),
		SQL_ARG_LITERAL("comment", comment),
	};

	if (actions->len > 0)
		buf_add_str(actions, ", ");
	return sql_render(actions, p->dialect,
			  "alter column {column:ident} set options (description = "
			  "{comment:literal})",
			  args, ARRAY_LEN(args), p->err);
}

static int add_kept(const struct push *p, const struct publish_table *t, struct buf *actions)
{
	for (size_t i = 0; t->to_table && i < t->to_table->column_count; i++) {
		const struct table_column *was = &t->to_table->columns[i];

		if (!keeps_description(t, was))
			continue;
		if (is_nested(was->name))
			return refuse_nested(p, t, was);
		if (add_description(p, actions, find_field(t->from_table, was->name),
				    was->comment) < 0)
			return -1;
	}
	return 0;
}

static int add_own(const struct push *p, const struct publish_table *t, struct buf *actions)
{
	for (size_t i = 0; t->view && i < t->from_table->column_count; i++) {
		const struct table_column *column = &t->from_table->columns[i];

		if (says_itself(t, column) &&
		    add_description(p, actions, column->name, column->comment) < 0)
			return -1;
	}
	return 0;
}

/* Of what was frozen; where nothing was, of production itself. All columns in one statement, which
 * is one change of its metadata. */
int bigquery_push_descriptions(const struct push *p, const struct publish_table *t)
{
	struct buf actions CLEANUP(buf_release) = BUF_INIT;

	if (!is_described(t))
		return 0;
	if (add_kept(p, t, &actions) < 0 || add_own(p, t, &actions) < 0)
		return -1;
	const struct sql_arg args[] = {
		SQL_ARG_STATEMENT("kind", t->view || t->is_view ? "view" : "table"),
		SQL_ARG_RELATION("it", t->view || !t->stage.identifier ? t->to : &t->stage),
		SQL_ARG_STATEMENT("actions", buf_cstr(&actions)),
	};

	return actions.len == 0
		       ? 0
		       : dialect_push_text(p->statements, p->dialect,
					   "alter {kind:statement} {it} {actions:statement}", args,
					   ARRAY_LEN(args), p->err);
}

/* Lines of `path value`, sorted. */
static char *lines_of(struct strv *lines)
{
	strv_sort(lines);
	return strv_join(lines, "\n");
}

#define RAISE_UNLESS_LINES(VALUE, CONDITION)                                                       \
	"select if(coalesce((select string_agg(l, '\\n' order by l) from (select "                 \
	"c.field_path || ' ' || " VALUE " as l "                                                   \
	"from {dataset:schema}.INFORMATION_SCHEMA.COLUMN_FIELD_PATHS as c "                        \
	"where c.table_name = {identifier:literal} and " CONDITION ")), '') = {wanted:literal}, "  \
	"1, error('" DIALECT_RAISED_COUNT " ' || {message:literal}))"

static int push_check(const struct push *p, const struct relation *relation, struct strv *lines,
		      const char *what, const char *text)
{
	char *wanted CLEANUP(mem_free_string) = lines_of(lines);
	char *display CLEANUP(mem_free_string) = relation_display(relation);
	char *message CLEANUP(mem_free_string) =
		mem_printf("the %s of %s are not those that it shall have", what, display);
	const struct sql_arg args[] = {
		SQL_ARG_SCHEMA("dataset", relation),
		SQL_ARG_LITERAL("identifier", relation->identifier),
		SQL_ARG_LITERAL("wanted", wanted),
		SQL_ARG_LITERAL("message", message),
	};

	return dialect_push_text(p->statements, p->dialect, text, args, ARRAY_LEN(args), p->err);
}

int bigquery_push_tags_check(const struct push *p, const struct publish_table *t,
			     const struct relation *relation)
{
	struct strv lines CLEANUP(strv_release) = STRV_INIT;

	for (size_t i = 0; is_compared(t) && i < t->from_table->column_count; i++)
		if (t->from_table->columns[i].tags)
			strv_pushf(&lines, "%s %s", t->from_table->columns[i].name,
				   t->from_table->columns[i].tags);
	if (lines.n == 0)
		return 0;
	return push_check(
		p, relation, &lines, "policy tags of columns",
		RAISE_UNLESS_LINES("array_to_string(array(select x from unnest(c.policy_tags) as x "
				   "order by x), ',')",
				   "array_length(c.policy_tags) > 0"));
}

int bigquery_push_descriptions_check(const struct push *p, const struct publish_table *t)
{
	struct strv lines CLEANUP(strv_release) = STRV_INIT;

	if (!is_described(t))
		return 0;
	for (size_t i = 0; i < t->from_table->column_count; i++)
		if (says_itself(t, &t->from_table->columns[i]))
			strv_pushf(&lines, "%s %s", t->from_table->columns[i].name,
				   t->from_table->columns[i].comment);
	for (size_t i = 0; t->to_table && i < t->to_table->column_count; i++)
		if (keeps_description(t, &t->to_table->columns[i]))
			strv_pushf(&lines, "%s %s",
				   find_field(t->from_table, t->to_table->columns[i].name),
				   t->to_table->columns[i].comment);
	if (lines.n == 0)
		return 0;
	/* What else a view shows may be of the tables that it reads. */
	return push_check(
		p, t->to, &lines, "descriptions of columns",
		t->view ? RAISE_UNLESS_LINES("c.description",
					     "strpos('\\n' || {wanted:literal} || '\\n', '\\n' || "
					     "c.field_path || ' ' || c.description || '\\n') > 0")
			: RAISE_UNLESS_LINES("c.description", "coalesce(c.description, '') != ''"));
}
