"""What the stand-in knows of datasets, tables and their options beside what the emulator keeps, and
what INFORMATION_SCHEMA and __TABLES__ show of it."""

import re
from datetime import datetime, timedelta, timezone

from bqemulator.catalog.models import (Clustering, RangePartitioning, TableFieldSchema, TableMeta,
                                       TimePartitioning)
from bqemulator.domain.errors import (AlreadyExistsError, InvalidQueryError, NotFoundError,
                                      PermissionDeniedError)
from bqemulator.storage.sql_identifiers import quoted_table_ref
from sqltext import literal, quote, split_commas, unquote

VIEWS = ("VIEW", "MATERIALIZED_VIEW", "EXTERNAL")
KINDS = {"TABLE": "BASE TABLE", "CLONE": "CLONE", "MATERIALIZED_VIEW": "MATERIALIZED VIEW"}


class Field(TableFieldSchema):
    """A column with what the emulator does not keep of it."""

    policy_tags: tuple[str, ...] = ()


class RateLimited(PermissionDeniedError):
    bq_reason = "rateLimitExceeded"


def shown(key):
    return f"{key[0]}:{key[1]}.{key[2]}"


class Catalog:
    def __init__(self, ctx):
        self.ctx = ctx
        self.grants = {}  # (project, dataset, table) -> {(role, grantee)}
        self.history_on = set()
        self.unreadable = False  # OBJECT_PRIVILEGES
        self.jobs = {}  # that run, by id
        self.job_id = ""  # the one that asks

    def now(self):
        """Of milliseconds, as all times there are."""
        now = datetime.now(timezone.utc)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    # --- what there is

    def dataset(self, project, dataset):
        found = self.ctx.catalog.get_dataset(project, dataset)
        if not found:
            raise NotFoundError(f"Not found: Dataset {project}:{dataset} was not found in location EU")
        return found

    def get(self, key):
        return self.ctx.catalog.get_table(*key)

    def need(self, key):
        self.dataset(*key[:2])
        found = self.get(key)
        if not found:
            raise NotFoundError(f"Not found: Table {shown(key)} was not found in location EU")
        return found

    def must_be_new(self, key):
        self.dataset(*key[:2])
        if self.get(key):
            raise AlreadyExistsError(f"Already Exists: Table {shown(key)}")

    def put(self, meta):
        key = (meta.project_id, meta.dataset_id, meta.table_id)
        if self.get(key):
            self.ctx.catalog.update_table(meta)
        else:
            self.ctx.catalog.create_table(meta)

    def change(self, key, **values):
        """The table with other values; every change of one has a time of its own."""
        meta = self.need(key)
        modified = max(self.now(), meta.last_modified_time + timedelta(milliseconds=1))
        self.put(meta.model_copy(update={"last_modified_time": modified, **values}))

    def touch(self, key):
        if self.get(key):
            self.change(key, num_rows=self.count(key))

    def count(self, key):
        return self.ctx.engine.execute(f"select count(*) from {quoted_table_ref(*key)}").fetchone()[0]

    def drop(self, key, if_exists, *kinds):
        meta = self.get(key) if if_exists else self.need(key)
        if not meta:
            return
        if meta.table_type not in kinds:
            raise InvalidQueryError(f"{shown(key)} is of type {meta.table_type}, which this statement "
                                    "does not drop")
        word = "view" if meta.table_type == "VIEW" else "table"
        self.ctx.engine.execute(f"drop {word} if exists {quoted_table_ref(*key)}")
        self.ctx.catalog.delete_table(*key)
        self.grants.pop(key, None)

    def drop_expired(self):
        for meta in list(self.ctx.catalog._tables.values()):
            if meta.expiration_time and meta.expiration_time <= self.now():
                self.drop((meta.project_id, meta.dataset_id, meta.table_id), True, meta.table_type)

    # --- copies

    def copy(self, source, target, *, replace=False, unless=False, kind="TABLE", options=None):
        """One object with the rows, the layout and the options of another one: False: it was there."""
        from_ = self.need(source)
        if from_.table_type in VIEWS:
            raise InvalidQueryError(f"{shown(source)} is not allowed for this operation because it is "
                                    f"currently a {from_.table_type}.")
        there = self.get(target)
        if there and unless:
            return False
        if not there or not replace:
            self.must_be_new(target)
        elif there.table_type != "TABLE":
            raise InvalidQueryError(f"{shown(target)} is of type {there.table_type}, which a table does "
                                    "not replace")
        else:
            self.must_fit(target, there, layout_of(from_))
        self.ctx.engine.execute(f"create or replace table {quoted_table_ref(*target)} as "
                                f"select * from {quoted_table_ref(*source)}")
        now = max(self.now(), there.creation_time + timedelta(milliseconds=1)) if there else self.now()
        project, dataset, name = target
        self.put(from_.model_copy(update={
            "project_id": project, "dataset_id": dataset, "table_id": name, "table_type": kind,
            "creation_time": now, "last_modified_time": now,
            "base_table": ".".join(source) if kind != "TABLE" else None,
            "snapshot_time": now if kind == "SNAPSHOT" else None,
            "expiration_time": self.default_expiration(target)}))
        self.set_options(target, options or {})
        return True

    def must_fit(self, key, there, layout):
        if layout_of(there) != layout:
            raise InvalidQueryError(f"Cannot replace a table with a different partitioning spec. "
                                    f"Instead, DROP the table, and then recreate it. New partitioning "
                                    f"spec is {layout or 'none'} and existing spec is "
                                    f"{layout_of(there) or 'none'}: {shown(key)}")

    def default_expiration(self, key):
        after = self.dataset(*key[:2]).default_table_expiration_ms
        return self.now() + timedelta(milliseconds=after) if after else None

    def rename(self, key, name):
        """Inside its dataset, with all that it has."""
        meta, new = self.need(key), (*key[:2], name)
        if meta.table_type in VIEWS:
            raise InvalidQueryError(f"{shown(key)} is of type {meta.table_type}, which is not renamed")
        self.must_be_new(new)
        self.ctx.engine.execute(f"create table {quoted_table_ref(*new)} as "
                                f"select * from {quoted_table_ref(*key)}")
        self.put(meta.model_copy(update={"table_id": name, "last_modified_time": self.now()}))
        if key in self.grants:
            self.grants[new] = set(self.grants[key])
        self.drop(key, False, meta.table_type)

    # --- options

    def evaluate(self, expression):
        """A timestamp expression of an option, through the engine."""
        if unquote(expression):
            return datetime.fromisoformat(unquote(expression).replace(" UTC", "+00:00"))
        text = re.sub(r"timestamp\s*(['\"].*?['\"])", r"cast(\1 as timestamp)", expression, flags=re.I)
        import sqlglot

        sql = sqlglot.transpile(f"select cast({text} as timestamp)", read="bigquery", write="duckdb")[0]
        value = self.ctx.engine.execute(sql).fetchone()[0]
        return value if value.tzinfo else value.replace(tzinfo=timezone.utc)

    def set_options(self, key, options):
        meta, values = self.need(key), {}
        for name, expression in options.items():
            null = expression.strip().lower() == "null"
            if name in ("description", "friendly_name"):
                values[name] = unquote(expression)
            elif name == "labels":
                values["labels"] = {} if null else labels_of(expression)
            elif name == "expiration_timestamp":
                values["expiration_time"] = None if null else self.evaluate(expression)
            elif name == "partition_expiration_days":
                if not null and not meta.time_partitioning:
                    raise InvalidQueryError(f"partition_expiration_days of {shown(key)}, which has no "
                                            "partitions")
                if meta.time_partitioning:
                    days = None if null else int(float(expression) * 86400000)
                    values["time_partitioning"] = meta.time_partitioning.model_copy(
                        update={"expiration_ms": days})
            elif name == "require_partition_filter":
                values["time_partitioning"] = meta.time_partitioning and meta.time_partitioning.model_copy(
                    update={"require_partition_filter": expression.strip().lower() == "true"})
            elif name == "enable_change_history":
                self.history_on.discard(key)
                if expression.strip().lower() == "true":
                    self.history_on.add(key)
            else:
                raise InvalidQueryError(f"Unknown option: {name}")
        if values:
            self.change(key, **values)

    def options_of(self, meta):
        """Name, type and value, as TABLE_OPTIONS has them."""
        time = meta.time_partitioning
        if meta.description:
            yield "description", "STRING", quote(meta.description)
        if meta.friendly_name:
            yield "friendly_name", "STRING", quote(meta.friendly_name)
        if meta.labels:
            pairs = ", ".join(f"STRUCT({quote(k)}, {quote(v)})" for k, v in meta.labels.items())
            yield "labels", "ARRAY<STRUCT<STRING, STRING>>", f"[{pairs}]"
        if meta.expiration_time:
            at = meta.expiration_time.astimezone(timezone.utc).isoformat(timespec="milliseconds")
            yield "expiration_timestamp", "TIMESTAMP", f'TIMESTAMP "{at.replace("+00:00", "Z")}"'
        if time and time.expiration_ms:
            yield "partition_expiration_days", "FLOAT64", str(time.expiration_ms / 86400000)

    # --- columns

    def describe_column(self, key, name, options):
        """Of the table itself: no statement reaches a field inside a column."""
        meta = self.need(key)
        if set(options) != {"description"}:
            raise InvalidQueryError(f"Unknown option of a column: {', '.join(options)}")
        if name not in [f.name for f in meta.schema_.fields]:
            raise InvalidQueryError(f"Column {name} was not found in {shown(key)}")
        text = unquote(options["description"])
        self.set_fields(key, [f.model_copy(update={"description": text}) if f.name == name else f
                              for f in meta.schema_.fields])

    def untag(self, key):
        self.set_fields(key, [f.model_copy(update={"policy_tags": ()}) if isinstance(f, Field) else f
                              for f in self.need(key).schema_.fields])

    def set_fields(self, key, fields):
        self.change(key, schema_=self.need(key).schema_.model_copy(update={"fields": tuple(fields)}))

    # --- what is shown

    def information(self, view, project, dataset):
        """Rows of one view of INFORMATION_SCHEMA, or of __TABLES__, as a query."""
        if view == "SCHEMATA":
            rows = [(project, d.dataset_id, d.location) for d in self.ctx.catalog.list_datasets(project)]
            return select(("catalog_name", "schema_name", "location"), rows)
        if view == "OBJECT_PRIVILEGES":
            return self.privileges(project)
        if view == "JOBS_BY_USER":
            return self.running()
        self.dataset(project, dataset)
        tables = sorted(self.ctx.catalog.list_tables(project, dataset), key=lambda t: t.table_id)
        return getattr(self, "show_" + view.strip("_").lower() + ("_meta" if view[0] == "_" else ""))(tables)

    def need_region(self, project, name):
        places = {f"region-{d.location}".lower() for d in self.ctx.catalog.list_datasets(project)}
        if name not in places:
            raise NotFoundError(f"Not found: Dataset {project}:{name} was not found in location")

    def privileges(self, project):
        if self.unreadable:
            raise PermissionDeniedError("Access Denied: Table INFORMATION_SCHEMA.OBJECT_PRIVILEGES: User "
                                        "does not have permission to query it")
        rows = [(project, key[1], key[2], "TABLE", role, whom)
                for key, given in self.grants.items() for role, whom in sorted(given) if key[0] == project]
        return select(("object_catalog", "object_schema", "object_name", "object_type", "privilege_type",
                       "grantee"), rows)

    def running(self):
        rows = [(name, None, "PENDING" if job["task"] else "RUNNING", [f"{k}={v}" for k, v in job["labels"].items()])
                for name, job in self.jobs.items()]
        jobs = select(("job_id", "parent_job_id", "state", "written array<string>"), rows)
        return ("(select job_id, parent_job_id, state, array(select as struct split(w, '=')[offset(0)] as key, "
                f"split(w, '=')[offset(1)] as value from unnest(written) as w) as labels from {jobs})")

    def cancel(self, name):
        if name in self.jobs and self.jobs[name]["task"]:
            self.jobs.pop(name)["task"].cancel()

    def show_tables(self, tables):
        return select(
            ("table_catalog", "table_schema", "table_name", "table_type", "creation_time timestamp",
             "is_change_history_enabled", "ddl"),
            [(t.project_id, t.dataset_id, t.table_id, KINDS.get(t.table_type, t.table_type),
              t.creation_time.isoformat(),
              "YES" if (t.project_id, t.dataset_id, t.table_id) in self.history_on else "NO", ddl_of(t))
             for t in tables])

    def show_tables_meta(self, tables):
        return select(
            ("project_id", "dataset_id", "table_id", "creation_time int64", "last_modified_time int64",
             "row_count int64", "size_bytes int64", "type int64"),
            [(t.project_id, t.dataset_id, t.table_id, int(t.creation_time.timestamp() * 1000),
              int(t.last_modified_time.timestamp() * 1000), t.num_rows, t.num_rows * 64,
              2 if t.table_type == "VIEW" else 1) for t in tables])

    def show_views(self, tables):
        return select(("table_catalog", "table_schema", "table_name", "view_definition"),
                      [(t.project_id, t.dataset_id, t.table_id, t.view_query)
                       for t in tables if t.table_type == "VIEW"])

    def show_table_options(self, tables):
        return select(("table_catalog", "table_schema", "table_name", "option_name", "option_type",
                       "option_value"),
                      [(t.project_id, t.dataset_id, t.table_id, *option)
                       for t in tables for option in self.options_of(t)])


    def show_column_field_paths(self, tables):
        rows = [(t.project_id, t.dataset_id, t.table_id, path.split(".")[0], path, field.type,
                 field.description, list(getattr(field, "policy_tags", ())))
                for t in tables for path, field in paths_of(t.schema_.fields)]
        return select(("table_catalog", "table_schema", "table_name", "column_name", "field_path",
                       "data_type", "description", "policy_tags array<string>"), rows)


def paths_of(fields, before=""):
    for field in fields:
        yield before + field.name, field
        yield from paths_of(field.fields, f"{before}{field.name}.")


def select(columns, rows):
    names = [(c.split() + ["string"])[:2] for c in columns]
    if not rows:
        return "(select " + ", ".join(f"cast(null as {t}) as {n}" for n, t in names) + " where false)"
    queries = ["select " + ", ".join(f"cast({literal(v)} as {t}) as {n}" for (n, t), v in zip(names, row))
               for row in rows]
    return "(" + " union all ".join(queries) + ")"


def labels_of(expression):
    pairs = re.findall(r"\(\s*((?:'[^']*'|\"[^\"]*\"))\s*,\s*((?:'[^']*'|\"[^\"]*\"))\s*\)", expression)
    return {unquote(k): unquote(v) for k, v in pairs}


def layout_of(meta):
    """PARTITION BY and CLUSTER BY, as the service prints them."""
    parts, time, ranges = [], meta.time_partitioning, meta.range_partitioning
    if time and not time.field:
        parts.append("PARTITION BY _PARTITIONDATE")
    elif time:
        parts.append(f"PARTITION BY {time.field}" if time.type == "DAY"
                     else f"PARTITION BY DATE_TRUNC({time.field}, {time.type})")
    elif ranges:
        parts.append(f"PARTITION BY RANGE_BUCKET({ranges.field}, GENERATE_ARRAY({ranges.start}, "
                     f"{ranges.end}, {ranges.interval}))")
    if meta.clustering:
        parts.append("CLUSTER BY " + ", ".join(meta.clustering.fields))
    return "\n".join(parts)


def read_layout(head):
    """The same of a CREATE: what stands in front of its query and is no option."""
    values = {"time_partitioning": None, "range_partitioning": None, "clustering": None}
    partition = re.search(r"\bpartition\s+by\s+(.*?)(?=\bcluster\s+by\b|$)", head, re.IGNORECASE | re.DOTALL)
    cluster = re.search(r"\bcluster\s+by\s+(.*)$", head, re.IGNORECASE | re.DOTALL)
    if cluster:
        values["clustering"] = Clustering(fields=tuple(c.strip("`") for c in split_commas(cluster[1])))
    if not partition:
        return values
    text = partition[1].strip()
    bucket = re.match(r"range_bucket\s*\(\s*`?(\w+)`?\s*,\s*generate_array\s*\(\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)",
                      text, re.IGNORECASE)
    truncated = re.match(r"\w+_trunc\s*\(\s*`?(\w+)`?\s*,\s*(\w+)\s*\)", text, re.IGNORECASE)
    if bucket:
        values["range_partitioning"] = RangePartitioning(
            field=bucket[1], start=int(bucket[2]), end=int(bucket[3]), interval=int(bucket[4]))
    elif truncated:
        values["time_partitioning"] = TimePartitioning(type=truncated[2].upper(), field=truncated[1])
    else:
        column = re.sub(r"^date\s*\(\s*(.*)\)$", r"\1", text, flags=re.IGNORECASE).strip().strip("`")
        values["time_partitioning"] = TimePartitioning(field=None if column.startswith("_") else column)
    return values


def ddl_of(meta):
    name = f"`{meta.project_id}.{meta.dataset_id}.{meta.table_id}`"
    if meta.table_type == "VIEW":
        return f"CREATE VIEW {name}\nAS {meta.view_query};"
    columns = ",\n".join(f"  {f.name} {f.type}" for f in meta.schema_.fields)
    layout = layout_of(meta)
    return f"CREATE TABLE {name}\n(\n{columns}\n){chr(10) if layout else ''}{layout};"


__all__ = ["Catalog", "RateLimited", "TableMeta", "layout_of", "read_layout", "shown"]
