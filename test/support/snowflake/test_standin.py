"""Each statement that the stand-in emulates, through the real connector."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request

import pytest
import snowflake.connector
from snowflake.connector.errors import Error

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import thaw  # noqa: E402


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    ready = tmp_path_factory.mktemp("standin") / "port"
    process = subprocess.Popen([sys.executable, os.path.join(HERE, "serve.py"), "--ready", str(ready),
                                "--owner", str(os.getpid())])
    for _ in range(300):
        if ready.exists() or process.poll() is not None:
            break
        time.sleep(0.1)
    yield int(ready.read_text())
    process.terminate()
    process.wait()


class Client:
    def __init__(self, port, database=None, schema="PUBLIC", role="SYSADMIN", tag=""):
        self.connection = snowflake.connector.connect(
            user="u", password="p", account="standin", host="127.0.0.1", port=port, protocol="http",
            database=database, schema=schema, role=role, network_timeout=20,
            session_parameters={"QUERY_TAG": tag})

    def __call__(self, sql):
        return self.connection.cursor().execute(sql).fetchall()

    def dicts(self, sql):
        cursor = self.connection.cursor(snowflake.connector.DictCursor)
        return cursor.execute(sql).fetchall()

    def one(self, sql):
        return self(sql)[0][0]

    def fails(self, sql, text):
        with pytest.raises(Error) as caught:
            self(sql)
        assert re.search(text, str(caught.value)), caught.value


@pytest.fixture
def sf(port, request):
    """A session in two databases of the test's own: PROD and STG, with one table and one view each."""
    client = Client(port)
    for name in [r[1] for r in client("show databases like '%'")]:
        client(f"drop database {name}")
    for name, rows in (("PROD", 1), ("STG", 2)):
        client(f"create database {name}")
        client(f"create schema {name}.MART")
        client(f"create or replace transient table {name}.MART.T as select * from "
               f"(values (1),(2)) v (id) limit {rows}")
        client(f"create or replace view {name}.MART.V as (select id from {name}.MART.T)")
    client("use database PROD")
    client.port = port
    return client


def grants(sf, what):
    return {(r["privilege"], r["grantee_name"]) for r in sf.dicts(f"show grants on {what}")
            if r["privilege"] != "OWNERSHIP"}


def test_a_swapped_database_has_the_other_rows_and_its_views_the_old_text(sf):
    sf("alter database PROD swap with STG")
    assert sf.one("select count(*) from PROD.MART.T") == 2
    assert sf.one("select count(*) from STG.MART.T") == 1
    # The view that is in production now says STG, where the old rows are.
    assert sf.one("select count(*) from PROD.MART.V") == 1
    sf("drop database STG")
    sf.fails("select count(*) from PROD.MART.V", "does not exist|not exist")


def test_what_is_temporary_is_not_in_the_information_schema(sf):
    sf("create or replace temporary table PROD.MART.SHORT as select 1 as a")
    sf("create schema PROD.COPIED clone PROD.MART")
    assert sf("select count(*) from PROD.information_schema.tables where table_name = 'SHORT'")[0][0] == 0
    assert sf.one("select a from PROD.MART.SHORT") == 1
    listed = "select count(*) from PROD.information_schema.tables where table_name = 'SHORT'"
    assert sf.one(listed) == 0
    sf("grant select on table PROD.MART.SHORT to role READER")
    assert sf.one("select count(*) from PROD.information_schema.object_privileges "
                  "where object_name = 'SHORT'") == 0
    sf("create or replace table PROD.MART.SHORT as select 2 as a")
    assert sf.one(listed) == 1


def test_what_a_show_said_can_be_selected_from(sf):
    scan = 'select "privilege", "grant_on", "grant_to", "grantee_name", "grant_option" from ' \
           "table(result_scan(last_query_id()))"
    sf("show future grants in schema PROD.MART")
    assert sf(scan) == []
    sf("grant select on future tables in schema PROD.MART to role READER with grant option")
    sf("grant select on future views in database PROD to role READER")
    sf("show future grants in schema PROD.MART")
    assert sf(scan) == [("SELECT", "TABLE", "ROLE", "READER", "true")]
    sf("show future grants in database PROD")
    assert sf(scan) == [("SELECT", "VIEW", "ROLE", "READER", "false")]


def test_a_view_without_its_database_follows_a_swap(sf):
    sf("use schema STG.MART")
    sf("create or replace view STG.MART.W as select id from MART.T")
    sf("alter database PROD swap with STG")
    assert sf.one("select count(*) from PROD.MART.W") == 2


def test_a_swap_carries_grants_and_comments_of_the_containers(sf):
    sf("grant usage on database STG to role READER")
    sf("comment on database STG is 'building x'")
    sf("alter database PROD swap with STG")
    assert grants(sf, "database PROD") == {("USAGE", "READER")}
    assert grants(sf, "database STG") == set()
    assert sf.one("select comment from PROD.information_schema.databases "
                  "where database_name = 'PROD'") == "building x"


def test_retention_and_managed_access_of_a_schema_go_with_it(sf):
    sf("create schema PROD.NEXT")
    sf("alter schema PROD.NEXT set data_retention_time_in_days = 7")
    sf("alter schema PROD.NEXT enable managed access")
    sf("alter schema PROD.MART swap with PROD.NEXT")
    read = "select retention_time, is_managed_access from PROD.information_schema.schemata where schema_name = "
    assert sf(read + "'MART'") == [(7, "YES")]
    assert sf(read + "'NEXT'") == [(1, "NO")]


def test_replication_is_said_and_goes_with_its_database(sf):
    replicated = ("select database_name, replication_allowed_to_accounts from "
                  "prod.information_schema.replication_databases where account_name = current_account_name()")
    assert sf(replicated) == []
    sf("alter database prod enable replication to accounts org.other")
    assert sf(replicated) == [("PROD", "ORG.OTHER")]
    sf("alter database prod swap with stg")
    assert sf(replicated) == [("STG", "ORG.OTHER")]
    sf("alter database stg disable replication")
    assert sf(replicated) == []


def test_swapping_twice_is_where_it_began(sf):
    sf("alter database PROD swap with STG")
    sf("alter database PROD swap with STG")
    assert sf.one("select count(*) from PROD.MART.V") == 1


def test_a_missing_database_cannot_be_swapped(sf):
    sf.fails("alter database PROD swap with NOWHERE", "NOWHERE.*does not exist")
    assert sf.one("select count(*) from PROD.MART.T") == 1


def test_a_role_that_does_not_own_it_cannot_swap(sf):
    other = Client(sf.port, "PROD", role="ETL")
    other.fails("alter database PROD swap with STG", "Insufficient privileges")
    sf("grant ownership on database PROD to role ETL")
    sf("grant ownership on database STG to role ETL")
    other("alter database PROD swap with STG")


def test_a_database_is_renamed_with_its_views(sf):
    sf("alter database STG rename to OLD")
    assert sf.one("select count(*) from OLD.MART.T") == 2
    sf.fails("select count(*) from OLD.MART.V", "not exist")
    sf.fails("alter database OLD rename to PROD", "already exists")


def test_schemas_swap_and_rename(sf):
    sf("create schema PROD.GREEN")
    sf("create table PROD.GREEN.T as select 7 as id union all select 8 union all select 9")
    sf("grant usage on schema PROD.GREEN to role READER")
    sf("alter schema PROD.MART swap with PROD.GREEN")
    assert sf.one("select count(*) from PROD.MART.T") == 3
    assert grants(sf, "schema PROD.MART") == {("USAGE", "READER")}
    sf("alter schema PROD.GREEN rename to PROD.OLD")
    assert sf.one("select count(*) from PROD.OLD.T") == 1
    assert sf.one("select count(*) from PROD.OLD.V") == 3
    sf.fails("select * from PROD.GREEN.T", "not exist")


def test_tables_swap_and_rename_across_schemas(sf):
    sf("create schema PROD.OTHER")
    sf("create table PROD.OTHER.T as select 5 as id")
    sf("alter table PROD.MART.T swap with PROD.OTHER.T")
    assert sf.one("select id from PROD.MART.T") == 5
    sf("alter table PROD.MART.T rename to PROD.OTHER.MOVED")
    assert sf.one("select id from PROD.OTHER.MOVED") == 5
    sf.fails("select * from PROD.MART.T", "not exist")


def test_a_clone_is_a_copy_and_replaces_in_one_statement(sf):
    sf("create or replace transient table PROD.MART.T clone STG.MART.T")
    assert sf.one("select count(*) from PROD.MART.T") == 2
    sf("delete from STG.MART.T")
    assert sf.one("select count(*) from PROD.MART.T") == 2
    sf.fails("create transient table PROD.MART.T clone STG.MART.T", "already exists")
    sf("create transient table if not exists PROD.MART.T clone STG.MART.T")
    assert sf.one("select count(*) from PROD.MART.T") == 2


def test_a_transient_table_is_not_cloned_to_a_permanent_one(sf):
    sf.fails("create table PROD.MART.N clone STG.MART.T", "Transient object cannot be cloned")
    sf("create table STG.MART.P as select 1 as id")
    sf("create or replace transient table PROD.MART.N clone STG.MART.P")
    assert sf.one("select is_transient from PROD.information_schema.tables "
                  "where table_name = 'N'") == "YES"


def test_a_view_is_not_cloned_and_its_place_not_taken_by_a_table(sf):
    sf.fails("create table PROD.MART.N clone STG.MART.V", "cannot be cloned")
    sf.fails("create or replace transient table PROD.MART.V clone STG.MART.T", "as VIEW")


def test_a_clone_loses_grants_without_copy_grants(sf):
    sf("grant select on table PROD.MART.T to role READER")
    sf("create or replace transient table PROD.MART.T clone STG.MART.T copy grants")
    assert grants(sf, "table PROD.MART.T") == {("SELECT", "READER")}
    sf("create or replace transient table PROD.MART.T clone STG.MART.T")
    assert grants(sf, "table PROD.MART.T") == set()


def test_copy_grants_of_a_new_table_takes_those_of_the_source(sf):
    sf("grant select on table STG.MART.T to role STAGER")
    sf("create transient table PROD.MART.N clone STG.MART.T copy grants")
    assert grants(sf, "table PROD.MART.N") == {("SELECT", "STAGER")}


def test_future_grants_are_given_to_new_objects(sf):
    sf("grant select on future tables in schema PROD.MART to role READER")
    sf("create transient table PROD.MART.N clone STG.MART.T")
    assert grants(sf, "table PROD.MART.N") == {("SELECT", "READER")}
    assert [r["grantee_name"] for r in sf.dicts("show future grants in schema PROD.MART")] == ["READER"]
    sf("revoke select on future tables in schema PROD.MART from role READER")
    assert not [r for r in sf("show future grants in schema PROD.MART")]


def test_future_grants_go_with_their_schema_and_database(sf):
    sf("grant select on future views in database STG to role READER")
    sf("grant select on future views in schema PROD.MART to role READER")
    sf("drop database STG")
    sf("create database STG")
    sf("drop schema PROD.MART")
    sf("create schema PROD.MART")
    assert sf("show future grants in database STG") == []
    assert sf("show future grants in schema PROD.MART") == []


def test_create_or_replace_keeps_grants_only_with_copy_grants(sf):
    sf("grant select on view PROD.MART.V to role READER")
    sf("create or replace view PROD.MART.V copy grants as (select id from PROD.MART.T)")
    assert grants(sf, "view PROD.MART.V") == {("SELECT", "READER")}
    sf("create or replace view PROD.MART.V as (select id from PROD.MART.T)")
    assert grants(sf, "view PROD.MART.V") == set()


def test_grants_are_given_and_taken(sf):
    sf("grant select, insert on all tables in schema PROD.MART to role READER")
    assert grants(sf, "table PROD.MART.T") == {("SELECT", "READER"), ("INSERT", "READER")}
    sf("revoke insert on table PROD.MART.T from role READER")
    assert grants(sf, "table PROD.MART.T") == {("SELECT", "READER")}
    assert ("SELECT", "PROD.MART.T") in {
        (r["privilege"], r["name"]) for r in sf.dicts("show grants to role READER")}
    assert sf("select grantee, privilege_type from PROD.information_schema.object_privileges where "
              "object_name = 'T' and privilege_type <> 'OWNERSHIP'") == [("READER", "SELECT")]


def test_databases_and_schemas_are_cloned_with_what_they_hold(sf):
    sf("grant select on table STG.MART.T to role STAGER")
    sf("grant usage on database STG to role STAGER")
    sf("create database COPY clone STG")
    assert sf.one("select count(*) from COPY.MART.T") == 2
    assert grants(sf, "table COPY.MART.T") == {("SELECT", "STAGER")}
    assert grants(sf, "database COPY") == set()
    sf("create or replace database COPY clone PROD")
    assert sf.one("select count(*) from COPY.MART.T") == 1
    sf("create schema PROD.COPIED clone STG.MART")
    assert sf.one("select count(*) from PROD.COPIED.T") == 2
    assert sf.one("select is_transient from PROD.information_schema.tables where "
                  "table_schema = 'COPIED' and table_name = 'T'") == "YES"


def test_what_is_dropped_is_gone(sf):
    sf("drop table PROD.MART.T")
    sf("drop view if exists PROD.MART.V")
    sf("drop view if exists PROD.MART.V")
    sf.fails("drop table PROD.MART.T", "does not exist")
    sf("drop schema PROD.MART cascade")
    sf.fails("create table PROD.MART.N as select 1 as id", "not exist")
    sf("drop database PROD")
    sf.fails("select * from PROD.MART.T", "not exist|does not")


def test_comments_are_kept_and_cloned(sf):
    sf("comment on table STG.MART.T is 'it''s built'")
    sf("create or replace transient table PROD.MART.T clone STG.MART.T")
    assert sf.one("select comment from PROD.information_schema.tables where table_name = 'T'") == \
        "it's built"
    sf("alter schema PROD.MART set comment = 'm'")
    assert sf.one("select comment from PROD.information_schema.schemata "
                  "where schema_name = 'MART'") == "m"


def test_the_information_schema_knows_kinds_times_and_texts(sf):
    rows = sf("select table_name, table_type, is_transient from PROD.information_schema.tables "
              "where table_schema = 'MART' order by 1")
    assert rows == [("T", "BASE TABLE", "YES"), ("V", "VIEW", "NO")]
    before = sf.one("select last_altered from PROD.information_schema.tables where table_name = 'T'")
    created = sf.one("select created from PROD.information_schema.tables where table_name = 'T'")
    sf("insert into PROD.MART.T values (9)")
    assert sf.one("select last_altered from PROD.information_schema.tables "
                  "where table_name = 'T'") > before
    assert sf.one("select created from PROD.information_schema.tables where table_name = 'T'") == created
    assert "PROD.MART.T" in sf.one("select view_definition from PROD.information_schema.views "
                                   "where table_name = 'V'")
    assert "PROD.MART.T" in sf.one("select get_ddl('view', 'PROD.MART.V')")


def ddl_of(client, name, kind="table"):
    return client.one(f"select get_ddl('{kind}', '{name}', true)")


@pytest.fixture
def governed(sf):
    """A policy of each kind and a tag, in a schema of their own."""
    sf("create schema PROD.GOV")
    sf("create masking policy PROD.GOV.HIDE as (v int) returns int -> null")
    sf("create row access policy PROD.GOV.OWN as (v int) returns boolean -> true")
    sf("create tag PROD.GOV.PII allowed_values 'yes', 'no'")
    return sf


def test_policies_and_tags_are_in_the_text_of_what_they_are_assigned_to(governed):
    sf = governed
    assert ddl_of(sf, "PROD.MART.T") == "create or replace TRANSIENT TABLE PROD.MART.T (\n\tID INTEGER\n);"
    sf("alter table PROD.MART.T modify column ID set masking policy PROD.GOV.HIDE")
    sf("alter table PROD.MART.T modify column ID set tag PROD.GOV.PII = 'b''q'")
    sf("alter table PROD.MART.T add row access policy PROD.GOV.OWN on (ID)")
    sf("alter table PROD.MART.T set tag PROD.GOV.PII = 'no'")
    assert ddl_of(sf, "PROD.MART.T") == (
        "create or replace TRANSIENT TABLE PROD.MART.T (\n\tID INTEGER WITH MASKING POLICY PROD.GOV.HIDE "
        "WITH TAG (PROD.GOV.PII='b'q')\n) WITH ROW ACCESS POLICY PROD.GOV.OWN ON (ID)\n WITH TAG (PROD.GOV.PII='no')"
        "\n;")
    sf("alter table PROD.MART.T modify column ID unset masking policy")
    sf("alter table PROD.MART.T modify column ID unset tag PROD.GOV.PII")
    sf("alter table PROD.MART.T drop all row access policies")
    sf("alter table PROD.MART.T unset tag PROD.GOV.PII")
    assert " WITH " not in ddl_of(sf, "PROD.MART.T")


def test_policies_of_a_view_are_in_its_text_and_go_when_it_is_made_anew(governed):
    sf = governed
    sf("alter view PROD.MART.V modify column ID set masking policy PROD.GOV.HIDE using (ID)")
    sf("alter view PROD.MART.V add row access policy PROD.GOV.OWN on (ID)")
    text = ddl_of(sf, "PROD.MART.V", "view")
    assert text.startswith("create or replace view PROD.MART.V(\n\tID WITH MASKING POLICY PROD.GOV.HIDE USING (ID)\n)"
                           " WITH ROW ACCESS POLICY PROD.GOV.OWN ON (ID)\n as ")
    sf("create or replace view PROD.MART.V copy grants as (select id from PROD.MART.T)")
    assert "POLICY" not in ddl_of(sf, "PROD.MART.V", "view")


def test_one_policy_at_a_time_unless_it_is_forced(governed):
    sf = governed
    sf("create masking policy PROD.GOV.OTHER as (v int) returns int -> v")
    sf("alter table PROD.MART.T modify column ID set masking policy PROD.GOV.HIDE")
    sf.fails("alter table PROD.MART.T modify column ID set masking policy PROD.GOV.OTHER", "already attached")
    sf("alter table PROD.MART.T modify column ID set masking policy PROD.GOV.OTHER force")
    assert "PROD.GOV.OTHER" in ddl_of(sf, "PROD.MART.T")
    sf("alter table PROD.MART.T add row access policy PROD.GOV.OWN on (ID)")
    sf.fails("alter table PROD.MART.T add row access policy PROD.GOV.OWN on (ID)", "already has a ROW_ACCESS_POLICY")
    sf.fails("alter table PROD.MART.T modify column NONE set masking policy PROD.GOV.HIDE force", "NONE")
    sf.fails("alter table PROD.MART.T set tag PROD.GOV.NONE = 'a'", "NONE")


def test_a_clone_has_the_policies_of_its_source_and_no_others(governed):
    sf = governed
    sf("alter table PROD.MART.T modify column ID set masking policy PROD.GOV.HIDE")
    sf("alter table STG.MART.T set tag PROD.GOV.PII = 'no'")
    sf("create transient table PROD.GOV.T clone PROD.MART.T")
    sf("create or replace transient table PROD.MART.T clone STG.MART.T copy grants")
    assert "HIDE" in ddl_of(sf, "PROD.GOV.T")
    assert "HIDE" not in ddl_of(sf, "PROD.MART.T") and "PII" in ddl_of(sf, "PROD.MART.T")
    sf("create schema PROD.COPIED clone PROD.GOV")
    assert "HIDE" in ddl_of(sf, "PROD.COPIED.T")
    sf("create or replace transient table PROD.GOV.T as select 1 as id")
    assert "HIDE" not in ddl_of(sf, "PROD.GOV.T")


def tags_of(client, name, domain="schema"):
    found = client(f"select tag_name || '=' || tag_value from table(prod.information_schema.tag_references("
                       f"'{name}', '{domain}')) where level = '{domain.upper()}' order by 1")
    return [row[0] for row in found]


def test_tags_of_schemas_and_databases_go_with_them_and_are_cloned(governed):
    sf = governed
    sf("create schema PROD.NEXT")
    sf("alter schema PROD.MART set tag PROD.GOV.PII = 'it''s'")
    sf("alter database PROD set tag PROD.GOV.PII = 'no'")
    assert tags_of(sf, "PROD.MART") == ["PII=it's"] and tags_of(sf, "PROD.NEXT") == []
    assert tags_of(sf, "PROD", "database") == ["PII=no"]
    sf("alter schema PROD.MART swap with PROD.NEXT")
    assert tags_of(sf, "PROD.MART") == [] and tags_of(sf, '"PROD"."NEXT"') == ["PII=it's"]
    sf("create schema PROD.COPIED clone PROD.NEXT")
    assert tags_of(sf, "PROD.COPIED") == ["PII=it's"]
    sf("alter schema PROD.COPIED unset tag PROD.GOV.PII")
    assert tags_of(sf, "PROD.COPIED") == []
    sf.fails("alter schema PROD.COPIED set tag PROD.GOV.NONE = 'a'", "NONE")


def test_policies_go_with_what_changes_places(governed):
    sf = governed
    sf("create schema PROD.NEXT")
    sf("create table PROD.NEXT.T as select 5 as id")
    sf("alter table PROD.NEXT.T modify column ID set masking policy PROD.GOV.HIDE")
    sf("alter schema PROD.MART swap with PROD.NEXT")
    assert "HIDE" in ddl_of(sf, "PROD.MART.T")
    sf("alter table PROD.MART.T rename to PROD.NEXT.MOVED")
    assert "HIDE" in ddl_of(sf, "PROD.NEXT.MOVED")
    sf("drop table PROD.NEXT.MOVED")
    sf("create table PROD.NEXT.MOVED as select 5 as id")
    assert "HIDE" not in ddl_of(sf, "PROD.NEXT.MOVED")


def test_a_role_without_apply_sees_that_something_is_there_and_not_what(governed):
    sf = governed
    sf("alter table PROD.MART.T modify column ID set masking policy PROD.GOV.HIDE")
    sf("alter table PROD.MART.T set tag PROD.GOV.PII = 'no'")
    sf("grant ownership on table PROD.MART.T to role ETL")
    other = Client(sf.port, "PROD", role="ETL")
    text = ddl_of(other, "PROD.MART.T")
    assert "WITH MASKING POLICY #UNKNOWN_POLICY" in text and "WITH TAG (#UNKNOWN_TAG='#UNKNOWN_VALUE')" in text
    other.fails("alter table PROD.MART.T modify column ID set masking policy PROD.GOV.HIDE force", "privileges")
    sf("grant apply masking policy on account to role ETL")
    sf("grant apply tag on account to role ETL")
    assert "UNKNOWN" not in ddl_of(other, "PROD.MART.T")
    other("alter table PROD.MART.T modify column ID set masking policy PROD.GOV.HIDE force")


def test_merge_updates_and_inserts(sf):
    sf("create table PROD.MART.M as select 1 as id, 'a' as v")
    sf("merge into PROD.MART.M as DBT_INTERNAL_DEST using (select 1 as id, 'b' as v union all "
       "select 2, 'c') as DBT_INTERNAL_SOURCE on (DBT_INTERNAL_SOURCE.id = DBT_INTERNAL_DEST.id) "
       "when matched then update set id = DBT_INTERNAL_SOURCE.id, v = DBT_INTERNAL_SOURCE.v "
       "when not matched then insert (id, v) values (id, v)")
    assert sorted(sf("select id, v from PROD.MART.M")) == [(1, "b"), (2, "c")]


def test_ddl_ends_an_open_transaction(sf):
    sf("begin")
    sf("insert into PROD.MART.T values (5)")
    sf("create table PROD.MART.N as select 1 as id")
    sf("rollback")
    assert sf.one("select count(*) from PROD.MART.T") == 2


def test_a_transaction_of_dml_is_rolled_back(sf):
    sf("begin")
    sf("delete from PROD.MART.T")
    sf("rollback")
    assert sf.one("select count(*) from PROD.MART.T") == 1


def test_an_unknown_statement_is_an_sql_error_and_no_hang(sf):
    sf.fails("undrop table PROD.MART.T", ".")
    sf.fails("create dynamic nonsense", ".")
    assert sf.one("select count(*) from PROD.MART.T") == 1


def test_statements_are_tagged(sf):
    tagged = Client(sf.port, "PROD", tag="airlock:1")
    tagged("select 41 + 1")
    tagged("alter session set query_tag = 'other'")
    tagged("select 41 + 2")
    with urllib.request.urlopen(f"http://127.0.0.1:{sf.port}/standin/statements") as answer:
        tags = {s["text"]: s["tag"] for s in json.load(answer)}
    assert (tags["select 41 + 1"], tags["select 41 + 2"]) == ("airlock:1", "other")


def fault(sf, **fields):
    request = urllib.request.Request(f"http://127.0.0.1:{sf.port}/standin/fault",
                                     json.dumps(fields).encode(), {"Content-Type": "application/json"})
    urllib.request.urlopen(request).close()


def test_a_reply_is_lost_on_demand(sf):
    fault(sf, pattern="swap with", kind="lost")
    sf.fails("alter database PROD swap with STG", "connection to the service was lost")
    assert sf.one("select count(*) from PROD.MART.T") == 2


def test_what_is_neither_table_nor_view_is_there_and_goes_with_its_schema(sf):
    there = ("select object_schema, object_type from PROD.information_schema.object_privileges "
             "where object_name = 'NUMBERS' and privilege_type = 'OWNERSHIP'")
    sf("create sequence PROD.MART.NUMBERS start 5")
    sf("create table PROD.MART.MORE as select 1 as a")
    assert sf(there) == [("MART", "SEQUENCE")]
    sf("alter schema PROD.MART rename to PROD.OLD")
    assert sf(there) == [("OLD", "SEQUENCE")]
    sf("drop schema PROD.OLD")
    assert sf(there) == []


def test_a_clone_of_a_schema_has_what_is_neither_table_nor_view_but_no_pipe_and_no_internal_stage(sf):
    sf("create sequence PROD.MART.NUMBERS start = 5 increment = 2")
    sf("create function PROD.MART.TWICE(x int) returns int as 'x * 2'")
    sf("create stage PROD.MART.INSIDE")
    sf("create stage PROD.MART.OUTSIDE url = 's3://bucket'")
    sf("create pipe PROD.MART.LOADS as copy into PROD.MART.T from @PROD.MART.OUTSIDE")
    assert int(sf.one("select PROD.MART.NUMBERS.nextval")) == 5
    sf("create schema PROD.COPY clone PROD.MART")
    assert sorted(sf("select object_type, object_name from PROD.information_schema.object_privileges "
                     "where object_schema = 'COPY' and object_type not in ('TABLE', 'VIEW', 'SCHEMA')")) == [
        ("FUNCTION", "TWICE"), ("SEQUENCE", "NUMBERS"), ("STAGE", "OUTSIDE")]
    sf("select PROD.MART.NUMBERS.nextval")
    assert sf("select sequence_schema, next_value, \"INCREMENT\" from PROD.information_schema.sequences order by 1") == [
        ("COPY", 7, 2), ("MART", 9, 2)]
    sf("drop sequence if exists PROD.COPY.NUMBERS")
    sf("drop sequence if exists PROD.COPY.NUMBERS")


def test_a_clone_is_suspended_where_its_original_is_refreshed_or_clustered(sf):
    sf("create dynamic table PROD.MART.D target_lag = '1 hour' warehouse = WH as select * from PROD.MART.T")
    sf("alter table PROD.MART.T cluster by (N)")
    sf("create database COPY clone PROD")
    shown = "show dynamic tables in database {}"
    states = 'select "schema_name", "name", "scheduling_state" from table(result_scan(last_query_id()))'
    kinds = ("select table_name, is_dynamic, clustering_key, auto_clustering_on from {}.information_schema.tables "
             "where table_schema = 'MART' and table_name in ('D', 'T') order by 1")
    sf(shown.format("COPY"))
    assert sf(states) == [("MART", "D", "SUSPENDED")]
    assert sf(kinds.format("COPY")) == [("D", "YES", None, "NO"), ("T", "NO", "LINEAR(N)", "NO")]
    sf("alter dynamic table COPY.MART.D resume")
    sf("alter table COPY.MART.T resume recluster")
    assert sf(kinds.format("COPY"))[1] == ("T", "NO", "LINEAR(N)", "YES")
    sf(shown.format("COPY"))
    assert sf(states) == [("MART", "D", "ACTIVE")]
    sf(shown.format("PROD"))
    assert sf(states) == [("MART", "D", "ACTIVE")]
    sf.fails("alter table PROD.MART.D resume recluster", "no clustering key")


def test_the_history_of_queries_has_what_runs_late(sf):
    client = Client(sf.port, database="PROD", tag="airlock:x")
    read = ("select count(*) from table(information_schema.query_history_by_user(result_limit => 10)) "
            "where query_tag = 'airlock:x' and execution_status in ('RUNNING', 'QUEUED')")
    fault(sf, pattern="swap with", kind="late", seconds=1.5)
    client.fails("alter database PROD swap with STG", "lost")
    assert sf.one(read) == 1
    time.sleep(2)
    assert sf.one(read) == 0


def test_a_statement_runs_late_on_demand(sf):
    fault(sf, pattern="swap with", kind="late", seconds=0.7)
    sf.fails("alter database PROD swap with STG", "connection to the service was lost")
    assert sf.one("select count(*) from PROD.MART.T") == 1
    time.sleep(1.2)
    assert sf.one("select count(*) from PROD.MART.T") == 2


def test_a_database_that_is_missing_is_not_made_by_connecting(sf):
    Client(sf.port, "NEVER_MADE")
    assert sf("show databases like 'NEVER%'") == []


def test_the_role_of_the_session_is_told(sf):
    assert Client(sf.port, "PROD", role="ETL").one("select current_role()") == "ETL"


def test_a_hash_of_all_rows_does_not_hang_on_their_order(sf):
    sf("create table PROD.MART.A as select * from (values (1, 'a'), (2, null)) v (i, t)")
    sf("create table PROD.MART.B as select * from (values (2, null), (1, 'a')) v (i, t)")
    assert sf.one("select hash_agg(*) from PROD.MART.A") == sf.one("select hash_agg(*) from PROD.MART.B")
    sf("update PROD.MART.B set t = 'b' where i = 1")
    assert sf.one("select hash_agg(*) from PROD.MART.A") != sf.one("select hash_agg(*) from PROD.MART.B")


def test_a_role_is_in_its_own_session_and_every_role_in_an_administrators(sf):
    assert sf.one("select is_role_in_session('ETL')") is True
    other = Client(sf.port, "PROD", role="READER")
    assert other("select is_role_in_session('READER'), is_role_in_session('ETL')") == [(True, False)]


def test_what_is_frozen_is_there_again_after_each_thaw(sf):
    address = f"http://127.0.0.1:{sf.port}"
    thaw.freeze(address)
    for _ in range(2):
        Client(sf.port, "PROD")("delete from MART.T")
        Client(sf.port, "PROD")("create table MART.MADE (i int)")
        thaw.thaw(address)
        again = Client(sf.port, "PROD")
        assert again.one("select count(*) from MART.T") == 1
        again.fails("select * from MART.MADE", "does not exist")


if __name__ == "__main__":
    from pytest_tap import Tap

    sys.exit(pytest.main(["-p", "no:terminal", "-p", "no:cacheprovider", __file__], plugins=[Tap()]))
