#!/usr/bin/env python3
"""Writes a synthetic manifest.json in the shape of dbt 1.12: models with tests, sources, macros and
compiled code, in the proportions of large real ones. The same arguments give the same bytes.

usage: make_manifest.py [--pretty] [--dbt 1|2] (--megabytes N | --nodes N [--megabytes N]) FILE

--megabytes alone: nodes of the usual size until the file is that large. --nodes: so many models
and tests (seven in ten are tests); with --megabytes too the code of the models fills the rest.
--dbt 2: as dbt 2 writes: compact, nulls left out, `functions`, metadata behind the nodes.
"""
import argparse
import json
import random

LAYERS = ("staging", "intermediate", "marts", "finance", "growth")
TAGS = ("nightly", "hourly", "mart", "utils", "pii", "finance", "dex")
TESTS = ("not_null", "unique", "accepted_values", "relationships")
LINE = "    coalesce(src.\"column_{0}\", 'n/a') as column_{0}, -- {{{{ ref('stg_{0}') }}}}\n"


def code(rng, size):
    lines = []
    length = 0
    while length < size:
        line = LINE.format(rng.randrange(400))
        lines.append(line)
        length += len(line) + 4  # the escapes
    return "select\n" + "".join(lines)


def config(materialized, tags):
    return {"enabled": True, "alias": None, "schema": "marts", "database": None, "tags": tags,
            "meta": {"owner": "data"}, "group": None, "materialized": materialized,
            "incremental_strategy": None, "batch_size": None, "lookback": 1, "begin": None,
            "persist_docs": {}, "post-hook": [], "pre-hook": [], "quoting": {},
            "column_types": {}, "full_refresh": None, "unique_key": None,
            "on_schema_change": "ignore", "on_configuration_change": "apply", "grants": {},
            "packages": [], "docs": {"show": True, "node_color": None},
            "contract": {"enforced": False, "alias_types": True}, "event_time": None,
            "concurrent_batches": None, "access": "protected", "freshness": None}


def columns(rng, count):
    return {f"column_{i}": {"name": f"column_{i}",
                            "description": "what the column says of \"its\" row, in words",
                            "meta": {}, "data_type": "text", "constraints": [], "quote": None,
                            "config": {"meta": {}, "tags": []}, "tags": [], "granularity": None,
                            "doc_blocks": []} for i in range(count)}


def model(rng, number, size):
    layer = LAYERS[number % len(LAYERS)]
    name = f"{layer}_model_{number}"
    tags = sorted(rng.sample(TAGS, rng.randrange(3)))
    parents = [f"source.shop.raw.table_{number % 50}"]
    if number:
        parents += [f"model.shop.{LAYERS[p % len(LAYERS)]}_model_{p}"
                    for p in sorted({rng.randrange(number) for _ in range(2)})]
    raw = code(rng, size // 2)
    return f"model.shop.{name}", {
        "database": "analytics", "schema": f"prod_{layer}", "name": name,
        "resource_type": "model", "package_name": "shop", "path": f"{layer}/{name}.sql",
        "original_file_path": f"models/{layer}/{name}.sql", "unique_id": f"model.shop.{name}",
        "fqn": ["shop", layer, name], "alias": name,
        "checksum": {"name": "sha256", "checksum": f"{rng.getrandbits(256):064x}"},
        "config": config("view" if number % 4 == 0 else "table", tags), "tags": tags,
        "description": "One row per thing. " * 4, "columns": columns(rng, 6), "meta": {},
        "group": None, "docs": {"show": True, "node_color": None},
        "patch_path": f"shop://models/{layer}/_{layer}.yml",
        "build_path": None, "unrendered_config": {"materialized": "table", "tags": tags},
        "created_at": 1795560045.0083165 + number,
        "relation_name": f'"analytics"."prod_{layer}"."{name}"', "raw_code": raw,
        "doc_blocks": [], "language": "sql",
        "refs": [{"name": name, "package": None, "version": None}], "sources": [["raw", "t"]],
        "metrics": [], "functions": [],
        "depends_on": {"macros": ["macro.dbt.is_incremental"], "nodes": parents},
        "compiled_path": f"target/compiled/shop/models/{layer}/{name}.sql", "compiled": True,
        "compiled_code": raw.replace("{{ ref(", "").replace(") }}", ""), "extra_ctes_injected": True,
        "extra_ctes": [], "contract": {"enforced": False, "alias_types": True, "checksum": None},
        "access": "protected", "constraints": [], "version": None, "latest_version": None,
        "deprecation_date": None, "primary_key": ["column_0"], "time_spine": None}


def test(rng, number, parent):
    kind = TESTS[number % len(TESTS)]
    name = f"{kind}_{parent['name']}_column_{number % 6}"
    digest = f"{rng.getrandbits(40):010x}"
    uid = f"test.shop.{name}.{digest}"
    tags = parent["tags"]
    settings = config("test", tags)
    settings.update({"severity": "ERROR", "store_failures": None, "where": None, "limit": None,
                     "fail_calc": "count(*)", "warn_if": "!= 0", "error_if": "!= 0"})
    return uid, {
        "test_metadata": {"name": kind, "kwargs": {"column_name": f"column_{number % 6}",
                                                   "model": "{{ get_where_subquery(ref('x')) }}"},
                          "namespace": None},
        "database": "analytics", "schema": "prod_dbt_test__audit", "name": name,
        "resource_type": "test", "package_name": "shop", "path": f"{name}.sql",
        "original_file_path": parent["patch_path"][7:], "unique_id": uid,
        "fqn": parent["fqn"][:-1] + [name], "alias": name,
        "checksum": {"name": "none", "checksum": ""}, "config": settings, "tags": tags,
        "description": "", "columns": {}, "meta": {}, "group": None,
        "docs": {"show": True, "node_color": None}, "patch_path": None, "build_path": None,
        "unrendered_config": {}, "created_at": 1795560045.0083165 + number, "relation_name": None,
        "raw_code": "{{ test_" + kind + "(**_dbt_generic_test_kwargs) }}", "doc_blocks": [],
        "language": "sql", "refs": [{"name": parent["name"], "package": None, "version": None}],
        "sources": [], "metrics": [], "functions": [],
        "depends_on": {"macros": [f"macro.dbt.test_{kind}"], "nodes": [parent["unique_id"]]},
        "compiled_path": None, "compiled": True,
        "compiled_code": f'select count(*) from "analytics"."{parent["schema"]}"."{parent["alias"]}"',
        "extra_ctes_injected": True, "extra_ctes": [],
        "contract": {"enforced": False, "alias_types": True, "checksum": None},
        "column_name": f"column_{number % 6}", "file_key_name": f"models.{parent['name']}",
        "attached_node": parent["unique_id"]}


def source(number):
    uid = f"source.shop.raw.table_{number}"
    return uid, {
        "database": "analytics", "schema": "raw", "name": f"table_{number}",
        "resource_type": "source", "package_name": "shop", "path": "models/staging/_sources.yml",
        "original_file_path": "models/staging/_sources.yml", "unique_id": uid,
        "fqn": ["shop", "staging", "raw", f"table_{number}"], "source_name": "raw",
        "source_description": "", "loader": "", "identifier": f"table_{number}",
        "quoting": {"database": None, "schema": None, "identifier": None, "column": None},
        "loaded_at_field": None, "freshness": None, "external": None, "description": "",
        "columns": {}, "meta": {}, "tags": [], "config": {"enabled": True, "tags": []},
        "patch_path": None, "unrendered_config": {}, "created_at": 1795560045.5,
        "relation_name": f'"analytics"."raw"."table_{number}"'}


def macro(rng, number):
    uid = f"macro.dbt.macro_{number}"
    return uid, {"name": f"macro_{number}", "resource_type": "macro", "package_name": "dbt",
                 "path": f"macros/m_{number}.sql", "original_file_path": f"macros/m_{number}.sql",
                 "unique_id": uid,
                 "macro_sql": "{% macro m(a) %}\n" + code(rng, 1200) + "{% endmacro %}",
                 "depends_on": {"macros": []}, "description": "", "meta": {},
                 "docs": {"show": True, "node_color": None}, "patch_path": None, "arguments": [],
                 "created_at": 1795560000.25, "supported_languages": None}


def without_nulls(value):
    if isinstance(value, dict):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    return value


class Writer:
    """One entry at a time, since the whole would not fit into memory."""

    def __init__(self, path, options):
        self.file = open(path, "w", encoding="ascii")
        self.options = options
        self.size = 0
        if options.pretty:
            self.style = {"indent": 2}
        else:
            self.style = {"separators": (",", ":")} if options.dbt == 2 else {}

    def put(self, text):
        self.file.write(text)
        self.size += len(text)

    def dump(self, value):
        self.put(json.dumps(without_nulls(value) if self.options.dbt == 2 else value, **self.style))

    def entries(self, key, entries, first=False):
        self.put(("" if first else ", ") + json.dumps(key) + ": {")
        for i, (name, value) in enumerate(entries):
            self.put((", " if i else "") + json.dumps(name) + ": ")
            self.dump(value)
        self.put("}")


def nodes(writer, rng, options, parents):
    limit = (options.megabytes or 0) * 1000 * 1000 * 8 // 10
    number = 0
    while (number < options.nodes) if options.nodes else (writer.size < limit):
        if number % 10 < 3:
            left = options.nodes - number if options.nodes else 0
            size = 6000
            if options.nodes and limit:
                size = max(200, int((limit - writer.size) / left / 0.3) - 9000)
            uid, parent = model(rng, number, size)
            parents[uid] = parent["depends_on"]["nodes"]
            yield uid, parent
        else:
            uid, value = test(rng, number, parent)
            parents[uid] = value["depends_on"]["nodes"]
            yield uid, value
        number += 1


def macros(writer, rng, options):
    limit = (options.megabytes or 0) * 1000 * 1000 * 97 // 100
    number = 0
    while number < 50 or writer.size < limit:
        yield macro(rng, number)
        number += 1


def maps(parents):
    children = {}
    for uid, ids in parents.items():
        children.setdefault(uid, [])
        for parent in ids:
            children.setdefault(parent, []).append(uid)
    return children


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=int)
    parser.add_argument("--nodes", type=int)
    parser.add_argument("--pretty", action="store_true")
    parser.add_argument("--dbt", type=int, choices=(1, 2), default=1)
    parser.add_argument("file")
    options = parser.parse_args()
    if not options.megabytes and not options.nodes:
        parser.error("give --megabytes or --nodes")
    rng = random.Random(10)
    parents = {f"source.shop.raw.table_{i}": [] for i in range(50)}
    metadata = {"dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v12.json",
                "dbt_version": "2.0.0" if options.dbt == 2 else "1.12.3",
                "generated_at": "2026-11-22T09:00:00.000000Z",
                "invocation_id": "0f0e0d0c-0000-4000-8000-000000000010", "env": {},
                "project_name": "shop", "project_id": "0" * 32, "user_id": None,
                "send_anonymous_usage_stats": False, "adapter_type": "postgres"}
    writer = Writer(options.file, options)
    writer.put("{")
    if options.dbt == 1:
        writer.put('"metadata": ')
        writer.dump(metadata)
    writer.entries("nodes", nodes(writer, rng, options, parents), first=options.dbt == 2)
    writer.entries("sources", (source(i) for i in range(50)))
    writer.entries("macros", macros(writer, rng, options))
    if options.dbt == 2:
        writer.put(', "metadata": ')
        writer.dump(metadata)
    for key in ("docs", "exposures", "metrics", "groups", "selectors", "disabled"):
        writer.entries(key, ())
    writer.entries("parent_map", parents.items())
    writer.entries("child_map", maps(parents).items())
    for key in ("group_map", "saved_queries", "semantic_models", "unit_tests", "functions"):
        writer.entries(key, ())
    writer.put("}")
    writer.file.close()


main()
