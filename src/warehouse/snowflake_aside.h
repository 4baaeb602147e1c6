/*
 * Schemas that were put aside by an exchange, as restore points: recorded with the objects that
 * deployments made ("KIND NAME/CREATION"), and dropped when they hold just those.
 */
#ifndef AIRLOCK_WAREHOUSE_SNOWFLAKE_ASIDE_H
#define AIRLOCK_WAREHOUSE_SNOWFLAKE_ASIDE_H

#define SNOWFLAKE_UTC(TIME)                                                                        \
	"to_varchar(" TIME "::timestamp_ntz, 'YYYY-MM-DD') || 'T' || "                             \
	"to_varchar(" TIME "::timestamp_ntz, 'HH24:MI:SS.FF3') || 'Z'"

#define ASIDE_CREATED(OF) "date_part(epoch_microsecond, " OF ".created)::varchar"

/* Everything in schemas: d and s where, k kind, n name, c creation where it is known. Of what is
 * neither table nor view the owner's privilege says that it is there (snowflake_containers.sql). */
#define SNOWFLAKE_MEMBERS(CATALOG)                                                                 \
	"(select t.table_catalog as d, t.table_schema as s, case when t.is_dynamic = 'YES' then "  \
	"'dynamic table' when t.is_hybrid = 'YES' then 'hybrid table' when t.is_iceberg = 'YES' "  \
	"then 'iceberg table' when t.table_type = 'BASE TABLE' "                                   \
	"then 'table' else lower(t.table_type) end as k, t.table_name as n, " ASIDE_CREATED(       \
		"t") " as c from " CATALOG "information_schema.tables t union all "                \
		     "select p.object_catalog, p.object_schema, lower(p.object_type), "            \
		     "p.object_name, null from " CATALOG "information_schema.object_privileges p " \
		     "where p.privilege_type = 'OWNERSHIP' and p.object_schema is not null "       \
		     "and p.object_type not in ('TABLE', 'VIEW', 'MATERIALIZED VIEW', "            \
		     "'EXTERNAL TABLE', 'DYNAMIC TABLE', 'EVENT TABLE', 'HYBRID TABLE', "          \
		     "'ICEBERG TABLE', 'SCHEMA')) "

/* Changes with every write to what is in one, as its picture says it (snowflake_containers.sql). */
#define SNOWFLAKE_ALTERED(SCHEMA)                                                                  \
	"(select coalesce(md5(listagg(case " SCHEMA " when '' then t.table_schema || '.' "         \
	"else '' end || t.table_name || '/' || date_part(epoch_microsecond, "                      \
	"t.last_altered)::varchar, ' ') within group (order by case " SCHEMA " when '' then "      \
	"t.table_schema || '.' else '' end || t.table_name)), md5('')) "                           \
	"from {catalog:ident}.information_schema.tables t where t.table_schema <> "                \
	"'INFORMATION_SCHEMA' and " SCHEMA " in ('', t.table_schema))"

#define ASIDE_MEMBER "t.k || ' ' || t.n || coalesce('/' || t.c, '')"

/* What the history has of one: r.e its record. */
#define ASIDE_RECORDS                                                                              \
	"(select l.id, l.logged_at, e.value as e from {log:relation} l, "                          \
	"lateral flatten(input => parse_json(l.detail)) e where l.event = 'restores') r "

/* What a role has made that this session is not of may be hidden from it, and goes with a schema.
 */
#define ASIDE_MAKERS(CATALOG, KINDS)                                                               \
	"(select p.object_name as s, p.grantee as n from " CATALOG                                 \
	"information_schema.object_privileges p where p.object_type in (" KINDS                    \
	") and startswith(p.privilege_type, 'CREATE ') and not is_role_in_session(p.grantee)) "

/* Everything in schemas with such a name that the record of theirs does not list. */
#define ASIDE_UNRECORDED                                                                           \
	"select t.s as s, t.n as n from " SNOWFLAKE_MEMBERS(                                       \
		"{home:ident}.") "t left join (select r.e:schema::varchar as s, "                  \
				 "to_json(r.e:objects) as made from " ASIDE_RECORDS                \
				 ") m on m.s = t.s where contains(t.s, '__airlock_') and not "     \
				 "contains(coalesce(m.made, ''), to_json(to_variant(" ASIDE_MEMBER \
				 ")))"

#define ASIDE_HIDDEN                                                                               \
	"select distinct m.s, 'perhaps what ' || m.n || ' made, which this role may not see' "     \
	"from " ASIDE_MAKERS("{home:ident}.", "'SCHEMA'") "m where contains(m.s, '__airlock_')"

#define ASIDE_OTHERS                                                                               \
	"(select u.s as table_schema, listagg(u.n, ', ') within group (order by u.n) as names "    \
	"from (" ASIDE_UNRECORDED " union all " ASIDE_HIDDEN ") u group by u.s) o "

#define ASIDE_OBSERVE                                                                              \
	"select to_json(object_construct('schema', n.schema_name, 'object', " ASIDE_CREATED(       \
		"n") ", 'comment', n.comment, 'bytes', coalesce(b.bytes, 0), 'id', r.id, "         \
		     "'at', " SNOWFLAKE_UTC(                                                       \
			     "r.logged_at") ", 'age', datediff(second, "                           \
					    "r.logged_at, sysdate()), "                            \
					    "'others', o.names, 'restore', r.e)) "                 \
					    "from {home:ident}.information_schema.schemata n "     \
					    "left join " ASIDE_RECORDS "on r.e:schema::varchar = " \
					    "n.schema_name "                                       \
					    "left join " ASIDE_OTHERS                              \
					    "on o.table_schema = n.schema_name "                   \
					    "left join (select t.table_schema, "                   \
					    "sum(t.bytes) as bytes from "                          \
					    "{home:ident}.information_schema.tables t "            \
					    "group by t.table_schema) b on "                       \
					    "b.table_schema = n.schema_name "                      \
					    "where regexp_like(n.schema_name, "                    \
					    "'.*__airlock_[0-9]{{14}_[0-9a-f]{{6}'"                \
					    ")"

#define ASIDE_CHECK                                                                                \
	"select to_number(case when (select count(*) from "                                        \
	"{home:ident}.information_schema.schemata n "                                              \
	"join " ASIDE_RECORDS "on r.e:schema::varchar = n.schema_name and r.id = {maker:literal} " \
	"and r.e:object::varchar = " ASIDE_CREATED(                                                \
		"n") " where n.schema_name = {identifier:literal} and "                            \
		     "endswith(coalesce(n.comment, ''), "                                          \
		     "{marker:literal})) > 0 and (select count(*) from " ASIDE_OTHERS              \
		     "where o.table_schema = {identifier:literal}) = 0 then '1' "                  \
		     "else '" DIALECT_RAISED_CONFLICT " ' || {shown:literal} "                     \
		     "|| ' is no longer what the history says' end)"

/* The same of a database: its own catalog lists what is in it. */
#define ASIDE_DATABASE_OTHERS                                                                      \
	"(select count(*) from " SNOWFLAKE_MEMBERS(                                                \
		"{catalog:ident}.") "t cross join (select to_json(r.e:objects) as made "           \
				    "from " ASIDE_RECORDS                                          \
				    "where r.id = {maker:literal} and r.e:database::varchar = "    \
				    "{identifier:literal}) m where t.d = {identifier:literal} "    \
				    "and t.s <> 'INFORMATION_SCHEMA' "                             \
				    "and not contains(m.made, to_json(to_variant(t.k || ' ' || "   \
				    "t.s || '.' || t.n || "                                        \
				    "coalesce('/' || t.c, '')))))"

#define ASIDE_DATABASE_CHECK                                                                       \
	"select to_number(case when (select count(*) from "                                        \
	"{home:ident}.information_schema.databases n "                                             \
	"join " ASIDE_RECORDS                                                                      \
	"on r.e:database::varchar = n.database_name and r.id = {maker:literal} "                   \
	"and r.e:object::varchar = " ASIDE_CREATED(                                                \
		"n") " where n.database_name = "                                                   \
		     "{identifier:literal} and endswith(coalesce(n.comment, ''), "                 \
		     "{marker:literal})) > 0 and " ASIDE_DATABASE_OTHERS                           \
		     " = 0 and (select count(*) from " ASIDE_MAKERS(                               \
			     "{catalog:ident}.",                                                   \
			     "'SCHEMA', 'DATABASE'") "m) = 0 then '1' else "                       \
						     "'" DIALECT_RAISED_CONFLICT                   \
						     " ' || {shown:literal} || ' is no longer "    \
						     "what the history says, or holds what this "  \
						     "role may not see' end)"

#define ASIDE_DATABASES_OBSERVE                                                                    \
	"select to_json(object_construct('aside', n.database_name, 'object', " ASIDE_CREATED(      \
		"n") ", 'comment', n.comment, 'bytes', coalesce(r.e:bytes::bigint, 0), 'id', "     \
		     "r.id, 'at', " SNOWFLAKE_UTC("r.logged_at") ", 'age', datediff(second, "      \
								 "r.logged_at, sysdate()), "       \
								 "'restore', r.e)) from "          \
								 "{home:ident}.information_"       \
								 "schema.databases n "             \
								 "join " ASIDE_RECORDS             \
								 "on r.e:database::varchar = "     \
								 "n.database_name"

/* {detail}: [{"prefix", "kind", "made": ["KIND NAME/CREATION", ..], ..}], of the deployment that is
 * bound. */
#define ASIDE_LOG                                                                                  \
	"insert into {log:relation} (id, logged_at, event, detail) "                               \
	"select '{id:bind}', sysdate(), 'restores', coalesce(to_json(array_agg(object_construct("  \
	"'number', e.value:number, 'of', e.value:of, 'keep', e.value:keep, 'keep_for', "           \
	"e.value:keep_for, 'schema', n.s, 'database', n.d, 'object', " ASIDE_CREATED(              \
		"n") ", 'objects', e.value:made, 'bytes', coalesce(b.bytes, "                      \
		     "e.value:bytes::bigint, 0), "                                                 \
		     "'expires_at', " SNOWFLAKE_UTC("dateadd(second, e.value:keep_for::bigint, "   \
						    "sysdate())") "))), '[]') from (select "       \
								  "parse_json({detail:literal}) "  \
								  "as j) d, "                      \
								  "lateral flatten(input => d.j) " \
								  "e join "                        \
								  "(select 'schema' as kind, "     \
								  "schema_name as n, schema_name " \
								  "as s, null as d, created "      \
								  "from "                          \
								  "{home:ident}.information_"      \
								  "schema.schemata union all "     \
								  "select 'database', "            \
								  "database_name, null, "          \
								  "database_name, created from "   \
								  "{home:ident}.information_"      \
								  "schema.databases) n on n.kind " \
								  "= e.value:kind::varchar "       \
								  "and n.n = "                     \
								  "e.value:prefix::varchar || "    \
								  "'{id:bind}' left join "         \
								  "(select t.table_schema, "       \
								  "sum(t.bytes) as bytes from "    \
								  "{home:ident}.information_"      \
								  "schema.tables t group by "      \
								  "t.table_schema) b "             \
								  "on b.table_schema = n.s"

#endif
