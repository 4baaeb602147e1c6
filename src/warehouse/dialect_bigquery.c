/*
 * BigQuery, through dbt-bigquery; run against a stand-in only (test/support/bigquery).
 *
 * DDL has no transaction, rows have one inside a script. A raise is error(). The catalog is that of
 * each dataset, and a dataset that is missing has none: asking it is an error. A second update of a
 * row at the same time is refused by the service ("could not serialize"), never applied on top of
 * an older state: so one update is compare-and-set, and @@row_count of its script says who won.
 */
#include "airlock/warehouse/dialect_rows.h"
#include "airlock/warehouse/marker.h"

extern const char bigquery_observe_sql[];

#define UTC(TIME) "format_timestamp('%Y-%m-%dT%H:%M:%E3SZ', " TIME ")"

#define OBJECT "cast(unix_millis(t.creation_time) as string)"

/*
 * Rows of JSON out of datasets that may be missing, each asked for itself: SCHEMATA is that of a
 * region, which nobody told us, and a dataset that is not there is an error. A variable holds 1 MB
 * at most.
 */
#define COLLECT(EACH, QUERY, END)                                                                  \
	"declare found array<string> default []; " EACH                                            \
	"begin set found = array_concat(found, array(" QUERY ")); "                                \
	"exception when error then if strpos(@@error.message, 'Not found: Dataset') = 0 then "     \
	"raise using message = @@error.message; end if; end; " END                                 \
	"select f from unnest(found) as f"

#define OF_EACH(QUERY) COLLECT("{each}", QUERY, "{end}")
#define OF_ONE(QUERY) COLLECT("", QUERY, "")

#define NAMES "unnest(array<struct<d string, s string, i string>>[{names:names}]) as w"

#define LEASE "timestamp_add(current_timestamp(), interval {lease:bind} second)"
/* A quarter of it: what begins behind such a look has ended, or can be found, before others may
 * take the lock. */
#define LEASE_ENDS "timestamp_add(current_timestamp(), interval {lease:bind} * 250 millisecond)"

#define HOLDER_COLUMNS                                                                             \
	"fence = fence + 1, nonce = '{nonce:bind}', id = '{id:bind}', name = '{name:bind}', "      \
	"username = '{user:bind}', host = '{host:bind}', boot = '{boot:bind}', "                   \
	"pid = {pid:bind}, began = '{start:bind}', since = '{since:bind}', "                       \
	"phase = '{phase:bind}', expires = " LEASE

#define HOLDER                                                                                     \
	"'deployment ' || id || ' (' || name || ') of ' || username || ' on ' || host "            \
	"|| ', process ' || cast(pid as string) || ', since ' || since || ', phase ' || phase"

#define DEAD                                                                                       \
	" where nonce = {holder:literal} and fence = {seen:number} "                               \
	"and ({dead_for_sure:number} = 1 or expires < current_timestamp())"

#define OBSERVE_ROWS(CONTENT)                                                                      \
	"select to_json_string(struct(t.table_catalog as `database`, "                             \
	"t.table_schema as `schema`, t.table_name as `identifier`, " OBJECT " as `object`, "       \
	"cast(m.last_modified_time as string) as `version`, q.n as `rows`" CONTENT ")) "           \
	"from " NAMES " inner join {dataset}.INFORMATION_SCHEMA.TABLES as t "                      \
	"on t.table_schema = w.s and t.table_name = w.i "                                          \
	"inner join {dataset}.__TABLES__ as m on m.table_id = t.table_name "

#define RESTORES                                                                                   \
	"select l.id, l.logged_at, e from {log:relation} as l, "                                   \
	"unnest(json_query_array(l.detail)) as e where l.event = 'restores'"

/* How many snapshots of each table were made within a day, be they dropped by now. */
#define SNAPSHOTS                                                                                  \
	"select d.made_of, count(*) as n from (select l.logged_at, json_query(e, '$.of') as "      \
	"made_of, json_value(e, '$.copy') as is_copy from {log:relation} as l, "                   \
	"unnest(json_query_array(l.detail)) as e where l.event = 'restores') as d "                \
	"where d.is_copy is null and d.logged_at > timestamp_sub(current_timestamp(), "            \
	"interval 1 day) group by d.made_of"

static const char *const templates[DIALECT_TEMPLATE_COUNT] = {
	[DIALECT_OBSERVE_SESSION] = "select to_json_string(struct(session_user() as `user`, "
				    "@@project_id as `database`, 'BigQuery' as `version`))",
	[DIALECT_OBSERVE_SCHEMAS] =
		OF_EACH("select to_json_string(struct(w.d as `database`, w.s as `schema`)) from "
			"(select distinct w.d, w.s from " NAMES ") as w cross join "
			"(select count(*) as n from {dataset}.INFORMATION_SCHEMA.TABLES) as t "
			"where w.d = {dataset_of:literal} and w.s = {dataset_name:literal}"),
	[DIALECT_OBSERVE_RELATIONS] = bigquery_observe_sql,
	[DIALECT_OBSERVE_CONTENT] = OBSERVE_ROWS(
		", q.h as `content`") "cross join (select count(*) as n, "
				      "cast(coalesce(sum(cast(farm_fingerprint(to_json_string(x)) "
				      "as numeric)), 0) as string) as h "
				      "from {relation:relation} as x) as q",
	[DIALECT_OBSERVE_ROWS] =
		OBSERVE_ROWS("") "cross join (select count(*) as n from {relation:relation}) as q",
	[DIALECT_OBSERVE_HISTORY] =
		"select to_json_string(struct({database:literal} as `database`, "
		"{in_schema:literal} as `schema`, {identifier:literal} as `identifier`, "
		"count(*) as `lost`)) "
		"from {to:relation} as t where not exists "
		"(select 1 from {from:relation} as f where f.{key:ident} = t.{key:ident})",
	/* That of a region, whose name the operation finds out (ops.sql). */
	[DIALECT_OBSERVE_PRIVILEGES] =
		"declare located string; begin set located = " BIGQUERY_PRIVILEGES "; "
		"exception when error then set located = null; end; "
		"select to_json_string(struct({database:literal} as `database`, "
		"{in_schema:literal} as `schema`, {identifier:literal} as `identifier`, "
		"located as `privileges`))",
	/* Of this user, and not the one that asks. */
	[DIALECT_RUNNING] =
		"declare located array<string>; begin set located = array(select j.job_id "
		"from {project}.{region}.INFORMATION_SCHEMA.JOBS_BY_USER as j "
		"where j.state != 'DONE' and j.parent_job_id is null "
		"and j.job_id != @@script.job_id and exists (select 1 from unnest(j.labels) as l "
		"where l.key = 'airlock' and l.value = '{id:bind}') order by j.job_id); "
		"exception when error then set located = null; end; "
		"select to_json_string(struct(array_length(located) as `running`, "
		"located as `jobs`))",
	[DIALECT_CANCEL] = "call bq.jobs.cancel({job:literal})",
	[DIALECT_OBSERVE_RESTORES] = OF_ONE(
		"select to_json_string(struct(t.table_name as `identifier`, " OBJECT
		" as `object`, json_value(o.option_value) as `comment`, m.size_bytes as `bytes`, "
		"r.id as `id`, " UTC(
			"r.logged_at") " as `at`, "
				       "timestamp_diff(current_timestamp(), r.logged_at, second) "
				       "as `age`, parse_json(r.e) as `restore`, "
				       "t.table_type = 'SNAPSHOT' as `snapshot`, "
				       "s.n as `snapshots`)) "
				       "from {restores:schema}.INFORMATION_SCHEMA.TABLES as t "
				       "inner join {restores:schema}.__TABLES__ as m "
				       "on m.table_id = t.table_name "
				       "left join "
				       "{restores:schema}.INFORMATION_SCHEMA.TABLE_OPTIONS as o "
				       "on o.table_name = t.table_name "
				       "and o.option_name = 'description' "
				       "left join (" RESTORES ") as r on t.table_name = "
				       "'r_' || r.id || '_' || json_value(r.e, '$.number') "
				       "left join (" SNAPSHOTS
				       ") as s on s.made_of = json_query(r.e, '$.of') "
				       "where t.table_schema = {restore_schema:literal} "
				       "order by t.table_name"),
	[DIALECT_OBSERVE_EXISTING] =
		OF_EACH("select to_json_string(struct(w.d as `database`, w.s as `schema`, "
			"w.i as `identifier`)) from " NAMES
			" inner join {dataset}.INFORMATION_SCHEMA.TABLES as t "
			"on t.table_schema = w.s and t.table_name = w.i"),
	[DIALECT_OBSERVE_LEFT] =
		OF_ONE("select to_json_string(struct(table_name as `lock`)) "
		       "from {states:schema}.INFORMATION_SCHEMA.TABLES "
		       "where starts_with(table_name, 'airlock_lock_') union all "
		       "select to_json_string(struct(table_schema || '.' || table_name as `side`)) "
		       "from {states:schema}.INFORMATION_SCHEMA.TABLES "
		       "where starts_with(table_name, 'airlock_stage_') union all "
		       "select to_json_string(struct(o.table_name as `copy`)) "
		       "from {states:schema}.INFORMATION_SCHEMA.TABLE_OPTIONS as o "
		       "where o.option_name = 'description' "
		       "and starts_with(o.table_name, 'mirror_') "
		       "and starts_with(json_value(o.option_value), '" MARKER_MIRROR "') union all "
		       "select to_json_string(struct(id as `unfinished`)) from {log:relation} "
		       "group by id having countif(event = 'intent') > 0 "
		       "and countif(event in ('finished', 'aborted')) = 0"),
	[DIALECT_RESTORE_CHECK] =
		"select if((select count(*) from "
		"{restores:schema}.INFORMATION_SCHEMA.TABLE_OPTIONS "
		"as o cross join (" RESTORES " and l.id = {maker:literal}) as r "
		"where o.table_schema = {restore_schema:literal} "
		"and o.table_name = {identifier:literal} and o.option_name = 'description' "
		"and json_value(o.option_value) = {marker:literal} "
		"and 'r_' || r.id || '_' || json_value(r.e, '$.number') = o.table_name) > 0, 1, "
		"error('" DIALECT_RAISED_CONFLICT " ' || {shown:literal} "
		"|| ' is no longer what the history says'))",
	[DIALECT_RESTORE_DROP] = "drop {snapshot:statement}table {restore:relation}",
	[DIALECT_RESTORE_DROPPED] =
		"insert into {log:relation} (id, logged_at, event, detail) "
		"select {maker:literal}, current_timestamp(), 'expired', {detail:literal}",
	[DIALECT_SCHEMA_CREATE] = "create schema if not exists {schema:schema}",
	[DIALECT_LOG_CREATE] =
		"create table if not exists {log:relation} (id string not null, "
		"logged_at timestamp not null, event string not null, detail string not null)",
	/* One of two at once may hear that it exists: it is asked again (`transient`). */
	[DIALECT_LOCK_CREATE] =
		"create table if not exists {lock:relation} as select 0 as fence, "
		"'' as nonce, '' as id, '' as name, '' as username, '' as host, '' as boot, "
		"0 as pid, '' as began, '' as since, '' as phase, "
		"cast(null as timestamp) as expires, {container:literal} as container",
	[DIALECT_LOCK_ACQUIRE] = "update {lock:relation} set " HOLDER_COLUMNS " where nonce = ''",
	[DIALECT_LOCK_ACQUIRE_NEXT] =
		"update {lock:relation} set " HOLDER_COLUMNS " where nonce = '' and exists "
		"(select 1 from {previous:relation} as p where p.nonce = '{nonce:bind}')",
	/* Rows alone do have transactions. */
	[DIALECT_LOCK_TAKE] =
		"begin transaction; update {lock:relation} set " HOLDER_COLUMNS DEAD "; "
		"insert into {log:relation} (id, logged_at, event, detail) "
		"select {dead:literal}, current_timestamp(), case when (select count(*) "
		"from {log:relation} where id = {dead:literal} and event = 'published') > 0 "
		"then 'finished' else 'aborted' end, {detail:literal} "
		"from {lock:relation} where nonce = '{nonce:bind}' and not exists (select 1 "
		"from {log:relation} where id = {dead:literal} and event in ('finished', "
		"'aborted')); commit transaction",
	[DIALECT_LOCK_RESUME] = "update {lock:relation} set " HOLDER_COLUMNS DEAD,
	[DIALECT_LOCK_READ] =
		"select to_json_string(struct(l.container as `container`, (select count(*) "
		"from {lock:relation}) as `rows`, l.fence as `fence`, l.nonce as `nonce`, "
		"l.id as `id`, l.name as `name`, l.username as `user`, l.host as `host`, "
		"l.boot as `boot`, l.pid as `pid`, l.began as `start`, l.since as `since`, "
		"l.phase as `phase`, " UTC(
			"l.expires") " as `expires`, "
				     "coalesce(l.expires < current_timestamp(), false) as "
				     "`expired`, g.id is not null as `published`)) "
				     "from {lock:relation} as l left join (select distinct id "
				     "from {log:relation} where event = 'published') as g "
				     "on g.id = l.id",
	[DIALECT_LOCK_HELD] = "select to_json_string(struct(fence as `fence`)) "
			      "from {lock:relation} where nonce = '{nonce:bind}'",
	[DIALECT_LOCK_LIST] =
		OF_ONE("select to_json_string(struct(table_name as `identifier`)) "
		       "from {states:schema}.INFORMATION_SCHEMA.TABLES "
		       "where starts_with(table_name, 'airlock_lock_') order by table_name"),
	[DIALECT_LOCK_RELEASE] = "update {lock:relation} set nonce = '', phase = 'free' where "
				 "nonce = '{nonce:bind}'",
	[DIALECT_FENCE_RAISE] =
		"update {lock:relation} set fence = fence + 1 where nonce = '{nonce:bind}'",
	[DIALECT_FENCE_CHECK] =
		"update {lock:relation} set phase = {doing:literal}, expires = " LEASE
		" where nonce = '{nonce:bind}'; "
		"select if(@@row_count = 1, 1, error('" DIALECT_RAISED_FENCE
		" the lock of ' || {container:literal} "
		"|| ' was taken from this deployment and is held by ' || (select if(nonce = '', "
		"'nobody', " HOLDER ") from {lock:relation})))",
	[DIALECT_FENCE_HELD] =
		"select if((select count(*) from {lock:relation} where nonce = '{nonce:bind}' "
		"and expires > " LEASE_ENDS ") = 1, 1, error('" DIALECT_RAISED_FENCE
		" the lock of ' || {container:literal} || (select if(nonce = '{nonce:bind}', "
		"' is not renewed, and its lease runs out', "
		"' was taken from this deployment and is held by ' || if(nonce = '', "
		"'nobody', " HOLDER ")) from {lock:relation})))",
	[DIALECT_FENCE_PRODUCTION] =
		"select if((select count(*) from {lock:relation} "
		"where nonce in ('', '{nonce:bind}')) = 1, 1, "
		"error('" DIALECT_RAISED_HELD " ' || {container:literal} "
		"|| ' is held by ' || (select " HOLDER " from {lock:relation})))",
	[DIALECT_LOG_INSERT] =
		"insert into {log:relation} (id, logged_at, event, detail) "
		"select '{id:bind}', current_timestamp(), {event:literal}, {detail:literal}",
	[DIALECT_LOG_BEGUN] =
		"insert into {log:relation} (id, logged_at, event, detail) "
		"select '{id:bind}', current_timestamp(), 'begun', left({detail:literal}, "
		"length({detail:literal}) - 1) || ',\"fence\":' || cast(l.fence as string) || '}' "
		"from {lock:relation} as l where l.nonce = '{nonce:bind}' and not exists (select 1 "
		"from {log:relation} as g where g.id = '{id:bind}' and g.event in ('begun', "
		"'finished', 'aborted'))",
	[DIALECT_LOG_HELD] =
		"insert into {log:relation} (id, logged_at, event, detail) "
		"select '{id:bind}', current_timestamp(), {event:literal}, {detail:literal} "
		"from {lock:relation} as l where l.nonce = '{nonce:bind}' and not exists (select 1 "
		"from {log:relation} as g where g.id = '{id:bind}' and (g.event in ('finished', "
		"'aborted') or g.event = {event:literal} and g.detail = {detail:literal}))",
	[DIALECT_LOG_OBJECTS] =
		"insert into {log:relation} (id, logged_at, event, detail) "
		"select '{id:bind}', current_timestamp(), 'objects', "
		"'[' || coalesce(string_agg(o, ','), '') || ']' from ("
		"{each}select to_json_string(struct(w.d as `database`, w.s as `schema`, "
		"w.i as `identifier`, case t.table_type when 'VIEW' "
		"then to_hex(md5(v.view_definition)) else " OBJECT " end as `object`)) as o "
		"from " NAMES " inner join {dataset}.INFORMATION_SCHEMA.TABLES as t "
		"on t.table_schema = w.s and t.table_name = w.i "
		"left join {dataset}.INFORMATION_SCHEMA.VIEWS as v "
		"on v.table_schema = w.s and v.table_name = w.i{end})",
	/* Each document with more in it: its closing brace goes. */
	[DIALECT_LOG_RESTORES] = "insert into {log:relation} (id, logged_at, event, detail) "
				 "select '{id:bind}', current_timestamp(), 'restores', "
				 "'[' || coalesce(string_agg(left(e, length(e) - 1) || "
				 "',\"object\":\"' || " OBJECT
				 " || '\",\"bytes\":' || cast(m.size_bytes as string) || "
				 "',\"expires_at\":\"' || " UTC(
					 "timestamp_add(current_timestamp(), "
					 "interval cast(json_value(e, '$.keep_for') as int64) "
					 "second)") " || '\"}', ','), '') || ']' "
						    "from "
						    "unnest(json_query_array({detail:literal})) as "
						    "e "
						    "inner join "
						    "{restores:schema}.INFORMATION_SCHEMA.TABLES "
						    "as t "
						    "on t.table_schema = {restore_schema:literal} "
						    "and t.table_name = 'r_{id:bind}_' || "
						    "json_value(e, '$.number') "
						    "inner join {restores:schema}.__TABLES__ as m "
						    "on m.table_id = t.table_name",
	[DIALECT_LOG_READ] = "select to_json_string(struct(id as `id`, " UTC(
		"logged_at") " as `at`, "
			     "event as `event`, detail as `detail`, "
			     "timestamp_diff(current_timestamp(), logged_at, second) as "
			     "`age`)) from {log:relation} where {only:literal} in ('', id) "
			     "order by logged_at",
	[DIALECT_LOG_PROBE] =
		"select to_json_string(struct((select count(*) from {log:relation} "
		"where id = '{id:bind}' and event = 'published') > 0 as `published`))",
};

static const char *const transaction_settings[] = { NULL };

/* One statement, so that none is there without its rows or its marker. */
static const char *const side_copy[] = {
	"create table if not exists {copy}{layout:catalog} options (expiration_timestamp = null, "
	"description = {marker:literal}) {query:query}",
	NULL,
};

/* Undone by the service. */
static const char *const transient[] = {
	"Could not serialize access to table",
	"Transaction is aborted due to concurrent update",
	"Exceeded rate limits",
	"Job exceeded rate limits",
	NULL,
};

/* There was no session: nothing was sent. */
static const char *const unreachable[] = {
	"Unable to generate access token",
	NULL,
};

const struct dialect dialect_bigquery = {
	.name = "bigquery",
	.title = "BigQuery",
	.quote = '`',
	.identifier_max = 1024,
	.folds_case = false,
	.escapes_backslash = true,
	.is_google_sql = true,
	.never_in_names = "`\\",
	.catalog_per_database = true,
	.names_database = true,
	.moves_objects = false,
	.views_follow_names = true,
	.one_writer = false,
	.changes_set_atomically = false,
	.unseen_by_identity = "a change of row access policies or authorized views, and "
			      "what is written to a table in the moments before it is replaced",
	.unseen_by_content = "a change of row access policies or authorized views, and "
			     "what is written to a table in the moments before it is replaced",
	.labels_jobs = true,
	.updates_at_once = 5,
	.updates_within_s = 10,
	.updates_a_day = 1500,
	.snapshots_a_day = 50,
	.hides_policies = true,
	.transaction = DIALECT_TRANSACTION_NONE,
	.transaction_settings = transaction_settings,
	.transient = transient,
	.unreachable = unreachable,
	.is_answer = bigquery_is_answer,
	.side_copy = side_copy,
	.templates = templates,
	.choose_way = bigquery_choose_way,
	.publish = bigquery_publish,
	.keep = bigquery_keep,
	.give_back = bigquery_give_back,
	.choose_copy = publish_choose_copy,
	.copy = bigquery_copy,
};
