#include "airlock/deploy/state.h"

#include <string.h>

#include "airlock/base/buf.h"
#include "airlock/base/md5.h"
#include "airlock/format/json.h"

static void add_name(struct state *state, const char *name, bool production)
{
	char hash[MD5_HEX_SIZE];

	for (size_t i = 0; i < state->n; i++)
		if (strcmp(state->containers[i].name, name) == 0)
			return;
	md5_hex(name, strlen(name), hash);
	state->containers[state->n++] = (struct state_container) {
		.name = arena_strdup(&state->arena, name),
		.is_production = production,
		.lock = { state->schema.database, STATE_SCHEMA,
			  arena_printf(&state->arena, "airlock_lock_%.16s", hash) },
	};
}

static void add_container(struct state *state, const struct relation *relation, bool production)
{
	struct relation schema = { relation->database, relation->schema, NULL };
	char *name CLEANUP(mem_free_string) = relation_display(&schema);

	if (state->dialect->folds_case)
		mem_lower(name);
	add_name(state, name, production);
}

static void sort_containers(struct state_container *containers, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct state_container moved = containers[i];
		size_t k = i;

		for (; k > 0 && strcmp(containers[k - 1].name, moved.name) > 0; k--)
			containers[k] = containers[k - 1];
		containers[k] = moved;
	}
}

static void init(struct state *state, const struct dialect *dialect, const char *database, size_t n)
{
	*state = (struct state) { .dialect = dialect };
	arena_init(&state->arena);
	state->schema.database = arena_strdup(&state->arena, database);
	state->schema.schema = STATE_SCHEMA;
	state->log = state->schema;
	state->log.identifier = "airlock_log";
	state->containers = arena_alloc(&state->arena, (n + 1) * sizeof(*state->containers));
}

void state_init(struct state *state, const struct dialect *dialect, const char *database,
		const struct routes *routes)
{
	init(state, dialect, database, routes ? 2 * routes->n : 0);
	if (!routes)
		return;
	/* What a rollback puts back is nobody's staging: production's locks are all it needs. */
	for (size_t i = 0; i < routes->n && !routes->is_rollback; i++)
		add_container(state, &routes->items[i].from, false);
	state->staging_count = state->n;
	sort_containers(state->containers, state->staging_count);
	for (size_t i = 0; i < routes->n; i++)
		if (routes->items[i].in_scope)
			add_container(state, &routes->items[i].to, true);
	sort_containers(state->containers + state->staging_count, state->n - state->staging_count);
	state->held_count = state->staging_count;
}

void state_hold_production(struct state *state)
{
	state->held_count = state->n;
}

void state_init_names(struct state *state, const struct dialect *dialect, const char *database,
		      const json_t *names)
{
	init(state, dialect, database, json_array_size(names));
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *name = json_string_value(json_array_get(names, i));

		if (name)
			add_name(state, name, false);
	}
	state->staging_count = state->held_count = state->n;
}

void state_release(struct state *state)
{
	arena_release(&state->arena);
	*state = (struct state) { 0 };
}

static void write_detail(const json_t *detail, struct buf *out)
{
	js_write_line(detail, out);
	while (out->len > 0 && out->data[out->len - 1] == '\n')
		out->data[--out->len] = '\0';
}

void state_set_begun(struct state *state, const json_t *detail)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	write_detail(detail, &text);
	state->begun = arena_strdup(&state->arena, buf_cstr(&text));
}

const char *state_lock_reason(const struct state *state)
{
	if (state->staging_count == 0)
		return "nobody else publishes meanwhile";
	return state->held_count > state->staging_count
		       ? "one deployment at a time writes this staging, and nobody else publishes "
			 "meanwhile"
		       : "one deployment at a time writes this staging";
}

json_t *state_lock_names(const struct state *state)
{
	json_t *names = json_array();

	for (size_t i = 0; i < state->held_count; i++)
		json_array_append_new(names, json_string(state->containers[i].name));
	return names;
}

static int push_lock(const struct state *state, enum dialect_template which, size_t i,
		     const char *phase, struct strv *statements, struct err *err)
{
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("lock", &state->containers[i].lock),
		SQL_ARG_RELATION("previous", &state->containers[i > 0 ? i - 1 : 0].lock),
		SQL_ARG_RELATION("log", &state->log),
		SQL_ARG_LITERAL("container", state->containers[i].name),
		SQL_ARG_LITERAL("doing", phase),
		SQL_ARG_BIND("id"),
		SQL_ARG_BIND("name"),
		SQL_ARG_BIND("user"),
		SQL_ARG_BIND("host"),
		SQL_ARG_BIND("boot"),
		SQL_ARG_BIND("pid"),
		SQL_ARG_BIND("start"),
		SQL_ARG_BIND("since"),
		SQL_ARG_BIND("nonce"),
		SQL_ARG_BIND("phase"),
		SQL_ARG_BIND("lease"),
	};

	return dialect_push(statements, state->dialect, which, args, ARRAY_LEN(args), err);
}

static int push_locks(const struct state *state, enum dialect_template which, size_t first,
		      size_t end, struct strv *statements, struct err *err)
{
	for (size_t i = first; i < end; i++)
		if (push_lock(state, which, i, NULL, statements, err) < 0)
			return -1;
	return 0;
}

/* Of an event whose text is not known the statement shows what it will be. `lock` is the number of
 * the container whose lock must be ours. */
static int push_event(const struct state *state, enum dialect_template which, size_t lock,
		      const char *event, const char *detail, struct strv *statements,
		      struct err *err)
{
	char *undecided CLEANUP(mem_free_string) = mem_printf("what '%s' records", event);
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("lock",
				 lock < state->n ? &state->containers[lock].lock : &state->log),
		SQL_ARG_RELATION("log", &state->log),
		SQL_ARG_BIND("id"),
		SQL_ARG_BIND("nonce"),
		SQL_ARG_LITERAL("event", event),
		{ .name = "detail",
		  .kind = SQL_LITERAL,
		  .text = detail ? detail : "",
		  .undecided = detail ? NULL : undecided },
	};

	return dialect_push(statements, state->dialect, which, args, ARRAY_LEN(args), err);
}

static int push_detail(const struct state *state, enum dialect_template which, const char *event,
		       const json_t *detail, struct strv *statements, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	if (detail)
		write_detail(detail, &text);
	return push_event(state, which, 0, event, detail ? buf_cstr(&text) : NULL, statements, err);
}

static int push_acquire(const struct state *state, struct strv *statements, struct err *err)
{
	for (size_t i = 0; i < state->held_count; i++)
		if (push_lock(state, i > 0 ? DIALECT_LOCK_ACQUIRE_NEXT : DIALECT_LOCK_ACQUIRE, i,
			      NULL, statements, err) < 0)
			return -1;
	/* Each is taken behind the one before it: with the last one all are held. */
	return push_event(state, DIALECT_LOG_BEGUN,
			  state->held_count > 0 ? state->held_count - 1 : 0, STATE_BEGUN,
			  state->begun, statements, err);
}

int state_push_begin(const struct state *state, struct strv *statements, struct err *err)
{
	const struct sql_arg args[] = {
		SQL_ARG_SCHEMA("schema", &state->schema),
		SQL_ARG_LITERAL("name", state->schema.schema),
		SQL_ARG_RELATION("log", &state->log),
	};

	if (dialect_push(statements, state->dialect, DIALECT_SCHEMA_CREATE, args, ARRAY_LEN(args),
			 err) < 0 ||
	    dialect_push(statements, state->dialect, DIALECT_LOG_CREATE, args, ARRAY_LEN(args),
			 err) < 0 ||
	    push_locks(state, DIALECT_LOCK_CREATE, 0, state->n, statements, err) < 0)
		return -1;
	return push_acquire(state, statements, err);
}

int state_push_read(const struct state *state, struct strv *queries, struct err *err)
{
	return push_locks(state, DIALECT_LOCK_READ, 0, state->held_count, queries, err);
}

int state_push_held(const struct state *state, struct strv *queries, struct err *err)
{
	return push_locks(state, DIALECT_LOCK_HELD, state->held_count - 1, state->held_count,
			  queries, err);
}

int state_push_list(const struct state *state, struct strv *queries, struct err *err)
{
	const struct sql_arg args[] = {
		SQL_ARG_SCHEMA("states", &state->schema),
		SQL_ARG_IDENT("home", state->schema.database),
		SQL_ARG_LITERAL("state", state->schema.schema),
		SQL_ARG_LITERAL("database", state->schema.database),
	};

	return dialect_push(queries, state->dialect, DIALECT_LOCK_LIST, args, ARRAY_LEN(args), err);
}

/* Where each statement stands alone, each costs a round trip: they are one. */
static void push_together(const struct state *state, const struct strv *parts,
			  const char *separator, struct strv *statements)
{
	if (state->dialect->transaction == DIALECT_TRANSACTION_NONE && parts->n > 0)
		strv_take(statements, strv_join(parts, separator));
	else
		strv_push_all(statements, parts);
}

int state_push_phase(const struct state *state, const char *phase, struct strv *statements,
		     struct err *err)
{
	struct strv fences CLEANUP(strv_release) = STRV_INIT;

	for (size_t i = 0; i < state->held_count; i++)
		if (push_lock(state, DIALECT_FENCE_CHECK, i, phase, &fences, err) < 0)
			return -1;
	push_together(state, &fences, "; ", statements);
	return 0;
}

int state_push_guard(const struct state *state, struct strv *statements, struct err *err)
{
	struct strv guards CLEANUP(strv_release) = STRV_INIT;

	if (push_locks(state, DIALECT_FENCE_HELD, 0, state->held_count, &guards, err) < 0)
		return -1;
	push_together(state, &guards, " union all ", statements);
	return 0;
}

int state_push_fences(const struct state *state, struct strv *statements, struct err *err)
{
	if (state_push_phase(state, "publish", statements, err) < 0)
		return -1;
	return push_locks(state, DIALECT_FENCE_PRODUCTION, state->held_count, state->n, statements,
			  err);
}

int state_push_release(const struct state *state, struct strv *statements, struct err *err)
{
	return push_locks(state, DIALECT_LOCK_RELEASE, 0, state->held_count, statements, err);
}

int state_push_release_production(const struct state *state, struct strv *statements,
				  struct err *err)
{
	return push_locks(state, DIALECT_LOCK_RELEASE, state->held_count, state->n, statements,
			  err);
}

int state_push_raise(const struct state *state, struct strv *statements, struct err *err)
{
	return push_locks(state, DIALECT_FENCE_RAISE, 0, state->held_count, statements, err);
}

int state_push_log(const struct state *state, const char *event, const json_t *detail,
		   struct strv *statements, struct err *err)
{
	return push_detail(state, DIALECT_LOG_INSERT, event, detail, statements, err);
}

int state_push_log_held(const struct state *state, const char *event, const json_t *detail,
			struct strv *statements, struct err *err)
{
	return push_detail(state, DIALECT_LOG_HELD, event, detail, statements, err);
}

int state_push_objects(const struct state *state, const struct relation *relations, size_t n,
		       struct strv *statements, struct err *err)
{
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("log", &state->log),
		SQL_ARG_IDENT("home", state->schema.database),
		SQL_ARG_BIND("id"),
		SQL_ARG_NAMES("names", relations, n),
	};

	return dialect_push(statements, state->dialect, DIALECT_LOG_OBJECTS, args, ARRAY_LEN(args),
			    err);
}

int state_push_grants_keep(const struct state *state, const struct relation *relations, size_t n,
			   const json_t *configured, struct strv *statements, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	if (n == 0 || !state->dialect->templates[DIALECT_GRANTS_KEEP])
		return 0;
	write_detail(configured, &text);
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("log", &state->log),
		SQL_ARG_BIND("id"),
		SQL_ARG_NAMES("names", relations, n),
		SQL_ARG_LITERAL("configured", buf_cstr(&text)),
	};

	return dialect_push(statements, state->dialect, DIALECT_GRANTS_KEEP, args, ARRAY_LEN(args),
			    err);
}

int state_push_grants_back(const struct state *state, const char *of, struct strv *statements,
			   struct err *err)
{
	char *own CLEANUP(mem_free_string) = sql_bind_mark("", "id", "");
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("log", &state->log),
		SQL_ARG_LITERAL("of", of ? of : own),
	};

	if (!state->dialect->templates[DIALECT_GRANTS_BACK])
		return 0;
	return dialect_push(statements, state->dialect, DIALECT_GRANTS_BACK, args, ARRAY_LEN(args),
			    err);
}

static struct relation restore_schema(const struct state *state)
{
	return (struct relation) { .database = state->schema.database,
				   .schema = STATE_RESTORE_SCHEMA };
}

static int push_restores(const struct state *state, enum dialect_template template,
			 const json_t *detail, struct strv *statements, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	if (detail)
		write_detail(detail, &text);
	const struct relation restores = restore_schema(state);
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("log", &state->log),
		SQL_ARG_BIND("id"),
		SQL_ARG_SCHEMA("restores", &restores),
		SQL_ARG_IDENT("home", state->schema.database),
		SQL_ARG_LITERAL("restore_schema", STATE_RESTORE_SCHEMA),
		{ .name = "detail",
		  .kind = SQL_LITERAL,
		  .text = buf_cstr(&text),
		  .undecided = detail ? NULL : "the restore points" },
	};

	return dialect_push(statements, state->dialect, template, args, ARRAY_LEN(args), err);
}

int state_push_restores(const struct state *state, const json_t *detail, struct strv *statements,
			struct err *err)
{
	return push_restores(state, DIALECT_LOG_RESTORES, detail, statements, err);
}

int state_push_asides(const struct state *state, const json_t *detail, struct strv *statements,
		      struct err *err)
{
	return push_restores(state, DIALECT_LOG_ASIDE, detail, statements, err);
}

int state_push_altered(const struct state *state, const struct relation *container,
		       struct strv *statements, struct err *err)
{
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("log", &state->log),
		SQL_ARG_BIND("id"),
		SQL_ARG_IDENT("catalog", container->database),
		SQL_ARG_LITERAL("database", container->database),
		SQL_ARG_LITERAL("in_schema", container->schema),
	};

	return dialect_push(statements, state->dialect, DIALECT_LOG_ALTERED, args, ARRAY_LEN(args),
			    err);
}

int state_push_restore_list(const struct state *state, struct strv *queries, struct err *err)
{
	const struct relation restores = restore_schema(state);
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("log", &state->log),
		SQL_ARG_SCHEMA("restores", &restores),
		SQL_ARG_IDENT("home", state->schema.database),
		SQL_ARG_LITERAL("restore_schema", STATE_RESTORE_SCHEMA),
	};

	return dialect_push(queries, state->dialect, DIALECT_OBSERVE_RESTORES, args,
			    ARRAY_LEN(args), err);
}

int state_push_left(const struct state *state, struct strv *queries, struct err *err)
{
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("log", &state->log),
		SQL_ARG_SCHEMA("states", &state->schema),
		SQL_ARG_IDENT("home", state->schema.database),
	};

	return dialect_push(queries, state->dialect, DIALECT_OBSERVE_LEFT, args, ARRAY_LEN(args),
			    err);
}

void state_add_locks(struct state *state, const struct strv *names)
{
	state->n = names->n;
	state->containers = arena_alloc(&state->arena, (names->n + 1) * sizeof(*state->containers));
	for (size_t i = 0; i < names->n; i++) {
		const char *name = arena_strdup(&state->arena, names->v[i]);

		state->containers[i] = (struct state_container) {
			.name = name,
			.is_production = true,
			.lock = { state->schema.database, STATE_SCHEMA, name },
		};
	}
}

int state_push_read_all(const struct state *state, struct strv *queries, struct err *err)
{
	return push_locks(state, DIALECT_LOCK_READ, 0, state->n, queries, err);
}

int state_push_history(const struct state *state, const char *id, struct strv *queries,
		       struct err *err)
{
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("log", &state->log),
		SQL_ARG_LITERAL("only", id ? id : ""),
	};

	return dialect_push(queries, state->dialect, DIALECT_LOG_READ, args, ARRAY_LEN(args), err);
}

int state_push_tag(const struct state *state, struct strv *statements, struct err *err)
{
	const struct sql_arg id = SQL_ARG_BIND("id");

	if (!state->dialect->templates[DIALECT_TAG])
		return 0;
	return dialect_push(statements, state->dialect, DIALECT_TAG, &id, 1, err);
}

int state_push_running(const struct state *state, struct strv *queries, struct err *err)
{
	char *region CLEANUP(mem_free_string) = DIALECT_REGION_OF(&state->schema);
	const struct sql_arg args[] = {
		SQL_ARG_BIND("id"),
		SQL_ARG_IDENT("project", state->schema.database),
		SQL_ARG_IDENT("region", region),
	};

	if (!state->dialect->templates[DIALECT_RUNNING])
		return 0;
	return dialect_push(queries, state->dialect, DIALECT_RUNNING, args, ARRAY_LEN(args), err);
}

int state_push_cancel(const struct state *state, const char *job, struct strv *statements,
		      struct err *err)
{
	const struct sql_arg arg = SQL_ARG_LITERAL("job", job);

	if (!state->dialect->templates[DIALECT_CANCEL])
		return 0;
	return dialect_push(statements, state->dialect, DIALECT_CANCEL, &arg, 1, err);
}

int state_push_probe(const struct state *state, struct strv *queries, struct err *err)
{
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("log", &state->log),
		SQL_ARG_BIND("id"),
	};

	return dialect_push(queries, state->dialect, DIALECT_LOG_PROBE, args, ARRAY_LEN(args), err);
}

static const char *text_of(const json_t *row, const char *key)
{
	const char *s = js_get_string(row, key);

	return s ? s : "";
}

int state_read_lock(const struct state *state, size_t i, const json_t *rows,
		    struct state_lock *ret_lock, struct err *err)
{
	const json_t *row = json_array_get(rows, 0);
	const struct state_container *container = &state->containers[i];

	if (json_array_size(rows) != 1 || js_get_integer(row, "rows", 0) != 1 ||
	    !js_get_string(row, "nonce"))
		return err_set(err, ERR_NO_ANSWER,
			       "the lock table of '%s' does not hold exactly one row",
			       container->name);
	state_lock_of(row, ret_lock);
	ret_lock->container = container;
	return 0;
}

void state_lock_of(const json_t *row, struct state_lock *ret_lock)
{
	*ret_lock = (struct state_lock) {
		.fence = js_get_integer(row, "fence", -1),
		.nonce = text_of(row, "nonce"),
		.id = text_of(row, "id"),
		.name = text_of(row, "name"),
		.user = text_of(row, "user"),
		.host = text_of(row, "host"),
		.boot = text_of(row, "boot"),
		.start = text_of(row, "start"),
		.since = text_of(row, "since"),
		.phase = text_of(row, "phase"),
		.expires = text_of(row, "expires"),
		.pid = js_get_integer(row, "pid", 0),
		.expired = js_get_bool(row, "expired", false),
		.published = js_get_bool(row, "published", false),
	};
}

char *state_holder(const struct state_lock *lock)
{
	return mem_printf("deployment '%s' (%s) of %s on %s, process %lld, since %s%s%s%s%s",
			  lock->id, lock->name, lock->user, lock->host, (long long)lock->pid,
			  lock->since, *lock->phase ? ", phase " : "", lock->phase,
			  *lock->expires ? ", its lease ends " : "", lock->expires);
}

static int push_taking(const struct state *state, enum dialect_template which,
		       const struct state_lock *seen, bool dead_for_sure, const json_t *detail,
		       struct strv *statements, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	if (detail)
		write_detail(detail, &text);
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("lock", &seen->container->lock),
		SQL_ARG_RELATION("log", &state->log),
		SQL_ARG_LITERAL("dead", seen->id),
		SQL_ARG_LITERAL("detail", buf_cstr(&text)),
		SQL_ARG_LITERAL("holder", seen->nonce),
		SQL_ARG_NUMBER("seen", seen->fence),
		SQL_ARG_NUMBER("dead_for_sure", dead_for_sure),
		SQL_ARG_BIND("id"),
		SQL_ARG_BIND("name"),
		SQL_ARG_BIND("user"),
		SQL_ARG_BIND("host"),
		SQL_ARG_BIND("boot"),
		SQL_ARG_BIND("pid"),
		SQL_ARG_BIND("start"),
		SQL_ARG_BIND("since"),
		SQL_ARG_BIND("nonce"),
		SQL_ARG_BIND("phase"),
		SQL_ARG_BIND("lease"),
	};

	return dialect_push(statements, state->dialect, which, args, ARRAY_LEN(args), err);
}

int state_push_take(const struct state *state, const struct state_lock *seen, bool dead_for_sure,
		    const json_t *detail, struct strv *statements, struct err *err)
{
	return push_taking(state, DIALECT_LOCK_TAKE, seen, dead_for_sure, detail, statements, err);
}

int state_push_resume(const struct state *state, const struct state_lock *seen, bool dead_for_sure,
		      struct strv *statements, struct err *err)
{
	return push_taking(state, DIALECT_LOCK_RESUME, seen, dead_for_sure, NULL, statements, err);
}

int state_push_acquire(const struct state *state, size_t i, struct strv *statements,
		       struct err *err)
{
	return push_lock(state, DIALECT_LOCK_ACQUIRE, i, NULL, statements, err);
}

int state_locked_error(const struct state_lock *lock, struct err *err)
{
	char *holder CLEANUP(mem_free_string) = state_holder(lock);

	return err_set(err, ERR_LOCKED, "'%s' is held by %s", lock->container->name, holder);
}
