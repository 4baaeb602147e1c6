#include "airlock/warehouse/relation.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "airlock/base/buf.h"
#include "airlock/warehouse/dialect.h"
#include "airlock/warehouse/sql.h"

static int compare_part(const struct dialect *dialect, const char *a, const char *b)
{
	a = a ? a : "";
	b = b ? b : "";
	return dialect->folds_case ? strcasecmp(a, b) : strcmp(a, b);
}

int relation_compare(const struct dialect *dialect, const struct relation *a,
		     const struct relation *b)
{
	int order = compare_part(dialect, a->database, b->database);

	if (order == 0)
		order = compare_part(dialect, a->schema, b->schema);
	if (order == 0)
		order = compare_part(dialect, a->identifier, b->identifier);
	return order;
}

bool relation_equal(const struct dialect *dialect, const struct relation *a,
		    const struct relation *b)
{
	return relation_compare(dialect, a, b) == 0;
}

bool relation_same_schema(const struct dialect *dialect, const struct relation *a,
			  const struct relation *b)
{
	return compare_part(dialect, a->database, b->database) == 0 &&
	       compare_part(dialect, a->schema, b->schema) == 0;
}

static bool is_plain_name(const char *name)
{
	if (!*name || isdigit((unsigned char)*name))
		return false;
	for (const char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '_' && *p != '$')
			return false;
	return true;
}

static void display_part(struct buf *out, const char *part)
{
	if (out->len > 0)
		buf_add_char(out, '.');
	if (is_plain_name(part)) {
		buf_add_str(out, part);
		return;
	}
	buf_add_char(out, '"');
	for (const char *p = part; *p; p++) {
		if (*p == '"')
			buf_add_char(out, '"');
		buf_add_char(out, *p);
	}
	buf_add_char(out, '"');
}

char *relation_display(const struct relation *relation)
{
	struct buf out = BUF_INIT;

	if (relation->database)
		display_part(&out, relation->database);
	if (relation->schema)
		display_part(&out, relation->schema);
	if (relation->identifier)
		display_part(&out, relation->identifier);
	return buf_take(&out);
}

static int check_part(const struct dialect *dialect, const struct relation *relation,
		      const char *what, const char *part, struct err *err)
{
	char *display CLEANUP(mem_free_string) = relation_display(relation);

	if (!part || !*part)
		return err_set(err, ERR_NAME_UNUSABLE, "relation '%s' has no %s", display, what);
	for (const char *p = part; *p; p++)
		if (iscntrl((unsigned char)*p))
			return err_set(err, ERR_NAME_UNUSABLE,
				       "the %s of relation '%s' holds a control character", what,
				       display);
	if (dialect->never_in_names && strpbrk(part, dialect->never_in_names))
		return err_set(err, ERR_NAME_UNUSABLE,
			       "the %s of relation '%s' holds '%c', which no name on %s does", what,
			       display, *strpbrk(part, dialect->never_in_names), dialect->title);
	if (strlen(part) > dialect->identifier_max)
		return err_set(err, ERR_NAME_UNUSABLE,
			       "the %s of relation '%s' has %zu bytes; %s keeps at most %zu", what,
			       display, strlen(part), dialect->title, dialect->identifier_max);
	return 0;
}

int relation_check(const struct dialect *dialect, const struct relation *relation, struct err *err)
{
	if (check_part(dialect, relation, "database", relation->database, err) < 0 ||
	    check_part(dialect, relation, "schema", relation->schema, err) < 0)
		return -1;
	return check_part(dialect, relation, "identifier", relation->identifier, err);
}
