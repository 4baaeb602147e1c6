"""The statements of a blue-green on Snowflake, planned by airlock and run in the stand-in through the
real connector: what they do, what they keep, and what stops them."""

import json
import os
import pathlib
import subprocess
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
SUPPORT = HERE.parent / "support"
sys.path.insert(0, str(SUPPORT))
os.environ["ENGINE"] = "snowflake"

import tap  # noqa: E402
import warehouse  # noqa: E402
from rendered import Deployment, Refused  # noqa: E402
from snowflake.connector.errors import Error  # noqa: E402

TABLES = {
    "orders": ({"schema": "GREEN_MART", "alias": "ORDERS"}, {"schema": "MART", "alias": "ORDERS"}),
    "calendar": ({"schema": "GREEN_UTILS", "alias": "CALENDAR"}, {"schema": "UTILS", "alias": "CALENDAR"}),
    "paid": tuple({"schema": schema, "alias": "PAID", "config": {"materialized": "view", "enabled": True},
                   "depends_on": {"nodes": ["model.shop.orders"]}} for schema in ("GREEN_MART", "MART")),
}
PAID = "select id from shop.{}.orders where paid"


class BlueGreen(Deployment):
    prepared = False
    build = None  # behind the clone with which staging begins

    def observe(self, query):
        """Twice as after the build, with the schemas among the rows: what comes before the build is run
        between the two."""
        self.write("compiled", {"model.shop.paid": PAID.format("mart")})
        before = "-"
        for turn in ("before", "built", "built"):
            answers = [[json.loads(row) for row in query(sql)]
                       for sql in self.render("queries", before)["queries"]]
            rows = [row for answer in answers[3:] for row in answer]
            containers = [row for row in rows if "side" in row]
            for row in rows:
                for container in containers:
                    if row.get("future_of") == container["side"] and row["schema"] == container["schema"]:
                        container["grants"] += row["grants"]
            self.picture = {
                "session": answers[0][0], "schemas": answers[1], "relations": answers[2],
                "rows": [row for row in rows if "side" not in row and "future_of" not in row],
                "containers": containers, "built": turn == "built",
            }
            self.see_dynamic(rows)
            self.write("picture", self.picture)
            before = self.path("picture")
            if turn == "before" and not self.build:
                continue
            self.planned = self.plan()
            if not self.prepared:
                self.prepared = True
                self.first = self.planned
                for call in self.planned["steps"]["prepare"]:
                    query(call)
                if self.build:
                    self.build()

    def see_dynamic(self, rows):
        for row in rows:
            for nth, one in enumerate(row.get("dynamic", ())):
                for container in self.picture["containers"]:
                    for seen in container["objects"]:
                        if container["side"] == "to" and (seen["schema"], seen["identifier"]) == (one["schema"], one["name"]):
                            seen["runs_nth"] = nth + 1


class Swap(unittest.TestCase):
    def setUp(self):
        self.cursor = warehouse.connect().cursor()
        for (schema,) in self.rows("select schema_name from information_schema.schemata where schema_name "
                                   "not in ('INFORMATION_SCHEMA', 'PUBLIC')"):
            self.sql(f'drop schema "{schema}"')
        self.build("mart", "utils", 1)
        self.number = 0

    def sql(self, text):
        self.cursor.execute(text)

    def rows(self, text):
        return self.cursor.execute(text).fetchall()

    def query(self, call):
        """The first column of what the last statement answers: the connector takes one at a time, as dbt
        splits them."""
        found = [self.rows(statement) for statement in split(call)]
        return [row[0] for row in found[-1]]

    def one(self, text):
        return self.rows(text)[0][0]

    def build(self, mart, utils, rows):
        for schema in (mart, utils):
            self.sql(f"create schema if not exists {schema}")
        values = ", ".join(f"({n}, true)" for n in range(rows))
        self.sql(f"create or replace transient table {mart}.orders as select * from (values {values}) v (id, paid)")
        self.sql(f"create or replace table {utils}.calendar as select {rows} as days")
        self.sql(f"create or replace view {mart}.paid as ({PAID.format(mart)})")

    def deploy(self, rows=2, stop=None, options=("--foreign-objects", "MART.OLD")):
        """Up to the statement that begins with `stop`."""
        self.number += 1
        deployment = BlueGreen("snowflake", "SHOP", TABLES, self.number, options)
        deployment.options.insert(0, "blue-green")
        if "clone" in options[-1]:
            deployment.build = lambda: self.build("green_mart", "green_utils", rows)
        else:
            self.build("green_mart", "green_utils", rows)
        deployment.observe(self.query)
        for call in deployment.planned["steps"]["lock"]:
            self.sql(call)
        self.publish(deployment, stop)
        return deployment

    def publish(self, deployment, stop=None):
        for call in deployment.planned["steps"]["publish"]:
            if stop and call.startswith(stop):
                return
            self.query(call)

    def comment(self, schema):
        return self.one(f"select comment from information_schema.schemata where schema_name = '{schema}'")

    def schemas(self):
        return {row[0] for row in self.rows("select schema_name from information_schema.schemata")}

    def test_the_new_schemas_are_production_and_say_so(self):
        done = self.deploy()
        self.assertEqual(self.one("select count(*) from mart.orders"), 2)
        self.assertEqual(self.one("select days from utils.calendar"), 2)
        self.assertEqual(self.one("select count(*) from mart.paid"), 2)
        self.assertEqual(self.comment("MART"), f"[airlock: published {done.id}]")
        self.assertEqual(self.comment(f"MART__airlock_{done.id}"), f"[airlock: demoted by {done.id}]")
        self.assertFalse({"GREEN_MART", "GREEN_UTILS"} & self.schemas())
        self.assertEqual(self.one(f'select count(*) from "MART__airlock_{done.id}".orders'), 1)

    def test_views_read_a_whole_production_until_they_are_made_again(self):
        self.deploy(stop="create or replace view")
        self.assertEqual(self.one("select count(*) from mart.orders"), 2)
        self.assertEqual(self.one("select count(*) from mart.paid"), 1)
        self.assertIn("GREEN_MART", self.schemas())

    def test_nobody_gets_less_and_nobody_more(self):
        self.build("green_mart", "green_utils", 2)
        for grant in ("usage on schema mart", "select on table mart.orders", "select on view mart.paid"):
            self.sql(f"grant {grant} to role reader")
        self.sql("grant insert on table mart.orders to role reader with grant option")
        self.sql("grant usage on schema green_mart to role builder")
        self.sql("alter schema utils set data_retention_time_in_days = 5")
        self.sql("alter schema utils enable managed access")
        self.sql("comment on schema mart is 'it''s the marts'")
        self.sql("comment on table mart.orders is 'by hand'")
        before = self.granted("MART")
        done = self.deploy()
        self.assertEqual(self.granted("MART"), before)
        self.assertEqual(self.comment("MART"), f"it's the marts [airlock: published {done.id}]")
        self.assertEqual(self.rows("select retention_time, is_managed_access from information_schema.schemata "
                                   "where schema_name = 'UTILS'"), [(5, "YES")])
        self.assertEqual(self.one("select comment from information_schema.tables where table_schema = 'MART' "
                                  "and table_name = 'ORDERS'"), "by hand")

    def govern(self, schema="gov"):
        self.sql(f"create schema if not exists {schema}")
        self.sql(f"create masking policy {schema}.hide as (v boolean) returns boolean -> null")
        self.sql(f"create row access policy {schema}.own as (v int) returns boolean -> true")
        self.sql(f"create tag {schema}.pii")

    def ddl(self, table):
        return self.one(f"select get_ddl('table', 'shop.{table}', true)")

    def test_policies_and_tags_of_production_are_on_what_takes_its_place(self):
        self.govern()
        self.sql("alter table mart.orders modify column paid set masking policy gov.hide using (paid, id)")
        self.sql("alter table mart.orders add row access policy gov.own on (id)")
        self.sql("alter table mart.orders set tag gov.pii = 'it''s'")
        self.sql("alter table mart.orders modify column id set tag gov.pii = 'no'")
        before = self.ddl("mart.orders")
        self.deploy()
        self.assertEqual(self.one("select count(*) from mart.orders"), 2)
        self.assertEqual(self.ddl("mart.orders"), before)

    def test_a_policy_that_only_one_side_has_or_of_a_view_is_refused(self):
        self.govern()
        self.sql("alter view mart.paid add row access policy gov.own on (id)")
        self.assert_refused("SHOP.MART.PAID", "the row access policy SHOP.GOV.OWN ON (ID)", "made anew")
        self.sql("alter view mart.paid drop all row access policies")
        self.sql("create masking policy mart.own as (v boolean) returns boolean -> null")
        self.sql("alter table mart.orders modify column paid set masking policy mart.own")
        with self.assertRaises(Refused) as caught:
            self.deploy(options=["--foreign-objects", "MART.OWN"])
        self.assertIn("SHOP.MART.OWN is set on it, and is itself in what is exchanged", str(caught.exception))

    def future(self, schema):
        return {row[1:] for row in self.rows(f"show future grants in schema {schema}")}

    def test_future_grants_come_along_and_are_given_on_what_is_new(self):
        self.sql("drop view mart.paid")
        self.sql("grant select on future tables in schema mart to role reader with grant option")
        self.sql("grant select, references on future views in schema mart to role reader")
        self.build("green_mart", "green_utils", 2)
        self.sql("grant insert on future tables in schema green_mart to role builder")
        before = self.future("mart")
        self.deploy()
        self.assertEqual(self.future("mart"), before)
        self.assertEqual({(name, privilege) for _, name, privilege, grantee, _ in self.granted("MART")
                          if grantee == "READER"}, {("PAID", "SELECT"), ("PAID", "REFERENCES")})
        self.assertFalse({row for row in self.granted("MART") if row[3] == "BUILDER"})

    def granted(self, schema):
        return set(self.rows(
            "select object_type, object_name, privilege_type, grantee, is_grantable from "
            f"information_schema.object_privileges where coalesce(object_schema, object_name) = '{schema}'"))

    def assert_refused(self, *words):
        with self.assertRaises(Refused) as caught:
            self.deploy()
        for word in words:
            self.assertIn(word, str(caught.exception))
        self.assertEqual(self.one("select count(*) from mart.orders"), 1)

    def test_what_no_node_makes_is_named(self):
        self.sql("create table mart.notes as select 1 as a")
        self.assert_refused("MART", "table NOTES")

    def test_what_is_neither_table_nor_view_is_named_too(self):
        self.sql("create sequence mart.numbers")
        self.assert_refused("MART", "sequence NUMBERS")

    def test_what_would_go_on_with_the_old_schema_is_refused_though_it_may_be_lost(self):
        self.sql("create task mart.old as select 1")
        self.assert_refused("task OLD", "it would go on, with what was production")

    def test_what_may_be_lost_goes_with_the_old_schema(self):
        self.sql("create table mart.old as select 1 as a")
        done = self.deploy()
        self.assertEqual(self.one(f'select count(*) from "MART__airlock_{done.id}".old'), 1)

    CLONE = ("--foreign-objects", "clone")

    def make_foreign(self):
        self.sql("create table mart.notes as select 1 as a")
        self.sql("grant insert on table mart.notes to role reader")
        self.sql("create view mart.all_notes as select a from shop.mart.notes")
        self.sql("create sequence mart.numbers start = 5")
        self.sql("grant usage on sequence mart.numbers to role reader")
        self.sql("create function mart.twice(x int) returns int as 'x * 2'")
        self.sql("create stage mart.bucket url = 's3://bucket'")

    def objects(self, schema):
        return {row[0] for row in self.rows(
            "select object_name from information_schema.object_privileges where privilege_type = 'OWNERSHIP' "
            f"and object_schema = '{schema}' and object_type <> 'SCHEMA'")}

    def test_what_no_node_makes_comes_along_in_a_clone(self):
        self.make_foreign()
        self.sql("create dynamic table mart.hourly target_lag = '1 hour' warehouse = wh as select a from shop.mart.notes")
        self.sql("create dynamic table mart.daily target_lag = '1 day' warehouse = wh as select a from shop.mart.notes")
        self.sql("alter dynamic table mart.daily suspend")
        self.sql("alter table mart.notes cluster by (a)")
        before, granted = self.objects("MART"), self.granted("MART")
        done = self.deploy(options=self.CLONE)
        self.assertEqual(self.objects("MART"), before)
        self.assertEqual(self.granted("MART"), granted)
        self.assertEqual(self.one("select count(*) from mart.orders"), 2)
        self.assertEqual(self.one("select a from mart.all_notes"), 1)
        self.assertEqual(self.objects(f"MART__airlock_{done.id}"), before)
        self.assertEqual(self.one("select auto_clustering_on from information_schema.tables where table_schema = 'MART' "
                                  "and table_name = 'NOTES'"), "YES")
        self.assertEqual([(row[1], row[4]) for row in self.rows("show dynamic tables in schema mart")],
                         [("HOURLY", "ACTIVE"), ("DAILY", "SUSPENDED")])
        # And again: what staging was made of is production.
        self.sql("insert into mart.notes values (2)")
        self.sql('drop schema "airlock"')
        self.deploy(rows=3, options=self.CLONE)
        self.assertEqual(self.one("select count(*) from mart.notes"), 2)
        self.assertEqual(self.one("select count(*) from mart.orders"), 3)

    def test_what_is_written_to_it_behind_the_clone_stops_the_exchange(self):
        for change, words in (
            ("insert into mart.notes values (2)", "MART.NOTES (production) was changed after it was cloned"),
            ("create or replace view mart.all_notes as select 2 as a", "MART got or lost something"),
            ("select mart.numbers.nextval", "MART.NUMBERS (production) was used after it was cloned"),
            ("create or replace function mart.twice(x int) returns int as 'x * 3'", "MART.TWICE (production) was changed"),
        ):
            with self.subTest(change):
                self.setUp()
                self.make_foreign()
                done = self.deploy(stop="select", options=self.CLONE)
                self.sql(change)
                with self.assertRaises(Error) as caught:
                    self.publish(done)
                self.assertIn(words, str(caught.exception))
                self.assertEqual(self.one("select count(*) from mart.orders"), 1)

    def test_what_is_granted_on_it_behind_the_clone_comes_along(self):
        self.make_foreign()
        deployment = self.deploy(stop="select", options=self.CLONE)
        self.sql("grant select on table mart.notes to role auditor")
        self.sql("revoke usage on sequence mart.numbers from role reader")
        before = self.granted("MART")
        deployment.observe(self.query)
        self.publish(deployment)
        self.assertEqual(self.granted("MART"), before)

    def assert_no_clone(self, *words, options=CLONE):
        with self.assertRaises(Refused) as caught:
            self.deploy(options=options)
        for word in words:
            self.assertIn(word, str(caught.exception))
        self.assertEqual(self.one("select count(*) from mart.orders"), 1)

    def test_what_a_clone_would_lose_is_refused(self):
        for kind, rest, words in (("stream", "on table mart.orders", "the clone of a stream has lost"),
                                  ("task", "as select 1", "it would go on, with what was production"),
                                  ("pipe", "as copy into mart.orders from @x", "it would go on"),
                                  ("stage", "", "a clone does not have: stage ONE")):
            with self.subTest(kind):
                self.setUp()
                self.sql(f"create {kind} mart.one {rest}")
                self.assert_no_clone(words)

    def test_a_stream_that_may_be_lost_is_not_in_the_new_schema(self):
        self.sql("create stream mart.changes on table mart.orders")
        done = self.deploy(options=("--foreign-objects", "MART.CHANGES,clone"))
        self.assertNotIn("CHANGES", self.objects("MART"))
        self.assertIn("CHANGES", self.objects(f"MART__airlock_{done.id}"))

    def test_what_staging_holds_is_replaced_only_where_a_deployment_has_made_it(self):
        self.make_foreign()
        self.sql("create schema green_mart")
        self.sql("create table green_mart.notes as select 7 as a")
        self.assert_no_clone("GREEN_MART", "it holds what no node of this deployment builds: table NOTES")
        self.assertEqual(self.one("select a from green_mart.notes"), 7)
        self.sql("drop table green_mart.notes")
        self.sql("grant create table on schema green_mart to role loader")
        done = self.deploy(options=self.CLONE)
        self.assertEqual(self.one("select a from mart.notes"), 1)
        # What the loader made there would be hidden from another role than the administrator's.
        hidden, = [call for call in done.first["steps"]["prepare"] if "which this role does not see" in call]
        self.sql("create schema green_mart")
        self.sql("grant create table on schema green_mart to role loader")
        self.sql("use role etl")
        with self.assertRaises(Error) as caught:
            self.sql(hidden)
        self.sql("use role sysadmin")
        self.sql(hidden)
        self.assertIn("SHOP.GREEN_MART may hold what another role made", str(caught.exception))

    def test_a_share_is_refused(self):
        self.sql("grant usage on schema mart to share outside")
        self.assert_refused("SHARE 'OUTSIDE'")

    def test_another_kind_of_schema_is_refused(self):
        self.sql("create transient schema green_mart")
        self.assert_refused("GREEN_MART", "transient")

    def assert_stopped(self, change, words):
        done = self.deploy(stop="select")
        self.sql(change)
        with self.assertRaises(Error) as caught:
            self.publish(done)
        self.assertIn(words, str(caught.exception))
        self.assertEqual(self.comment("GREEN_MART"), f"[airlock: building {done.id}]")

    def test_what_somebody_changes_meanwhile_stops_it(self):
        for change, words in (
            ("insert into mart.orders values (7, true)", "ORDERS (production) was changed"),
            ("insert into green_mart.orders values (7, true)", "ORDERS (staging) changed"),
            ("create table green_utils.more as select 1 as a", "GREEN_UTILS got or lost something"),
            ("create table mart.more as select 1 as a", "MART got or lost something"),
            ("create stage mart.files", "MART got or lost something"),
            ("comment on schema green_mart is 'mine'", "GREEN_MART is not the one"),
        ):
            with self.subTest(change):
                self.setUp()
                if "mine" in change:
                    with self.assertRaises(AssertionError):
                        self.assert_stopped(change, words)
                else:
                    self.assert_stopped(change, words)

    def test_a_swap_that_was_done_is_not_done_again(self):
        done = self.deploy(stop="create or replace view")
        with self.assertRaises(Error):
            self.publish(done)
        self.assertEqual(self.one("select count(*) from mart.orders"), 2)


def split(call):
    """Statements between semicolons that stand outside of quotes."""
    part, quote, out = "", None, []
    for character in call:
        if quote is None and character in "'\"":
            quote = character
        elif character == quote:
            quote = None
        if character == ";" and quote is None:
            out.append(part)
            part = ""
        else:
            part += character
    return [text for text in [*out, part] if text.strip()]


if __name__ == "__main__":
    os.environ["STANDIN_OWNER"] = str(os.getpid())
    started = subprocess.run([SUPPORT / "standin", "start", "snowflake", "--database", "SHOP"], check=True,
                             capture_output=True, text=True)
    for line in started.stdout.splitlines():
        variable, value = line.removeprefix("export ").split("=", 1)
        os.environ[variable] = value
    tap.main()
