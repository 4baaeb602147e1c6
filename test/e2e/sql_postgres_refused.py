"""Publishes on PostgreSQL that end otherwise, in a real server: somebody is in the way, or it is refused."""

import threading
import time

import psycopg2

from sql_postgres_lab import (  # noqa: F401
    ENGINE, NEW_ROWS, ORDERS, PUBLISHED, STAGED, Lab, connect, message, setUpModule, tearDownModule)

import tap  # noqa: E402  (the laboratory knows where it is)
from rendered import Deployment, Refused  # noqa: E402
from sql_state import StateCases  # noqa: E402


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


class State(StateCases, Lab):
    engine, staged, orders, to = ENGINE, STAGED, ORDERS, "detail::json #>> '{tables,0,to}'"

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
