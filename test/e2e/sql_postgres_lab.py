"""A PostgreSQL server for the tests of a publish's statements, and what they do in it."""

import os
import pathlib
import subprocess
import sys
import unittest

import psycopg2

SUPPORT = pathlib.Path(__file__).resolve().parent.parent / "support"
sys.path.insert(0, str(SUPPORT))

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
