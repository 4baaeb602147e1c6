"""Makes test/golden/input anew: python3 test/support/golden_input.py RENDER_PLAN DBT [ENGINE...]

For each engine the manifests of both sides of the sample project, parsed by real dbt, and two pictures
of a real warehouse by airlock's own queries: before the first build of staging, and after it.
In these two production has one table as staging builds it, with all that people add by hand, one whose columns
changed, and the others not at all. A third picture has both sides whole, as production-rollback
finds them, with an index that only production has. What differs from one machine or run to another is left out.
Snowflake, which is a stand-in, has a python and a dbt of its own: .cache/snowflake.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
INPUT = ROOT / "test/golden/input"
sys.path.insert(0, str(ROOT / "test/support"))

import warehouse  # noqa: E402

BY_HAND = {
    "postgres": """
        create schema reports;
        create view reports.notes as select customer_id, country from mart.customers;
        comment on column reports.notes.country is 'where to';
        drop table utils.calendar; drop table utils.currencies; drop table mart.revenue_by_day;
        alter table mart.orders add constraint orders_key primary key (order_id);
        alter table mart.orders add constraint orders_paid check (amount_eur >= 0);
        alter table mart.orders alter column status set default 'placed';
        create index orders_by_day on mart.orders (ordered_on desc) where status <> 'returned';
        comment on table mart.orders is 'it''s the report''s {{ table }}';
        comment on column mart.orders.amount_eur is 'in euros';
        alter table mart.customers drop column segment;
        alter table mart.customers add column "Note" text default 'none';
        alter table mart.customers alter column customer_id set not null;
        alter table mart.customers set (fillfactor = 90);
        create unique index customers_once on mart.customers (customer_id);
        create index "Customers by note" on mart.customers ("Note");
        comment on index mart.customers_once is 'by hand';
        alter table mart.customers add constraint customers_country check (length(country) = 2)""",
    "duckdb": """
        drop table utils.calendar; drop table utils.currencies; drop table mart.revenue_by_day;
        create or replace table mart.orders (order_id integer primary key, customer_id integer,
            ordered_on date, status varchar default 'placed', payments bigint,
            amount_eur double check (amount_eur >= 0), is_paid boolean);
        create index orders_by_day on mart.orders (ordered_on);
        comment on table mart.orders is 'it''s the report''s {{ table }}';
        comment on column mart.orders.amount_eur is 'in euros';
        alter table mart.customers drop column segment;
        alter table mart.customers add column "Note" varchar default 'none';
        create unique index customers_once on mart.customers (customer_id);
        create index "Customers by note" on mart.customers ("Note");
        comment on index mart.customers_once is 'by hand'""",
    "snowflake": """
        drop table utils.calendar;
        drop table utils.currencies;
        drop table mart.revenue_by_day;
        comment on table mart.orders is 'it''s the report''s {{ table }}';
        comment on table mart.customers is 'with a back\\\\slash'""",
}

BLUE_GREEN = "blue-green --tags mart,utils".split()
FILES = ["blue-green"]
AUDIT = "wap --tags mart --publish-by copy --stale-ok *".split()
WHOLE = "production-rollback --tags mart,utils,history --parents copy".split()

NODE = (
    "unique_id resource_type name package_name database schema alias relation_name tags fqn"
).split()
CONFIG = "materialized tags enabled grants pre-hook post-hook severity snapshot_meta_column_names".split()


def kept(document, keys):
    return {key: document[key] for key in keys if document.get(key) not in (None, [], {})}


def node(document):
    return {
        **kept(document, NODE),
        "depends_on": {"nodes": document["depends_on"].get("nodes", [])},
        "config": kept(document["config"], CONFIG),
    }


def manifest(path):
    document = json.loads(path.read_text())
    return {
        "metadata": kept(document["metadata"], ["adapter_type", "dbt_version", "project_name"]),
        **{
            kind: {key: node(value) for key, value in sorted(document[kind].items())}
            for kind in ("nodes", "unit_tests")
        },
        "sources": {},
    }


def one_a_line(value):
    """An object or a list with each of its members on a line of its own."""
    text = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (dict, list)) or len(text) < 90:
        return text
    if isinstance(value, list):
        return "[\n" + ",\n".join(json.dumps(item, ensure_ascii=False) for item in value) + "\n]"
    members = (f"{json.dumps(key)}: {json.dumps(item, ensure_ascii=False)}" for key, item in value.items())
    return "{\n" + ",\n".join(members) + "\n}"


def write(engine, name, document):
    path = INPUT / engine / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    members = (f"{json.dumps(key)}: {one_a_line(value)}" for key, value in document.items())
    path.write_text("{\n" + ",\n".join(members) + "\n}\n")
    return path


def queries(engine, before, options, staging):
    prod = "green_prod" if options == FILES else "prod"
    sides = [str(INPUT / engine / f"{side}.json") for side in (staging, prod)]
    command = [sys.argv[1], "queries", *sides, before, *options, "--from", staging, "--to", "prod"]
    output = subprocess.run(command, check=True, capture_output=True)
    return json.loads(output.stdout)["queries"]


def steady(picture):
    """The same oids and version whenever and wherever it is taken."""
    numbers = {}

    def number(match):
        return numbers.setdefault(match[0], str(16384 + len(numbers)))

    def moment(match):
        return numbers.setdefault(match[0], f"moment {len(numbers)}")

    for relation in picture["relations"] + picture["rows"]:
        for key in ("object", "version"):
            if re.fullmatch(r"\d{16}", relation.get(key) or ""):
                relation[key] = re.sub(r".+", moment, relation[key])
    for container in picture.get("containers", []):
        is_file = not container["schema"]
        container["object"] = f"/data/{container['side']}/warehouse.duckdb" if is_file else number([container["object"]])
        container["seen"] = "seen:" + (container["side"] if is_file else container["schema"])
    for relation in picture["relations"] + picture["rows"]:
        if relation.get("object"):
            pattern = r"\d+" if re.fullmatch(r"\d+/\d+", relation["object"]) else r"^\d+(?=/)"
            relation["object"] = re.sub(pattern, number, relation["object"])
    picture["session"]["version"] = re.match(r"v?\d+", picture["session"]["version"])[0]
    return picture


def take_picture(engine, name, before, built, options=("wac", "--tags", "mart,utils"), staging="staging"):
    connection = warehouse.connect(read_only=True)
    if engine == "duckdb" and staging == "green":
        connection.execute(f"attach '{os.environ['SHOP_DUCKDB_GREEN']}' as airlock_staging (read_only)")
    answers = [
        [json.loads(row[0]) for row in warehouse.rows(connection, sql)]
        for sql in queries(engine, before, options, staging)
    ]
    connection.close()
    rows = [row for answer in answers[3:] for row in answer]
    picture = {
        "session": answers[0][0],
        "schemas": sorted(answers[1], key=str),
        "relations": answers[2],
        "rows": [row for row in rows if "side" not in row],
        "built": built,
    }
    if len(picture["rows"]) < len(rows):
        picture["containers"] = [row for row in rows if "side" in row]
    return write(engine, name, steady(picture))


def leave_orphans(engine):
    """The picture of a built staging, and in production two that earlier deployments have made: a table
    and a view, as others of the picture are."""
    picture = json.loads((INPUT / engine / "built.json").read_text())
    relations = {(one["schema"], one["identifier"]): one for one in picture["relations"]}
    rows = {(one["schema"], one["identifier"]): one for one in picture["rows"]}
    picture["published"] = []
    for like, name in (("orders", "former_orders"), ("open_orders", "former_open_orders")):
        old = {"database": relations["mart", like]["database"], "schema": "mart", "identifier": name}
        one = {**relations["mart", like], **old, "indexes": [], "constraints": [], "owned": True}
        if engine == "postgres":
            one["object"] = re.sub(r"\d+", lambda number: str(int(number[0]) + 1000), one["object"], count=1)
        picture["relations"].append(one)
        if ("mart", like) in rows:
            counted = {**rows["mart", like], **old}
            picture["rows"].append({**counted, "object": one["object"]} if engine == "postgres" else counted)
        picture["published"].append({**old, "unique_id": f"model.shop.{name}", "id": "20260102030405_abcdef",
                                     "project": "shop", "from": "staging", "to": "prod"})
    write(engine, "orphans", picture)


def compiled(document):
    """The SQL of the views, as airlock takes it from the manifest."""
    return {
        key: value["compiled_code"]
        for key, value in sorted(document["nodes"].items())
        if value["config"]["materialized"] == "view" and set(value["tags"]) & {"mart", "utils"}
    }


def make(engine, directory):
    project = directory / "project"
    shutil.copytree(ROOT / "test/projects/shop", project)
    configuration = project / "dbt_project.yml"
    if engine != "duckdb":
        configuration.write_text(
            re.sub(r"(?m)^profile: .*", f"profile: shop_{engine}", configuration.read_text())
        )

    def dbt(verb, target):
        target_path = directory / target
        subprocess.run(
            [sys.argv[2], "--quiet", verb, "--target", target, "--target-path", target_path],
            check=True, cwd=project,
        )
        return target_path / "manifest.json"

    for side in ("staging", "prod"):
        write(engine, side, manifest(dbt("parse", side)))
    write(engine, "compiled", compiled(json.loads(dbt("compile", "prod").read_text())))
    dbt("build", "prod")
    dbt("build", "staging")
    connection = warehouse.connect(read_only=False)
    if engine != "snowflake":
        connection.cursor().execute("create unique index revenue_once on mart.revenue_by_day (ordered_on)")
    connection.close()
    take_picture(engine, "whole", "-", False, WHOLE)
    connection = warehouse.connect(read_only=False)
    for statement in [*BY_HAND[engine].split(";\n"), "drop schema stage cascade"]:
        connection.cursor().execute(statement)
    connection.close()
    before = take_picture(engine, "before", "-", False)
    dbt("build", "staging")
    take_picture(engine, "built", str(before), True)
    if engine != "snowflake":
        leave_orphans(engine)
        write(engine, "prod_audit", manifest(dbt("parse", "prod_audit")))
        dbt("build", "prod_audit")
        take_picture(engine, "audit_built", "-", True, AUDIT, "prod_audit")
    if engine == "duckdb":
        make_files(project, dbt)
    if engine != "postgres":
        return
    write(engine, "green", manifest(dbt("parse", "green")))
    before = take_picture(engine, "green_before", "-", False, BLUE_GREEN, "green")
    dbt("build", "green")
    take_picture(engine, "green_built", str(before), True, BLUE_GREEN, "green")


def make_files(project, dbt):
    """Production in one file, staging in another of the same name."""
    import duckdb

    green = pathlib.Path(os.environ["SHOP_DUCKDB_GREEN"])
    green.parent.mkdir()
    shutil.rmtree(project / "snapshots")
    connection = warehouse.connect(read_only=False)
    for schema in ("history", "stage"):
        connection.execute(f"drop schema if exists {schema} cascade")
    connection.close()
    duckdb.connect(green).close()
    document = json.dumps(manifest(dbt("parse", "blue_green")))
    document = document.replace('"database": "warehouse"', '"database": "airlock_staging"')
    write("duckdb", "green", json.loads(document.replace('\\"warehouse\\".', '\\"airlock_staging\\".')))
    write("duckdb", "green_prod", manifest(dbt("parse", "prod")))
    dbt("build", "prod")
    connection = warehouse.connect(read_only=False)
    for statement in (
        "comment on table mart.orders is 'by hand'",
        "alter table mart.orders alter column status set default 'placed'",
        "alter table mart.orders alter column customer_id set not null",
        "alter table mart.orders add primary key (order_id)",
        "create index orders_by_day on mart.orders (ordered_on)",
    ):
        connection.execute(statement)
    connection.close()
    before = take_picture("duckdb", "green_before", "-", False, FILES, "green")
    dbt("build", "blue_green")
    take_picture("duckdb", "green_built", str(before), True, FILES, "green")


SERVERS = {"postgres": ["test/support/pg", "start"],
           "snowflake": ["test/support/standin", "start", "snowflake", "--database", "SHOP"]}


def start(engine):
    os.environ["STANDIN_OWNER"] = str(os.getpid())
    started = subprocess.run([ROOT / SERVERS[engine][0], *SERVERS[engine][1:]], check=True,
                             capture_output=True, text=True)
    for line in started.stdout.splitlines():
        variable, value = line.removeprefix("export ").split("=", 1)
        os.environ[variable] = value


def main():
    for engine in sys.argv[3:] or ("duckdb", "postgres"):
        with tempfile.TemporaryDirectory() as name:
            directory = pathlib.Path(name)
            os.environ["ENGINE"] = engine
            os.environ["SHOP_DUCKDB"] = str(directory / "warehouse.duckdb")
            os.environ["SHOP_DUCKDB_GREEN"] = str(directory / "green/warehouse.duckdb")
            if engine in SERVERS:
                start(engine)
            try:
                make(engine, directory)
            finally:
                if engine == "postgres":
                    subprocess.run([ROOT / "test/support/pg", "stop", os.environ["SHOP_PG_DIR"]])


main()
