#include "assigned_snowflake.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* "ROW ACCESS POLICY": the words in front of the last one. */
enum { WORDS_BEFORE = 2 };

struct reader {
	const char *at;
	size_t depth;
	bool in_columns;
	bool at_column;
	char *column;
	char *words[WORDS_BEFORE]; /* in front of what is read, the nearest first */
	size_t clauses;            /* policies, and lists of tags */
	struct assigned *out;
	struct err *err;
};

static int not_understood(const struct reader *r)
{
	return err_set(r->err, ERR_NO_ANSWER,
		       "the text of its definition is not understood near '%.40s'", r->at);
}

static const char *skip_space(const char *p)
{
	return p + strspn(p, " \t\r\n");
}

static bool is_of_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$' || c == '#' || (c & 0x80);
}

/* Behind a quoted text or name, in which two quotes are one; NULL: it does not end. */
static const char *skip_quoted(const char *p)
{
	char quote = *p;

	for (p++; *p; p++) {
		if (*p == '\\' && quote == '\'' && p[1])
			p++;
		else if (*p == quote && p[1] == quote)
			p++;
		else if (*p == quote)
			return p + 1;
	}
	return NULL;
}

/* Behind a word or a quoted name. */
static const char *skip_word(const char *p)
{
	if (*p == '"')
		return skip_quoted(p);
	while (is_of_word(*p))
		p++;
	return p;
}

/* Behind A, A.B or A.B.C; NULL: there is none. */
static const char *skip_name(const char *p)
{
	const char *end = skip_word(p);

	while (end && end > p && *end == '.')
		end = skip_word(end + 1);
	return end == p ? NULL : end;
}

static char *unquoted(const char *word, size_t len)
{
	struct buf name = BUF_INIT;

	if (*word != '"')
		return mem_strndup(word, len);
	for (const char *p = word + 1; p + 1 < word + len; p++) {
		buf_add_char(&name, *p);
		if (*p == '"')
			p++;
	}
	return buf_take(&name);
}

/* Takes `kind`; and the name, unless it is "#UNKNOWN_..". */
static struct assignment *add(struct reader *r, char *kind, const char *name, size_t len)
{
	struct assigned *out = r->out;
	void *items = out->items;

	mem_grow(&items, &out->cap, out->n + 1, sizeof(*out->items));
	out->items = items;
	out->items[out->n] = (struct assignment) {
		.kind = kind,
		.column = r->column ? mem_strdup(r->column) : NULL,
		.name = *name == '#' ? NULL : mem_strndup(name, len),
	};
	return &out->items[out->n++];
}

/* Behind the bracket that ends it; NULL: it does not end. */
static const char *skip_brackets(const char *p)
{
	for (p++; p && *p && *p != ')';)
		p = *p == '"' || *p == '\'' ? skip_quoted(p) : p + 1;
	return p && *p ? p + 1 : NULL;
}

static bool is_word(const char *p, const char *end, const char *word)
{
	return (size_t)(end - p) == strlen(word) && strncasecmp(p, word, strlen(word)) == 0;
}

/* What a policy is set with: "USING (A, B)", "ON (A)", "ENTITY KEY (A)". */
static const char *skip_with(const char *p)
{
	static const char *const begins[] = { "USING", "ON", "ENTITY", "ALLOWED" };

	for (size_t i = 0; i < ARRAY_LEN(begins); i++) {
		const char *end = skip_word(p);

		if (!end || !is_word(p, end, begins[i]))
			continue;
		end += strcspn(end, "(,)'");
		return *end == '(' ? skip_brackets(end) : NULL;
	}
	return p;
}

static char *kind_of_policy(const struct reader *r)
{
	const char *last = r->words[0] ? r->words[0] : "";
	bool has_two = strcasecmp(last, "ACCESS") == 0 || strcasecmp(last, "LIFECYCLE") == 0;
	char *kind = mem_printf("%s%s%s POLICY", has_two && r->words[1] ? r->words[1] : "",
				has_two ? " " : "", last);

	for (char *p = kind; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	return kind;
}

static int read_policy(struct reader *r)
{
	const char *name = skip_space(r->at);
	const char *end = skip_name(name);

	if (!end)
		return not_understood(r);
	const char *with = skip_space(end);
	const char *behind = skip_with(with);

	if (!behind)
		return not_understood(r);
	add(r, kind_of_policy(r), name, (size_t)(end - name))->with =
		mem_strndup(with, (size_t)(behind - with));
	r->at = behind == with ? end : behind;
	r->clauses++;
	return 0;
}

/* A value is written as it is stored: it ends with a quote in front of a comma or a bracket. */
static const char *end_of_value(const char *p)
{
	for (; *p; p++)
		if (*p == '\'' && (p[1] == ')' || p[1] == ','))
			return p;
	return NULL;
}

static int read_tag(struct reader *r)
{
	const char *name = skip_space(r->at);
	const char *end = skip_name(name);

	if (!end || *end != '=')
		return not_understood(r);
	const char *value = end + 1 + strspn(end + 1, "'");
	const char *behind = *name == '#' ? value + strcspn(value, "',)") : end_of_value(value);

	if (!behind)
		return not_understood(r);
	add(r, mem_strdup("TAG"), name, (size_t)(end - name))->with =
		mem_strndup(value, (size_t)(behind - value));
	r->at = behind + (*behind == '\'');
	return 0;
}

static int read_tags(struct reader *r)
{
	r->at = skip_space(r->at);
	do {
		r->at++;
		if (read_tag(r) < 0)
			return -1;
	} while (*r->at == ',');
	if (*r->at != ')')
		return not_understood(r);
	r->at++;
	r->clauses++;
	return 0;
}

static void take_column(struct reader *r, const char *word, size_t len)
{
	free(r->column);
	r->column = unquoted(word, len);
	strv_push(&r->out->columns, r->column);
	r->at_column = false;
}

static void remember_word(struct reader *r, const char *word, size_t len)
{
	free(r->words[1]);
	r->words[1] = r->words[0];
	r->words[0] = mem_strndup(word, len);
}

/* 1: the query of a view begins. */
static int read_word(struct reader *r)
{
	const char *word = r->at;
	const char *end = skip_word(word);

	if (!end)
		return not_understood(r);
	r->at = end;
	if (r->at_column) {
		take_column(r, word, (size_t)(end - word));
		return 0;
	}
	if (r->depth == 0 && is_word(word, end, "as"))
		return 1;
	if (r->depth <= 1 && is_word(word, end, "POLICY"))
		return read_policy(r);
	if (r->depth <= 1 && is_word(word, end, "TAG") && *skip_space(end) == '(')
		return read_tags(r);
	remember_word(r, word, (size_t)(end - word));
	return 0;
}

/* The list of columns is the one with lines. */
static void open_bracket(struct reader *r)
{
	r->at++;
	if (r->depth++ == 0 && *r->at == '\n')
		r->in_columns = r->at_column = true;
}

static int close_bracket(struct reader *r)
{
	if (r->depth == 0)
		return not_understood(r);
	r->at++;
	if (--r->depth > 0)
		return 0;
	r->in_columns = false;
	free(r->column);
	r->column = NULL;
	return 0;
}

static int read_all(struct reader *r)
{
	while (*(r->at = skip_space(r->at))) {
		char c = *r->at;
		int result = 0;

		if (c == '(') {
			open_bracket(r);
		} else if (c == ')') {
			result = close_bracket(r);
		} else if (c == '"' || is_of_word(c)) {
			result = read_word(r);
		} else if (c == '\'') {
			const char *end = skip_quoted(r->at);

			if (!end)
				return not_understood(r);
			r->at = end;
		} else {
			r->at_column = r->at_column || (c == ',' && r->depth == 1 && r->in_columns);
			r->at++;
		}
		if (result != 0)
			return result < 0 ? -1 : 0;
	}
	return r->depth == 0 ? 0 : not_understood(r);
}

/* However often the text has such words: one that was read as something else is not passed over. */
static size_t count_clauses(const char *text, const char *end)
{
	static const char *const words[] = {
		"MASKING POLICY ", "ACCESS POLICY ",  "PROJECTION POLICY ", "AGGREGATION POLICY ",
		"JOIN POLICY ",    "PRIVACY POLICY ", "LIFECYCLE POLICY ",  "WITH TAG (",
	};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		for (const char *p = strstr(text, words[i]); p && p < end;
		     p = strstr(p + 1, words[i]))
			n++;
	return n;
}

int assigned_from_ddl(const char *ddl, struct assigned *ret_assigned, struct err *err)
{
	struct assigned out = { .columns = STRV_INIT };
	struct reader r = { .at = ddl, .out = &out, .err = err };
	int result = strchr(ddl, SQL_BIND_MARK) ? not_understood(&r) : read_all(&r);

	if (result == 0 && count_clauses(ddl, r.at) > r.clauses)
		result = err_set(err, ERR_NO_ANSWER,
				 "the text of its definition names a policy or tag in a place that "
				 "is not understood");
	free(r.column);
	for (size_t i = 0; i < WORDS_BEFORE; i++)
		free(r.words[i]);
	if (result < 0)
		assigned_release(&out);
	else
		*ret_assigned = out;
	return result;
}

void assigned_release(struct assigned *assigned)
{
	for (size_t i = 0; i < assigned->n; i++) {
		free(assigned->items[i].kind);
		free(assigned->items[i].column);
		free(assigned->items[i].name);
		free(assigned->items[i].with);
	}
	free(assigned->items);
	strv_release(&assigned->columns);
	*assigned = (struct assigned) { .columns = STRV_INIT };
}

/* Of a name that was read whole: a quoted word of it ends. */
static size_t word_len(const char *name)
{
	const char *end = skip_word(name);

	return end ? (size_t)(end - name) : strlen(name);
}

struct relation assignment_schema(const struct assignment *one)
{
	size_t database = word_len(one->name);
	const char *schema = one->name + database + (one->name[database] == '.');

	return (struct relation) {
		.database = unquoted(one->name, database),
		.schema = unquoted(schema, word_len(schema)),
	};
}

/* --- compared --- */

#define TAKE_IT_OUT "take the node out of the scope with --exclude"

static bool is_tag(const struct assignment *one)
{
	return strcmp(one->kind, "TAG") == 0;
}

/* In the same place: a column has one policy of a kind, and each tag once. */
static const struct assignment *find(const struct assigned *in, const struct assignment *one)
{
	for (size_t i = 0; i < in->n; i++) {
		const struct assignment *other = &in->items[i];

		if (strcmp(other->kind, one->kind) == 0 &&
		    table_same_text(other->column, one->column) &&
		    (!is_tag(one) || table_same_text(other->name, one->name)))
			return other;
	}
	return NULL;
}

static bool has_column(const struct assigned *in, const struct assignment *one)
{
	return !one->column || strv_contains(&in->columns, one->column);
}

/* Its kind as messages have it; free() it. */
static char *kind_of(const struct assignment *one)
{
	return mem_lower(mem_strdup(one->kind));
}

/* "the masking policy GOV.HIDE on column 'EMAIL'"; free() it. */
static char *described(const struct assignment *one)
{
	char *kind CLEANUP(mem_free_string) = kind_of(one);

	return mem_printf("the %s %s%s%s%s%s", kind, one->name ? one->name : "(unknown)",
			  is_tag(one) && one->name ? " = "
			  : *one->with             ? " "
						   : "",
			  one->name ? one->with : "", one->column ? " on column " : "",
			  one->column ? one->column : "");
}

static int refuse(const struct publish_table *table, const struct assignment *one, const char *what,
		  const char *hint, struct err *err)
{
	char *name CLEANUP(mem_free_string) = described(one);
	char *why CLEANUP(mem_free_string) = mem_printf("%s %s", name, what);

	return publish_refuse(table, why, hint, err);
}

static int refuse_hidden(const struct publish_table *table, const struct assignment *one,
			 struct err *err)
{
	char *kind CLEANUP(mem_free_string) = kind_of(one);

	refuse(table, one, "cannot be compared: this role may not see which it is", NULL, err);
	return err_hint(err,
			"'grant apply %s on account to role ..', and usage on the schema that it "
			"is in, or " TAKE_IT_OUT,
			kind);
}

static bool can_be_given(const struct assignment *one)
{
	return strcmp(one->kind, "MASKING POLICY") == 0 ||
	       strcmp(one->kind, "ROW ACCESS POLICY") == 0 || is_tag(one);
}

static int check_production(const struct publish_table *table, const struct assignment *one,
			    const struct assigned *from, struct err *err)
{
	const struct assignment *other = find(from, one);

	if (!has_column(from, one))
		return 0;
	if (!one->name)
		return refuse_hidden(table, one, err);
	if (!other)
		return can_be_given(one)
			       ? 0
			       : refuse(table, one,
					"is production's, and what would replace it has none",
					"set it in staging too, or " TAKE_IT_OUT, err);
	if (!other->name)
		return refuse_hidden(table, other, err);
	if (strcmp(one->name, other->name) == 0 && strcmp(one->with, other->with) == 0)
		return 0;
	char *in_staging CLEANUP(mem_free_string) = described(other);
	char *what CLEANUP(mem_free_string) =
		mem_printf("is production's, and staging has %s instead", in_staging);

	return refuse(table, one, what, "let both have the same, or " TAKE_IT_OUT, err);
}

/* Of a column that production has too. What a table had that comes back is its own. */
static int check_staging(const struct publish_table *table, const struct assignment *one,
			 const struct assigned *to, struct err *err)
{
	if (table->is_exact || !has_column(to, one) || find(to, one))
		return 0;
	if (!one->name)
		return refuse_hidden(table, one, err);
	return refuse(table, one, "is staging's, and production has none",
		      "set it in production too, take it away in staging, or " TAKE_IT_OUT, err);
}

static int check_both(const struct publish_table *table, const struct assigned *from,
		      const struct assigned *to, struct err *err)
{
	for (size_t i = 0; i < to->n; i++)
		if (check_production(table, &to->items[i], from, err) < 0)
			return -1;
	for (size_t i = 0; i < from->n; i++)
		if (check_staging(table, &from->items[i], to, err) < 0)
			return -1;
	return 0;
}

static int read_of(const struct publish_table *table, const char *ddl,
		   struct assigned *ret_assigned, struct err *err)
{
	struct err why = ERR_INIT;

	if (assigned_from_ddl(ddl, ret_assigned, &why) == 0)
		return 0;
	publish_refuse(table, why.message, TAKE_IT_OUT, err);
	err_release(&why);
	return -1;
}

/* A view that is made anew has none, and none can be given to it in the same statement. */
static int check_anew(const struct publish_table *table, const char *ddl, const char *what,
		      const char *hint, struct err *err)
{
	struct assigned found CLEANUP(assigned_release) = { .columns = STRV_INIT };

	if (!ddl)
		return 0;
	if (read_of(table, ddl, &found, err) < 0)
		return -1;
	return found.n == 0 ? 0 : refuse(table, &found.items[0], what, hint, err);
}

/* What comes back has the text that it had, over a table whose policies are its own. */
static int check_view(const struct publish_table *table, struct err *err)
{
	bool has_staging = table->decided && table->from_table && !table->is_exact;

	if (check_anew(table, table->to_table ? table->to_table->ddl : NULL,
		       "is production's, and a view that is made anew loses it",
		       "leave the views as they are with --views skip, or " TAKE_IT_OUT, err) < 0)
		return -1;
	return check_anew(table, has_staging ? table->from_table->ddl : NULL,
			  "is staging's, and the view that is made anew in production would not "
			  "have it",
			  "set it on what the view reads instead, or " TAKE_IT_OUT, err);
}

int snowflake_check_assigned(const struct publish_table *table, struct err *err)
{
	struct assigned from CLEANUP(assigned_release) = { .columns = STRV_INIT };
	struct assigned to CLEANUP(assigned_release) = { .columns = STRV_INIT };

	if (table->view || table->is_view)
		return check_view(table, err);
	if (!table->decided || !table->from_table || !table->to_table || !table->to_table->ddl)
		return 0;
	if (read_of(table, table->to_table->ddl, &to, err) < 0)
		return -1;
	if (!table->from_table->ddl)
		return to.n == 0 ? 0
				 : refuse(table, &to.items[0],
					  "is production's, and what staging has was not read",
					  TAKE_IT_OUT, err);
	if (read_of(table, table->from_table->ddl, &from, err) < 0)
		return -1;
	return check_both(table, &from, &to, err);
}

/* --- given --- */

static int push_one(const struct push *p, const struct relation *on, const struct assignment *one,
		    const char *text)
{
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("on", on),          SQL_ARG_IDENT("column", one->column),
		SQL_ARG_CATALOG("name", one->name),  SQL_ARG_CATALOG("with", one->with),
		SQL_ARG_LITERAL("value", one->with),
	};

	return dialect_push_text(p->statements, p->dialect, text, args, ARRAY_LEN(args), p->err);
}

/* All of them may be run again. */
static int give(const struct push *p, const struct relation *on, const struct assignment *one)
{
	if (is_tag(one))
		return push_one(p, on, one,
				one->column ? "alter table {on} modify column {column:ident} set "
					      "tag {name:catalog} = {value:literal}"
					    : "alter table {on} set tag {name:catalog} = "
					      "{value:literal}");
	if (strcmp(one->kind, "MASKING POLICY") == 0)
		return push_one(p, on, one,
				*one->with ? "alter table {on} modify column {column:ident} set "
					     "masking policy {name:catalog} {with:catalog} force"
					   : "alter table {on} modify column {column:ident} set "
					     "masking policy {name:catalog} force");
	if (push_one(p, on, one, "alter table {on} drop all row access policies") < 0)
		return -1;
	return push_one(p, on, one,
			"alter table {on} add row access policy {name:catalog} {with:catalog}");
}

/* Read when staging is built: the plan says that there may be such statements. */
static int push_undecided(const struct push *p, const struct publish_table *t)
{
	char *name CLEANUP(mem_free_string) = relation_display(t->to);
	char *what CLEANUP(mem_free_string) = mem_printf(
		"masking policies, row access policies and tags of %s and its columns that "
		"staging's has not",
		name);
	const struct sql_arg arg = { .name = "what", .kind = SQL_STATEMENT, .undecided = what };

	if (!t->to_table || table_is_view(t->to_table) || t->view || t->is_view)
		return 0;
	return dialect_push_text(p->statements, p->dialect, "{what:statement}", &arg, 1, p->err);
}

int snowflake_push_assigned(const struct push *p, const struct publish_table *t,
			    const struct relation *on)
{
	if (!t->decided)
		return push_undecided(p, t);

	struct assigned from CLEANUP(assigned_release) = { .columns = STRV_INIT };
	struct assigned to CLEANUP(assigned_release) = { .columns = STRV_INIT };

	if (!t->from_table || !t->to_table || t->view || t->is_view || !t->from_table->ddl ||
	    !t->to_table->ddl)
		return 0;
	if (read_of(t, t->from_table->ddl, &from, p->err) < 0 ||
	    read_of(t, t->to_table->ddl, &to, p->err) < 0)
		return -1;
	for (size_t i = 0; i < to.n; i++)
		if (has_column(&from, &to.items[i]) && !find(&from, &to.items[i]) &&
		    give(p, on, &to.items[i]) < 0)
			return -1;
	return 0;
}
