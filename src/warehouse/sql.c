#include "airlock/warehouse/sql.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "airlock/warehouse/dialect.h"

static const char *const kind_names[] = {
	[SQL_RELATION] = "relation",   [SQL_SCHEMA] = "schema",       [SQL_IDENT] = "ident",
	[SQL_IDENTS] = "idents",       [SQL_RELATIONS] = "relations", [SQL_NAMES] = "names",
	[SQL_LITERAL] = "literal",     [SQL_NUMBER] = "number",       [SQL_CATALOG] = "catalog",
	[SQL_STATEMENT] = "statement", [SQL_QUERY] = "query",         [SQL_BIND] = "bind",
};

static void put_ident(struct buf *out, const struct dialect *dialect, const char *name)
{
	buf_add_char(out, dialect->quote);
	for (const char *p = name; *p; p++) {
		if (*p == dialect->quote)
			buf_add_char(out, *p);
		buf_add_char(out, *p);
	}
	buf_add_char(out, dialect->quote);
}

static void put_escaped(struct buf *out, const struct dialect *dialect, char c)
{
	if (dialect->is_google_sql && (c == '\n' || c == '\r')) {
		buf_add_str(out, c == '\n' ? "\\n" : "\\r");
		return;
	}
	if (c == '\'')
		buf_add_char(out, dialect->is_google_sql ? '\\' : '\'');
	else if (c == '\\' && dialect->escapes_backslash)
		buf_add_char(out, c);
	buf_add_char(out, c);
}

static void put_literal(struct buf *out, const struct dialect *dialect, const char *text)
{
	if (!text) {
		buf_add_str(out, "null");
		return;
	}
	buf_add_char(out, '\'');
	for (const char *p = text; *p; p++)
		put_escaped(out, dialect, *p);
	buf_add_char(out, '\'');
}

/* Without a schema it is the database itself. */
static void put_schema(struct buf *out, const struct dialect *dialect,
		       const struct relation *relation)
{
	if (dialect->names_database && relation->database && !*relation->schema) {
		put_ident(out, dialect, relation->database);
		return;
	}
	if (dialect->names_database && relation->database) {
		put_ident(out, dialect, relation->database);
		buf_add_char(out, '.');
	}
	put_ident(out, dialect, relation->schema);
}

static void put_relation(struct buf *out, const struct dialect *dialect,
			 const struct relation *relation)
{
	put_schema(out, dialect, relation);
	buf_add_char(out, '.');
	put_ident(out, dialect, relation->identifier);
}

static void put_names(struct buf *out, const struct dialect *dialect,
		      const struct relation *relation)
{
	buf_add_char(out, '(');
	put_literal(out, dialect, relation->database);
	buf_add_str(out, ", ");
	put_literal(out, dialect, relation->schema);
	buf_add_str(out, ", ");
	put_literal(out, dialect, relation->identifier);
	buf_add_char(out, ')');
}

static void put_list(struct buf *out, const struct dialect *dialect, const struct sql_arg *arg)
{
	for (size_t i = 0; i < arg->n; i++) {
		if (i > 0)
			buf_add_str(out, ", ");
		if (arg->kind == SQL_IDENTS)
			put_ident(out, dialect, arg->idents[i]);
		else if (arg->kind == SQL_RELATIONS)
			put_relation(out, dialect, &arg->relation[i]);
		else
			put_names(out, dialect, &arg->relation[i]);
	}
}

static void put_mark(struct buf *out, const char *kind, const char *text)
{
	buf_add_char(out, SQL_BIND_MARK);
	buf_add_str(out, kind);
	buf_add_str(out, text);
	buf_add_char(out, SQL_BIND_MARK);
}

static void put_arg(struct buf *out, const struct dialect *dialect, const struct sql_arg *arg)
{
	if (arg->undecided) {
		put_mark(out, "?", arg->undecided);
		return;
	}
	switch (arg->kind) {
	case SQL_RELATION:
		put_relation(out, dialect, arg->relation);
		break;
	case SQL_SCHEMA:
		put_schema(out, dialect, arg->relation);
		break;
	case SQL_IDENT:
		put_ident(out, dialect, arg->text);
		break;
	case SQL_IDENTS:
	case SQL_RELATIONS:
	case SQL_NAMES:
		put_list(out, dialect, arg);
		break;
	case SQL_LITERAL:
		put_literal(out, dialect, arg->text);
		break;
	case SQL_NUMBER:
		buf_printf(out, "%" PRId64, arg->number);
		break;
	case SQL_CATALOG:
	case SQL_STATEMENT:
	case SQL_QUERY:
		buf_add_str(out, arg->text);
		break;
	case SQL_BIND:
		put_mark(out, "", arg->text);
		break;
	}
}

static const struct sql_arg *find_arg(const struct sql_arg *args, size_t n, const char *name,
				      size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(args[i].name) == len && strncmp(args[i].name, name, len) == 0)
			return &args[i];
	return NULL;
}

/* One placeholder, `at` behind its brace. Returns what follows it, NULL with *err set. */
static const char *put_placeholder(struct buf *out, const struct dialect *dialect, const char *at,
				   const struct sql_arg *args, size_t n, struct err *err)
{
	const char *end = strchr(at, '}');
	const char *colon = end ? memchr(at, ':', (size_t)(end - at)) : NULL;
	const char *name_end = colon ? colon : end;
	const struct sql_arg *arg = end ? find_arg(args, n, at, (size_t)(name_end - at)) : NULL;

	if (!arg) {
		err_set(err, ERR_INTERNAL, "the SQL template has no value for '%.40s'", at);
		return NULL;
	}
	if (colon && !arg->undecided) {
		size_t len = (size_t)(end - colon - 1);
		const char *kind = kind_names[arg->kind];

		if (strlen(kind) != len || strncmp(kind, colon + 1, len) != 0) {
			err_set(err, ERR_INTERNAL, "the SQL template wants '%.*s' and got a %s",
				(int)(end - at), at, kind);
			return NULL;
		}
	}
	put_arg(out, dialect, arg);
	return end + 1;
}

int sql_render(struct buf *out, const struct dialect *dialect, const char *template_text,
	       const struct sql_arg *args, size_t n, struct err *err)
{
	const char *p = template_text;

	while (*p) {
		if (p[0] == '{' && p[1] == '{') {
			buf_add_char(out, '{');
			p += 2;
		} else if (p[0] == '{') {
			p = put_placeholder(out, dialect, p + 1, args, n, err);
			if (!p)
				return -1;
		} else {
			buf_add_char(out, *p++);
		}
	}
	if (out->overflowed)
		return err_set(err, ERR_INTERNAL, "a statement is longer than 1 GiB");
	return 0;
}

char *sql_bind_mark(const char *prefix, const char *bind, const char *suffix)
{
	return mem_printf("%s%c%s%c%s", prefix, SQL_BIND_MARK, bind, SQL_BIND_MARK, suffix);
}

void sql_show(struct buf *out, const char *sql)
{
	bool inside = false;

	for (const char *p = sql; *p; p++) {
		if (*p != SQL_BIND_MARK) {
			buf_add_char(out, *p);
			continue;
		}
		inside = !inside;
		buf_add_char(out, inside ? '<' : '>');
		if (inside && p[1] == '?')
			p++;
	}
}

static const char *find_binding(const struct sql_binding *bindings, size_t n, const char *name,
				size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(bindings[i].name) == len && strncmp(bindings[i].name, name, len) == 0)
			return bindings[i].value;
	return NULL;
}

static bool is_plain_value(const char *value)
{
	for (const char *p = value; *p; p++)
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-",
			    *p))
			return false;
	return true;
}

int sql_bind(struct buf *out, const char *sql, const struct sql_binding *bindings, size_t n,
	     struct err *err)
{
	const char *p = sql;

	while (*p) {
		if (*p != SQL_BIND_MARK) {
			buf_add_char(out, *p++);
			continue;
		}
		const char *end = strchr(p + 1, SQL_BIND_MARK);

		if (!end || p[1] == '?')
			return err_set(err, ERR_INTERNAL, "'%.*s' is not decided yet",
				       (int)(end ? end - p - 2 : 0), p + 2);
		const char *value = find_binding(bindings, n, p + 1, (size_t)(end - p - 1));

		if (!value || !is_plain_value(value))
			return err_set(err, ERR_INTERNAL, "no usable value for '%.*s'",
				       (int)(end - p - 1), p + 1);
		buf_add_str(out, value);
		p = end + 1;
	}
	return 0;
}
