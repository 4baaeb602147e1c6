/*
 * Schemas that were put aside by an exchange, as restore points: recorded with the objects that
 * deployments made, and dropped with just those. Anything else in one keeps it.
 */
#ifndef AIRLOCK_WAREHOUSE_POSTGRES_ASIDE_H
#define AIRLOCK_WAREHOUSE_POSTGRES_ASIDE_H

/* What stands in schema n by itself: d its identity, o its names. */
#define ASIDE_MEMBERS                                                                              \
	"from pg_depend d "                                                                        \
	"cross join lateral pg_identify_object(d.classid, d.objid, d.objsubid) o "                 \
	"where d.refclassid = 'pg_namespace'::regclass and d.refobjid = n.oid "                    \
	"and d.deptype = 'n' and not exists (select 1 from pg_depend i "                           \
	"where i.classid = d.classid and i.objid = d.objid and i.deptype in ('a', 'i') "           \
	"and i.refclassid <> 'pg_namespace'::regclass) "

#define ASIDE_OBJECT "d.classid::bigint || '/' || d.objid::bigint"

#define ASIDE_NAME "coalesce(o.name, substring(o.identity from length(quote_ident(n.nspname)) + 2))"

#define ASIDE_BYTES                                                                                \
	"(select coalesce(sum(pg_total_relation_size(c.oid)), 0) from pg_class c "                 \
	"where c.relnamespace = n.oid and c.relkind in ('r', 'm'))"

/* Behind the restore points that are tables; {log} is given. */
#define ASIDE_OBSERVE                                                                              \
	"select json_build_object('schema', n.nspname, 'object', n.oid::text, "                    \
	"'comment', obj_description(n.oid, 'pg_namespace'), 'bytes', " ASIDE_BYTES ", "            \
	"'id', r.id, 'at', to_char(r.logged_at at time zone 'utc', "                               \
	"'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), "                                                   \
	"'age', floor(extract(epoch from clock_timestamp() - r.logged_at))::bigint, "              \
	"'others', (select string_agg(o.type || ' ' || " ASIDE_NAME                                \
	", ', ' order by o.identity) " ASIDE_MEMBERS                                               \
	"and not coalesce(r.e -> 'objects' ? (" ASIDE_OBJECT "), false)), "                        \
	"'restore', r.e)::text, n.nspname "                                                        \
	"from pg_namespace n "                                                                     \
	"left join (select l.id, l.logged_at, e from {log:relation} l, "                           \
	"jsonb_array_elements(l.detail::jsonb) e where l.event = 'restores' and e ? 'schema') r "  \
	"on r.e ->> 'schema' = n.nspname "                                                         \
	"where n.nspname ~ '__airlock_[0-9]{{14}_[0-9a-f]{{6}$'"

#define ASIDE_OURS                                                                                 \
	"from pg_namespace n join {log:relation} l on l.id = {maker:literal} "                     \
	"and l.event = 'restores', jsonb_array_elements(l.detail::jsonb) e "                       \
	"where n.nspname = {identifier:literal} and e ->> 'schema' = n.nspname "                   \
	"and e ->> 'object' = n.oid::text "

#define ASIDE_CHECK                                                                                \
	"do begin perform set_config('lock_timeout', '3s', true); "                                \
	"if not exists (select 1 " ASIDE_OURS                                                      \
	"and right(obj_description(n.oid, 'pg_namespace'), length({marker:literal})) "             \
	"= {marker:literal}) then raise exception '" DIALECT_RAISED_CONFLICT                       \
	" % is no longer what the history says', {shown:literal}; end if; end"

#define ASIDE_BOUND "get stacked diagnostics why = pg_exception_detail;"

/* Never by cascade, so what others built on it stops it: the tables at once, for they may refer to
 * each other, and the rest again and again while that frees something; then the views that read it
 * in what goes with it, {going}: two schemas may read each other. */
#define ASIDE_DROP                                                                                 \
	"do declare ours jsonb; r record; tables text; why text; moved bool; begin "               \
	"select e -> 'objects' into ours " ASIDE_OURS "; "                                         \
	"loop moved := false; why := null; "                                                       \
	"select string_agg(o.identity, ', ') into tables from pg_namespace n, lateral (select "    \
	"o.type, o.identity " ASIDE_MEMBERS "and ours ? (" ASIDE_OBJECT ")) o "                    \
	"where n.nspname = {identifier:literal} and o.type = 'table'; "                            \
	"if tables is not null then begin execute 'drop table ' || tables; moved := true; "        \
	"exception when dependent_objects_still_exist then " ASIDE_BOUND " end; end if; "          \
	"for r in select o.type, o.identity from pg_namespace n, lateral (select "                 \
	"o.type, o.identity " ASIDE_MEMBERS "and ours ? (" ASIDE_OBJECT ")) o "                    \
	"where n.nspname = {identifier:literal} and o.type <> 'table' "                            \
	"order by o.type desc, o.identity loop "                                                   \
	"begin execute format('drop %s %s', case r.type when 'composite type' then 'type' "        \
	"when 'statistics object' then 'statistics' else r.type end, r.identity); "                \
	"moved := true; "                                                                          \
	"exception when dependent_objects_still_exist then " ASIDE_BOUND " end; end loop; "        \
	"exit when why is null; "                                                                  \
	"if not moved then for r in select o.type, o.identity from pg_namespace n, lateral "       \
	"(select d.objid, o.type, o.identity " ASIDE_MEMBERS "and exists (select 1 "               \
	"from {log:relation} l, jsonb_array_elements(l.detail::jsonb) e "                          \
	"where l.id = {maker:literal} and l.event = 'restores' and e ->> 'schema' = n.nspname "    \
	"and e ->> 'object' = n.oid::text and e -> 'objects' ? (" ASIDE_OBJECT "))) o "            \
	"where {going:literal}::jsonb ? n.nspname and o.type in ('view', 'materialized view') "    \
	"and exists (select 1 from pg_rewrite w join pg_depend b "                                 \
	"on b.classid = 'pg_rewrite'::regclass and b.objid = w.oid "                               \
	"and b.refclassid = 'pg_class'::regclass join pg_class c on c.oid = b.refobjid "           \
	"where w.ev_class = o.objid and c.relnamespace = (select f.oid from pg_namespace f "       \
	"where f.nspname = {identifier:literal})) loop "                                           \
	"begin execute format('drop %s %s', r.type, r.identity); moved := true; "                  \
	"exception when dependent_objects_still_exist then " ASIDE_BOUND " end; end loop; "        \
	"end if; "                                                                                 \
	"if not moved then raise exception 'others use what is in it: %', why; end if; "           \
	"end loop; execute 'drop schema ' || quote_ident({identifier:literal}); end"

/* A clock that was set back does not change the order of the log. */
#define LOG_NOW                                                                                    \
	"(select greatest(clock_timestamp(), max(logged_at) + interval '1 us') from "              \
	"{log:relation})"

/* That the deployment made which published the schema: a node that made it may be gone since. */
#define ASIDE_PUBLISHED                                                                            \
	"d.classid = 'pg_class'::regclass and exists (select 1 from {log:relation} l, "            \
	"jsonb_array_elements(l.detail::jsonb -> 'tables') t where l.id = e ->> 'was' "            \
	"and l.event = 'intent' "                                                                  \
	"and split_part(t -> 'tested' ->> 'object', '/', 1) = d.objid::text)"

/* {detail}: [{"prefix", "made": ["KIND NAME", ..], "was", ..}], of the deployment that is bound. */
#define ASIDE_LOG                                                                                  \
	"insert into {log:relation} (id, logged_at, event, detail) "                               \
	"select '{id:bind}', " LOG_NOW ", 'restores', "                                            \
	"coalesce(json_agg((e - 'made' - 'prefix' - 'was') || jsonb_build_object('schema', "       \
	"n.nspname, "                                                                              \
	"'object', n.oid::text, 'objects', (select coalesce(jsonb_agg(" ASIDE_OBJECT               \
	"), '[]') " ASIDE_MEMBERS "and (e -> 'made' ? (o.type || ' ' || " ASIDE_NAME ") "          \
	"or " ASIDE_PUBLISHED ")), "                                                               \
	"'bytes', " ASIDE_BYTES ", 'expires_at', "                                                 \
	"to_char((clock_timestamp() + (e ->> 'keep_for')::bigint * interval '1 s') "               \
	"at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')))::text, '[]') "                 \
	"from jsonb_array_elements({detail:literal}::jsonb) e "                                    \
	"join pg_namespace n on n.nspname = (e ->> 'prefix') || '{id:bind}'"

#endif
