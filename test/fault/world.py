"""One project and one warehouse, which a case may break: both are as they were after thaw().

In the frozen state production holds an earlier deployment and things made by hand, and the project
has changes waiting that take every way into production: other rows, another column, a table that
production does not have. production() is everything in the warehouse that is not staging's or
airlock's, as text; state() says which of the two, old or new, it is.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test/support"))

import snapshot  # noqa: E402
import thaw  # noqa: E402
import warehouse  # noqa: E402

DIRECT = ROOT / "test/support/direct/dbt"
CLIENT = "test/support/direct_dbt"  # of the build: the same, without a start of Python for each command
REAL_PYTHON = ROOT / ".cache/dbt/bin/python"
REAL = ROOT / ".cache/dbt/bin/dbt"
AROUND = ROOT / "test/fault/around/dbt"  # of it, behind CLIENT, with faults around its commands
SERVE_REAL = ROOT / "test/fault/around/serve.py"
TIMEOUT = 600  # of a command of airlock, with a machine full of others
SNAPSHOT = "snapshot.shop.customers_history"
SCENARIO = {"columns": {"model.shop.customers": "1 as weight"}}

INDEXES = """
    comment on table mart.orders is 'one row per order';
    comment on column mart.customers.country is 'ISO 3166';
    create index orders_by_customer on mart.orders (customer_id);
    create index customers_by_country on mart.customers (country)"""
BY_HAND = {
    "any": """
        create schema reports;
        create view reports.big_orders as select * from mart.orders where amount_eur > 100;
        create table mart.by_hand as select 42 as answer;
        drop table utils.currencies""",
    "duckdb": INDEXES,
    "postgres": INDEXES + """;
        create role analyst;
        grant usage on schema mart to analyst;
        grant select on mart.orders to analyst;
        grant select on mart.customers to analyst;
        grant select (order_id, status) on mart.orders to analyst;
        alter default privileges in schema mart grant select on tables to analyst""",
    "snowflake": """
        comment on table mart.orders is 'one row per order';
        grant usage on schema mart to role analyst;
        grant select on table mart.orders to role analyst;
        grant select on table mart.customers to role analyst;
        grant select on view mart.open_orders to role analyst;
        grant select on future tables in schema mart to role reader""",
    "bigquery": """
        alter table mart.orders set options (description = 'one row per order', labels = [('team', 'sales')]);
        grant `roles/bigquery.dataViewer` on table mart.customers to 'group:analysts@example.org'""",
}
STANDINS = {
    "snowflake": ("--database", "SHOP", "--database", "SHOP_GREEN", "--database", "SHOP_AIRLOCK"),
    "bigquery": (),
}

# Of the raw layer: other rows, another column
NEW_SOURCES = """
    insert into shop_source.orders select 900, customer_id, ordered_on, status, currency
        from shop_source.orders where id = 101;
    update shop_source.payments set amount = amount + 10 where id = 1001;
    {weight}"""
WEIGHT = "alter table shop_source.customers add column weight integer default 1"
WEIGHT_ON_BIGQUERY = "create or replace table shop_source.customers as select *, 1 as weight from shop_source.customers"


def memory():
    """A directory where syncing costs nothing, or None: a third of a deployment is waiting for disks."""
    shm = "/dev/shm"
    is_large = os.path.isdir(shm) and os.access(shm, os.W_OK) and shutil.disk_usage(shm).free > 2**30
    return shm if is_large else None


class Run:
    """One command of airlock that has ended: status (negative: killed by that signal), text."""

    def __init__(self, status, output, errors):
        self.status, self.output, self.errors = status, output, errors

    def report(self):
        return json.loads(self.output)


class World:
    def __init__(self, engine, strategy, dbt=None):
        """`dbt`: REAL or AROUND; the stand-in without it."""
        self.engine, self.strategy, self.is_real = engine, strategy, dbt is not None
        self.airlock = os.environ.get("AIRLOCK_BIN", str(ROOT / "build/airlock"))
        self.memory = memory()
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="airlock-fault.", dir=self.memory))
        self.project = self.directory / "project"
        self.trace_file = self.directory / "trace"
        self.data = self.directory / "data"  # all files of DuckDB
        self.frozen_data = self.directory / "frozen"
        self.file = self.data / "warehouse.duckdb"
        self.green = self.data / "green/warehouse.duckdb"
        foreign = ("DBT_", "AIRLOCK_", "DIRECT_", "SHOP_")
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
        self.server = None
        self.is_served = dbt != REAL
        client = str(pathlib.Path(self.airlock).parent / CLIENT)
        self.environment |= {
            "ENGINE": engine,
            "AIRLOCK_DBT": str(dbt or client),
            "AROUND_DBT": client,
            "DIRECT_SOCKET": str(self.directory / "direct.sock"),
            "DIRECT_TRACE": str(self.trace_file),
            "SHOP_DUCKDB": str(self.file),
            "SHOP_DUCKDB_GREEN": str(self.green),
        }
        self.is_standin = engine in STANDINS
        self.standin = self.address = None  # its process, and where it listens
        self.old = self.new = None
        self.connection = None  # of several questions; while airlock runs there is none
        self.seen = None  # production, until somebody may have changed it
        self.is_read_by_name = False
        self.is_exhaustive = True  # not a sample of the cases

    # --- its life

    def start(self):
        made = shutil.ignore_patterns("target", "logs", *(["snapshots"] if self.strategy.files else []))
        self.green.parent.mkdir(parents=True)
        shutil.copytree(ROOT / "test/projects/shop", self.project, ignore=made)
        self._change("dbt_project.yml", "    tags: ['mart', 'utils']\n", self.strategy.line)
        if self.strategy.files:  # all that is in a file is built, from nothing
            self.environment["DIRECT_WITHOUT"] = SNAPSHOT
        if self.engine == "postgres":
            self._export(self._pg("start", str(os.getpid())))
        elif self.is_standin:
            self._export(self._standin("start", self.engine, *STANDINS[self.engine]))
            self.standin = self.environment[f"{self._prefix}_PID"]
            self.address = f"http://127.0.0.1:{self.environment[f'{self._prefix}_PORT']}"
            self.environment["SHOP_BQ_ENDPOINT"] = self.address
        if self.engine != "duckdb":
            self._change("dbt_project.yml", "profile: shop", f"profile: shop_{self.engine}")
        self._here()
        if self.strategy.mirrors:
            self._make_sources()
        if self.strategy.in_place:
            self._build("prod")
            self.sql(self.strategy.in_place)
        else:
            self._expect(self.run(["deploy", *self.deploy_arguments()[1:]]))
        self.sql(f"{BY_HAND[self.engine]};{BY_HAND['any']}")
        if self.strategy.apart:
            self.sql(self.strategy.apart)
        self._change("seeds/raw_payments.csv", "1001,101,card,49.90", "1001,101,card,59.90")
        new_order = "113,3,2025-01-20,placed,EUR\n112,2,2025-01-15"
        self._change("seeds/raw_orders.csv", "112,2,2025-01-15", new_order)
        self._change("models/mart/customers.sql", "  c.segment,\n", "  c.segment,\n  1 as weight,\n")
        if self.strategy.mirrors:
            weight = WEIGHT_ON_BIGQUERY if self.engine == "bigquery" else WEIGHT
            self.sql(NEW_SOURCES.format(weight=weight))
        elif self.strategy.in_place:
            self._build("prod", "--select", "raw_orders", "raw_payments")
        self.environment["DIRECT_SCENARIO"] = json.dumps(SCENARIO)  # says the same to the stand-in
        if self.strategy.verb == "publish":
            self._build("staging")
        if self.strategy.rolls_back:
            self._expect(self.deploy())
        self._freeze()
        self.old = self.production()
        self.frozen_events = set(self.events())
        self._expect(self.do())
        self.new = self.production()
        self.good_trace = self.trace()
        self.good_steps = [line["step"] for line in self.journal() if line["event"] == "intent"]
        if self.old == self.new:
            raise RuntimeError("the changes that are waiting do not show in production")
        self.thaw()

    @property
    def _prefix(self):
        """Of what a stand-in exports."""
        return {"snowflake": "SHOP_SF", "bigquery": "SHOP_BQ"}[self.engine]

    def _make_sources(self):
        mirror = "\n  mirror: true\n  airlock:\n    mirror: {raw: 'tag:raw'}\n"
        self._change("dbt_project.yml", "\n  airlock:\n", mirror)
        self._change("dbt_project.yml", "\"{{ var('mirror', false) }}\"", "true")
        self.environment["DIRECT_RECORDED"] = str(DIRECT.parent / "recorded/mirror")
        self._build("prod", "--select", "raw_customers", "raw_orders", "raw_payments")
        self.sql("create schema shop_source")
        for name in ("customers", "orders", "payments"):
            self.sql(f"create table shop_source.{name} as select * from staging.raw_{name}")

    def stop(self):
        if self.server:
            self.server.communicate()  # it ends with its input
        if "SHOP_PG_DIR" in self.environment:
            self._pg("stop", self.environment["SHOP_PG_DIR"])
        if self.standin:
            self._standin("stop", self.standin)
            shutil.rmtree(self.environment[f"{self._prefix}_DIR"], ignore_errors=True)
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        try:
            if self.is_served:
                self._serve()
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def _build(self, target, *selection):
        """Without airlock: all of it, or what brings it new data."""
        command = [self.environment["AIRLOCK_DBT"], "build", "--target", target, *selection]
        self.leave()
        target_path = ["--target-path", str(self.directory / "in_place")]
        subprocess.run([*command, *target_path], cwd=self.project, env=self.environment, check=True,
                       capture_output=True)

    def _serve(self):
        socket = self.environment["DIRECT_SOCKET"]
        profile = "shop" if self.engine == "duckdb" else f"shop_{self.engine}"
        command = [REAL_PYTHON, SERVE_REAL, socket, self.engine] if self.is_real else [
            DIRECT, "--serve", socket, profile]
        self.server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.server.stdout.readline() != b"ready\n":
            raise RuntimeError("the dbt of the tests does not serve")

    def _export(self, text):
        for line in text.splitlines():
            name, _, value = line.removeprefix("export ").partition("=")
            self.environment[name] = value

    def _here(self):
        """This process reads the same warehouse."""
        here = {k: v for k, v in self.environment.items() if k.startswith("SHOP_") or k == "ENGINE"}
        os.environ.update(here)

    def _pg(self, *arguments):
        return self._support("pg", *arguments)

    def _standin(self, *arguments):
        return self._support("standin", *arguments)

    def _support(self, script, *arguments):
        command = [ROOT / "test/support" / script, *arguments]
        environment = {**os.environ, **({"TMPDIR": self.memory} if self.memory else {})}
        return subprocess.run(command, check=True, text=True, capture_output=True, env=environment).stdout

    def _change(self, path, old, new):
        path = self.project / path
        text = path.read_text()
        assert old in text, (path, old)
        path.write_text(text.replace(old, new, 1))

    def _expect(self, run):
        if run.status:
            raise RuntimeError(f"a deployment without a fault ended with {run.status}:\n{run.errors}")

    def _freeze(self):
        self.leave()
        if self.engine == "postgres":
            self._administrate("create database frozen template shop")
        elif self.is_standin:
            thaw.freeze(self.address)
        else:
            shutil.copytree(self.data, self.frozen_data)
        if self.is_real:  # what it has parsed saves it half of its time
            (self.project / "target").mkdir(exist_ok=True)
            shutil.copytree(self.project / "target", self.directory / "frozen_target")

    def thaw(self):
        """What still runs in the database ends here."""
        self.leave()
        if self.engine == "postgres":
            self._administrate("drop database if exists shop with (force)")
            self._administrate("create database shop template frozen")
        elif self.is_standin:
            thaw.thaw(self.address)
        else:
            shutil.rmtree(self.data)
            shutil.copytree(self.frozen_data, self.data)
        shutil.rmtree(self.project / "target", ignore_errors=True)
        if self.is_real:
            shutil.copytree(self.directory / "frozen_target", self.project / "target")
        self.trace_file.unlink(missing_ok=True)

    def _administrate(self, sql):
        self.leave()
        os.environ["SHOP_PG_DBNAME"] = "postgres"
        try:
            self.sql(sql)
        finally:
            self.leave()
            os.environ["SHOP_PG_DBNAME"] = "shop"

    # --- what is done to it

    def popen(self, arguments, cwd=None, **environment):
        """A command of airlock, in a group of its own. A full disk is a file size limit, which
        writes have to meet as an error: its signal stays ignored, as Python has it."""
        self.leave()
        return subprocess.Popen(
            [self.airlock, *arguments],
            cwd=cwd or self.project,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            restore_signals=False,
            process_group=0,  # in the session of the stand-in dbt, whose children join its groups
        )

    def deploy_arguments(self):
        asks = [] if self.strategy.mirrors else ["--yes"]
        return [self.strategy.verb, *self.strategy.arguments, *asks, "--json", *self.strategy.dbt]

    def do_arguments(self):
        """What is tried: a deployment, or the way back from one."""
        if self.strategy.rolls_back:
            return ["rollback", *self.strategy.sides, "--yes", "--json"]
        return self.deploy_arguments()

    def run(self, arguments, **environment):
        self.trace_file.unlink(missing_ok=True)
        process = self.popen(arguments, **environment)
        return self.finish(process)

    def finish(self, process):
        try:
            output, errors = process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, errors = process.communicate()
            errors += f"\n(killed: it did not end within {TIMEOUT} s)"
        return Run(process.returncode, output, errors)

    def deploy(self, **environment):
        return self.run(self.deploy_arguments(), **environment)

    def do(self, **environment):
        return self.run(self.do_arguments(), **environment)

    @property
    def deployed(self):
        """What production is behind a deployment."""
        return "old" if self.strategy.rolls_back else "new"

    def recover(self, **environment):
        """The next deployment; where tables change one at a time only who resumes the dead one goes on."""
        return self.run(["resume", *self.strategy.sides, "--json"], **environment) if (
            self.is_standin) else self.deploy(**environment)

    def steps(self):
        """Of the plan; some have none to show but in their journal."""
        if self.strategy.verb in ("publish", "mirror") or self.strategy.rolls_back:
            return self.good_steps
        run = self.run(["plan", *self.strategy.arguments, "--json", *self.strategy.dbt])
        self._expect(run)
        return [step["id"] for step in run.report()["steps"]]

    def history(self):
        """As airlock tells it, the newest first."""
        return self.run(["history", *self.strategy.sides, "--json"]).report()["deployments"]

    def journal(self):
        """Of the newest deployment."""
        directory = max((self.project / "target/airlock/deployments").iterdir())
        with open(directory / "journal.jsonl", encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.endswith("\n")]

    def sql(self, sql):
        """What a service is told it is told one by one."""
        is_question = sql.lstrip().startswith("select")
        if not is_question:
            self.seen = None
        for one in [sql] if is_question or not self.is_standin else filter(str.strip, sql.split(";")):
            rows = warehouse.rows(self._connected(), one)
        return rows

    def _connected(self):
        if not self.connection:
            self.connection = self._connect()
        return self.connection

    def leave(self):
        """To others: they may open the file, or drop the database."""
        if self.connection:
            self.connection.close()
        self.connection = self.seen = None

    def _connect(self):
        """The file of a process that was killed is free a moment after the process has gone."""
        for attempt in range(50):
            try:
                return warehouse.connect(read_only=False)
            except Exception as error:
                if "Could not set lock" not in str(error) or attempt == 49:
                    raise
                time.sleep(0.1)

    # --- what it looks like

    def production(self):
        """Without the names of deployments, which schemas that were exchanged carry."""
        if not self.seen:
            self.seen = self._production()
        return self.seen

    def _production(self):
        hidden = [*self.strategy.own_schemas, *self._schemas_like(self.strategy.aside)]
        text = snapshot.text(self._connected(), hidden, self.is_read_by_name)
        return re.sub(r" ?\[airlock: [^]]*\]", "", text)

    def state(self):
        """old, new, or what differs from both."""
        now = self.production()
        if now in (self.old, self.new):
            return "old" if now == self.old else "new"
        if self.changes_one_by_one and self._is_mixed(now):
            return "mixed"
        lines = set(now.splitlines())
        missing = sorted(set(self.new.splitlines()) - lines)[:10]
        return "\n".join(["neither", *(f"not there: {line}" for line in missing)])

    @property
    def changes_one_by_one(self):
        """A deployment that stops leaves some tables new, and the others old."""
        return self.strategy.rebuilds or self.strategy.mirrors or self.is_standin

    def _is_mixed(self, now):
        """Each relation is the old or the new one, whole, but for the rows of a view, which are those of what
        it reads; a view may have gone with its table."""
        texts = map(self._as_production, (self.old, self.new, now))
        old, new, found = map(by_relation, texts)
        old, new, found = map(without_rows_of_views, (old, new, found))
        views = {name for name, lines in old.items() if not any(line.startswith("row ") for line in lines)}
        return all(lines in (old.get(name), new.get(name)) for name, lines in found.items()) and (
            old.keys() & new.keys()) <= found.keys() | views

    def _as_production(self, text):
        """On Snowflake a table has its comment a statement later; and where containers changed places a view
        that is to be made anew says green's name still. On PostgreSQL what dbt has made anew has its owner and
        its privileges when dbt has ended."""
        if self.engine == "postgres":
            return re.sub(r"^(column )?grant .*\n", "", text, flags=re.M)
        if self.engine != "snowflake":
            return text
        return "\n".join(map(self._line_as_production, text.splitlines()))

    def _line_as_production(self, line):
        if line.startswith("relation "):
            return line.rpartition(" | ")[0]
        if self.strategy.green and line.startswith("view "):
            name, _, text = line.partition(" | ")
            body = re.sub(r"^.*? as\b", "", text, count=1, flags=re.I)  # whoever made it
            return f"{name} | " + re.sub(self.strategy.green, self._blue, body, flags=re.I)
        return line

    def _blue(self, _found):
        return "shop" if self.strategy.home else ""

    def trace(self):
        if not self.trace_file.exists():
            return []
        with open(self.trace_file, encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def events(self):
        """The history: id -> its events in order; none where nothing was deployed yet."""
        events = {}
        if not self.relations("table_schema = 'airlock' and table_name = 'airlock_log'"):
            return events
        for name, event in self.sql(f"select id, event from {self._home}airlock.airlock_log order by logged_at"):
            events.setdefault(name, []).append(event)
        return events

    def relations(self, where):
        return [tuple(row) for row in self.sql(
            f"select table_schema, table_name from {self._tables()} where {where} order by 1, 2")]

    @property
    def _home(self):
        return f"{self.strategy.home}." if self.strategy.home else ""

    def _tables(self):
        if self._home:
            return ("(select * from shop.information_schema.tables union all"
                    f" select * from {self._home}information_schema.tables)")
        if self.engine != "bigquery":
            return "information_schema.tables"
        each = [f"select table_schema, table_name from {dataset}.INFORMATION_SCHEMA.TABLES"
                for dataset in warehouse.datasets(self._connected())]
        return f"({' union all '.join(each)})"

    def schemas_aside(self):
        """What an exchange put aside: schemas, or files. A publish that died before its rename left
        a second name of production's file, which is nothing yet."""
        if self.engine == "duckdb":
            found = [*self.directory.glob("*__airlock_*.duckdb"), *self.data.glob("*__airlock_*.duckdb")]
            return [path.name for path in found if not (self.file.exists() and path.samefile(self.file))]
        if self._home:
            databases = self.sql(f"select database_name from {self._home}information_schema.databases")
            return [name for (name,) in databases if "__airlock_" in name]
        return self._schemas_like(self.strategy.aside and "__airlock_")

    def _schemas_like(self, pattern):
        if not pattern:
            return []
        catalog = {"postgres": "nspname from pg_namespace", "snowflake": "schema_name from information_schema.schemata"}
        names = [row[0] for row in self.sql(f"select {catalog[self.engine]}")]
        return [name for name in names if re.search(pattern, name, re.IGNORECASE)]

    def lock_tables(self):
        found = self.relations("table_schema = 'airlock' and table_name like 'airlock_lock_%'")
        return [name for _, name in found]

    def held_locks(self):
        """Who is in them."""
        held = []
        for name in self.lock_tables():
            held += [row[0] for row in self.sql(f"select id from {self._home}airlock.{name} where nonce <> ''")]
        return held


def by_relation(text):
    """What a snapshot says of each, whose name is the second word of a row and otherwise the last word in
    front of what is said."""
    found = {}
    for line in text.splitlines():
        name = line.split()[1] if line.startswith("row ") else line.partition(" | ")[0].split()[-1]
        found.setdefault(name, []).append(line)
    return found


def without_rows_of_views(relations):
    return {name: [line for line in lines if not line.startswith("row ")]
            if any(line.startswith("view ") for line in lines) else lines for name, lines in relations.items()}
