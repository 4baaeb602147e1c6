#include "airlock/warehouse/table.h"

#include <string.h>

const struct table_column *table_column(const struct table *table, const char *name)
{
	for (size_t i = 0; i < table->column_count; i++)
		if (strcmp(table->columns[i].name, name) == 0)
			return &table->columns[i];
	return NULL;
}

bool table_same_columns(const struct table *a, const struct table *b)
{
	if (a->column_count != b->column_count)
		return false;
	for (size_t i = 0; i < a->column_count; i++) {
		const struct table_column *other = table_column(b, a->columns[i].name);

		if (!other || strcmp(other->type, a->columns[i].type) != 0)
			return false;
	}
	return true;
}

bool table_has_columns_of(const struct table *table, const struct table_part *part)
{
	for (size_t i = 0; i < part->column_count; i++)
		if (!table_column(table, part->columns[i]))
			return false;
	return true;
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
