"""A stand-in for BigQuery on the loopback: bqemulator, which speaks the real protocol to the real client,
with what it lacks or gets wrong given its effect here. What is emulated follows BigQuery's
documentation; it proves what airlock and dbt do, and nothing of the service itself.

Emulated by us (a test of each in test_standin.py):
  create [or replace] table [if not exists] .. copy|clone .. [options], refused for views, and for a
    table of another partitioning or clustering; layout, labels, description come along
  alter table .. rename to, inside its dataset
  create snapshot table [if not exists] .. clone .. [options]; drop snapshot table; drop table|view
  options: labels, description, friendly_name, expiration_timestamp, partition_expiration_days,
    require_partition_filter, enable_change_history, by create and by alter .. set options; what has
    expired is gone; a dataset's default expiration is that of its new tables
  partitioning and clustering of create table, kept and shown; `or replace` with another is refused
  alter table|view .. alter column [if exists] .. set options (description) [, alter column ..]; policy tags of columns, which
    tables.patch sets, and which come along with a copy
  grant and revoke on tables and views; OBJECT_PRIVILEGES
  INFORMATION_SCHEMA: TABLES (ddl, creation time), TABLE_OPTIONS, COLUMN_FIELD_PATHS, VIEWS, SCHEMATA;
    __TABLES__; each an error where the dataset is missing
  jobs with their labels while they run: INFORMATION_SCHEMA.JOBS_BY_USER, @@script.job_id,
    call bq.jobs.cancel of what has not begun
  the partitions that a dynamic insert_overwrite of dbt's replaces
  scripts of several statements: @@row_count, begin transaction .. commit transaction (all or nothing),
    no DDL of permanent objects inside one
  faults on demand (POST /standin/fault): an error of the service, "Exceeded rate limits", a refusal,
    a lost reply, a statement that runs late with a lost reply or while its client waits, a script that stops in front of its last statement,
    a statement behind which no table has privileges of its own any more, or before which each of them
    has one more, or that may not read OBJECT_PRIVILEGES, or behind which the table that it made has no
    policy tags

Not emulated: time travel, what policy tags do to a reader, authorized views, what a copy does to row access policies,
quotas and prices, regions, locations, materialized views behind a copy, names that
differ in case only (the engine takes them for one), privileges (everybody may do everything).

usage: serve.py [--ready FILE] [--owner PID]
"""

import argparse
import asyncio
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import bqemulator.api.routes.jobs as jobs  # noqa: E402
import bqemulator.api.routes.tables as tables  # noqa: E402
import bqemulator.jobs.executor as executor  # noqa: E402
import bqemulator.scripting.interpreter as interpreter  # noqa: E402
import bqemulator.server as emulator_server  # noqa: E402
import bqemulator.sql.inner_query as inner_query  # noqa: E402
import pyarrow as pa  # noqa: E402
from bqemulator.catalog.models import DatasetMeta  # noqa: E402
from bqemulator.config import Settings  # noqa: E402
from bqemulator.domain.errors import DomainError, InvalidQueryError, PermissionDeniedError  # noqa: E402
from bqemulator.server import EmulatorServer  # noqa: E402
from bqemulator.storage.engine import DuckDBEngine  # noqa: E402
from starlette.exceptions import HTTPException  # noqa: E402
from starlette.responses import JSONResponse  # noqa: E402
from starlette.routing import Route  # noqa: E402
import uvicorn  # noqa: E402

import frozen  # noqa: E402
import handlers  # noqa: E402
from catalog import Catalog, Field, RateLimited  # noqa: E402
from sqltext import split_name, statements  # noqa: E402

FAULTS = []
LABELS = {}  # of jobs that are about to run
JOBS = {}  # that run: their labels, and the task of one that waits
LOG = []
CATALOG = None
LOCK = asyncio.Lock()
PLAIN_QUERY = executor.execute_query_job
PLAIN_SQL = interpreter.ScriptInterpreter._exec_sql
PLAIN_EXPAND = inner_query.expand_information_schema
# What only the emulator's own interpreter of scripts understands.
PROGRAM = re.compile(r"(declare|set|if|while|loop|for|call|execute|create\s+(or\s+replace\s+)?(temp\s+)?"
                     r"(function|procedure)|begin(?!\s+transaction\b|$))\b", re.IGNORECASE)
# Of dbt's insert_overwrite: the translator does not know a struct of one, nor IGNORE NULLS with DISTINCT.
PARTITIONS = re.compile(r"\bset\s*\((\w+)\)\s*=\s*\(\s*select\s+as\s+struct\s+(?:--[^\n]*\n\s*)*array_agg\(\s*"
                        r"distinct\s+(.+?)\s+ignore\s+nulls\s*\)\s*from\s+([^\s;]+)\s*\)\s*;",
                        re.IGNORECASE | re.DOTALL)
TRANSACTION = re.compile(r"(begin|commit|rollback)(\s+transaction)?", re.IGNORECASE)
DDL = re.compile(r"(create|drop|alter)\b", re.IGNORECASE)


def catalog_of(ctx):
    global CATALOG
    if CATALOG is None:
        CATALOG = Catalog(ctx)
        CATALOG.jobs = JOBS
    return CATALOG


def try_handlers(catalog, project, text):
    """The kind of the statement when it was one of ours, else None."""
    for pattern, kind, handler in handlers.HANDLERS:
        found = pattern.match(text)
        if found:
            handler(catalog, project, *found.groups())
            return kind
    return None


async def run_one(job, text):
    project, job_id, ctx, caller = job
    catalog = catalog_of(ctx)
    kind = try_handlers(catalog, project, text)
    if kind:
        return executor._build_ddl_job_meta(project_id=project, job_id=job_id, bq_sql=text,
                                            statement_type=kind, arrow_table=pa.table({}),
                                            now=ctx.clock.now(), ctx=ctx)
    made = handlers.prepare(catalog, project, text)
    try:
        meta = await PLAIN_QUERY(project, job_id, text, None, ctx, caller=caller)
    except InvalidQueryError as e:  # of error(), which says just its text there
        raise InvalidQueryError(e.message.split("Invalid Input Error: ")[-1].split("\n\nLINE")[0]) from e
    handlers.note(catalog, project, text, made)
    return meta


async def run_script(job, texts):
    """Statement by statement; a transaction is the engine's."""
    ctx, meta, count, in_transaction = job[2], None, 0, False
    try:
        for text in texts:
            turn = TRANSACTION.fullmatch(text)
            if turn:
                ctx.engine.execute(turn[1])
                in_transaction = turn[1].lower() == "begin"
                continue
            if in_transaction and DDL.match(text):
                raise InvalidQueryError("Transaction control: DDL of permanent objects is not supported "
                                        "inside a transaction")
            meta = await run_one(job, re.sub(r"@@row_count", str(count), text, flags=re.IGNORECASE))
            count = int(meta.statistics["query"].get("numDmlAffectedRows", 0))
    finally:
        if in_transaction:
            ctx.engine.execute("rollback")
    meta.statistics["query"]["statementType"] = "SCRIPT"
    return meta


async def run(job, text):
    try:
        return await run_text(job, text)
    except DomainError:
        raise
    except Exception as e:  # of a script, or of the engine: no answer of 500, which is tried for ever
        raise InvalidQueryError(str(e)) from e


async def run_text(job, text):
    texts = statements(text)
    if len(texts) == 1 and texts[0].lower().startswith("call "):
        return await run_one(job, texts[0])
    if any(PROGRAM.match(t) for t in texts) or not texts:
        text = text.replace("@@error.message", "__error_message__")
        text = PARTITIONS.sub(r"set \1 = (select array_agg(x) from (select distinct \2 as x from \3) "
                              r"where x is not null);", text)
        return await PLAIN_QUERY(*job[:2], text, None, job[2], caller=job[3])
    if len(texts) == 1:
        return await run_one(job, texts[0])
    return await run_script(job, texts)


def take_fault(text):
    for fault in FAULTS:
        if re.search(fault["pattern"], text, re.IGNORECASE | re.DOTALL):
            FAULTS.remove(fault)
            return fault
    return {"kind": None}


def fail(kind):
    if kind == "error":
        raise InvalidQueryError("An internal error occurred and the request could not be completed. "
                                "This is usually caused by a transient issue. Error: 80038528")
    if kind == "rate":
        raise RateLimited("Exceeded rate limits: too many table update operations for this table.")
    if kind == "denied":
        raise PermissionDeniedError("Access Denied: Table: User does not have permission to do this")


async def run_late(job, text, seconds):
    """Whoever waits for it gets its end; where nobody does it is only written down."""
    try:
        await asyncio.sleep(seconds)
        async with LOCK:
            LOG.append("late: " + text)
            return await run(job, text)
    except Exception as e:
        LOG.append(f"late: {e}")
        return e
    finally:
        JOBS.pop(job[1], None)


def start_late(job, text, seconds):
    task = asyncio.create_task(run_late(job, text, seconds))
    JOBS[job[1]]["task"] = task
    return task


async def execute(project_id, job_id, bq_sql, query_params, ctx, *, use_cache=True, caller=None):
    job = (project_id, job_id, ctx, caller)
    JOBS[job_id] = {"labels": LABELS.pop(job_id, {}), "task": None}
    try:
        return await execute_now(job, bq_sql, query_params)
    finally:
        if not JOBS.get(job_id, {"task": True})["task"]:
            JOBS.pop(job_id)


async def execute_now(job, bq_sql, query_params):
    project_id, job_id, ctx, caller = job
    fault = take_fault(bq_sql)
    if fault["kind"] == "slow":
        meta = await asyncio.shield(start_late(job, bq_sql, fault["seconds"]))
        if isinstance(meta, Exception):
            raise meta
        return meta
    async with LOCK:
        catalog_of(ctx).job_id = job_id
        catalog_of(ctx).drop_expired()
        LOG.append(bq_sql)
        if query_params:
            return await PLAIN_QUERY(project_id, job_id, bq_sql, query_params, ctx, caller=caller)
        fail(fault["kind"])
        if fault["kind"] == "late":
            start_late(job, bq_sql, fault["seconds"])
        elif fault["kind"] == "more":
            for key in catalog_of(ctx).grants:
                catalog_of(ctx).grants[key].add(("roles/bigquery.dataEditor", "user:eve@example.org"))
            return await run(job, bq_sql)
        elif fault["kind"] == "unreadable":
            catalog_of(ctx).unreadable = True
            try:
                return await run(job, bq_sql)
            finally:
                catalog_of(ctx).unreadable = False
        elif fault["kind"] == "half":
            await run(job, ";".join(statements(bq_sql)[:-1]))
            fail("error")
        else:
            meta = await run(job, bq_sql)
        if fault["kind"] == "untag":
            catalog_of(ctx).untag(split_name(handlers.CREATE.match(statements(bq_sql)[0])["name"], project_id))
            return meta
        if fault["kind"] == "forget":
            catalog_of(ctx).grants.clear()
            return meta
        if fault["kind"]:
            raise HTTPException(504, "the reply was lost")
        return meta


async def exec_sql(self, sql):
    """A statement inside a script of the emulator's."""
    texts = statements(sql)
    if not texts:
        return
    catalog = catalog_of(self._ctx)
    if try_handlers(catalog, self._project_id, texts[0]):
        self._final_table = None
        return
    made = handlers.prepare(catalog, self._project_id, texts[0])
    await PLAIN_SQL(self, sql)
    handlers.note(catalog, self._project_id, texts[0], made)


def expand(bq_sql, project_id, catalog):
    return PLAIN_EXPAND(handlers.expand(CATALOG, project_id, bq_sql), project_id, catalog)


PLAIN_HANDLE = jobs._handle_query_job


async def handle_query_job(project_id, job_id, config, **others):
    LABELS[job_id] = config.get("labels") or {}
    return await PLAIN_HANDLE(project_id, job_id, config, **others)


PLAIN_FIELD = tables._field_to_rest
PLAIN_META = tables._rest_to_table_meta


def fields_of(raw):
    """Columns of a table that the API writes, with their policy tags."""
    return tuple(Field(name=f["name"], type=f.get("type", "STRING"), mode=f.get("mode", "NULLABLE"),
                       description=f.get("description"), fields=fields_of(f.get("fields", ())),
                       policy_tags=tuple(f.get("policyTags", {}).get("names", ()))) for f in raw)


def field_to_rest(field):
    tags = getattr(field, "policy_tags", ())
    return {**PLAIN_FIELD(field), **({"policyTags": {"names": list(tags)}} if tags else {})}


def meta_of(project, dataset, body, clock, existing=None):
    """What the body does not name stays."""
    meta = PLAIN_META(project, dataset, body, clock, existing)
    kept = ("expiration_time", "range_partitioning", "base_table", "snapshot_time")
    return meta.model_copy(update={k: getattr(existing, k) for k in kept}) if existing else meta


async def nothing(*_):
    return None


async def add_fault(request):
    FAULTS.append({"seconds": 1.0, "kind": "error", **await request.json()})
    return JSONResponse({"success": True})


async def list_statements(_request):
    return JSONResponse(LOG)


def patch():
    # That of the job, which is that of the profile.
    DatasetMeta.model_fields["location"].default = "EU"
    DatasetMeta.model_rebuild(force=True)
    # It would be downloaded.
    DuckDBEngine._load_spatial = lambda self: None
    DuckDBEngine._load_format_extensions = lambda self: None
    # Time travel: a copy of the table for every change of it.
    executor._capture_dml_snapshots = nothing
    jobs.execute_query_job = execute
    jobs._handle_query_job = handle_query_job
    tables._parse_schema_fields = fields_of
    tables._field_to_rest = field_to_rest
    tables._rest_to_table_meta = meta_of
    interpreter.ScriptInterpreter._exec_sql = exec_sql
    inner_query.expand_information_schema = expand
    emulator_server.build_grpc_server = lambda _context: (NoGrpc(), 0)


class Service:
    """The emulator; what is frozen is served again by a server of its own, on the same port."""

    def __init__(self, ready):
        self.ready, self.server, self.app, self.listener = ready, None, None, None

    def serve(self):
        asyncio.run(self.begin() if self.app is None else self.go_on())

    async def begin(self):
        emulator = EmulatorServer(Settings(rest_port=0, grpc_port=0, log_level="error"))
        await emulator.start()
        catalog_of(emulator._context)
        # With no threads of the engine's the process may fork.
        emulator._context.engine.execute("set threads = 1")
        self.server = emulator._fastapi_server
        self.app, self.listener = self.server.config.app, self.server.servers[0].sockets[0].dup()
        self.app.router.routes[:0] = [Route("/standin/fault", add_fault, methods=["POST"]),
                                      Route("/standin/statements", list_statements, methods=["GET"]),
                                      *frozen.routes(self.stop)]
        if self.ready:
            with open(self.ready + ".new", "w", encoding="utf-8") as f:
                f.write(f"{emulator.rest_port}\n")
            os.replace(self.ready + ".new", self.ready)
        await emulator._fastapi_task

    async def go_on(self):
        self.server = uvicorn.Server(uvicorn.Config(self.app, log_config=None, lifespan="off"))
        await self.server.serve(sockets=[self.listener.dup()])

    def stop(self):
        self.server.should_exit = True


class NoGrpc:
    """Nothing here asks it, and its threads would not survive a fork."""

    async def start(self):
        pass


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--ready")
    arguments.add_argument("--owner", type=int)
    given = arguments.parse_args()
    patch()
    frozen.run(Service(given.ready).serve, given.owner)


if __name__ == "__main__":
    main()
