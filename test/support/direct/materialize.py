"""A node of the recording as statements: what dbt's materializations leave behind, in fewer words."""

import csv


def literal(text):
    return "null" if text == "" else "'" + text.replace("'", "''") + "'"


def materializer(engine, *arguments):
    kinds = {"snowflake": OnSnowflake, "bigquery": OnBigQuery}
    return kinds.get(engine.name, Materializer)(engine, *arguments)


class Materializer:
    def __init__(self, engine, project, full_refresh, columns):
        self.engine, self.project = engine, project
        self.full_refresh = full_refresh
        self.columns = columns  # more columns: unique id -> expression

    def make_schema(self, node):
        self.engine.execute(f'create schema if not exists "{node["schema"]}"')

    def run(self, node):
        """Makes the relation."""
        getattr(self, f"_{node['config']['materialized']}")(node)

    def failures(self, node):
        """How many rows a test finds."""
        return self.engine.execute(f"select count(*) from (\n{node['compiled_code']}\n) t")[0][0]

    def _kind(self, node):
        found = self.engine.execute(f"select table_type from {self._catalog(node, 'tables')}")
        return found and ("view" if found[0][0] == "VIEW" else "table")

    def _catalog(self, node, what):
        """What it says of the node's relation."""
        return (f"information_schema.{what} where table_catalog = '{node['database']}'"
                f" and table_schema = '{node['schema']}' and table_name = '{node['alias']}'")

    def _sql(self, node, key="compiled_code"):
        more = self.columns.get(node["unique_id"])
        return f"select t.*, {more} from (\n{node[key]}\n) t" if more else node[key]

    def _run(self, *statements):
        """In one transaction."""
        for sql in ("begin", *statements, "commit"):
            self.engine.execute(sql)

    def _make(self, node, kind, sql):
        old = self._kind(node)
        drop = [f"drop {old} {node['relation_name']} cascade"] if old else []
        self._run(*drop, f"create {kind} {node['relation_name']} as (\n{sql}\n)")

    def _view(self, node):
        self._make(node, "view", self._sql(node))

    def _table(self, node):
        self._make(node, "table", self._sql(node))

    def _incremental(self, node):
        if self.full_refresh or self._kind(node) != "table":
            self._make(node, "table", self._sql(node, "compiled_from_nothing"))
            return
        key, name = node["config"].get("unique_key"), node["relation_name"]
        self._run(
            f"create temporary table airlock_new as (\n{self._sql(node)}\n)",
            *([f"delete from {name} where {key} in (select {key} from airlock_new)"] if key else []),
            self._insert_new(name, self._columns(node)),
            "drop table airlock_new",
        )

    def _columns(self, node):
        """Name -> type of what is there."""
        catalog = self._catalog(node, "columns")
        return dict(self.engine.execute(f"select column_name, data_type from {catalog} order by ordinal_position"))

    def _insert_new(self, name, columns):
        """By name: what only the new rows have is left out, as dbt does by default."""
        names = ", ".join(f'"{column}"' for column in columns)
        return f"insert into {name} ({names}) select {names} from airlock_new"

    def _snapshot(self, node):
        config, name = node["config"], node["relation_name"]
        key, time = config["unique_key"], "cast(now() as timestamp)"
        new = f"""select s.*, md5(cast(s.{key} as {self.engine.text_type}) || '|' || now()) as dbt_scd_id,
            {time} as dbt_updated_at, {time} as dbt_valid_from, cast(null as timestamp) as dbt_valid_to
            from (\n{self._sql(node)}\n) s"""
        if not self._kind(node):
            self._make(node, "table", new)
            return
        there = self._columns(node)
        self.engine.execute(f"create temporary view airlock_read as (\n{self._sql(node)}\n)")
        read = dict(self.engine.execute(
            "select column_name, data_type from information_schema.columns where table_name = 'airlock_read'"
            " order by ordinal_position"
        ))
        self.engine.execute("drop view airlock_read")
        added = {column: type_ for column, type_ in read.items() if column not in there}
        checked = config["check_cols"] if config["check_cols"] != "all" else [c for c in read if c != key]
        changed = " or ".join(["false", *(f"s.{c} is distinct from t.{c}" for c in checked)])
        current = f"(select * from {name} where dbt_valid_to is null)"
        self._run(
            *(f'alter table {name} add column "{column}" {type_}' for column, type_ in added.items()),
            f"create temporary table airlock_new as {new} left join {current} t on s.{key} = t.{key}"
            f" where t.{key} is null or {changed}",
            f"update {name} set dbt_valid_to = {time} where dbt_valid_to is null"
            f" and {key} in (select {key} from airlock_new)",
            self._insert_new(name, {**there, **added}),
            "drop table airlock_new",
        )

    def _seed(self, node):
        name, types = node["relation_name"], node["config"]["column_types"]
        with open(f"{self.project}/{node['original_file_path']}", encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        if self.full_refresh or self._kind(node) != "table":
            old = self._kind(node)
            fresh = [f"drop {old} {name} cascade"] if old else []
            fresh += [f"create table {name} ({', '.join(f'{c} {types[c]}' for c in header)})"]
        else:
            fresh = [f"delete from {name}"]
        values = ", ".join(f"({', '.join(map(literal, row))})" for row in rows)
        self._run(*fresh, f"insert into {name} ({', '.join(header)}) values {values}")


class Replacing(Materializer):
    """Where a relation is replaced in one statement, and no statement that makes one can be undone."""

    def _make(self, node, kind, sql):
        there = self._kind(node)
        if there and there != kind:
            self.engine.execute(f"drop {there} {node['relation_name']}")
        made = f"{self._table_kind(node)} table" if kind == "table" else kind
        self.engine.execute(f"create or replace {made} {node['relation_name']} as (\n{sql}\n)")

    def _incremental(self, node):
        if self.full_refresh or self._kind(node) != "table":
            self._make(node, "table", self._sql(node, "compiled_from_nothing"))
            return
        key, name = node["config"]["unique_key"], node["relation_name"]
        columns = list(self._columns(node))
        names = ", ".join(columns)
        changes = ", ".join(f"{column} = s.{column}" for column in columns)
        self.engine.execute(
            f"merge into {name} as t using (\n{self._sql(node)}\n) as s on t.{key} = s.{key} when matched then"
            f" update set {changes} when not matched then insert ({names}) values ({names})")

    def _snapshot(self, node):
        """Columns are never added."""
        config, name, now = node["config"], node["relation_name"], self.now
        key, source = config["unique_key"], f"(\n{self._sql(node)}\n) s"
        version = self.md5.format(" || ".join(f"cast({it} as {self.engine.text_type})" for it in (f"s.{key}", now)))
        new = (f"select s.*, {version} as dbt_scd_id, {now} as dbt_updated_at, {now} as dbt_valid_from,"
               f" cast(null as timestamp) as dbt_valid_to from {source}")
        if not self._kind(node):
            self._make(node, "table", new)
            return
        names = ", ".join(self._columns(node))
        changed = " or ".join(f"s.{column} is distinct from t.{column}" for column in config["check_cols"])
        current = f"(select * from {name} where dbt_valid_to is null) t on s.{key} = t.{key}"
        self.engine.execute(f"update {name} set dbt_valid_to = {now} where dbt_valid_to is null and {key} in"
                            f" (select s.{key} from {source} join {current} where {changed})")
        self.engine.execute(f"insert into {name} ({names}) select {names} from"
                            f" ({new} left join {current} where t.{key} is null) n")

    def _seed(self, node):
        name, types = node["relation_name"], node["config"]["column_types"]
        with open(f"{self.project}/{node['original_file_path']}", encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        if self.full_refresh or self._kind(node) != "table":
            columns = ", ".join(f"{c} {types[c]}" for c in header)
            self.engine.execute(f"create or replace table {name} ({columns})")
        else:
            self.engine.execute(f"truncate table {name}")
        values = ", ".join(f"({', '.join(map(literal, row))})" for row in rows)
        self.engine.execute(f"insert into {name} ({', '.join(header)}) values {values}")


class OnSnowflake(Replacing):
    now = "current_timestamp()::timestamp_ntz"
    md5 = "md5({})"

    def make_schema(self, node):
        self.engine.execute(f"create schema if not exists {node['database']}.{node['schema']}")

    def _catalog(self, node, what):
        return (f"{node['database']}.information_schema.{what} where table_schema = upper('{node['schema']}')"
                f" and table_name = upper('{node['alias']}')")

    def _table_kind(self, node):
        return "transient" if node["config"].get("transient", True) else ""


class OnBigQuery(Replacing):
    now = "current_timestamp()"
    md5 = "to_hex(md5({}))"

    def make_schema(self, node):
        self.engine.execute(f"create schema if not exists `{node['database']}`.`{node['schema']}`")

    def _catalog(self, node, what):
        return (f"`{node['database']}`.`{node['schema']}`.INFORMATION_SCHEMA.{what.upper()}"
                f" where table_name = '{node['alias']}'")

    def _table_kind(self, _node):
        return ""
