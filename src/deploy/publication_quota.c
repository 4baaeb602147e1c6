/* How often a publish changes the metadata of one table or dataset, where the service limits that.
 */
#include <string.h>

#include "airlock/deploy/publication.h"

/* What stands in front of the name of what a statement changes. */
static const char *const changes[] = {
	" table ", " table if exists ", " table if not exists ",
	" view ",  " view if exists ",  "create schema if not exists ",
};

/* Behind `a`.`b`.`c`. */
static const char *skip_name(const char *p)
{
	while (*p == '`') {
		p = strchr(p + 1, '`');
		if (!p)
			return NULL;
		p += p[1] == '.' && p[2] == '`' ? 2 : 1;
	}
	return p;
}

static void add_names(const char *statement, const char *words, struct strv *names)
{
	size_t len = strlen(words);

	for (const char *at = strstr(statement, words); at; at = strstr(at + len, words)) {
		const char *name = at + len;
		const char *end = skip_name(name);

		if (end && end > name)
			strv_take(names, mem_strndup(name, (size_t)(end - name)));
	}
}

/* The names that the statements change, as often as they do; sorted. */
static void read_names(const struct strv *statements, struct strv *names)
{
	for (size_t i = 0; i < statements->n; i++)
		for (size_t k = 0; k < ARRAY_LEN(changes); k++)
			add_names(statements->v[i], changes[k], names);
	strv_sort(names);
}

static size_t count(const struct publication *w, const struct strv *names,
		    const struct sql_arg *arg)
{
	struct buf name CLEANUP(buf_release) = BUF_INIT;
	struct err ignored CLEANUP(err_release) = ERR_INIT;
	size_t first = 0;
	size_t behind = names->n;
	size_t n = 0;

	if (sql_render(&name, w->in->dialect, "{it}", arg, 1, &ignored) < 0)
		return 0;
	while (first < behind) {
		size_t middle = first + (behind - first) / 2;

		if (strcmp(names->v[middle], buf_cstr(&name)) < 0)
			first = middle + 1;
		else
			behind = middle;
	}
	while (first + n < names->n && strcmp(names->v[first + n], buf_cstr(&name)) == 0)
		n++;
	return n;
}

static size_t count_table(const struct publication *w, const struct strv *names,
			  const struct relation *relation)
{
	const struct sql_arg arg = SQL_ARG_RELATION("it", relation);

	return relation->identifier ? count(w, names, &arg) : 0;
}

static void add(struct publication *w, char *of, size_t n)
{
	char *name CLEANUP(mem_free_string) = of;
	struct plan *plan = w->plan;

	if (n == 0)
		return;
	plan->updates[plan->update_count++] =
		(struct plan_update) { arena_strdup(&plan->arena, name), n };
}

static void add_dataset(struct publication *w, const struct strv *names,
			const struct relation *schema)
{
	const struct sql_arg arg = SQL_ARG_SCHEMA("it", schema);
	const struct relation whole = { schema->database, schema->schema, NULL };

	add(w, relation_display(&whole), count(w, names, &arg));
}

static void warn_of_limit(struct publication *w, const struct relation *relation, size_t n)
{
	char *name CLEANUP(mem_free_string) = relation_display(relation);

	if (n > w->in->dialect->updates_at_once)
		strv_pushf(&w->plan->warnings,
			   "'%s' is changed %zu times, and the service takes %zu in %zu seconds: "
			   "what it refuses is tried again, which takes as long",
			   name, n, w->in->dialect->updates_at_once,
			   w->in->dialect->updates_within_s);
}

void publication_count_updates(struct publication *w, const struct strv *statements)
{
	struct plan *plan = w->plan;
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	if (w->in->dialect->updates_at_once == 0)
		return;
	read_names(statements, &names);
	plan->update_count = 0;
	plan->updates = arena_alloc(&plan->arena, (2 * w->set.n + 2) * sizeof(*plan->updates));
	for (size_t i = 0; i < w->set.n; i++) {
		const struct publish_table *t = &w->set.tables[i];
		size_t n = count_table(w, &names, t->to) + count_table(w, &names, &t->side);

		if (i == 0 || !relation_same_schema(w->in->dialect, w->set.tables[i - 1].to, t->to))
			add_dataset(w, &names, t->to);
		add(w, relation_display(t->to), n);
		warn_of_limit(w, t->to, n);
		warn_of_limit(w, &t->stage, count_table(w, &names, &t->stage));
	}
}
