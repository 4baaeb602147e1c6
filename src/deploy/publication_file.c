/*
 * A publish by the rename of a file. What is in the file decides what production is, and so the
 * state of airlock goes along: it is copied into the new file with the record that it was
 * published, which becomes true with the rename and not before.
 */
#include <string.h>

#include "airlock/deploy/publication.h"
#include "airlock/format/json.h"
#include "airlock/warehouse/marker.h"

static struct relation in_staging(const struct relation *relation)
{
	return (struct relation) { DIALECT_STAGING_FILE, relation->schema, relation->identifier };
}

static int push_table(const struct publication *w, const struct relation *table, struct strv *parts,
		      struct err *err)
{
	const struct relation copy = in_staging(table);
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("copy", &copy),
		SQL_ARG_RELATION("table", table),
	};

	return dialect_push_text(parts, w->in->dialect, "create table {copy} as from {table}", args,
				 ARRAY_LEN(args), err);
}

static int push_comment(const struct publication *w, const struct relation *log, const char *prefix,
			const char *id, struct strv *parts, struct err *err)
{
	char *bound CLEANUP(mem_free_string) = sql_bind_mark(prefix, "id", "]");
	char *given CLEANUP(mem_free_string) = mem_printf("%s%s]", prefix, id ? id : "");
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("log", log),
		SQL_ARG_LITERAL("marker", id ? given : bound),
	};

	return dialect_push_text(parts, w->in->dialect,
				 "comment on table {log} is {marker:literal}", args,
				 ARRAY_LEN(args), err);
}

/* A restore point stays one until it is production again. */
static int push_marker(const struct publication *w, const struct relation *log, struct strv *parts,
		       struct err *err)
{
	const char *of = js_get_string(w->in->rolled_back, "id");

	return push_comment(w, log, of ? "[airlock: demoted by " : "[airlock: published ", of,
			    parts, err);
}

static int push_state(struct publication *w, struct strv *parts, struct err *err)
{
	json_t *detail CLEANUP(js_free) = publication_detail(w);
	const struct relation schema = { DIALECT_STAGING_FILE, STATE_SCHEMA, NULL };
	const struct sql_arg arg = SQL_ARG_SCHEMA("schema", &schema);
	struct state staging = w->state;

	staging.log = in_staging(&w->state.log);
	if (dialect_push_text(parts, w->in->dialect, "drop schema if exists {schema} cascade", &arg,
			      1, err) < 0 ||
	    dialect_push_text(parts, w->in->dialect, "create schema {schema}", &arg, 1, err) < 0 ||
	    push_table(w, &w->state.log, parts, err) < 0)
		return -1;
	for (size_t i = 0; i < w->state.n; i++)
		if (push_table(w, &w->state.containers[i].lock, parts, err) < 0)
			return -1;
	if (state_push_log(&staging, STATE_PUBLISHED, detail, parts, err) < 0 ||
	    publication_push_asides(w, &staging, parts, err) < 0)
		return -1;
	return push_marker(w, &staging.log, parts, err);
}

/* One call: the file is open for writing only while it is written. */
static int push_writing(struct publication *w, const struct strv *writes, struct strv *statements,
			struct err *err)
{
	const struct container *file = w->set.containers[0].from_seen;
	const struct sql_arg path[] = { { .name = "path",
					  .kind = SQL_LITERAL,
					  .text = file ? file->object : "",
					  .undecided = file ? NULL : "the file of staging" } };
	static const char *const before[] = { "detach " DIALECT_STAGING_FILE,
					      "attach {path:literal} as " DIALECT_STAGING_FILE,
					      "begin" };
	static const char *const after[] = { "commit", "checkpoint " DIALECT_STAGING_FILE,
					     "detach " DIALECT_STAGING_FILE };
	struct strv parts CLEANUP(strv_release) = STRV_INIT;
	struct buf whole CLEANUP(buf_release) = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(before); i++)
		if (dialect_push_text(&parts, w->in->dialect, before[i], path, 1, err) < 0)
			return -1;
	strv_push_all(&parts, writes);
	for (size_t i = 0; i < ARRAY_LEN(after); i++)
		strv_push(&parts, after[i]);
	for (size_t i = 0; i < parts.n; i++)
		buf_printf(&whole, "%s%s", i ? ";\n      " : "", parts.v[i]);
	strv_push(statements, buf_cstr(&whole));
	return 0;
}

static int push_record(struct publication *w, struct strv *statements, struct err *err)
{
	struct strv writes CLEANUP(strv_release) = STRV_INIT;

	/* A file that comes back has its own. */
	if ((!w->in->rolled_back &&
	     w->in->dialect->carry(w->in->dialect, &w->set, &writes, err) < 0) ||
	    push_state(w, &writes, err) < 0)
		return -1;
	return push_writing(w, &writes, statements, err);
}

int publication_push_file_copies(struct publication *w, struct strv *statements, struct err *err)
{
	struct strv writes CLEANUP(strv_release) = STRV_INIT;

	if (publication_push_copies(w, &writes, err) < 0)
		return -1;
	return push_writing(w, &writes, statements, err);
}

/* Production's file says who puts it aside, and has everything in it before it is linked. */
static int push_farewell(struct publication *w, struct strv *statements, struct err *err)
{
	const struct sql_arg arg = SQL_ARG_IDENT("database", w->state.schema.database);

	if (push_comment(w, &w->state.log, "[airlock: demoted by ", NULL, statements, err) < 0)
		return -1;
	return dialect_push_text(statements, w->in->dialect, "checkpoint {database}", &arg, 1, err);
}

static int plan_record(struct publication *w, struct err *err)
{
	struct step *step = plan_add_step(
		w->plan, "record", "publish", STEP_OPERATION,
		"both files are what was tested and seen; staging's gets airlock's history and "
		"locks, and the record that the rename makes true");

	step->idempotent = true;
	step->undo = "nothing: the next deployment writes it anew";
	if (state_push_fences(&w->state, &step->sql, err) < 0 ||
	    w->in->dialect->publish(w->in->dialect, &w->set, &step->sql, err) < 0 ||
	    push_record(w, &step->sql, err) < 0)
		return -1;
	return push_farewell(w, &step->sql, err);
}

static const char *path_of(const struct container *file, const char *words)
{
	return file && file->object ? file->object : words;
}

int publication_plan_file(struct publication *w, const char *reason, struct err *err)
{
	const struct publish_container *c = &w->set.containers[0];
	const char *from = path_of(c->from_seen, "<the file of staging>");
	const char *to = path_of(c->to_seen, "<the file of production>");
	struct strv probe CLEANUP(strv_release) = STRV_INIT;
	struct step *step;

	if (plan_record(w, err) < 0)
		return -1;
	step = plan_add_step(w->plan, "link", "publish", STEP_FILE,
			     "production's file gets a second name, by which it stays");
	step->idempotent = true;
	step->undo = "the name is taken away again";
	strv_push(&step->command, "link");
	strv_push(&step->command, to);
	strv_push(&step->command, c->restore.schema);
	step = plan_add_step(w->plan, "publish", "publish", STEP_FILE, reason);
	step->changes_production = true;
	step->undo = "what was production is the file <name>" STATE_DEMOTED "<id>";
	strv_push(&step->command, "rename");
	strv_push(&step->command, from);
	strv_push(&step->command, to);
	if (state_push_probe(&w->state, &probe, err) < 0)
		return -1;
	step->probe = arena_strdup(&w->plan->arena, probe.v[0]);
	return 0;
}
