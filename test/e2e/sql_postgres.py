"""Every statement that a publish on PostgreSQL is made of, in a real server: what is kept."""

import psycopg2

from sql_postgres_lab import (  # noqa: F401
    NEW_ROWS, OLD_ROWS, ORDERS, PUBLISHED, STAGED, Lab, admin, name, relation, setUpModule, tearDownModule)

import tap  # noqa: E402  (the laboratory knows where it is)


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


if __name__ == "__main__":
    tap.main()
