#!/usr/bin/env python3
"""What airlock costs and saves beside what a user would run instead.

usage: bench.py [--rounds N] [--json FILE] [ROW...]

  passthrough      a command through airlock (static build) and the same one without it
  deploy           a deployment and the recipe's four dbt commands; DuckDB and PostgreSQL, with the
                   fork server and without it, the first run of a project and the ones behind it
  starts           where the time of a dbt command goes
  manifest         the relations of a tag out of 4 and 150 MB: airlock, python, jq, jansson
  offline          `check` and `routes --offline` of a project of 10,000 nodes
  plan             `plan blue-green` of 1,000 models, and 200 objects that no node makes, on the stand-in for
                   Snowflake; beside two operations of dbt that do nothing

All rows when none is named. What is compared runs in turns, so that what else the machine does hits
all of it alike; a figure is the median of the rounds. Only the ratios mean something. AIRLOCK,
AIRLOCK_STATIC, JANSSON_DOM and DBT name the programs; scripts/bench sets them.
"""
import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import wide

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SNOWFLAKE = os.path.join(ROOT, ".cache/snowflake/bin")
PASSES = 1000


def timed(argv, cwd, environment, fine=(0,)):
    """Seconds. What fails is no figure. Into files: who reads a pipe would be timed as well."""
    with tempfile.TemporaryFile("w+") as out:
        begin = time.monotonic()
        run = subprocess.run(argv, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=out,
                             stderr=subprocess.STDOUT)
        seconds = time.monotonic() - begin
        out.seek(0)
        said = out.read()
    if run.returncode not in fine:
        raise SystemExit(f"{' '.join(argv)} ended with {run.returncode}\n{said[-4000:]}")
    return seconds


class Table:
    """Rows as they are known, on stdout and for --json."""

    def __init__(self):
        self.rows = []

    def title(self, text):
        print(f"\n{text}", flush=True)

    def row(self, section, name, seconds, against=None):
        ratio = None if against is None else round(seconds / against, 3)
        self.rows.append({"section": section, "name": name, "seconds": round(seconds, 5), "ratio": ratio})
        shown = f"{seconds * 1000:10.2f} ms" if seconds < 1 else f"{seconds:10.2f} s "
        print(f"  {name:48}{shown}{'' if ratio is None else f'{ratio:9.2f}'}", flush=True)


def passthrough(table, _rounds):
    table.title(f"pass-through: one command, {PASSES} times in turns")
    with tempfile.TemporaryDirectory(prefix="airlock-bench-") as work:
        environment = {"PATH": "/usr/bin:/bin", "AIRLOCK_DBT": "/bin/true", "HOME": work}
        commands = {"the target itself": ["/bin/true", "debug"],
                    "through airlock": [os.environ["AIRLOCK_STATIC"], "debug"]}
        spent = {name: [] for name in commands}
        for _ in range(PASSES):
            for name, argv in commands.items():
                begin = time.monotonic()
                pid = os.posix_spawn(argv[0], argv, environment)
                status = os.waitpid(pid, 0)[1]
                spent[name].append(time.monotonic() - begin)
                if status:
                    raise SystemExit(f"{argv} ended with {status}")
        bare, through = (statistics.median(spent[name]) for name in commands)
        table.row("passthrough", "the target itself", bare)
        table.row("passthrough", "through airlock", through, bare)
        table.row("passthrough", "what airlock adds", through - bare)


class Project:
    """A copy of the sample project with a warehouse of its own."""

    def __init__(self, work, name, engine, variables):
        self.directory = os.path.join(work, name)
        shutil.copytree(os.path.join(ROOT, "test/projects/shop"), self.directory)
        shutil.copy(os.path.join(HERE, "recipe/clone_by_tag.sql"), os.path.join(self.directory, "macros"))
        self.environment = {**os.environ, **variables, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
                            "AIRLOCK_DBT": os.environ["DBT"],
                            "SHOP_DUCKDB": os.path.join(self.directory, "warehouse.duckdb")}
        self.profile = []
        if engine == "postgres":
            self.profile = ["--profile", "shop_postgres"]
            self.environment["SHOP_PG_DBNAME"] = name
            psql = ["psql", "-q", "-h", os.environ["SHOP_PG_HOST"], "-p", os.environ["SHOP_PG_PORT"], "-U", "postgres"]
            subprocess.run([*psql, "-c", f"create database {name}"], check=True)

    def recipe(self):
        spent = 0
        for verb in (["seed"], ["run"], ["test"], ["run-operation", "clone_by_tag"]):
            argv = [os.environ["DBT"], *verb, "--target", "staging", *self.profile]
            spent += timed(argv, self.directory, self.environment)
        return spent

    def deploy(self, server):
        argv = [os.environ["AIRLOCK"], "deploy", "wac", "--from", "staging", "--to", "prod", "--tags", "mart,utils",
                "--yes", "--", *self.profile]
        return timed(argv, self.directory, {**self.environment, "AIRLOCK_FORK_SERVER": str(int(server))})


WAYS = {"the recipe: seed, run, test, run-operation": Project.recipe,
        "airlock deploy": lambda project: project.deploy(True),
        "airlock deploy without the fork server": lambda project: project.deploy(False)}


def deploy_on(table, engine, rounds, variables):
    first, later = ({name: [] for name in WAYS} for _ in range(2))
    with tempfile.TemporaryDirectory(prefix="airlock-bench-") as work:
        for number in range(rounds):
            projects = [Project(work, f"{engine}{number}{way}", engine, variables) for way in range(len(WAYS))]
            for spent in (first, later, later):
                for (name, run), project in zip(WAYS.items(), projects):
                    spent[name].append(run(project))
    for title, spent in (("first run of a project", first), ("behind it", later)):
        table.title(f"deployment on {engine}, {title}: {rounds} projects, median")
        medians = {name: statistics.median(values) for name, values in spent.items()}
        for name, seconds in medians.items():
            table.row(f"deploy.{engine}.{title.split()[0]}", name, seconds, next(iter(medians.values())))


def deploy(table, rounds):
    deploy_on(table, "duckdb", rounds, {})
    pg = os.path.join(ROOT, "test/support/pg")
    exports = subprocess.run([pg, "start", str(os.getpid())], check=True, capture_output=True, text=True).stdout
    variables = dict(line.removeprefix("export ").split("=", 1) for line in exports.splitlines())
    os.environ.update(variables)
    try:
        deploy_on(table, "postgres", rounds, variables)
    finally:
        subprocess.run([pg, "stop", variables["SHOP_PG_DIR"]], check=True)


def starts(table, rounds):
    table.title(f"one dbt command on DuckDB, {rounds} rounds, median: each row has what those above it have")
    python = os.path.join(os.path.dirname(os.environ["DBT"]), "python")
    imports = "import dbt.cli.main, dbt.adapters.duckdb"
    with tempfile.TemporaryDirectory(prefix="airlock-bench-") as work:
        project = Project(work, "starts", "duckdb", {})
        dbt = os.environ["DBT"]
        commands = {"the interpreter": [python, "-c", "pass"],
                    "and importing dbt and its adapter": [python, "-c", imports],
                    "and parsing, nothing changed (dbt parse)": [dbt, "parse"],
                    "and one empty operation (dbt run-operation)": [dbt, "run-operation", "generate_schema_name",
                                                                    "--args", "{custom_schema_name: a, node: b}"],
                    "and building everything (dbt build)": [dbt, "build"]}
        spent = {name: [] for name in commands}
        timed([dbt, "build"], project.directory, project.environment)
        for _ in range(rounds):
            for name, argv in commands.items():
                spent[name].append(timed(argv, project.directory, project.environment))
        medians = {name: statistics.median(values) for name, values in spent.items()}
        for name, seconds in medians.items():
            table.row("starts", name, seconds, medians["and building everything (dbt build)"])


def manifest(table, _rounds):
    table.title("the relations of one tag out of a manifest (the static program, which is shipped)")
    run = subprocess.run([sys.executable, os.path.join(HERE, "manifest.py"), os.environ["AIRLOCK_STATIC"],
                          os.environ["JANSSON_DOM"]], check=True, stdout=subprocess.PIPE, text=True)
    print(run.stdout, end="")
    for line in run.stdout.splitlines()[1:]:
        size, _, name, wall, *_, times, _ = line.split()
        table.rows.append({"section": f"manifest.{size}", "name": name, "seconds": float(wall),
                           "ratio": float(times)})


FLAT = """name: shop
version: '1.0'
config-version: 2
profile: shop
vars: {airlock: {from: staging, tags: [mart]}}
"""


def flat_project(directory, megabytes):
    """10,000 nodes, with the SQL of its models, as it is after a parse."""
    parsed = os.path.join(directory, "target/airlock/parse/staging/manifest.json")
    os.makedirs(os.path.dirname(parsed))
    subprocess.run([sys.executable, os.path.join(HERE, "make_manifest.py"), "--nodes", "10000",
                    "--megabytes", str(megabytes), parsed], check=True)
    with open(parsed, encoding="utf-8") as file:
        nodes = json.load(file)["nodes"].values()
    paths = [node["original_file_path"] for node in nodes if node["resource_type"] == "model"]
    for path in paths:
        os.makedirs(os.path.join(directory, os.path.dirname(path)), exist_ok=True)
        with open(os.path.join(directory, path), "w", encoding="utf-8") as file:
            file.write("select * from {{ ref('stg_orders') }} where status <> 'a.b'\n" * 20)
    for name, text in (("dbt_project.yml", FLAT), ("profiles.yml", (
            "shop: {target: staging, outputs: {staging: {type: postgres, schema: stage}}}\n"))):
        with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
            file.write(text)
    return paths[0]


def offline(table, rounds):
    table.title("a project of 10,000 nodes, without dbt")
    for megabytes in (30, 60):
        with tempfile.TemporaryDirectory(prefix="airlock-bench-") as work:
            one = flat_project(work, megabytes)
            for name, words in (("routes --offline", ["routes", "--offline", "--json"]),
                                ("check", ["check"]), ("check of one file", ["check", one])):
                # 1: it found something
                spent = [timed([os.environ["AIRLOCK_STATIC"], *words], work, None, (0, 1))
                         for _ in range(rounds + 2)]
                table.row("offline", f"{name}, {megabytes} MB", statistics.median(spent))


class StandIn:
    """That for Snowflake; it ends with this process."""

    def __init__(self):
        run = subprocess.run([os.path.join(ROOT, "test/support/standin"), "start", "snowflake", "--database", "SHOP"],
                             check=True, stdout=subprocess.PIPE, text=True,
                             env={**os.environ, "STANDIN_OWNER": str(os.getpid())})
        self.exports = dict(line.removeprefix("export ").split("=", 1) for line in run.stdout.splitlines())

    def fill(self, statements):
        """By one connection of the real connector, which this Python does not have."""
        client = ("import sys; sys.path.insert(0, sys.argv[1]); import warehouse; c = warehouse.connect().cursor()\n"
                  "for line in sys.stdin: c.execute(line)")
        subprocess.run([os.path.join(SNOWFLAKE, "python"), "-c", client, os.path.join(ROOT, "test/support")],
                       check=True, input="\n".join(statements), text=True,
                       env={**os.environ, **self.exports, "ENGINE": "snowflake"})

    def computed(self):
        """Seconds of the processor's, so far: what the service would spend of its own."""
        with open(f"/proc/{self.exports['SHOP_SF_PID']}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def processor_of_children():
    """Seconds, of all that has ended: the same on a machine that does other things too."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def plan(table, rounds):
    models, foreign = 1000, 200
    table.title(f"a plan of blue-green, {models} models and {foreign} objects that no node makes: {rounds} rounds, median")
    service = StandIn()
    service.fill(wide.production(models, foreign))
    airlock = [os.environ["AIRLOCK"], "plan", "blue-green", "--to", "prod"]
    ignored = ["--foreign-objects", "*.by_hand_*,public"]
    nothing = [os.path.join(SNOWFLAKE, "dbt"), "run-operation", "nothing", "--target", "prod"]
    ways = {"two operations of nothing (dbt run-operation)": ([nothing, nothing], 0),
            "schemas change places": ([[*airlock, "--from", "green", *ignored]], 0),
            "refused, with the list of what no node makes": ([[*airlock, "--from", "green"]], 125),
            "databases change places": ([[*airlock, "--from", "blue_green", "--state-database", "shop_airlock",
                                          *ignored]], 0)}
    spent = {name: [] for name in ways}
    processor = {name: [] for name in ways}
    computed = {name: [] for name in ways}
    with tempfile.TemporaryDirectory(prefix="airlock-bench-") as work:
        wide.write_project(os.path.join(work, "wide"), ROOT, models)
        environment = {**os.environ, **service.exports, "AIRLOCK_DBT": nothing[0]}
        # The first time what dbt has parsed is not there yet.
        for turn in range(rounds + 1):
            for name, (commands, fine) in ways.items():
                before, used = service.computed(), processor_of_children()
                seconds = sum(timed(argv, os.path.join(work, "wide"), environment, (fine,)) for argv in commands)
                if turn:
                    spent[name].append(seconds)
                    processor[name].append(processor_of_children() - used)
                    computed[name].append(service.computed() - before)
    first = next(iter(ways))
    for name in ways:
        table.row("plan", name, statistics.median(spent[name]), statistics.median(spent[first]))
        table.row("plan", "  of the processor", statistics.median(processor[name]),
                  statistics.median(processor[first]))
        table.row("plan", "  of the processor, by the stand-in", statistics.median(computed[name]))


ROWS = {"passthrough": passthrough, "deploy": deploy, "starts": starts, "manifest": manifest,
        "offline": offline, "plan": plan}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW", choices=[[], *ROWS])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    table = Table()
    for name in options.rows or ROWS:
        ROWS[name](table, options.rounds)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as out:
            json.dump({"version": 1, "rounds": options.rounds, "rows": table.rows}, out, indent=2)
            out.write("\n")


main()
