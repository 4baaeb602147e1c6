#include "airlock/warehouse/table.h"

#include <string.h>
#include <strings.h>

#include "airlock/warehouse/dialect.h"

static bool same_name(const struct dialect *dialect, const char *a, const char *b)
{
	return (dialect->folds_case ? strcasecmp(a, b) : strcmp(a, b)) == 0;
}

const struct table_column *table_column(const struct dialect *dialect, const struct table *table,
					const char *name)
{
	for (size_t i = 0; i < table->column_count; i++)
		if (same_name(dialect, table->columns[i].name, name))
			return &table->columns[i];
	return NULL;
}

bool table_same_columns(const struct dialect *dialect, const struct table *a, const struct table *b)
{
	if (a->column_count != b->column_count)
		return false;
	for (size_t i = 0; i < a->column_count; i++) {
		const struct table_column *other = table_column(dialect, b, a->columns[i].name);

		if (!other || strcmp(other->type, a->columns[i].type) != 0)
			return false;
	}
	return true;
}

bool table_extends_columns(const struct table *before, const struct table *after)
{
	if (after->column_count < before->column_count)
		return false;
	for (size_t i = 0; i < before->column_count; i++)
		if (strcmp(after->columns[i].name, before->columns[i].name) != 0 ||
		    strcmp(after->columns[i].type, before->columns[i].type) != 0)
			return false;
	return true;
}

bool table_same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

bool table_same_object(const struct table *a, const struct table *b)
{
	return a && b ? table_same_text(a->object, b->object) : a == b;
}

bool table_lists(const char *const *words, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(words[i], word) == 0)
			return true;
	return false;
}

void table_list_lost(const struct dialect *dialect, const struct table *was,
		     const struct table *now, struct strv *lost)
{
	static const char of_column[] = " of column ";

	for (size_t i = 0; i < was->setting_count; i++) {
		const char *column = strstr(was->settings[i], of_column);

		if (column && !table_column(dialect, now, column + strlen(of_column)))
			continue;
		if (!table_lists(now->settings, now->setting_count, was->settings[i]))
			strv_push(lost, was->settings[i]);
	}
}

bool table_same_layout(const struct table *a, const struct table *b)
{
	return table_same_text(a->layout, b->layout);
}

bool table_is_view(const struct table *table)
{
	return strcmp(table->kind, "view") == 0;
}

bool table_is_materialized(const struct table *table)
{
	return strcmp(table->kind, "materialized view") == 0;
}

static bool has_part(const struct table_part *parts, size_t n, const struct table_part *wanted)
{
	for (size_t i = 0; i < n; i++)
		if (parts[i].unique == wanted->unique &&
		    strcmp(parts[i].definition, wanted->definition) == 0)
			return true;
	return false;
}

bool table_has_index(const struct table *table, const struct table_part *index)
{
	return has_part(table->indexes, table->index_count, index);
}

bool table_has_constraint(const struct table *table, const struct table_part *constraint)
{
	return has_part(table->constraints, table->constraint_count, constraint);
}

static bool begins(const struct table_part *constraint, const char *word)
{
	return strncmp(constraint->definition, word, strlen(word)) == 0;
}

bool table_is_foreign_key(const struct table_part *constraint)
{
	return begins(constraint, "FOREIGN KEY");
}

bool table_is_primary_key(const struct table_part *constraint)
{
	return begins(constraint, "PRIMARY KEY");
}

bool table_loses_index(const struct dialect *dialect, const struct table *from,
		       const struct table_part *index)
{
	for (size_t i = 0; i < index->column_count; i++)
		if (!table_column(dialect, from, index->columns[i]))
			return true;
	return false;
}

bool table_loses_constraint(const struct dialect *dialect, const struct table *from,
			    const struct table_part *constraint)
{
	if (table_loses_index(dialect, from, constraint))
		return true;
	if (table_has_constraint(from, constraint))
		return false;
	for (size_t i = 0; i < from->constraint_count; i++) {
		const struct table_part *other = &from->constraints[i];

		if (table_is_foreign_key(other))
			continue;
		if (same_name(dialect, other->name, constraint->name) ||
		    (table_is_primary_key(other) && table_is_primary_key(constraint)))
			return true;
	}
	return false;
}
