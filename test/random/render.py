"""A project as dbt's files, and as what the stand-in dbt plays: the manifest with the SQL that dbt
would compile, which the generator knows of each of its nodes."""

import csv
import json
import pathlib
import shutil

from project import SHARED
from sources import SCHEMA

NAME = "random"
DATABASE = "recorded_database"  # which the stand-in replaces
TARGETS = {
    "duckdb": ("staging", "prod", "prod_audit", "blue_green"),
    "postgres": ("staging", "prod", "prod_audit", "green"),
}
FOLDERS = {"model": "models", "seed": "seeds", "snapshot": "snapshots", "test": "tests"}
SOURCES = "models/sources.yml"
METADATA = {
    "dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v12.json",
    "dbt_version": "1.11.16",
    "project_name": NAME,
}
PROJECT = """name: random
version: '1.0'
profile: {profile}

flags:
  send_anonymous_usage_stats: false

vars:
  airlock:
    {mirror}
"""


def schema(target, layer):
    """As the generate_schema_name of the sample project has it."""
    if layer == "raw":
        return layer
    if target == "staging":
        return "stage"
    if target == "prod_audit":
        return layer if layer in SHARED else "unaudited"
    return ("green_" if target == "green" else "") + (layer or "analytics")


def place(node, target):
    """schema.name of a node."""
    return f"{schema(target, node.layer)}.{node.alias}"


# --- SQL


def _body(project, node, ref, this, is_incremental):
    """The SELECT; `is_incremental`: with the part that only a table that is there already gets."""
    if node.is_broken:
        return f"select a.no_such_column from {ref(node.parents[0])} as a"
    if node.layer == "raw":
        return f"select * from {ref(node.parents[0])}"
    as_text = node.kind in ("incremental", "snapshot")
    columns = ["a.id", *(f"{column.sql(as_text)} as {name}" for name, column in node.columns.items())]
    text = "select\n  " + ",\n  ".join(columns) + f"\nfrom {ref(node.parents[0])} as a"
    if len(node.parents) > 1:
        text += f"\nleft join {ref(node.parents[1])} as b on a.id = b.id"
    text += f"\nwhere a.id % {node.modulus} <> 1" if node.modulus else "\nwhere a.id > 0"
    if is_incremental:
        at_least = ">=" if node.has_key else ">"
        text += f"\n  and a.id {at_least} (select coalesce(max(t.id), 0) from {this} as t)"
    return text


def _ref_of(project):
    """As people write what they read."""
    return lambda name: "{{ %s }}" % (f"source('{NAME}', '{name}')" if name in project.sources else f"ref('{name}')")


def jinja(project, node):
    """As people write it."""
    config = {"materialized": node.kind, "alias": node.alias, "tags": list(node.tags)}
    if node.layer:
        config["schema"] = node.layer
    if node.kind == "incremental" and node.has_key:
        config["unique_key"] = "id"
    if node.kind == "snapshot":
        config |= {"unique_key": "id", "strategy": "check", "check_cols": "all"}
        del config["materialized"]
    head = "{{ config(%s) }}\n\n" % ", ".join(f"{key}={value!r}" for key, value in config.items())
    body = _body(project, node, _ref_of(project), "", is_incremental=False)
    if node.kind == "incremental" and not node.is_broken:
        whole = _body(project, node, _ref_of(project), "{{ this }}", is_incremental=True)
        body += "\n{% if is_incremental() %}" + whole.removeprefix(body) + "\n{% endif %}"
    if node.kind == "snapshot":
        return "{%% snapshot %s %%}\n%s%s\n{%% endsnapshot %%}\n" % (node.name, head, body)
    return f"{head}{body}\n"


class Compiler:
    """What dbt makes of it for one target."""

    def __init__(self, project, target):
        self.project, self.target = project, target

    def relation(self, node):
        return '"%s"."%s"."%s"' % (DATABASE, schema(self.target, node.layer), node.alias)

    def _ref(self, name):
        if name in self.project.sources:
            return f'"{DATABASE}"."{SCHEMA}"."{name}"'
        node = self.project.nodes[name]
        return f"__dbt__cte__{name}" if node.kind == "ephemeral" else self.relation(node)

    def node(self, node, is_incremental=False):
        body = _body(self.project, node, self._ref, self.relation(node), is_incremental)
        return self._with_ephemeral(node.parents, body)

    def _with_ephemeral(self, parents, body):
        wanted = self._ephemeral(parents, [])
        if not wanted:
            return body
        parts = [
            f"__dbt__cte__{other.name} as (\n{_body(self.project, other, self._ref, '', False)}\n)"
            for other in wanted
        ]
        return f"with {',  '.join(parts)} {body}"

    def _ephemeral(self, parents, found):
        """Those that are read, each behind those it reads."""
        for name in parents:
            node = self.project.nodes.get(name)  # none: a source
            if node and node.kind == "ephemeral" and node not in found:
                self._ephemeral(node.parents, found)
                found.append(node)
        return found

    def test(self, test):
        return self._with_ephemeral([test.node], test_sql(test, self._ref))


def test_sql(test, ref):
    return f"select id from {ref(test.node)} where id is {'not ' if test.finds else ''}null"


# --- what the stand-in plays


def recording(project, engine, target):
    compiler = Compiler(project, target)
    nodes = []
    for node in project.nodes.values():
        nodes.append(_manifest_node(project, node, compiler))
        nodes += [_manifest_test(project, test, compiler) for test in project.tests.values()
                  if test.node == node.name or test.node in project.sources and test.node in node.parents]
    sources = [_manifest_source(project, name) for name in project.sources]
    return {"metadata": {**METADATA, "adapter_type": engine}, "nodes": nodes, "sources": sources}


def unique_id(project, name):
    if name in project.sources:
        return f"source.{NAME}.{NAME}.{name}"
    return f"{project.nodes[name].resource_type}.{NAME}.{name}"


def _manifest_node(project, node, compiler):
    type_ = node.resource_type
    file = f"{node.name}.{'csv' if type_ == 'seed' else 'sql'}"
    config = {"enabled": True, "materialized": node.kind, "tags": list(node.tags)}
    found = {
        "unique_id": f"{type_}.{NAME}.{node.name}", "resource_type": type_, "name": node.name,
        "alias": node.alias, "package_name": NAME, "path": file,
        "original_file_path": f"{FOLDERS[type_]}/{file}", "database": DATABASE,
        "schema": schema(compiler.target, node.layer), "fqn": [NAME, node.name], "tags": list(node.tags),
        "config": config, "depends_on": {"nodes": [unique_id(project, name) for name in node.parents]},
    }
    if node.kind != "ephemeral":
        found["relation_name"] = compiler.relation(node)
    if node.kind == "seed":
        config["column_types"] = {"id": "integer", **node.columns}
        return found
    if node.kind == "snapshot":
        config |= {"unique_key": "id", "strategy": "check", "check_cols": "all"}
    if node.kind == "incremental":
        config |= {"unique_key": "id"} if node.has_key else {}
        found["compiled_from_nothing"] = compiler.node(node)
    found["compiled_code"] = compiler.node(node, node.kind == "incremental" and not node.is_broken)
    found["compiled_path"] = f"compiled/{NAME}/{FOLDERS[type_]}/{file}"
    found["raw_code"] = jinja(project, node)
    return found


def _manifest_source(project, name):
    return {
        "unique_id": unique_id(project, name), "resource_type": "source", "source_name": NAME, "name": name,
        "identifier": name, "database": DATABASE, "schema": SCHEMA, "package_name": NAME, "path": SOURCES,
        "original_file_path": SOURCES, "fqn": [NAME, NAME, name], "config": {"enabled": True},
        "relation_name": f'"{DATABASE}"."{SCHEMA}"."{name}"',
    }


def _manifest_test(project, test, compiler):
    return {
        "unique_id": f"test.{NAME}.{test.name}", "resource_type": "test", "name": test.name, "alias": test.name,
        "package_name": NAME, "path": f"{test.name}.sql", "original_file_path": f"tests/{test.name}.sql",
        "database": DATABASE, "schema": "tests", "fqn": [NAME, test.name],
        "config": {"enabled": True, "materialized": "test", "severity": "warn" if test.is_warning else "ERROR"},
        "depends_on": {"nodes": [unique_id(project, test.node)]}, "compiled_code": compiler.test(test),
        "compiled_path": f"compiled/{NAME}/tests/{test.name}.sql", "raw_code": _test_file(project, test),
    }


def _test_file(project, test):
    severity = "{{ config(severity='warn') }}\n" if test.is_warning else ""
    return severity + test_sql(test, _ref_of(project)) + "\n"


# --- on disk


def write(project, engine, directory, recorded):
    """The files of the project, and one recording per target."""
    directory, recorded = pathlib.Path(directory), pathlib.Path(recorded)
    shop = pathlib.Path(__file__).resolve().parents[1] / "projects/shop"
    for folder in FOLDERS.values():
        shutil.rmtree(directory / folder, ignore_errors=True)
        (directory / folder).mkdir(parents=True)
    profile = "shop" if engine == "duckdb" else "shop_postgres"
    mirror = "mirror: {raw: 'tag:raw'}" if project.sources else "{}"
    (directory / "dbt_project.yml").write_text(PROJECT.format(profile=profile, mirror=mirror))
    shutil.copy(shop / "profiles.yml", directory)
    (directory / "macros").mkdir(exist_ok=True)
    shutil.copy(shop / "macros/generate_schema_name.sql", directory / "macros")
    for node in project.nodes.values():
        folder = directory / FOLDERS[node.resource_type]
        if node.kind == "seed":
            _write_seed(node, folder)
        else:
            (folder / f"{node.name}.sql").write_text(jinja(project, node))
    for test in project.tests.values():
        (directory / "tests" / f"{test.name}.sql").write_text(_test_file(project, test))
    if project.sources:
        tables = [{"name": name} for name in project.sources]
        document = {"version": 2, "sources": [{"name": NAME, "schema": SCHEMA, "tables": tables}]}
        (directory / SOURCES).write_text(json.dumps(document, indent=1))
    recorded.mkdir(exist_ok=True)
    for target in TARGETS[engine]:
        (recorded / f"{engine}-{target}.json").write_text(json.dumps(recording(project, engine, target)))


def _write_seed(node, folder):
    with open(folder / f"{node.name}.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([["id", *node.columns], *node.rows])
    types = {"id": "integer", **node.columns}
    document = {"version": 2, "seeds": [{"name": node.name, "config": {"schema": node.layer, "tags": list(node.tags),
                                                                     "column_types": types}}]}
    (folder / f"{node.name}.yml").write_text(json.dumps(document, indent=1))
