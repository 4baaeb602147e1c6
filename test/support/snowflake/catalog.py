"""What the stand-in knows of its objects beside what the engine (DuckDB) keeps: kind, owner,
times, comment, transient, the client's own text of a view, grants. Kept in tables of the engine, so
that INFORMATION_SCHEMA can show it. Whoever calls this holds the stand-in's lock."""

import re

from snowflake.connector.errors import ProgrammingError

from fakesnow import info_schema, macros
from sqltext import literal, quoted

META = "_fs_global.standin"
HIDDEN = "('memory', 'system', 'temp', '_fs_global')"
# The catalog has them, the engine does not.
NOTED = ("sequence", "stage", "stream", "task", "file format", "function", "procedure", "alert", "pipe", "masking policy",
         "row access policy", "tag")
TABLES = """
create schema if not exists _fs_global.standin;
create table if not exists _fs_global.standin.objects (kind varchar, db varchar, sch varchar,
  name varchar, transient boolean, created timestamptz, altered timestamptz, comment varchar,
  owner varchar, text varchar, serial bigint,
  retention integer default 1, managed boolean default false, temporary boolean default false,
  dynamic varchar, clustering varchar, replicated varchar, reclusters boolean default false, next_value bigint default 1,
  increment bigint default 1);
create table if not exists _fs_global.standin.grants (kind varchar, db varchar, sch varchar,
  name varchar, privilege varchar, grantee_kind varchar, grantee varchar, grantable boolean,
  grantor varchar, future varchar);
create table if not exists _fs_global.standin.assignments (db varchar, sch varchar, name varchar,
  col varchar, kind varchar, assigned varchar, rest varchar);
create table if not exists _fs_global.standin.account_grants (privilege varchar, grantee varchar);
create table if not exists _fs_global.standin.statements (serial bigint, began timestamptz,
  session varchar, tag varchar, role varchar, text varchar, failed boolean);
create sequence if not exists _fs_global.standin.serial;
"""


def error(errno, state, message):
    return ProgrammingError(msg=message, errno=errno, sqlstate=state)


def missing(kind, *parts):
    what = f"{kind.capitalize()} '{'.'.join(parts)}'"
    return error(2003, "02000", f"SQL compilation error:\n{what} does not exist or not authorized.")


def exists_already(*parts):
    return error(2002, "42710", f"SQL compilation error:\nObject '{parts[-1]}' already exists.")


class Catalog:
    def __init__(self, instance):
        self.instance = instance
        self.admin = instance.duck_conn.cursor()
        self.admin.execute(TABLES)

    def rows(self, sql, *params):
        return self.admin.execute(sql, list(params)).fetchall()

    def run(self, sql, *params):
        self.admin.execute(sql, list(params))

    # --- what there is

    def databases(self):
        return [r[0] for r in self.rows(
            f"select database_name from duckdb_databases() where database_name not in {HIDDEN}")]

    def schemas(self, db):
        return [r[0] for r in self.rows(
            "select schema_name from duckdb_schemas() where database_name = ? and schema_name not in "
            "('main', 'pg_catalog', 'information_schema', '_fs_information_schema')", db)]

    def engine_objects(self):
        return self.rows(f"""
            select 'table', database_name, schema_name, table_name from duckdb_tables()
            where database_name not in {HIDDEN} and schema_name <> '_fs_information_schema'
            union all select 'view', database_name, schema_name, view_name from duckdb_views()
            where not internal and database_name not in {HIDDEN}
            and schema_name <> '_fs_information_schema'
            union all select 'schema', database_name, schema_name, '' from duckdb_schemas()
            where database_name not in {HIDDEN} and schema_name not in ('main', 'pg_catalog',
            'information_schema', '_fs_information_schema')
            union all select 'database', database_name, '', '' from duckdb_databases()
            where database_name not in {HIDDEN}""")

    def get(self, kind, *parts):
        """A dict of what is known, or None; kind '' is a table or a view."""
        db, sch, name = (*parts, "", "")[:3]
        found = self.rows(
            f"select kind, transient, created, altered, comment, owner, text from {META}.objects "
            "where db = ? and sch = ? and name = ? and "
            "(kind = ? or ? = '' and kind in ('table', 'view'))", db, sch, name, kind, kind)
        keys = ("kind", "transient", "created", "altered", "comment", "owner", "text")
        return dict(zip(keys, found[0])) if found else None

    def need(self, kind, *parts):
        found = self.get(kind, *parts)
        if not found:
            raise missing(kind or "object", *parts)
        return found

    def sync(self, role):
        """After a statement of the engine: what appeared and what is gone."""
        there = set(self.engine_objects())
        schemas = {row[1:3] for row in there if row[0] == "schema"}
        known = {row for row in self.rows(f"select kind, db, sch, name from {META}.objects")
                 if row[0] not in NOTED or row[1:3] not in schemas}
        for row in known - there:
            self.run(f"delete from {META}.objects where kind = ? and db = ? and sch = ? and name = ?",
                     *row)
            self.run(f"delete from {META}.grants where kind = ? and db = ? and sch = ? and name = ? "
                     "and future is null", *row)
            if row[0] in ("database", "schema"):
                self.run(f"delete from {META}.grants where future is not null and db = ? and sch = ?", *row[1:3])
            self.unassign_all(*row[1:])
        for row in sorted(there - known):
            self.note(*row, role)
            self.apply_future(*row)

    def note(self, kind, db, sch, name, role):
        self.run(f"insert into {META}.objects (kind, db, sch, name, transient, created, altered, comment, owner, text, "
                 f"serial) values (?, ?, ?, ?, false, get_current_timestamp(),"
                 f" get_current_timestamp(), null, ?, null, nextval('{META}.serial'))", kind, db, sch, name, role)

    def replaced(self, kind, db, sch, name, transient, text, role, keep_grants, comment=None):
        self.run(f"update {META}.objects set transient = ?, text = ?, owner = ?, comment = ?, "
                 f"created = get_current_timestamp(), altered = get_current_timestamp(), "
                 f"dynamic = null, clustering = null, reclusters = false, "
                 f"serial = nextval('{META}.serial') where kind = ? and db = ? and sch = ? "
                 "and name = ?", transient, text, role, comment, kind, db, sch, name)
        self.unassign_all(db, sch, name)
        if not keep_grants:
            self.run(f"delete from {META}.grants where kind = ? and db = ? and sch = ? and name = ? "
                     "and future is null", kind, db, sch, name)
            self.apply_future(kind, db, sch, name)

    def touch(self, db, sch, name):
        self.run(f"update {META}.objects set altered = get_current_timestamp(), "
                 f"serial = nextval('{META}.serial') where db = ? and sch = ? and name = ?",
                 db, sch, name)

    def comment(self, kind, parts, text):
        db, sch, name = (*parts, "", "")[:3]
        self.need(kind, *parts)
        self.run(f"update {META}.objects set comment = ?, altered = get_current_timestamp() "
                 "where kind = ? and db = ? and sch = ? and name = ?",
                 text or None, kind, db, sch, name)

    # --- grants

    def apply_future(self, kind, db, sch, name):
        if kind not in ("table", "view", "schema"):
            return
        self.run(f"insert into {META}.grants select kind, ?, ?, ?, privilege, grantee_kind, grantee, "
                 f"grantable, grantor, null from {META}.grants where future is not null "
                 "and kind = ? and db = ? and (sch = ? or sch = '')", db, sch, name, kind, db, sch)

    def copy_grants(self, kind, source, target):
        self.run(f"insert into {META}.grants select kind, ?, ?, ?, privilege, grantee_kind, grantee, "
                 f"grantable, grantor, null from {META}.grants where future is null and kind = ? "
                 "and db = ? and sch = ? and name = ?", *target, kind, *source)

    # --- policies and tags of a table or view (col is ''), or of one of its columns

    def unassign_all(self, db, sch, name):
        self.run(f"delete from {META}.assignments where db = ? and sch = ? and name = ?", db, sch, name)

    def unassign(self, place, col, kind, assigned=None):
        self.run(f"delete from {META}.assignments where db = ? and sch = ? and name = ? and col = ? and kind = ? "
                 "and (? is null or assigned = ?)", *place, col, kind, assigned, assigned)

    def assign(self, place, col, kind, assigned, rest):
        self.run(f"insert into {META}.assignments values (?, ?, ?, ?, ?, ?, ?)", *place, col, kind, assigned, rest)

    def assignments(self, place, col, kind):
        return self.rows(f"select assigned, rest from {META}.assignments where db = ? and sch = ? and name = ? "
                         "and col = ? and kind = ? order by assigned", *place, col, kind)

    def copy_assignments(self, source, target):
        self.run(f"insert into {META}.assignments select ?, ?, ?, col, kind, assigned, rest from {META}.assignments "
                 "where db = ? and sch = ? and name = ?", *target, *source)

    def copy_service(self, source, target):
        """What the service does with a table by itself: of a clone it is suspended."""
        for dynamic, clustering in self.rows(f"select dynamic, clustering from {META}.objects where kind = 'table' "
                                             "and db = ? and sch = ? and name = ?", *source):
            self.run(f"update {META}.objects set dynamic = ?, clustering = ? where kind = 'table' and db = ? "
                     "and sch = ? and name = ?", dynamic and "SUSPENDED", clustering, *target)

    # --- the engine's objects

    def make_database(self, db):
        self.run(f"attach ':memory:' as {quoted(db)}")
        self.admin.execute(info_schema.per_db_creation_sql(db))
        self.admin.execute(macros.creation_sql(db))

    def drop_database(self, db):
        self.run(f"detach {quoted(db)}")

    def alias_database(self, old, new):
        self.run(f"alter database {quoted(old)} set alias to {quoted(new)}")

    def rename_schema_of(self, db):
        """The engine's views of the information schema carry the name of their database."""
        self.run(f"drop schema if exists {quoted(db, '_fs_information_schema')} cascade")
        self.admin.execute(info_schema.per_db_creation_sql(db))
        self.admin.execute(macros.creation_sql(db))

    def copy_table(self, source, target):
        """Columns, what they may hold, defaults and rows, as one object that was not there."""
        columns = self.rows(
            "select column_name, data_type, is_nullable, column_default from duckdb_columns() where "
            "database_name = ? and schema_name = ? and table_name = ? order by column_index", *source)
        defined = ", ".join(
            f"{quoted(n)} {t}{'' if null else ' not null'}{f' default {d}' if d else ''}"
            for n, t, null, d in columns)
        self.run("begin")
        try:
            self.run(f"create or replace table {quoted(*target)} ({defined})")
            self.run(f"insert into {quoted(*target)} select * from {quoted(*source)}")
            self.run("commit")
        except Exception:
            self.run("rollback")
            raise

    def make_views(self, views):
        """Each (db, schema, name, text) anew from the client's own text, in whatever order they can
        be made; one that cannot be is left as a view that fails when it is read."""
        left = list(views)
        while left:
            again = [v for v in left if not self._make_view(*v)]
            if len(again) == len(left):
                break
            left = again
        for db, sch, name, _ in left:
            self.run(f"create or replace view {quoted(db, sch, name)} as select 1 as unresolved where "
                     f"error('SQL compilation error: an object that view {name} names does not exist "
                     f"or not authorized') is null")

    def _make_view(self, db, sch, name, text):
        from handlers import rename_view, run_plain

        connection = self.instance.connect(db, sch)
        text = re.sub(r"^\s*create\s+(?!or\s)", "create or replace ", text, flags=re.IGNORECASE)
        try:
            run_plain(connection, rename_view(text, quoted(db, sch, name)))
            return True
        except Exception:
            return False

    def moved(self, mapping):
        """Rows of the metadata get their new place: (db, sch) or db -> the same of the new one."""
        self.run("begin")
        for table in ("objects", "grants", "assignments"):
            cases_db = " ".join(f"when db = {literal(a)} then {literal(b)}" for a, b in
                                mapping.items() if isinstance(a, str))
            if cases_db:
                self.run(f"update {META}.{table} set db = case {cases_db} else db end")
            cases = [(a, b) for a, b in mapping.items() if isinstance(a, tuple)]
            if cases:
                when = " ".join(f"when db = {literal(a[0])} and sch = {literal(a[1])} then "
                                f"{literal(b[1])}" for a, b in cases)
                self.run(f"update {META}.{table} set sch = case {when} else sch end")
        self.run("commit")

    def views_of(self, db, sch=None):
        return [r for r in self.rows(
            f"select db, sch, name, text from {META}.objects where kind = 'view' and db = ? "
            "and (? is null or sch = ?) and text is not null order by serial", db, sch, sch)]
