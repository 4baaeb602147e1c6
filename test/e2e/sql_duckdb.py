"""Every statement that a publish on DuckDB is made of, in a real file that is opened anew for each
operation, as dbt does: what is kept, what is refused, and what stops a publish."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import duckdb

SUPPORT = pathlib.Path(__file__).resolve().parent.parent / "support"
sys.path.insert(0, str(SUPPORT))

import tap  # noqa: E402
from rendered import Deployment, Refused  # noqa: E402
from sql_state import StateCases  # noqa: E402

ENGINE = "duckdb"


def name(identifier):
    return '"' + identifier.replace('"', '""') + '"'


def relation(place):
    return ".".join(name(part) for part in place)


class Lab(unittest.TestCase):
    """A file of its own for each test, with the schemas stage and mart."""

    database = "lab"

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.file = os.path.join(self.directory.name, "lab.duckdb")
        self.sql("create schema stage; create schema mart")

    def tearDown(self):
        self.directory.cleanup()

    def sql(self, text):
        with duckdb.connect(self.file) as connection:
            connection.execute(text)
            return connection.fetchall() if connection.description else []

    def snapshot(self, skip="stage,airlock,airlock_restore"):
        environment = {**os.environ, "ENGINE": "duckdb", "SHOP_DUCKDB": self.file}
        return subprocess.run(
            [sys.executable, SUPPORT / "snapshot.py", "--skip", skip],
            check=True, capture_output=True, text=True, env=environment,
        ).stdout.splitlines()

    def shape(self):
        return [line for line in self.snapshot() if not line.startswith("row ")]

    def prepare(self, tables, number=1, options=()):
        """Observed and planned as a deployment would; the lock is taken."""
        deployment = Deployment(ENGINE, self.database, tables, number, options)
        deployment.observe(lambda sql: [row[0] for row in self.sql(sql)])
        self.plan = deployment.planned
        self.ways = {table["unique_id"].split(".")[-1]: table["way"] for table in self.plan["tables"]}
        for call in self.plan["steps"]["lock"]:
            self.sql(call)
        return deployment

    def run_publish(self):
        for call in self.plan["steps"]["publish"]:
            self.sql(call)

    def finish(self):
        for call in self.plan["steps"]["finish"]:
            self.sql(call)

    def publish(self, tables, number=1, **arguments):
        self.prepare(tables, number, **arguments)
        self.run_publish()
        self.finish()

    def assert_refused(self, tables, *words):
        with self.assertRaises(Refused) as caught:
            self.prepare(tables)
        self.assertEqual(caught.exception.code, "unsupported")
        for word in words:
            self.assertIn(word, str(caught.exception))

    def assert_stopped(self, *words):
        """The publish raises and leaves the whole file as it was."""
        before = self.snapshot(skip="")
        with self.assertRaises(duckdb.Error) as caught:
            self.run_publish()
        for word in words:
            self.assertIn(word, str(caught.exception))
        self.assertEqual(before, self.snapshot(skip=""))

    def assert_same_rows(self, place, expected):
        self.assertEqual(sorted(self.sql(f"from {relation(place)}"), key=str), sorted(expected, key=str))


ORDERS = {"orders": (("stage", "orders"), ("mart", "orders"))}

STAGED = """
    create table stage.orders (id int, customer varchar, amount decimal(10, 2));
    insert into stage.orders values (1, 'ada', 10.5), (2, 'bob', 0), (3, null, 7)
"""

PUBLISHED = """
    create table mart.orders (
        id int primary key,
        customer varchar default 'nobody' check (customer <> 'eve'),
        amount decimal(10, 2) not null,
        unique (customer, amount));
    insert into mart.orders values (1, 'ada', 9), (9, 'old', 90);
    create index by_customer on mart.orders (lower(customer), amount);
    create unique index "One a day" on mart.orders (id, amount);
    comment on table mart.orders is 'it''s {{ orders }} at 100% \\ $$';
    comment on column mart.orders.amount is 'in euros';
    comment on index mart.by_customer is 'for the report'
"""

NEW_ROWS = [(1, "ada", 10.5), (2, "bob", 0), (3, None, 7)]
OLD_ROWS = [(1, "ada", 9), (9, "old", 90)]


class Publish(Lab):
    def test_a_new_table_takes_rows_constraints_indexes_and_comments(self):
        self.sql(STAGED)
        self.sql(
            """alter table stage.orders alter column id set not null;
               create index by_id on stage.orders (id); comment on table stage.orders is 'described';
               comment on column stage.orders.id is 'key'"""
        )
        self.publish(ORDERS)
        self.assertEqual(self.ways, {"orders": "new"})
        self.assert_same_rows(("mart", "orders"), NEW_ROWS)
        lines = "\n".join(self.snapshot())
        for text in ("by_id", "| described", "| key", "NOT NULL"):
            self.assertIn(text, lines)

    def test_missing_schemas_are_made(self):
        self.sql(STAGED)
        self.publish({"orders": (("stage", "orders"), ('New "schema"', "orders"))})
        self.assert_same_rows(('New "schema"', "orders"), NEW_ROWS)

    def test_everything_but_the_rows_stays(self):
        self.sql(STAGED)
        self.sql(PUBLISHED)
        self.sql("create schema reports; create view reports.sums as select sum(amount) as s from mart.orders")
        before = self.shape()
        self.publish(ORDERS)
        self.assertEqual(self.ways, {"orders": "replace"})
        self.assertEqual(before, self.shape())
        self.assert_same_rows(("mart", "orders"), NEW_ROWS)
        self.assert_same_rows(("airlock_restore", "r_20260102030401_abcdef_1"), OLD_ROWS)
        self.assert_same_rows(("reports", "sums"), [(17.5,)])
        self.publish(ORDERS, number=2)
        self.assertEqual(before, self.shape())

    def test_a_column_more_and_others_in_another_order(self):
        self.sql("create table stage.orders (weight int, amount decimal(10, 2), customer varchar, id int)")
        self.sql("insert into stage.orders values (5, 1, 'ada', 1)")
        self.sql(PUBLISHED)
        before = self.shape()
        self.publish(ORDERS)
        kinds = ("constraint ", "index ", "relation ")
        self.assertEqual(
            [line for line in before if line.startswith(kinds)],
            [line for line in self.shape() if line.startswith(kinds)],
        )
        self.assert_same_rows(("mart", "orders"), [(5, 1, "ada", 1)])

    def test_what_uses_a_lost_column_goes_with_it(self):
        self.sql(STAGED)
        self.sql(PUBLISHED)
        self.sql("create index plain on mart.orders (customer)")
        self.sql('alter table mart.orders add column "Odd, [one]" int')
        self.sql('create index odd on mart.orders ("Odd, [one]")')
        self.sql("alter table stage.orders drop column customer")
        self.publish(ORDERS)
        said = "\n".join(self.plan["warnings"])
        for gone in ("by_customer", "plain", "odd", "orders_customer_check"):
            self.assertIn(gone, said)
        lines = "\n".join(self.shape())
        self.assertIn('"One a day"', lines)
        self.assertIn("PRIMARY KEY(id)", lines)
        self.assertNotIn("customer", lines)

    def test_names_that_differ_in_case_are_one(self):
        self.sql('create table stage."ORDERS" (ID int, Customer varchar, AMOUNT decimal(10, 2))')
        self.sql("insert into stage.orders values (1, 'ada', 10.5)")
        self.sql(PUBLISHED)
        self.publish({"orders": (("STAGE", "Orders"), ("Mart", "ORDERS"))})
        self.assertEqual(self.plan["warnings"], [])
        self.assertEqual(self.ways, {"orders": "replace"})
        lines = "\n".join(self.shape())
        for text in ("by_customer", "One a day", "'nobody'", "in euros", "NOT NULL"):
            self.assertIn(text, lines)
        self.assert_same_rows(("mart", "orders"), [(1, "ada", 10.5)])

    def test_letters_beyond_ascii_are_not_folded(self):
        self.sql('create table stage."é" (a int); create table stage."É" (b int, c int)')
        self.sql('create table mart."é" (a int); create table mart."É" (b int, c int)')
        self.publish({"small": (("stage", "é"), ("mart", "é")), "large": (("stage", "É"), ("mart", "É"))})
        self.assertEqual(set(self.ways.values()), {"replace"})
        self.assert_same_rows(("mart", "É"), [])

    def test_another_primary_key_of_staging_wins(self):
        self.sql("create table stage.orders (id int, day date, primary key (id, day))")
        self.sql("create table mart.orders (id int primary key, day date)")
        self.publish(ORDERS)
        lines = "\n".join(self.shape())
        self.assertIn("PRIMARY KEY(id, \"day\")", lines)

    def test_a_foreign_key_stays_and_that_of_staging_stays_there(self):
        self.sql(
            """create table mart.customers (name varchar primary key);
               insert into mart.customers values ('ada');
               create table mart.orders (id int, customer varchar references mart.customers (name));
               create table stage.days (day date primary key);
               create table stage.orders (id int, customer varchar, day date references stage.days (day));
               insert into stage.orders values (1, 'ada', null)"""
        )
        before = [line for line in self.shape() if line.startswith("constraint")]
        self.publish(ORDERS)
        self.assertEqual(before, [line for line in self.shape() if line.startswith("constraint")])
        self.assertIn("is not published", "\n".join(self.plan["warnings"]))

    def test_defaults_by_sequence_and_expression_stay(self):
        self.sql(
            """create sequence mart.numbers; create table stage.orders (id int, at_day date, kind varchar);
               create table mart.orders (id int default nextval('mart.numbers'),
                   at_day date default (current_date + interval 1 day), kind varchar default 'it''s')"""
        )
        before = self.shape()
        self.publish(ORDERS)
        self.assertEqual(before, self.shape())

    def test_types_of_all_kinds(self):
        self.sql(
            """create type mart.mood as enum ('ok', 'it''s');
               create table mart.orders (m mart.mood, s struct("a b" int, c varchar[]), u union(n int, v varchar),
                   p map(varchar, decimal(9, 3)), l int[3], t timestamptz, h hugeint, b bit, i interval);
               create table stage.orders as from mart.orders"""
        )
        before = self.shape()
        self.publish(ORDERS)
        self.assertEqual(before, self.shape())

    def test_without_a_restore_point(self):
        self.sql(STAGED)
        self.sql(PUBLISHED)
        self.publish(ORDERS, options=["--no-restore-point"])
        self.assert_same_rows(("mart", "orders"), NEW_ROWS)
        self.assertEqual(self.sql("from duckdb_schemas() where schema_name = 'airlock_restore'"), [])


AWKWARD = [
    'q"uo"te', "it's", "two words", "Capital", "Größe ÖÄ 表", "$$", "{brace}", "{{ jinja }}", "100%s",
    "back\\slash", "semi;colon -- x", "/* c */", "<angle>", "a.b", "select", "x ON y (z)", "t", "n" * 300,
]


class Names(Lab):
    def test_awkward_names(self):
        tables = {}
        for number, awkward in enumerate(AWKWARD):
            column, stage, mart = name(awkward), relation(("stage", awkward)), relation((awkward, awkward))
            self.sql(
                f"""create schema {column};
                    create table {stage} (id int, {column} varchar, extra int);
                    insert into {stage} values (1, 'new', 1);
                    create table {mart} (id int, {column} varchar default 'x', unique (id, {column}));
                    insert into {mart} values (9, 'old');
                    create index {name(awkward + '2')} on {mart} ({column});
                    comment on column {mart}.{column} is '{awkward.replace("'", "''")}'"""
            )
            tables[f"model_{number}"] = (("stage", awkward), (awkward, awkward))
        before = self.shape()
        self.publish(tables)
        self.assertEqual(self.plan["warnings"], [])
        self.assertEqual(before, [line for line in self.shape() if "| extra |" not in line])
        for awkward in AWKWARD:
            self.assert_same_rows((awkward, awkward), [(1, "new", 1)])
        self.assertEqual(
            len(self.sql("from duckdb_tables() where schema_name = 'airlock_restore'")), len(AWKWARD)
        )

    def test_one_name_in_two_schemas_with_the_same_indexes(self):
        tables = {}
        for schema in ("mart", "other"):
            self.sql(
                f"""create schema if not exists {schema}; create schema stage_{schema};
                    create table {schema}.orders (id int primary key, day date);
                    create index by_day on {schema}.orders (day);
                    create table stage_{schema}.orders (id int, day date, extra varchar);
                    create index by_extra on stage_{schema}.orders (extra)"""
            )
            tables[schema] = ((f"stage_{schema}", "orders"), (schema, "orders"))
        self.publish(tables)
        lines = [line for line in self.shape() if line.startswith(("index mart", "index other"))]
        self.assertEqual(len(lines), 4, lines)

    def test_indexes_of_one_name_that_meet_in_one_schema(self):
        tables = {}
        for number in (1, 2):
            self.sql(
                f"""create schema stage_{number}; create table stage_{number}.t{number} (id int);
                    create index by_id on stage_{number}.t{number} (id)"""
            )
            tables[f"t{number}"] = ((f"stage_{number}", f"t{number}"), ("mart", f"t{number}"))
        self.publish(tables)
        self.assertEqual(len([line for line in self.shape() if line.startswith("index mart")]), 2)


class InTheWay(Lab):
    def setUp(self):
        super().setUp()
        self.sql(STAGED)
        self.sql(PUBLISHED)

    def test_changed_staging_is_a_conflict(self):
        for change in (
            "insert into stage.orders values (5, 'new', 5)",
            "update stage.orders set amount = 1 where id = 1",
            "create or replace table stage.orders as select id, customer, amount + 1 as amount from stage.orders",
        ):
            with self.subTest(change):
                self.prepare(ORDERS)
                self.sql(change)
                self.assert_stopped("airlock-conflict", "stage.orders (staging) changed")
                self.finish()

    def test_changed_production_is_a_conflict(self):
        for change in ("delete from mart.orders where id = 9", "update mart.orders set amount = 1"):
            with self.subTest(change):
                self.prepare(ORDERS)
                self.sql(change)
                self.assert_stopped("airlock-conflict", "mart.orders (production) was changed")
                self.finish()

    def test_every_column_counts_in_the_identity(self):
        self.sql("create table stage.t (t int, x int); insert into stage.t values (1, 1)")
        tables = {"t": (("stage", "t"), ("mart", "t"))}
        self.prepare(tables)
        self.sql("update stage.t set x = 2")
        self.assert_stopped("airlock-conflict")

    def test_production_created_meanwhile_stops_a_new_table(self):
        self.sql("drop table mart.orders")
        self.prepare(ORDERS)
        self.sql("create table mart.orders (id int)")
        self.assert_stopped("orders")

    def test_a_row_that_production_forbids_stops_everything(self):
        self.sql("insert into stage.orders values (4, 'eve', 1)")
        self.prepare(ORDERS)
        self.assert_stopped("CHECK constraint")

    def lock_of(self, schema):
        import hashlib

        return "airlock.airlock_lock_" + hashlib.md5(f"lab.{schema}".encode()).hexdigest()[:16]

    def test_a_lost_fence_stops_the_publish(self):
        self.prepare(ORDERS)
        self.sql(f"update {self.lock_of('stage')} set nonce = 'another'")
        self.assert_stopped("airlock-fence", "lab.stage")

    def test_production_held_by_another_deployment_stops_the_publish(self):
        self.prepare(ORDERS)
        self.sql(f"""update {self.lock_of('mart')} set nonce = 'another', id = 'd1', username = 'ada',
                     host = 'h', since = 'noon'""")
        self.assert_stopped("airlock-held", "lab.mart", "'d1'", "of ada on h, process", "since noon")

    def test_what_others_make_does_not_look_like_another_table(self):
        first = Deployment(ENGINE, self.database, ORDERS)
        first.observe(lambda sql: [row[0] for row in self.sql(sql)])
        before = first.picture["relations"]
        self.sql("create schema a_first; create table a_first.t (id int); create table mart.aa (id int)")
        first.observe(lambda sql: [row[0] for row in self.sql(sql)])
        self.assertEqual(before, first.picture["relations"])


class Refusals(Lab):
    def test_what_cannot_be_published_is_refused_by_name(self):
        for statement, word in (
            ("create table mart.orders (id int primary key); create table mart.lines (id int references mart.orders)",
             "foreign key of mart.lines"),
            ("create table mart.orders (id int primary key, up int references mart.orders (id))",
             "foreign key of mart.orders"),
            ("create table mart.orders (id int, n int generated always as (id + 1))", "generated column"),
            ("create table mart.orders (id int, n varchar collate nocase)", "collation"),
            ("create table mart.orders (id int); create trigger stamp after insert on mart.orders "
             "for each statement insert into stage.orders values (1, 1)", "trigger stamp"),
        ):
            with self.subTest(statement):
                self.sql("create or replace table stage.orders (id int, n int)")
                self.sql(statement)
                try:
                    self.assert_refused(ORDERS, "mart.orders", word)
                finally:
                    self.sql("drop schema mart cascade; create schema mart")

    def test_a_view_in_staging_is_refused(self):
        self.sql("create view stage.orders as select 1 as id")
        self.assert_refused(ORDERS, "stage.orders", "is a view in staging")


class State(StateCases, Lab):
    engine, staged, orders, to = ENGINE, STAGED, ORDERS, "detail->>'$.tables[0].to'"

    def test_looking_writes_nothing(self):
        self.sql(PUBLISHED)

        def query(sql):
            with duckdb.connect(self.file, read_only=True) as connection:
                connection.execute(sql)
                return [row[0] for row in connection.fetchall()]

        with self.assertRaises(Refused) as caught:
            Deployment(ENGINE, self.database, ORDERS).observe(query)
        self.assertIn("may only read its database", str(caught.exception))


if __name__ == "__main__":
    tap.main()
