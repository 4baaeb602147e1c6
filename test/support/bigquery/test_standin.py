"""Each statement that the stand-in emulates, through the real client."""

import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request

import pytest
from google.api_core.client_options import ClientOptions
from google.api_core.exceptions import GoogleAPICallError
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from tag import tag

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import thaw  # noqa: E402

OPTION = "select option_value from shop.INFORMATION_SCHEMA.TABLE_OPTIONS where table_name = '{}' and option_name = '{}'"


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    ready = tmp_path_factory.mktemp("standin") / "port"
    process = subprocess.Popen([sys.executable, os.path.join(HERE, "serve.py"), "--ready", str(ready),
                                "--owner", str(os.getpid())], stderr=subprocess.DEVNULL)
    for _ in range(300):
        if ready.exists() or process.poll() is not None:
            break
        time.sleep(0.1)
    yield int(ready.read_text())
    process.terminate()
    process.wait()


class Client:
    def __init__(self, port, project="shop-eu"):
        self.port = port
        self.client = bigquery.Client(project, AnonymousCredentials(), client_options=ClientOptions(
            api_endpoint=f"http://127.0.0.1:{port}"))

    def job(self, sql):
        job = self.client.query(sql, job_retry=None)
        return job, [tuple(row) for row in job.result(retry=None)]

    def __call__(self, sql):
        return self.job(sql)[1]

    def one(self, sql):
        return self(sql)[0][0]

    def fails(self, sql, text):
        with pytest.raises(GoogleAPICallError) as caught:
            self(sql)
        assert re.search(text, str(caught.value)), caught.value

    def fault(self, **fields):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/standin/fault",
                                         json.dumps(fields).encode(), {"Content-Type": "application/json"})
        urllib.request.urlopen(request).close()


@pytest.fixture
def bq(port, request):
    """A client with a project of the test's own: T of two rows, P and C with a layout, V a view."""
    client = Client(port, "p-" + request.node.name.replace("_", "-")[:50])
    client("create schema shop")
    client("create table shop.T as select 1 as id union all select 2")
    client("create table shop.P partition by d cluster by id, d options (partition_expiration_days = 3650, "
           "labels = [('team', 'sales')], description = 'it\\'s built') as select 1 as id, date '2026-01-01' as d")
    client("create view shop.V as select id from shop.T")
    return client


def created(bq, name):
    return bq.one(f"select creation_time from shop.__TABLES__ where table_id = '{name}'")


def test_a_copy_replaces_a_table_in_one_statement_and_has_no_link_to_its_source(bq):
    bq("create or replace table shop.A copy shop.T")
    before = created(bq, "A")
    bq("insert into shop.T select 3")
    bq("create or replace table shop.A copy shop.T")
    assert bq.one("select count(*) from shop.A") == 3
    assert created(bq, "A") > before
    bq("drop table shop.T")
    assert bq.one("select count(*) from shop.A") == 3


def test_a_copy_brings_layout_labels_and_description_unless_its_options_say_otherwise(bq):
    bq("create table shop.A copy shop.P options (labels = [('team', 'ops')], "
       "expiration_timestamp = timestamp_add(current_timestamp(), interval 1 day))")
    ddl = bq.one("select ddl from shop.INFORMATION_SCHEMA.TABLES where table_name = 'A'")
    assert "\nPARTITION BY d\nCLUSTER BY id, d;" in ddl
    assert bq.one(OPTION.format("A", "labels")) == '[STRUCT("team", "ops")]'
    assert bq.one(OPTION.format("A", "description")) == '"it\'s built"'
    assert bq.one(OPTION.format("A", "partition_expiration_days")) == "3650.0"
    assert bq.one(OPTION.format("A", "expiration_timestamp")).startswith('TIMESTAMP "20')


def test_what_is_no_table_is_not_copied(bq):
    bq.fails("create or replace table shop.A copy shop.V", "currently a VIEW")
    bq.fails("create or replace table shop.A copy shop.nothing", "Not found: Table")
    bq.fails("create or replace table missing.A copy shop.T", "Not found: Dataset")
    bq.fails("create or replace table shop.V copy shop.T", "of type VIEW")


def test_what_is_there_is_replaced_only_by_or_replace(bq):
    bq("create table shop.A clone shop.T")
    bq.fails("create table shop.A copy shop.P", "Already Exists")
    bq.fails("create table shop.A clone shop.P", "Already Exists")
    before = created(bq, "A")
    bq("create table if not exists shop.A copy shop.P")
    bq("create table if not exists shop.A options (description = 'x') as select 9 as id")
    assert bq.one("select count(*) from shop.A") == 2
    assert created(bq, "A") == before


def test_a_table_gets_another_name_with_all_that_it_has(bq):
    bq("grant `roles/bigquery.dataViewer` on table shop.P to 'user:a@example.com'")
    bq.fails("alter table shop.P rename to T", "Already Exists")
    bq.fails("alter table shop.V rename to W", "is not renamed")
    bq("alter table shop.P rename to `Q`")
    bq.fails("select * from shop.P", "Not found")
    assert "\nPARTITION BY d\n" in bq.one("select ddl from shop.INFORMATION_SCHEMA.TABLES where table_name = 'Q'")
    assert bq.one(OPTION.format("Q", "labels")) == '[STRUCT("team", "sales")]'
    assert bq.one("select grantee from `region-eu`.INFORMATION_SCHEMA.OBJECT_PRIVILEGES "
                  "where object_name = 'Q'") == "user:a@example.com"


def test_privileges_get_lost_are_more_or_are_hidden_on_demand(bq):
    shown = "select count(*) from `region-eu`.INFORMATION_SCHEMA.OBJECT_PRIVILEGES where object_name = 'P'"
    bq("grant `roles/bigquery.dataViewer` on table shop.P to 'user:a@example.com'")
    bq.fault(pattern="select count", kind="more")
    assert bq.one(shown) == 2
    bq.fault(pattern="OBJECT_PRIVILEGES", kind="unreadable")
    assert bq.one("declare n int64; begin set n = (" + shown + "); exception when error then set n = -1; end; "
                  "select n") == -1
    bq.fault(pattern="create or replace", kind="forget")
    bq("create or replace table shop.P copy shop.P")
    assert bq.one(shown) == 0
    bq.fails(shown.replace("region-eu", "region-of shop"), "Not found")


def test_columns_have_descriptions_and_policy_tags_which_a_copy_brings(bq):
    shown = ("select field_path, description, array_to_string(policy_tags, ',') "
             "from shop.INFORMATION_SCHEMA.COLUMN_FIELD_PATHS where table_name = '{}' order by 1")
    bq("alter table shop.P alter column id set options (description = 'it\\'s the key')")
    bq("alter table shop.P alter column if exists nothing set options (description = 'x')")
    bq.fails("alter table shop.P alter column nothing set options (description = 'x')", "not found")
    bq.fails("alter table shop.P alter column id set options (policy_tags = ['x'])", "Unknown option")
    tag(f"http://127.0.0.1:{bq.port}", f"{bq.client.project}.shop.P", "d",
        ["projects/p/locations/eu/taxonomies/1/policyTags/2"])
    assert bq(shown.format("P")) == [("d", None, "projects/p/locations/eu/taxonomies/1/policyTags/2"),
                                     ("id", "it's the key", "")]
    bq("create table shop.A copy shop.P")
    assert bq(shown.format("A")) == bq(shown.format("P"))
    assert bq.one(OPTION.format("P", "labels")) == '[STRUCT("team", "sales")]'
    bq.fault(pattern="copy shop.P", kind="untag")
    bq("create or replace table shop.A copy shop.P")
    assert bq(shown.format("A")) == [("d", None, ""), ("id", "it's the key", "")]
    bq("create or replace table shop.T as select struct(1 as b) as a")
    assert [path for path, _, _ in bq(shown.format("T"))] == ["a", "a.b"]


def test_columns_of_a_view_have_descriptions_until_it_is_replaced(bq):
    shown = ("select field_path, description from shop.INFORMATION_SCHEMA.COLUMN_FIELD_PATHS "
             "where table_name = 'V'")
    bq("create or replace view shop.V as select id, 2 as n from shop.T")
    bq("alter view shop.V alter column id set options (description = 'it\\'s, the key'), "
       "alter column if exists n set options (description = 'two'), "
       "alter column if exists none set options (description = 'x')")
    assert bq(shown + " order by 1") == [("id", "it's, the key"), ("n", "two")]
    bq.fails("alter view shop.V alter column id set options (description = 'x'), drop column n", "Syntax error")
    bq.fails("alter table shop.V alter column id set options (description = 'x')", "does not change")
    bq.fails("alter view shop.T alter column id set options (description = 'x')", "does not change")
    bq("create or replace view shop.V as select id from shop.T")
    assert bq(shown) == [("id", None)]


def test_a_script_that_stops_in_its_middle_has_done_what_is_in_front(bq):
    bq.fault(pattern="drop table shop.T", kind="half")
    bq.fails("drop table shop.T; alter table shop.P rename to T", "internal error")
    bq.fails("select * from shop.T", "Not found")
    assert bq.one("select count(*) from shop.P") == 1


def test_another_layout_is_not_put_in_the_place_of_a_table(bq):
    bq.fails("create or replace table shop.P copy shop.T", "different partitioning spec")
    bq.fails("create or replace table shop.T partition by d as select date '2026-01-01' as d",
             "different partitioning spec")
    assert bq.one("select count(*) from shop.T") == 2


def test_a_snapshot_is_kept_as_it_was_until_it_is_dropped(bq):
    bq("create snapshot table shop.S clone shop.T options (description = 'kept')")
    bq("create snapshot table if not exists shop.S clone shop.P")
    bq("insert into shop.T select 3")
    assert bq.one("select count(*) from shop.S") == 2
    assert bq.one("select table_type from shop.INFORMATION_SCHEMA.TABLES where table_name = 'S'") == "SNAPSHOT"
    bq.fails("insert into shop.S select 3", "immutable")
    bq("create or replace table shop.T copy shop.S")
    assert bq.one("select count(*) from shop.T") == 2
    bq.fails("drop table shop.S", "SNAPSHOT")
    bq("drop snapshot table shop.S")
    bq.fails("select * from shop.S", "(?i)not found")


def test_what_has_expired_is_gone(bq):
    bq("create table shop.A copy shop.T options (expiration_timestamp = "
       "timestamp_add(current_timestamp(), interval 1 second))")
    bq("create table shop.B copy shop.A")
    bq("alter table shop.A set options (description = 'soon')")
    time.sleep(1.1)
    bq.fails("select * from shop.A", "(?i)not found")
    assert bq.one("select count(*) from shop.B") == 2


def test_options_are_set_and_taken_away(bq):
    bq("alter table shop.T set options (labels = [('a', 'b')], enable_change_history = true)")
    assert bq.one(OPTION.format("T", "labels")) == '[STRUCT("a", "b")]'
    assert bq.one("select is_change_history_enabled from shop.INFORMATION_SCHEMA.TABLES "
                  "where table_name = 'T'") == "YES"
    bq("alter table shop.T set options (labels = null, enable_change_history = false)")
    assert bq(OPTION.format("T", "labels")) == []
    bq.fails("alter table shop.T set options (no_such_option = 1)", "Unknown option")
    bq.fails("alter table shop.T set options (partition_expiration_days = 1)", "no partitions")


def test_partitions_of_every_kind_are_shown(bq):
    for name, written, shown in (
            ("M", "date_trunc(d, month)", "DATE_TRUNC(d, MONTH)"),
            ("R", "range_bucket(id, generate_array(0, 100, 10))", "RANGE_BUCKET(id, GENERATE_ARRAY(0, 100, 10))")):
        bq(f"create table shop.{name} partition by {written} as select 1 as id, date '2026-01-01' as d")
        assert f"PARTITION BY {shown};" in bq.one(
            f"select ddl from shop.INFORMATION_SCHEMA.TABLES where table_name = '{name}'")


def test_privileges_are_granted_revoked_and_shown_and_stay_with_a_replaced_table(bq):
    shown = ("select privilege_type, grantee from `region-eu`.INFORMATION_SCHEMA.OBJECT_PRIVILEGES "
             "where object_schema = 'shop' and object_name = 'T' order by 2")
    bq("grant `roles/bigquery.dataViewer` on table shop.T to 'user:a@x.org', 'group:b@x.org'")
    bq("create or replace table shop.T as select 9 as id")
    assert bq(shown) == [("roles/bigquery.dataViewer", "group:b@x.org"), ("roles/bigquery.dataViewer", "user:a@x.org")]
    bq("revoke `roles/bigquery.dataViewer` on table shop.T from 'group:b@x.org'")
    assert bq(shown) == [("roles/bigquery.dataViewer", "user:a@x.org")]
    bq("drop table shop.T")
    assert bq(shown) == []


def test_a_dataset_that_is_missing_has_no_catalog(bq):
    for view in ("INFORMATION_SCHEMA.TABLES", "INFORMATION_SCHEMA.VIEWS", "__TABLES__",
                 "INFORMATION_SCHEMA.TABLE_OPTIONS", "INFORMATION_SCHEMA.COLUMN_FIELD_PATHS"):
        bq.fails(f"select * from missing.{view}", "Not found: Dataset")
    assert bq.one("select view_definition from shop.INFORMATION_SCHEMA.VIEWS") == "select id from shop.T"
    assert bq.one("select schema_name from `region-eu`.INFORMATION_SCHEMA.SCHEMATA") == "shop"


def test_times_change_with_what_is_written(bq):
    times = "select creation_time, last_modified_time from shop.__TABLES__ where table_id = 'T'"
    before = bq(times)[0]
    bq("update shop.T set id = 7 where id = 1")
    after = bq(times)[0]
    assert (after[0], after[1] > before[1]) == (before[0], True)


def test_a_script_counts_the_rows_of_the_statement_before(bq):
    assert bq.one("update shop.T set id = id + 1 where true; select @@row_count") == 2
    bq.fails("update shop.T set id = 1 where false; select if(@@row_count = 1, 1, error('airlock-fence: x'))",
             "airlock-fence: x")
    assert bq.job("delete from shop.T where id = 2")[0].num_dml_affected_rows == 1


def test_rows_change_all_or_nothing_in_a_transaction_and_tables_not_at_all(bq):
    bq("begin transaction; delete from shop.T where true; insert into shop.T select 5; commit transaction")
    assert bq("select id from shop.T") == [(5,)]
    bq.fails("begin; delete from shop.T where true; select error('no'); commit", "no")
    assert bq("select id from shop.T") == [(5,)]
    bq.fails("begin; create table shop.X as select 1 as id; commit", "not supported inside a transaction")


def test_an_error_in_a_block_is_handled_by_its_text(bq):
    script = ("declare f array<string> default []; begin set f = array_concat(f, array(select table_name from "
              "{}.INFORMATION_SCHEMA.TABLES order by 1)); exception when error then if strpos(@@error.message, "
              "'Not found: Dataset') = 0 then raise using message = @@error.message; end if; end; "
              "select x from unnest(f) as x")
    assert bq(script.format("shop")) == [("P",), ("T",), ("V",)]
    assert bq(script.format("missing")) == []
    bq.fails(script.format("shop").replace("table_name", "tabel_name"), "tabel_name")


def test_faults_come_on_demand(bq):
    bq.fault(pattern="copy shop.T", kind="rate")
    bq.fails("create or replace table shop.A copy shop.T", "Exceeded rate limits")
    bq.fault(pattern="copy shop.T", kind="denied")
    bq.fails("create or replace table shop.A copy shop.T", "Access Denied")
    bq.fault(pattern="copy shop.T", kind="error")
    bq.fails("create or replace table shop.A copy shop.T", "An internal error occurred")
    bq.fails("select * from shop.A", "(?i)not found")


def test_a_reply_is_lost_on_demand(bq):
    bq.fault(pattern="copy shop.T", kind="lost")
    bq.fails("create or replace table shop.A copy shop.T", "504")
    assert bq.one("select count(*) from shop.A") == 2


def test_a_statement_runs_late_on_demand(bq):
    bq.fault(pattern="copy shop.T", kind="late", seconds=0.7)
    bq.fails("create or replace table shop.A copy shop.T", "504")
    bq.fails("select * from shop.A", "(?i)not found")
    time.sleep(1.2)
    assert bq.one("select count(*) from shop.A") == 2


def test_a_dynamic_insert_overwrite_replaces_just_the_partitions_that_it_has(bq):
    bq("create table shop.O partition by d as select date '2026-01-01' as d, 1 as n union all select date '2026-01-02', 2")
    bq("""declare dbt_partitions_for_replacement array<date>;
        create or replace table shop.O__dbt_tmp partition by d options (expiration_timestamp = timestamp_add(
            current_timestamp(), interval 12 hour))
          as (select date '2026-01-02' as d, 7 as n union all select date '2026-01-03', 3);
        set (dbt_partitions_for_replacement) = (
            select as struct
                -- IGNORE NULLS: this needs to be aligned to _dbt_max_partition, which ignores null
                array_agg(distinct date(d) IGNORE NULLS)
            from shop.O__dbt_tmp
        );
        merge into shop.O as DBT_INTERNAL_DEST using (select * from shop.O__dbt_tmp) as DBT_INTERNAL_SOURCE on FALSE
          when not matched by source and date(DBT_INTERNAL_DEST.d) in unnest(dbt_partitions_for_replacement) then delete
          when not matched then insert (`d`, `n`) values (`d`, `n`);
        drop table if exists shop.O__dbt_tmp""")
    assert [n for _, n in bq("select d, n from shop.O order by d")] == [1, 7, 3]
    bq.fails("select * from shop.O__dbt_tmp", "(?i)not found")


RUNNING = ("declare found array<string>; set found = array(select j.job_id from "
           "`p`.`region-eu`.INFORMATION_SCHEMA.JOBS_BY_USER as j where j.state != 'DONE' and j.parent_job_id is null "
           "and j.job_id != @@script.job_id and exists (select 1 from unnest(j.labels) as l where l.key = 'airlock' "
           "and l.value = 'x1')); select to_json_string(struct(array_length(found) as n, found as jobs))")


def test_jobs_are_found_by_their_labels_while_they_run_and_cancelled_before_they_begin(bq):
    running = RUNNING.replace("`p`", f"`{bq.client.project}`")
    labelled = bigquery.QueryJobConfig(labels={"airlock": "x1"})
    assert json.loads(bq.one(running)) == {"n": 0, "jobs": []}
    bq.fault(pattern="copy shop.T", kind="slow", seconds=1.5)
    waits = threading.Thread(target=lambda: bq.client.query(
        "create table shop.A copy shop.T", job_config=labelled, job_retry=None).result(retry=None))
    waits.start()
    time.sleep(0.7)
    found = json.loads(bq.one(running))
    assert found["n"] == 1
    waits.join()
    assert json.loads(bq.one(running))["n"] == 0
    assert bq.one("select count(*) from shop.A") == 2
    bq.fault(pattern="copy shop.T", kind="late", seconds=1)
    with pytest.raises(GoogleAPICallError):
        bq.client.query("create table shop.B copy shop.T", job_config=labelled, retry=None, job_retry=None).result()
    job = json.loads(bq.one(running))["jobs"][0]
    bq(f"call bq.jobs.cancel('{job}')")
    assert json.loads(bq.one(running))["n"] == 0
    time.sleep(1.2)
    bq.fails("select * from shop.B", "(?i)not found")


def test_what_is_frozen_is_there_again_after_each_thaw(bq):
    address = f"http://127.0.0.1:{bq.port}"
    bq("create or replace table shop.kept as select 1 as i")
    thaw.freeze(address)
    for _ in range(2):
        bq("truncate table shop.kept")
        bq("create table shop.made (i int64)")
        thaw.thaw(address)
        assert bq.one("select count(*) from shop.kept") == 1
        bq.fails("select * from shop.made", "Not found")


if __name__ == "__main__":
    from pytest_tap import Tap

    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # that of bqemulator wants containers
    sys.exit(pytest.main(["-p", "no:terminal", "-p", "no:cacheprovider", __file__], plugins=[Tap()]))
