"""Every statement that a publish on PostgreSQL is made of, in a real server: what is kept, what is
refused, and what happens when somebody is in the way."""

import json
import os
import pathlib
import subprocess
import sys
import threading
import time
import unittest

import psycopg2

SUPPORT = pathlib.Path(__file__).resolve().parent.parent / "support"
sys.path.insert(0, str(SUPPORT))

import tap  # noqa: E402
from rendered import Deployment, Refused  # noqa: E402

ENGINE = "postgres"
SERVER = {}


def setUpModule():
    output = subprocess.run([SUPPORT / "pg", "start"], check=True, capture_output=True, text=True)
    for line in output.stdout.splitlines():
        name, value = line.removeprefix("export ").split("=", 1)
        SERVER[name] = value
    admin(
        """create role deployer login; create role owner; grant owner to deployer;
           create role analyst login; create role stranger login"""
    )


def tearDownModule():
    subprocess.run([SUPPORT / "pg", "stop", SERVER["SHOP_PG_DIR"]], check=True)


def connect(database, user="postgres"):
    connection = psycopg2.connect(
        host=SERVER["SHOP_PG_HOST"], port=SERVER["SHOP_PG_PORT"], user=user, dbname=database
    )
    connection.autocommit = True
    return connection


def admin(text):
    connection = connect("postgres")
    connection.cursor().execute(text)
    connection.close()


def name(identifier):
    return '"' + identifier.replace('"', '""') + '"'


def relation(place):
    return ".".join(name(part) for part in place)


def message(error):
    return error.pgerror or str(error)


class Lab(unittest.TestCase):
    """A database of its own for each test: schemas stage and mart of the role that deploys."""

    number = 0

    def setUp(self):
        Lab.number += 1
        self.database = f"lab{Lab.number}"
        admin(f"create database {self.database} template template0")
        admin(f"grant create on database {self.database} to deployer")
        self.connections = []
        self.postgres = self.session("postgres")
        self.deployer = self.session("deployer")
        self.sql("create schema stage; create schema mart; grant create, usage on schema mart to owner")

    def tearDown(self):
        for connection in self.connections:
            connection.close()

    def session(self, user="deployer"):
        self.connections.append(connect(self.database, user))
        return self.connections[-1]

    def rows(self, text, connection=None):
        cursor = (connection or self.deployer).cursor()
        cursor.execute(text)
        return cursor.fetchall() if cursor.description else []

    sql = rows

    def value(self, text):
        return self.rows(text)[0][0]

    def snapshot(self, skip="stage,airlock,airlock_restore"):
        environment = {**os.environ, **SERVER, "ENGINE": "postgres", "SHOP_PG_DBNAME": self.database}
        return subprocess.run(
            [sys.executable, SUPPORT / "snapshot.py", "--skip", skip],
            check=True, capture_output=True, text=True, env=environment,
        ).stdout.splitlines()

    def shape(self, schema="mart"):
        return [line for line in self.snapshot() if not line.startswith("row ")]

    def prepare(self, tables, number=1, options=("--publish-timeout", "1")):
        """Observed and planned as a deployment would; the lock is taken."""
        deployment = Deployment(ENGINE, self.database, tables, number, options)
        deployment.observe(lambda sql: [row[0] for row in self.rows(sql)])
        self.plan = deployment.planned
        self.ways = {table["unique_id"].split(".")[-1]: table["way"] for table in self.plan["tables"]}
        for call in self.plan["steps"]["lock"]:
            self.sql(call)
        return deployment

    def run_publish(self, connection=None):
        """As dbt runs it: the connection is dropped where a call fails."""
        connection = connection or self.session()
        cursor = connection.cursor()
        try:
            for call in self.plan["steps"]["publish"]:
                cursor.execute(call)
        except psycopg2.Error:
            connection.close()
            raise

    def finish(self):
        for call in self.plan["steps"]["finish"]:
            self.sql(call)

    def publish(self, tables, number=1, **arguments):
        deployment = self.prepare(tables, number, **arguments)
        self.run_publish()
        self.finish()
        return deployment

    def assert_refused(self, tables, *words, code="unsupported"):
        with self.assertRaises(Refused) as caught:
            self.prepare(tables)
        self.assertEqual(caught.exception.code, code)
        for word in words:
            self.assertIn(word, str(caught.exception))

    def assert_stopped(self, kind, *words):
        """The publish raises `kind` and leaves the whole database as it was."""
        before = self.snapshot(skip="")
        with self.assertRaises(psycopg2.Error) as caught:
            self.run_publish()
        text = message(caught.exception)
        self.assertIn(f"{kind}: ", text)
        for word in words:
            self.assertIn(word, text)
        self.assertEqual(before, self.snapshot(skip=""))
        return text

    def assert_same_rows(self, place, expected):
        self.assertEqual(sorted(self.rows(f"select * from {relation(place)}")), sorted(expected))


ORDERS = {"orders": (("stage", "orders"), ("mart", "orders"))}

STAGED = """
    create table stage.orders (id int, customer text, amount numeric(10, 2));
    insert into stage.orders values (1, 'ada', 10.5), (2, 'bob', 0), (3, null, 7)
"""

PUBLISHED = """
    create table mart.orders (
        id int constraint orders_key primary key,
        customer text default 'nobody' constraint known check (customer <> 'eve'),
        amount numeric(10, 2) not null,
        constraint "Twice never" unique (customer, amount) deferrable initially deferred);
    insert into mart.orders values (1, 'ada', 9), (9, 'old', 90);
    create index by_customer on mart.orders (lower(customer), amount desc) where amount > 0;
    create unique index "One a day" on mart.orders (id, amount);
    comment on table mart.orders is 'it''s {{ orders }} at 100% \\ $$';
    comment on column mart.orders.amount is 'in euros';
    comment on index mart.by_customer is 'for the report';
    comment on constraint known on mart.orders is 'by law';
    grant select on mart.orders to analyst with grant option;
    grant insert on mart.orders to stranger;
    grant select on mart.orders to public;
    revoke truncate on mart.orders from deployer;
    alter table mart.orders owner to owner;
    grant usage on schema mart to analyst
"""

NEW_ROWS = [(1, "ada", 10.5), (2, "bob", 0), (3, None, 7)]
OLD_ROWS = [(1, "ada", 9), (9, "old", 90)]


class New(Lab):
    def test_a_new_table_takes_rows_indexes_comments_and_default_privileges(self):
        self.sql(STAGED)
        self.sql(
            """alter table stage.orders add primary key (id); create index on stage.orders (customer);
               comment on column stage.orders.id is 'key';
               alter default privileges in schema mart grant select on tables to analyst"""
        )
        self.publish(ORDERS)
        self.assertEqual(self.ways, {"orders": "new"})
        self.assert_same_rows(("mart", "orders"), NEW_ROWS)
        lines = "\n".join(self.snapshot())
        for text in (
            "CREATE INDEX orders_customer_idx ON mart.orders USING btree (customer)",
            "constraint mart.orders | orders_pkey | PRIMARY KEY (id)",
            "| key",
            "grant mart.orders | analyst=r/deployer",
        ):
            self.assertIn(text, lines)

    def test_a_missing_schema_is_made(self):
        self.sql(STAGED)
        self.publish({"orders": (("stage", "orders"), ('New "schema"', "orders"))})
        self.assert_same_rows(('New "schema"', "orders"), NEW_ROWS)

    def test_an_empty_table_without_columns_of_note(self):
        self.sql("create table stage.orders (id int)")
        self.publish(ORDERS)
        self.assert_same_rows(("mart", "orders"), [])


class Rewrite(Lab):
    def test_everything_but_the_rows_stays(self):
        self.sql(STAGED)
        self.sql(PUBLISHED)
        self.sql("grant update (amount) on mart.orders to analyst")
        self.sql("create schema reports; create view reports.sums as select sum(amount) from mart.orders")
        before, oid = self.shape(), self.value("select 'mart.orders'::regclass::oid")
        self.publish(ORDERS)
        self.assertEqual(self.ways, {"orders": "rewrite"})
        self.assertEqual(before, self.shape())
        self.assertEqual(oid, self.value("select 'mart.orders'::regclass::oid"))
        self.assert_same_rows(("mart", "orders"), NEW_ROWS)
        self.assert_same_rows(("airlock_restore", "r_20260102030401_abcdef_1"), OLD_ROWS)
        self.assertEqual(self.value("select * from reports.sums"), 17.5)

    def test_columns_in_another_order_go_by_name(self):
        self.sql(STAGED)
        self.sql("create table mart.orders (amount numeric(10, 2), id int, customer text)")
        self.publish(ORDERS)
        self.assertEqual(self.ways, {"orders": "rewrite"})
        self.assert_same_rows(("mart", "orders"), [(a, i, c) for i, c, a in NEW_ROWS])

    def test_what_staging_gained_comes_along(self):
        self.sql(STAGED)
        self.sql(
            """create table mart.orders (like stage.orders); create index on stage.orders (customer);
               create unique index on stage.orders (id);
               comment on table stage.orders is 'described'; comment on column stage.orders.id is 'key'"""
        )
        self.publish(ORDERS)
        lines = "\n".join(self.shape())
        self.assertIn("CREATE INDEX orders_customer_idx ON mart.orders", lines)
        self.assertIn("CREATE UNIQUE INDEX orders_id_idx ON mart.orders", lines)
        self.assertIn("| described", lines)
        self.assertIn("| key", lines)
        before = self.shape()
        self.publish(ORDERS, number=2)
        self.assertEqual(before, self.shape())

    def test_without_a_restore_point(self):
        self.sql(STAGED)
        self.sql(PUBLISHED)
        self.publish(ORDERS, options=["--no-restore-point"])
        self.assert_same_rows(("mart", "orders"), NEW_ROWS)
        self.assertEqual(self.rows("select 1 from pg_namespace where nspname = 'airlock_restore'"), [])

    def test_a_row_that_production_forbids_stops_everything(self):
        self.sql(STAGED)
        self.sql(PUBLISHED)
        self.sql("insert into stage.orders values (4, 'eve', 1)")
        self.prepare(ORDERS)
        before = self.snapshot(skip="")
        with self.assertRaises(psycopg2.Error):
            self.run_publish()
        self.assertEqual(before, self.snapshot(skip=""))


class Exchange(Lab):
    def change(self):
        self.sql("alter table stage.orders add column weight int; update stage.orders set weight = id")

    def lines_without(self, word):
        return [line for line in self.shape() if word not in line]

    def test_all_but_the_changed_column_stays(self):
        self.sql(STAGED)
        self.sql(PUBLISHED)
        self.change()
        before = self.shape()
        self.publish(ORDERS)
        self.assertEqual(self.ways, {"orders": "exchange"})
        self.assertEqual(before, self.lines_without("weight"))
        self.assert_same_rows(("mart", "orders"), [(*row, row[0]) for row in NEW_ROWS])
        self.assert_same_rows(("airlock_restore", "r_20260102030401_abcdef_1"), OLD_ROWS)
        self.assertEqual(
            self.rows("select relname from pg_class c join pg_namespace n on n.oid = relnamespace "
                      "where nspname = 'mart' and relname like '%airlock%'"), []
        )

    def test_what_uses_a_lost_column_goes_with_it(self):
        self.sql(STAGED)
        self.sql(PUBLISHED)
        self.sql("alter table stage.orders drop column customer")
        self.publish(ORDERS)
        self.assertEqual(self.ways, {"orders": "exchange"})
        said = "\n".join(self.plan["warnings"])
        for gone in ("by_customer", "known", "Twice never"):
            self.assertIn(gone, said)
        lines = "\n".join(self.shape())
        self.assertIn('"One a day"', lines)
        self.assertIn("orders_key", lines)
        self.assertNotIn("customer", lines)

    def test_a_changed_type(self):
        self.sql(STAGED)
        self.sql(PUBLISHED)
        self.sql("alter table stage.orders alter column id type bigint")
        before = self.shape()
        self.publish(ORDERS)
        self.assertEqual(self.ways, {"orders": "exchange"})
        self.assertEqual(before, [line.replace("| id | bigint", "| id | integer") for line in self.shape()])

    def test_what_both_sides_have_keeps_its_name(self):
        self.sql(STAGED)
        self.sql(PUBLISHED)
        self.sql(
            """alter table stage.orders add primary key (id); create index on stage.orders (amount);
               create unique index on stage.orders (id, amount);
               alter table stage.orders add constraint known check (customer <> 'eve')"""
        )
        self.change()
        before = self.shape()
        self.publish(ORDERS)
        after = self.lines_without("weight")
        self.assertEqual([line for line in before if line not in after], [])
        gained = [line for line in after if line not in before]
        self.assertEqual(len(gained), 1, gained)
        self.assertIn("USING btree (amount)", gained[0])
        self.assertNotIn("airlock", gained[0])

    def test_storage_parameters_stay(self):
        self.sql(STAGED)
        self.sql(PUBLISHED)
        self.sql("alter table mart.orders set (fillfactor = 70, autovacuum_enabled = false)")
        self.change()
        before = self.shape()
        self.publish(ORDERS)
        self.assertEqual(before, self.lines_without("weight"))

    def test_its_foreign_key_stays_and_the_restore_point_has_none(self):
        self.sql(STAGED)
        self.sql("create table mart.customers (name text primary key); insert into mart.customers values ('ada'), ('bob'), ('old'); grant select, references on mart.customers to owner")
        self.sql(PUBLISHED)
        self.sql("alter table mart.orders add constraint of_customer foreign key (customer) references mart.customers")
        self.change()
        before = self.shape()
        self.publish(ORDERS)
        self.assertEqual(before, self.lines_without("weight"))
        self.sql("delete from mart.customers where name = 'old'")

    def test_without_a_restore_point(self):
        self.sql(STAGED)
        self.sql(PUBLISHED)
        self.change()
        before = self.shape()
        self.publish(ORDERS, options=["--no-restore-point"])
        self.assertEqual(before, self.lines_without("weight"))

    def test_twice(self):
        self.sql(STAGED)
        self.sql(PUBLISHED)
        before = self.shape()
        self.change()
        self.publish(ORDERS)
        self.sql("alter table stage.orders drop column weight")
        self.publish(ORDERS, number=2)
        self.assertEqual(before, self.shape())
        self.assert_same_rows(("mart", "orders"), NEW_ROWS)

    def test_no_default_privilege_widens_access(self):
        self.sql(STAGED)
        self.sql(PUBLISHED)
        self.sql("alter default privileges in schema mart grant all on tables to stranger")
        self.change()
        before = self.shape()
        self.publish(ORDERS)
        self.assertEqual(before, self.lines_without("weight"))


AWKWARD = [
    'q"uo"te', "it's", "two words", "Capital", "Größe ÖÄ 表", "$$", "$body$", "{brace}", "{{ jinja }}",
    "100%s", "back\\slash", "\\' or", "semi;colon -- x", "/* c */", "<angle>", "a.b", "select", "x USING y",
    "é" * 31 + "a", "n" * 63,
]


class Names(Lab):
    def make(self, awkward, columns, schema="mart"):
        stage, mart = relation(("stage", awkward)), relation((schema, awkward))
        column = name(awkward)
        self.sql(f"create table {stage} (id int, {column} text, extra int)")
        self.sql(f"insert into {stage} values (1, 'new', 1)")
        self.sql(f"create table {mart} ({columns.format(column)})")
        self.sql(f"insert into {mart} (id, {column}) values (9, 'old')")
        self.sql(f"alter table {mart} add constraint {name(awkward[:-1] + '1')} unique (id, {column})")
        self.sql(f"create index {name(awkward[:-1] + '2')} on {mart} ({column})")
        self.sql(f"comment on column {mart}.{column} is " + "'" + awkward.replace("'", "''") + "'")

    def check(self, columns, way):
        tables = {}
        for number, awkward in enumerate(AWKWARD):
            self.make(awkward, columns)
            tables[f"model_{number}"] = (("stage", awkward), ("mart", awkward))
        before = [line for line in self.shape() if " extra " not in line]
        self.publish(tables)
        self.assertEqual(set(self.ways.values()), {way})
        self.assertEqual(before, [line for line in self.shape() if " extra " not in line])
        for awkward in AWKWARD:
            column = name(awkward)
            got = self.rows(f"select id, {column}, extra from {relation(('mart', awkward))}")
            self.assertEqual(got, [(1, "new", 1)], awkward)
        restored = self.rows("select relname from pg_class c join pg_namespace n on n.oid = relnamespace "
                             "where nspname = 'airlock_restore' and relkind = 'r'")
        self.assertEqual(len(restored), len(AWKWARD))

    def test_awkward_names_are_rewritten(self):
        self.check("id int, {} text, extra int", "rewrite")

    def test_awkward_names_are_exchanged(self):
        self.check("id int, {} text", "exchange")

    def test_awkward_names_of_schemas_owners_and_new_tables(self):
        tables = {}
        for number, awkward in enumerate(AWKWARD):
            role = name(awkward)
            admin(f"create role {role}; grant {role} to deployer")
            self.sql(f"create schema {role}; grant create, usage on schema {role} to {role}")
            self.make(awkward, "id int, {} text", schema=awkward)
            self.sql(f"alter table {relation((awkward, awkward))} owner to {role}")
            self.sql(f"create table {relation(('stage', f'n{number}'))} (id int)")
            tables[f"model_{number}"] = (("stage", awkward), (awkward, awkward))
            tables[f"new_{number}"] = (("stage", f"n{number}"), (awkward, "fresh"))
        before = [line for line in self.shape() if " extra " not in line]
        self.publish(tables)
        self.assertEqual(set(self.ways.values()), {"exchange", "new"})
        after = [line for line in self.shape() if " extra " not in line and "fresh" not in line]
        self.assertEqual(before, after)

    def test_one_name_in_two_schemas_with_the_same_indexes(self):
        tables = {}
        for schema in ("mart", "other"):
            self.sql(f"create schema if not exists {schema}")
            self.sql(
                f"""create table {schema}.orders (id int primary key, day date);
                    create index by_day on {schema}.orders (day);
                    create table stage.{schema} (id int, day date, extra text);
                    create index on stage.{schema} (day)"""
            )
            tables[schema] = (("stage", schema), (schema, "orders"))
        self.publish(tables)
        lines = "\n".join(self.shape())
        self.assertEqual(set(self.ways.values()), {"exchange"})
        for schema in ("mart", "other"):
            self.assertIn(f"CREATE INDEX by_day ON {schema}.orders USING btree (day)", lines)

    def test_all_ways_in_one_transaction(self):
        tables = {}
        for way, columns in (("new", None), ("rewrite", "id int, v text"), ("exchange", "id int")):
            self.sql(f"create table stage.{way}_t (id int, v text); insert into stage.{way}_t values (1, '{way}')")
            if columns:
                self.sql(f"create table mart.{way}_t ({columns})")
            tables[way] = (("stage", f"{way}_t"), ("mart", f"{way}_t"))
        self.publish(tables)
        self.assertEqual(self.ways, {way: way for way in tables})
        for way in tables:
            self.assert_same_rows(("mart", f"{way}_t"), [(1, way)])


class InTheWay(Lab):
    def setUp(self):
        super().setUp()
        self.sql(STAGED)
        self.sql(PUBLISHED)

    def hold(self, statement, user="deployer"):
        connection = self.session(user)
        connection.cursor().execute("begin; " + statement)
        return connection

    def test_a_writer_stops_a_rewrite_and_is_named(self):
        self.prepare(ORDERS)
        writer = self.hold("update mart.orders set amount = 1 where id = 1")
        reader = self.hold("select * from mart.orders")
        began = time.monotonic()
        text = self.assert_stopped("airlock-lock", '"mart"."orders"', f"pid {writer.info.backend_pid} (deployer, idle in transaction)", "update mart.orders")
        self.assertLess(time.monotonic() - began, 5)
        self.assertNotIn(str(reader.info.backend_pid), text)

    def test_a_writer_whose_statement_is_not_ours_to_see_is_named(self):
        self.prepare(ORDERS)
        writer = self.hold("update mart.orders set amount = 1 where id = 1", "postgres")
        self.assert_stopped("airlock-lock", f"pid {writer.info.backend_pid} (postgres)")

    def test_a_reader_does_not_stop_a_rewrite(self):
        self.prepare(ORDERS)
        self.hold("select * from mart.orders")
        self.run_publish()
        self.assert_same_rows(("mart", "orders"), NEW_ROWS)

    def exchange(self):
        self.sql("alter table stage.orders add column weight int")
        self.prepare(ORDERS)
        self.assertEqual(self.ways, {"orders": "exchange"})

    def test_a_reader_stops_an_exchange_and_is_named(self):
        self.exchange()
        reader = self.hold("select count(*) from mart.orders")
        self.assert_stopped("airlock-lock", "orders", f"pid {reader.info.backend_pid}", "select count")

    def test_other_readers_do_not_wait_behind_an_exchange_that_waits(self):
        self.exchange()
        self.hold("select count(*) from mart.orders")
        longest, stop = [0.0], threading.Event()

        def read():
            connection = self.session("postgres")
            while not stop.is_set():
                began = time.monotonic()
                connection.cursor().execute("select count(*) from mart.orders")
                longest[0] = max(longest[0], time.monotonic() - began)

        reader = threading.Thread(target=read)
        reader.start()
        try:
            with self.assertRaises(psycopg2.Error):
                self.run_publish()
        finally:
            stop.set()
            reader.join()
        self.assertLess(longest[0], 0.9)

    def test_a_writer_that_leaves_in_time_is_waited_for(self):
        self.prepare(ORDERS, options=["--publish-timeout", "20"])
        writer = self.hold("update mart.orders set amount = amount")
        threading.Timer(1, lambda: writer.cursor().execute("commit")).start()
        self.run_publish()
        self.assert_same_rows(("mart", "orders"), NEW_ROWS)

    def test_a_lock_on_staging_stops_and_is_named(self):
        self.prepare(ORDERS)
        holder = self.hold("lock table stage.orders in access exclusive mode")
        with self.assertRaises(psycopg2.Error) as caught:
            self.run_publish()
        self.assertIn("airlock-lock", message(caught.exception))
        self.assertIn(f"pid {holder.info.backend_pid}", message(caught.exception))

    def test_staging_with_more_rows_is_a_conflict(self):
        self.prepare(ORDERS)
        self.sql("insert into stage.orders values (5, 'new', 5)")
        self.assert_stopped("airlock-conflict", "stage.orders (staging) changed")

    def test_staging_made_anew_is_a_conflict(self):
        self.prepare(ORDERS)
        self.sql("create table stage.other as select * from stage.orders; drop table stage.orders; "
                 "alter table stage.other rename to orders")
        self.assert_stopped("airlock-conflict", "stage.orders (staging) changed")

    def test_production_with_other_rows_is_a_conflict(self):
        self.prepare(ORDERS)
        self.sql("delete from mart.orders where id = 9")
        self.assert_stopped("airlock-conflict", "mart.orders (production) was changed")

    def test_production_made_anew_is_a_conflict(self):
        self.prepare(ORDERS)
        self.sql("alter table mart.orders rename to old; create table mart.orders (like mart.old including all); "
                 "insert into mart.orders select * from mart.old")
        self.assert_stopped("airlock-conflict", "mart.orders (production) was changed")

    def test_production_created_meanwhile_stops_a_new_table(self):
        self.sql("drop table mart.orders")
        self.prepare(ORDERS)
        self.sql("create table mart.orders (id int)")
        before = self.snapshot(skip="")
        with self.assertRaises(psycopg2.Error):
            self.run_publish()
        self.assertEqual(before, self.snapshot(skip=""))

    def test_a_column_grant_made_meanwhile_comes_along_with_an_exchange(self):
        self.sql("alter table mart.orders drop constraint known; alter table stage.orders add column weight int")
        self.prepare(ORDERS)
        self.rows("grant update (id) on mart.orders to analyst", self.postgres)
        self.run_publish()
        self.finish()
        self.assertEqual(self.ways, {"orders": "exchange"})
        self.assertEqual(
            self.rows("select attname, has_column_privilege('analyst', attrelid, attnum, 'update') from pg_attribute "
                      "where attrelid = 'mart.orders'::regclass and attname in ('id', 'weight') order by 1"),
            [("id", True), ("weight", False)])

    def test_what_began_to_depend_on_an_exchanged_table_is_a_conflict(self):
        self.sql("alter table mart.orders drop constraint known")
        for statement, undo in (
            ("create view mart.totals as select sum(amount) from mart.orders", "drop view mart.totals"),
            ("create materialized view mart.kept as select id from mart.orders", "drop materialized view mart.kept"),
            ("create table mart.lines (id int references mart.orders)", "drop table mart.lines"),
            ("create publication feed for table mart.orders", "drop publication feed"),
            ("alter table mart.orders enable row level security", "alter table mart.orders disable row level security"),
            ("create policy p on mart.orders using (true)", "drop policy p on mart.orders"),
            ("create function mart.f(mart.orders) returns int language sql as 'select 1'", "drop function mart.f"),
            ("create function mart.t() returns trigger language plpgsql as 'begin return new; end';"
             "create trigger t before insert on mart.orders for each row execute function mart.t()",
             "drop trigger t on mart.orders; drop function mart.t"),
        ):
            with self.subTest(statement):
                if "weight" not in str(self.rows("select * from pg_attribute where attrelid = 'stage.orders'::regclass")):
                    self.sql("alter table stage.orders add column weight int")
                self.prepare(ORDERS)
                self.rows(statement, self.postgres)
                self.assert_stopped("airlock-conflict", "mart.orders")
                self.rows(undo, self.postgres)
                self.finish()

    def test_a_fence_that_was_raised_stops_the_publish(self):
        self.prepare(ORDERS)
        self.rows("update airlock.airlock_lock_" + self.lock_of("stage") + " set nonce = 'another'", self.postgres)
        self.assert_stopped("airlock-fence", "stage")

    def test_production_held_by_another_deployment_stops_the_publish(self):
        self.prepare(ORDERS)
        self.rows("update airlock.airlock_lock_" + self.lock_of("mart") +
                  " set nonce = 'another', id = 'd1', username = 'ada', host = 'h', since = 'noon'", self.postgres)
        self.assert_stopped("airlock-held", "mart", "'d1'", "of ada on h, process", "since noon")

    def lock_of(self, schema):
        import hashlib

        return hashlib.md5(f"{self.database}.{schema}".encode()).hexdigest()[:16]

    def test_a_publish_whose_client_dies_changes_nothing(self):
        self.prepare(ORDERS)
        before = self.snapshot(skip="")
        for calls in range(1, len(self.plan["steps"]["publish"])):
            connection = connect(self.database, "deployer")
            for call in self.plan["steps"]["publish"][:calls]:
                connection.cursor().execute(call)
            connection.close()
        time.sleep(0.2)
        self.assertEqual(before, self.snapshot(skip=""))


class Refusals(Lab):
    def setUp(self):
        super().setUp()
        self.sql(STAGED)
        self.sql("create table mart.orders (like stage.orders)")

    def test_what_no_way_can_publish_is_refused_by_name(self):
        self.sql("create function mart.t() returns trigger language plpgsql as 'begin return new; end'")
        for statement, undo, word in (
            ("create trigger stamp before insert on mart.orders for each row execute function mart.t()",
             "drop trigger stamp on mart.orders", "trigger stamp"),
            ("alter table mart.orders enable row level security",
             "alter table mart.orders disable row level security", "row security"),
            ("create policy mine on mart.orders using (true)", "drop policy mine on mart.orders", "policy mine"),
            ("create rule twice as on insert to mart.orders do also select 1",
             "drop rule twice on mart.orders", "rule twice"),
            ("create table mart.child () inherits (mart.orders)", "drop table mart.child", "mart.child"),
            ("alter table mart.orders add primary key (id); create table mart.lines (id int references mart.orders)",
             "drop table mart.lines; alter table mart.orders drop constraint orders_pkey", "mart.lines"),
            ("alter table mart.orders add primary key (id), add column up int constraint self references mart.orders",
             "alter table mart.orders drop column up, drop constraint orders_pkey", "foreign key self"),
            ("alter table mart.orders add column n int generated always as (id + 1) stored",
             "alter table mart.orders drop column n", "generated column n"),
            ("alter table mart.orders add column n int generated by default as identity",
             "alter table mart.orders drop column n", "identity column n"),
            ("alter table mart.orders owner to stranger", "alter table mart.orders owner to deployer", "'stranger'"),
        ):
            with self.subTest(statement):
                self.rows(statement, self.postgres)
                self.assert_refused(ORDERS, "mart.orders", word)
                self.rows(undo, self.postgres)

    def test_what_an_exchange_would_lose_is_refused_by_name(self):
        self.sql("alter table stage.orders add column weight int")
        for statement, undo, word in (
            ("create view mart.v as select id from mart.orders;"
             "create materialized view mart.m as select id from mart.v",
             "drop materialized view mart.m; drop view mart.v", "materialized view mart.m"),
            ("create materialized view mart.m as select id from mart.orders",
             "drop materialized view mart.m", "materialized view mart.m"),
            ("create publication feed for table mart.orders with (publish = 'insert')", "drop publication feed",
             "publication feed"),
            ("create statistics mart.s on id, amount from mart.orders", "drop statistics mart.s", "statistics s"),
            ("create function mart.f(mart.orders) returns int language sql as 'select 1'", "drop function mart.f",
             "function mart.f"),
            ("create table mart.whole (o mart.orders)", "drop table mart.whole", "mart.whole"),
            ("alter table mart.orders replica identity full", "alter table mart.orders replica identity default",
             "replica identity"),
            ("create index i on mart.orders (id); alter table mart.orders cluster on i", "drop index mart.i",
             "clustered on mart.i"),
            ("alter table mart.orders alter column id set statistics 500",
             "alter table mart.orders alter column id set statistics -1", "statistics of column id"),
            ("alter table mart.orders alter column id set (n_distinct = 5)",
             "alter table mart.orders alter column id reset (n_distinct)", "statistics of column id"),
            ("alter table mart.orders alter column customer set storage external",
             "alter table mart.orders alter column customer set storage extended", "storage of column customer"),
        ):
            with self.subTest(statement):
                self.rows(statement, self.postgres)
                self.assert_refused(ORDERS, "mart.orders", word)
                self.rows(undo, self.postgres)

    def test_another_kind_is_refused(self):
        self.sql("drop table mart.orders; create materialized view mart.orders as select 1 as id")
        self.assert_refused(ORDERS, "mart.orders", "it is a materialized view in production")
        self.sql("drop materialized view mart.orders; create table mart.orders (id int)")
        self.sql("drop table stage.orders; create view stage.orders as select 1 as id")
        self.assert_refused(ORDERS, "stage.orders", "is a view in staging")
        self.sql("drop view stage.orders; create table stage.orders (id int); drop table mart.orders;"
                 "create table mart.orders (id int) partition by hash (id)")
        self.assert_refused(ORDERS, "mart.orders", "partitioned table")


class State(Lab):
    def setUp(self):
        super().setUp()
        self.sql(STAGED)

    def holder(self, schema="stage"):
        import hashlib

        lock = hashlib.md5(f"{self.database}.{schema}".encode()).hexdigest()[:16]
        return self.rows(f"select fence, nonce, id from airlock.airlock_lock_{lock}")

    def test_a_free_lock_is_taken_once_and_released(self):
        self.prepare(ORDERS)
        self.assertEqual(self.holder(), [(1, "nonce-20260102030401_abcdef", "20260102030401_abcdef")])
        self.prepare(ORDERS, number=2)
        self.assertEqual(self.holder()[0][1], "nonce-20260102030401_abcdef")
        self.prepare(ORDERS, number=1)
        self.finish()
        self.assertEqual(self.holder()[0][1], "")
        self.prepare(ORDERS, number=2)
        self.assertEqual(self.holder(), [(2, "nonce-20260102030402_abcdef", "20260102030402_abcdef")])

    def test_a_dead_holder_is_replaced_only_as_it_was_seen(self):
        for published, end in ((False, "aborted"), (True, "finished")):
            with self.subTest(end):
                self.sql("drop schema if exists airlock cascade")
                dead = self.prepare(ORDERS).id
                if published:
                    self.run_publish()
                heir = Deployment(ENGINE, self.database, ORDERS, number=2)
                for fence, nonce in ((7, dead), (1, heir.id)):
                    for call in heir.state(dead, fence)["take"]:
                        self.sql(call)
                    self.assertEqual(self.holder()[0][:2], (1 if nonce == dead else 2, f"nonce-{nonce}"))
                for call in heir.state(dead, 1)["take"]:
                    self.sql(call)
                ends = self.sql(f"select event from airlock.airlock_log where id = '{dead}' "
                                "and event in ('aborted', 'finished')")
                self.assertEqual(ends, [(end,)])

    def test_a_lock_says_who_holds_it_and_whether_that_published(self):
        deployment = self.prepare(ORDERS)
        calls = deployment.state("none", 0)
        for published in (False, True):
            lock = json.loads(self.sql(calls["read"][0])[0][0])
            self.assertEqual(lock["rows"], 1)
            self.assertEqual((lock["id"], lock["nonce"]), (deployment.id, f"nonce-{deployment.id}"))
            self.assertEqual((lock["user"], lock["host"], lock["pid"]), ("tester", "here", 7))
            self.assertIs(lock["published"], published)
            self.assertIs(json.loads(self.sql(calls["probe"][0])[0][0])["published"], published)
            if not published:
                self.run_publish()

    def test_a_raised_fence_and_a_release_are_ours_only(self):
        mine = self.prepare(ORDERS).state("none", 0)
        other = Deployment(ENGINE, self.database, ORDERS, number=2).state("none", 0)
        for calls in (other["raise"], other["release"]):
            self.sql(calls[0])
            self.assertEqual(self.holder()[0][:2], (1, "nonce-20260102030401_abcdef"))
        self.sql(mine["raise"][0])
        self.assertEqual(self.holder()[0][:2], (2, "nonce-20260102030401_abcdef"))
        self.sql(mine["release"][0])
        self.assertEqual(self.holder()[0][:2], (2, ""))

    def test_the_history_names_what_was_published(self):
        self.publish(ORDERS)
        events = self.rows("select id, event, detail::json #>> '{tables,0,to}' from airlock.airlock_log order by logged_at")
        self.assertEqual({event[0] for event in events}, {"20260102030401_abcdef"})
        self.assertEqual(
            {event[1]: event[2] for event in events},
            {"begun": None, "published": f"{self.database}.mart.orders", "objects": None, "finished": None},
        )

    def test_many_who_begin_at_once_leave_one_row(self):
        deployment = Deployment(ENGINE, self.database, ORDERS)
        deployment.observe(lambda sql: [row[0] for row in self.rows(sql)])
        calls, errors = deployment.planned["steps"]["lock"], []
        sessions = [self.session() for _ in range(8)]

        def begin(connection, gate):
            gate.wait()
            try:
                for call in calls:
                    connection.cursor().execute(call)
            except psycopg2.Error as error:
                errors.append(message(error))

        for _ in range(20):
            self.sql("drop schema if exists airlock cascade")
            gate = threading.Barrier(len(sessions))
            threads = [threading.Thread(target=begin, args=(one, gate)) for one in sessions]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(errors, [])
            self.assertEqual([row[0] for row in self.holder()], [1])

    def test_looking_writes_nothing_and_needs_no_more_than_select(self):
        self.sql(
            """create table mart.orders (like stage.orders);
               grant usage on schema stage, mart to analyst;
               grant select on all tables in schema stage, mart to analyst"""
        )
        reader = self.session("analyst")
        reader.set_session(readonly=True, autocommit=True)
        with self.assertRaises(Refused) as caught:
            Deployment(ENGINE, self.database, ORDERS).observe(
                lambda sql: [row[0] for row in self.rows(sql, reader)]
            )
        self.assertIn("belongs to 'deployer'", str(caught.exception))


if __name__ == "__main__":
    tap.main()
