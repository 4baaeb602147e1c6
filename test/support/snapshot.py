"""Everything in a warehouse that a deployment could change, as sorted text: python3 snapshot.py
[--skip SCHEMA,...] prints rows, columns, constraints, indexes, comments, grants, default
privileges, triggers, rules, policies, publications, views and functions of all other schemas.
Two equal texts mean that nothing changed; each line begins with what it is about.

On PostgreSQL an ACL that was never set is printed as the default that it stands for.
"""

import argparse

import warehouse

# Each query gives (text); {skip} is a list of schema names. search_path is empty, so that every
# definition is printed with full names.
POSTGRES = {
    "schema": """
        select quote_ident(nspname), pg_get_userbyid(nspowner), obj_description(n.oid, 'pg_namespace')
          from pg_namespace n where {mine}""",
    "schema grant": """
        select quote_ident(nspname), a::text
          from pg_namespace n, unnest(coalesce(nspacl, acldefault('n', nspowner))) a where {mine}""",
    "default privilege": """
        select coalesce(quote_ident(nspname), '(all)'), pg_get_userbyid(defaclrole), defaclobjtype, a::text
          from pg_default_acl d left join pg_namespace n on n.oid = d.defaclnamespace, unnest(defaclacl) a
         where n.oid is null or {mine}""",
    "relation": """
        select c.oid::regclass, relkind, pg_get_userbyid(relowner), relpersistence, relrowsecurity,
               relforcerowsecurity, relreplident, relispartition, relispopulated, reloptions,
               (select amname from pg_am a where a.oid = c.relam),
               (select spcname from pg_tablespace s where s.oid = c.reltablespace),
               (select l.reloptions from pg_class l where l.oid = c.reltoastrelid),
               obj_description(c.oid, 'pg_class')
          from {relations}""",
    "grant": """
        select c.oid::regclass, a::text
          from {relations}, unnest(coalesce(relacl, acldefault(
               case relkind when 'S' then 's' else 'r' end::"char", relowner))) a
         where relkind <> 'i'""",
    "column": """
        select c.oid::regclass, attnum - (select count(*) from pg_attribute d
                 where d.attrelid = c.oid and d.attnum > 0 and d.attisdropped and d.attnum < t.attnum),
               quote_ident(attname), format_type(atttypid, atttypmod), attnotnull, attidentity,
               attgenerated, nullif(attcollation, 0)::regcollation, attstorage, attcompression,
               attstattarget, attoptions, pg_get_expr(adbin, adrelid),
               col_description(c.oid, attnum)
          from {relations} join pg_attribute t on t.attrelid = c.oid
          left join pg_attrdef on adrelid = c.oid and adnum = attnum
         where attnum > 0 and not attisdropped and relkind <> 'i'""",
    "column grant": """
        select c.oid::regclass, quote_ident(attname), a::text
          from {relations} join pg_attribute t on t.attrelid = c.oid, unnest(attacl) a
         where not attisdropped""",
    "constraint": """
        select conrelid::regclass, quote_ident(conname), pg_get_constraintdef(o.oid), convalidated,
               obj_description(o.oid, 'pg_constraint')
          from pg_constraint o join {relations} on c.oid = o.conrelid""",
    "index": """
        select indrelid::regclass, pg_get_indexdef(indexrelid), indisclustered, indisreplident,
               indisvalid, obj_description(indexrelid, 'pg_class')
          from pg_index join {relations} on c.oid = indrelid""",
    "statistics": """
        select stxrelid::regclass, pg_get_statisticsobjdef(s.oid)
          from pg_statistic_ext s join {relations} on c.oid = stxrelid""",
    "trigger": """
        select tgrelid::regclass, pg_get_triggerdef(g.oid), tgenabled
          from pg_trigger g join {relations} on c.oid = tgrelid where not tgisinternal""",
    "rule": """
        select ev_class::regclass, pg_get_ruledef(r.oid) from pg_rewrite r
          join {relations} on c.oid = ev_class where rulename <> '_RETURN'""",
    "view": """
        select c.oid::regclass, pg_get_viewdef(c.oid) from {relations} where relkind in ('v', 'm')""",
    "policy": """
        select p.polrelid::regclass, quote_ident(polname), polcmd, polpermissive,
               polroles::regrole[], pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)
          from pg_policy p join {relations} on c.oid = polrelid""",
    "publication": """
        select prrelid::regclass, pubname, pubinsert, pubupdate, pubdelete, pubtruncate
          from pg_publication_rel join pg_publication u on u.oid = prpubid
          join {relations} on c.oid = prrelid""",
    "inheritance": """
        select inhrelid::regclass, inhparent::regclass, pg_get_expr(relpartbound, c.oid)
          from pg_inherits join {relations} on c.oid = inhrelid""",
    "function": """
        select p.oid::regprocedure, pg_get_functiondef(p.oid), pg_get_userbyid(proowner),
               array(select a::text from unnest(coalesce(proacl, acldefault('f', proowner))) a order by 1),
               obj_description(p.oid, 'pg_proc')
          from pg_proc p join pg_namespace n on n.oid = pronamespace
         where prokind in ('f', 'p') and {mine}""",
}

DUCKDB = {
    "schema": "select schema_name, comment from duckdb_schemas() where not internal and {mine}",
    "relation": """
        select schema_name || '.' || table_name, 'table', comment from duckdb_tables() where {mine}""",
    "column": """
        select schema_name || '.' || table_name, column_index, column_name, data_type,
               is_nullable, column_default, comment
          from duckdb_columns() where not internal and {mine}""",
    "constraint": """
        select schema_name || '.' || table_name, constraint_type, constraint_text
          from duckdb_constraints() where {mine}""",
    "index": """
        select schema_name || '.' || table_name, index_name, is_unique, sql, comment
          from duckdb_indexes() where {mine}""",
    "view": """
        select schema_name || '.' || view_name, sql, comment
          from duckdb_views() where not internal and {mine}""",
    "sequence": """
        select schema_name || '.' || sequence_name, start_value, increment_by, cycle, comment
          from duckdb_sequences() where {mine}""",
    "function": """
        select schema_name || '.' || function_name, parameters::varchar, macro_definition
          from duckdb_functions() where not internal and {mine}""",
}

SNOWFLAKE = {
    "schema": """
        select schema_name, schema_owner, is_transient, is_managed_access, retention_time, comment
          from information_schema.schemata where {mine}""",
    "relation": """
        select table_schema || '.' || table_name, table_type, table_owner, is_transient, comment
          from information_schema.tables where {mine}""",
    "column": """
        select table_schema || '.' || table_name, ordinal_position, column_name, data_type, is_nullable,
               column_default
          from information_schema.columns where {mine}""",
    "view": """
        select table_schema || '.' || table_name, view_definition from information_schema.views where {mine}""",
    "grant": """
        select coalesce(object_schema || '.', '') || object_name, object_type, privilege_type, granted_to,
               grantee, is_grantable
          from information_schema.object_privileges where {mine}""",
}


def literals(names):
    return ", ".join("'" + name.replace("'", "''") + "'" for name in names)


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def line(kind, row):
    values = ("-" if value is None else str(value).replace("\n", "\\n") for value in row)
    return f"{kind} " + " | ".join(values)


def postgres(connection, skip, by_name):
    mine = f"nspname !~ '^pg_' and nspname not in ({literals(skip + ['information_schema'])})"
    relations = (
        "(select c.*, nspname from pg_class c join pg_namespace n on n.oid = relnamespace"
        f" where {mine} and relkind in ('r', 'p', 'v', 'm', 'f', 'S')) c"
    )
    warehouse.rows(connection, "set search_path = ''")
    for kind, sql in POSTGRES.items():
        text = sql.replace("{mine}", mine).replace("{relations}", relations)
        for row in warehouse.rows(connection, text):
            yield line(kind, [row[0], as_read_back(connection, row[1])] if kind == "view" else row)
    readable = f"select nspname, relname from {relations} where relkind <> 'f'"
    for schema, name in warehouse.rows(connection, readable):
        yield from content(connection, schema, name, "to_jsonb(t)::text" if by_name else "row(t.*)::text")


def as_read_back(connection, definition):
    """The text of a view as the server prints it of a view made from it: `in` becomes another
    expression of the same meaning when a printed text is read once more, and then stays."""
    warehouse.rows(connection, f"create temp view as_read_back as {definition}")
    ((text,),) = warehouse.rows(connection, "select pg_get_viewdef('pg_temp.as_read_back'::regclass)")
    warehouse.rows(connection, "drop view pg_temp.as_read_back")
    return text


def duckdb(connection, skip, _by_name):
    mine = f"database_name = current_database() and schema_name not in ({literals(skip)})"
    for kind, sql in DUCKDB.items():
        for row in warehouse.rows(connection, sql.replace("{mine}", mine)):
            yield line(kind, row)
    readable = f"""
        select schema_name, table_name from duckdb_tables() where {mine}
        union all select schema_name, view_name from duckdb_views() where not internal and {mine}"""
    for schema, name in warehouse.rows(connection, readable):
        yield from content(connection, schema, name, "t::varchar")


def snowflake(connection, skip, _by_name):
    """Without policies and tags."""
    hidden = literals([*map(str.upper, skip), "INFORMATION_SCHEMA"])
    of = {"schema": "schema_name", "grant": "coalesce(object_schema, object_name)"}
    for kind, sql in SNOWFLAKE.items():
        mine = f"upper({of.get(kind, 'table_schema')}) not in ({hidden})"
        for row in warehouse.rows(connection, sql.replace("{mine}", mine)):
            yield line(kind, row)
    schemas = f"select schema_name from information_schema.schemata where upper(schema_name) not in ({hidden})"
    for (schema,) in warehouse.rows(connection, schemas):
        for row in warehouse.rows(connection, f"show future grants in schema {quoted(schema)}"):
            yield line("future grant", [schema, *row[1:]])
    readable = ("select table_schema, table_name from information_schema.tables"
                f" where upper(table_schema) not in ({hidden})")
    for schema, name in warehouse.rows(connection, readable):
        yield from whatever_it_holds(connection, schema, name, f"{quoted(schema)}.{quoted(name)}")


# {schema} is that of a dataset.
BIGQUERY = {
    "relation": """
        select table_schema || '.' || table_name, table_type, ddl from {schema}.INFORMATION_SCHEMA.TABLES""",
    "column": """
        select table_schema || '.' || table_name, ordinal_position, column_name, data_type, is_nullable
          from {schema}.INFORMATION_SCHEMA.COLUMNS""",
    "option": """
        select table_schema || '.' || table_name, option_name, option_value
          from {schema}.INFORMATION_SCHEMA.TABLE_OPTIONS""",
    "view": """
        select table_schema || '.' || table_name, view_definition from {schema}.INFORMATION_SCHEMA.VIEWS""",
    "grant": """
        select object_schema || '.' || object_name, privilege_type, grantee
          from `region-eu`.INFORMATION_SCHEMA.OBJECT_PRIVILEGES where object_schema = '{schema}'""",
}


def bigquery(connection, skip, _by_name):
    """Without policy tags and row access policies."""
    for schema in warehouse.datasets(connection):
        if schema in skip:
            continue
        yield line("schema", [schema])
        for kind, sql in BIGQUERY.items():
            for row in warehouse.rows(connection, sql.replace("{schema}", schema)):
                yield line(kind, row)
        names = f"select table_name from {schema}.INFORMATION_SCHEMA.TABLES"
        for (name,) in warehouse.rows(connection, names):
            yield from whatever_it_holds(connection, schema, name, f"{schema}.{name}")


def whatever_it_holds(connection, schema, name, relation):
    """A view whose table has gone is there, and has no rows."""
    try:
        rows = warehouse.rows(connection, f"select * from {relation}")
    except Exception as error:
        rows = [[f"cannot be read: {error}"]]
    for row in rows:
        yield line(f"row {schema}.{name}", row)


def content(connection, schema, name, row):
    for (text,) in warehouse.rows(connection, f"select {row} from {quoted(schema)}.{quoted(name)} t"):
        yield line(f"row {schema}.{name}", [text])


def text(connection, skip, by_name=False):
    """Of the warehouse behind the connection; `skip` are schemas to leave out. `by_name`: on PostgreSQL a
    row names its columns, whatever their order."""
    lines = {"duckdb": duckdb, "postgres": postgres, "snowflake": snowflake, "bigquery": bigquery}
    lines = lines[warehouse.engine()]
    return "\n".join(sorted(lines(connection, skip, by_name)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--skip", default="", help="schemas to leave out, comma between")
    print(text(warehouse.connect(), parser.parse_args().skip.split(",")))


if __name__ == "__main__":
    main()
