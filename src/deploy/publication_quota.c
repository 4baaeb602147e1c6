/* How often a publish changes the metadata of one table or dataset, where the service limits that.
 */
#include <string.h>

#include "airlock/deploy/publication.h"

/* A statement that changes what stands behind the name. */
static const char *const changes[] = {
	" table {it}", " table if exists {it}", " table if not exists {it}",
	" view {it}",  " view if exists {it}",
};

static size_t occurrences(const char *text, const char *words, size_t len)
{
	size_t n = 0;

	for (const char *at = strstr(text, words); at; at = strstr(at + len, words))
		n++;
	return n;
}

static size_t count(const struct publication *w, const struct strv *statements, const char *what,
		    const struct sql_arg *arg)
{
	struct buf words CLEANUP(buf_release) = BUF_INIT;
	struct err ignored CLEANUP(err_release) = ERR_INIT;
	size_t n = 0;

	if (sql_render(&words, w->in->dialect, what, arg, 1, &ignored) < 0)
		return 0;
	for (size_t i = 0; i < statements->n; i++)
		n += occurrences(statements->v[i], buf_cstr(&words), words.len);
	return n;
}

static size_t count_table(const struct publication *w, const struct strv *statements,
			  const struct relation *relation)
{
	const struct sql_arg arg = SQL_ARG_RELATION("it", relation);
	size_t n = 0;

	for (size_t i = 0; relation->identifier && i < ARRAY_LEN(changes); i++)
		n += count(w, statements, changes[i], &arg);
	return n;
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

static void add_dataset(struct publication *w, const struct strv *statements,
			const struct relation *schema)
{
	const struct sql_arg arg = SQL_ARG_SCHEMA("it", schema);
	const struct relation whole = { schema->database, schema->schema, NULL };

	add(w, relation_display(&whole),
	    count(w, statements, "create schema if not exists {it}", &arg));
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

	if (w->in->dialect->updates_at_once == 0)
		return;
	plan->update_count = 0;
	plan->updates = arena_alloc(&plan->arena, (2 * w->set.n + 2) * sizeof(*plan->updates));
	for (size_t i = 0; i < w->set.n; i++) {
		const struct publish_table *t = &w->set.tables[i];
		size_t n = count_table(w, statements, t->to) + count_table(w, statements, &t->side);

		if (i == 0 || !relation_same_schema(w->in->dialect, w->set.tables[i - 1].to, t->to))
			add_dataset(w, statements, t->to);
		add(w, relation_display(t->to), n);
		warn_of_limit(w, t->to, n);
		warn_of_limit(w, &t->stage, count_table(w, statements, &t->stage));
	}
}
