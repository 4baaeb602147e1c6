"""A stand-in for Snowflake on the loopback: fakesnow's server, which speaks the real protocol to the
real connector, with what it lacks or gets wrong given its effect here. What is emulated follows
Snowflake's documentation; it proves what airlock and dbt do, and nothing of the service itself.

Emulated by us (a test of each in test_standin.py):
  create [or replace] [transient] table|schema|database .. clone (copy grants, transient rule, views)
  alter database|schema|table .. swap with; .. rename to; a schema's retention and managed access; views keep the text that the client sent, so
    that after a swap a view still reads the database that its text names, and fails without it
  alter database .. enable|disable replication: that replication_databases says it, of this account only
  drop database|schema|table|view; comment on, set comment
  grant, revoke (objects, all .., future .., ownership), show [future] grants; owners; a role that
    is neither owner nor ACCOUNTADMIN nor SYSADMIN is refused replacing, dropping, renaming, swapping
  create or replace table|view with and without copy grants; TRANSIENT kept; what is TEMPORARY
    is not in the information schema, whoever asks
  information_schema: tables (with views, IS_TRANSIENT, CREATED, LAST_ALTERED, ROW_COUNT, owner), views
    (the client's text), schemata, databases, object_privileges; get_ddl of a table or view
  create and drop of a sequence, stage, stream, task, file format, function, procedure, alert, pipe: that it is there,
    goes with its schema, and is in a clone of it (no pipe, no internal stage); not what it does, but for nextval
  dynamic tables (a table; show, suspend, resume) and clustering keys with automatic clustering: both suspended in a clone
  masking policies, row access policies and tags: that they are there and what they are assigned to (tables, views,
    columns; tags of schemas and databases too, as tag_references says them); a clone brings its source's, create or replace loses them; get_ddl names them, or #UNKNOWN_POLICY and
    #UNKNOWN_TAG to a role without APPLY on the account; not what a policy hides
  query_history_by_user: statements that run late, with their tag
  result_scan(last_query_id()) behind a SHOW; show databases|schemas like; query_tag of a session; use role; merge (the engine's own)
  hash_agg(*); is_role_in_session (the session's role, or an administrator's)
  an error of whatever kind is an SQL error, where fakesnow answers 500 and the connector retries for ever
  faults on demand (POST /standin/fault): an error, a lost reply, a statement that runs late (the client
    is told that the connection was lost) or long (the client waits, or dies)

Not emulated: time travel, UNDROP, EXECUTE IMMEDIATE, what tasks and streams do, the refresh of dynamic tables, hybrid
and external tables, other policies, policies of tags, inherited tags, shares, waiting for another session's lock (a conflict is an error at once), names
that differ in case only (the engine takes them for one), SELECT privileges (everybody may read),
division by zero (inf), TEMPORARY objects ending with their session, primary keys after a clone.

usage: serve.py [--ready FILE] [--owner PID] [--database NAME]... [--create-on-connect]
"""

import argparse
import asyncio
import json
import os
import re
import socket
import sys
import threading
import time

import duckdb
import fakesnow.cursor
import fakesnow.info_schema
import fakesnow.server as server
import sqlglot
import uvicorn
from snowflake.connector.errors import OperationalError, ProgrammingError
from sqlglot import exp
from starlette.responses import JSONResponse
from starlette.routing import Route

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import frozen  # noqa: E402
import handlers  # noqa: E402
import policies  # noqa: E402
from catalog import META, Catalog, error  # noqa: E402
from sqltext import NAME, literal, strip_comments  # noqa: E402

LOCK = threading.RLock()
CATALOG = None
FAULTS = []
LATE = []
CURSOR = fakesnow.cursor.FakeSnowflakeCursor
PLAIN_EXECUTE = CURSOR.execute
PLAIN_DESCRIBE = CURSOR._describe_last_sql

CREATE = re.compile(
    rf"create\s+(?P<replace>or\s+replace\s+)?(?P<kinds>(?:\w+\s+)*?)(?P<kind>table|view|schema)\s+"
    rf"(?P<unless>if\s+not\s+exists\s+)?(?P<name>{NAME})(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
CHANGE = re.compile(
    rf"(?:insert\s+(?:overwrite\s+)?into|update|delete\s+from|merge\s+into|truncate\s+(?:table\s+)?(?:if\s+exists"
    rf"\s+)?|alter\s+table\s+(?:if\s+exists\s+)?)\s*({NAME})", re.IGNORECASE)
DDL = re.compile(r"(create|drop|alter|comment|grant|revoke|truncate)\b", re.IGNORECASE)


def prepare(cursor, text):
    """What the engine gets of a statement that has no handler, and what is to be noted after it."""
    session = handlers.Session(CATALOG, cursor._conn)
    text = re.sub(r"\bcurrent_role\s*\(\s*\)", f"'{session.role}'", text, flags=re.IGNORECASE)
    text = re.sub(r"\bcurrent_account_name\s*\(\s*\)", literal(handlers.ACCOUNT), text, flags=re.IGNORECASE)
    text = re.sub(r"\bis_role_in_session\s*\(([^()]*)\)",
                  f"('{session.role}' in ('ACCOUNTADMIN', 'SYSADMIN', \\1))", text, flags=re.IGNORECASE)
    text = re.sub(r"\btable\s*\(\s*(?:[\w\".]+\.)?information_schema\.query_history_by_user\s*\([^()]*\)\s*\)",
                  lambda _: late_statements(), text, flags=re.IGNORECASE)
    text = re.sub(r"\btable\s*\(\s*(?:[\w\".]+\.)?information_schema\.tag_references\s*\(\s*'((?:[^']|'')*)'\s*,"
                  r"\s*'(schema|database)'\s*\)\s*\)",
                  lambda m: policies.tag_references(session, m[1].replace("''", "'"), m[2]), text, flags=re.IGNORECASE)
    text = re.sub(r"\btable\s*\(\s*result_scan\s*\(\s*last_query_id\s*\(\s*\)\s*\)\s*\)",
                  lambda _: f"({cursor._conn.standin_shown})", text, flags=re.IGNORECASE)
    text = re.sub(r"\bget_ddl\s*\(\s*'(view|table)'\s*,\s*'((?:[^']|'')*)'\s*(?:,\s*(true|false)\s*)?\)",
                  lambda m: literal(policies.ddl(session, m[1], m[2].replace("''", "'"), (m[3] or "").lower() == "true")
                                    .replace("\\", "\\\\")), text, flags=re.IGNORECASE)
    made = CREATE.match(text)
    if not made:
        return text, None
    kind = made["kind"].lower()
    head, as_, body = re.match(r"(.*?)(\bas\b|$)(.*)", made["rest"], re.IGNORECASE | re.DOTALL).groups()
    head, kept = re.subn(r"\bcopy\s+grants\b", "", head, flags=re.IGNORECASE)
    comment = re.search(r"\bcomment\s*=\s*'((?:[^']|'')*)'", head, re.IGNORECASE)
    if kind == "view" and comment:
        head = head.replace(comment[0], "")
    kinds = re.sub(r"\b(temporary|temp|secure)\b", "", made["kinds"], flags=re.IGNORECASE)
    sent = "create " + " ".join(filter(None, (
        made["replace"], kinds, kind, made["unless"], made["name"]))) + head + as_ + body
    parts = session.name(made["name"], 2 if kind == "schema" else 3)
    there = CATALOG.get(kind, *parts)
    if there and made["replace"]:
        session.own(kind, *parts)
    return sent, {"kind": kind, "parts": (*parts, "")[:3], "there": there, "replace": made["replace"],
                  "transient": "transient" in made["kinds"].lower(),
                  "temporary": kinds != made["kinds"] and "temp" in made["kinds"].lower(), "kept": bool(kept),
                  "text": sent if kind == "view" else None, "role": session.role,
                  "comment": comment and comment[1].replace("''", "'")}


def note(cursor, text, made):
    """After a statement of the engine's own."""
    role = handlers.Session(CATALOG, cursor._conn).role
    if DDL.match(text):
        CATALOG.sync(role)
    if made and (made["replace"] or not made["there"]):
        CATALOG.replaced(made["kind"], *made["parts"], made["transient"], made["text"], role,
                         made["kept"] or not made["there"], made["comment"])
        CATALOG.run(f"update {META}.objects set temporary = ? where kind = ? and db = ? and sch = ? and name = ?",
                    made["temporary"], made["kind"], *made["parts"])
    changed = CHANGE.match(text)
    if changed:
        try:
            CATALOG.touch(*handlers.Session(CATALOG, cursor._conn).name(changed[1]))
        except ProgrammingError:
            pass


def commit_open(cursor):
    try:
        cursor._duck_conn.commit()
    except duckdb.TransactionException:
        pass


def run_one(cursor, command, params, args, kwargs):
    text = strip_comments(command)
    if DDL.match(text):
        commit_open(cursor)
    for pattern, handler in handlers.HANDLERS:
        found = pattern.match(text)
        if found:
            result = handler(handlers.Session(CATALOG, cursor._conn), *found.groups())
            cursor._conn.standin_shown = handlers.as_select(result)
            return PLAIN_EXECUTE(cursor, cursor._conn.standin_shown)
    sent, made = prepare(cursor, text)
    PLAIN_EXECUTE(cursor, sent, params, *args, **kwargs)
    note(cursor, text, made)
    if re.match(r"merge\b", text, re.IGNORECASE):
        count = cursor._arrow_table.column(0)[0].as_py()
        PLAIN_EXECUTE(cursor, f'select {count} as "number of rows inserted", 0 as "number of rows updated"')
        cursor._rowcount = count
    return cursor


def take_fault(text):
    for fault in FAULTS:
        if re.search(fault["pattern"], text, re.IGNORECASE | re.DOTALL):
            FAULTS.remove(fault)
            return fault
    return None


def late_statements():
    """The history of queries, as far as they have not ended: those that run late."""
    rows = [f"select 'q{i}' as query_id, '{t.standin_tag}' as query_tag, 'RUNNING' as execution_status"
            for i, t in enumerate(LATE)]
    return "(" + " union all ".join(rows or ["select '' as query_id, '' as query_tag, '' as execution_status "
                                             "where 1 = 0"]) + ")"


def run_late(cursor, command, seconds):
    def later():
        with LOCK:
            if timer in LATE:
                LATE.remove(timer)
                try:
                    run_one(cursor._conn.cursor(), command, None, (), {})
                    log(cursor, command, False, "late: ")
                except Exception:  # as on a server: nobody is there to be told
                    log(cursor, command, True, "late: ")

    timer = threading.Timer(seconds, later)
    timer.daemon = True
    timer.standin_tag = getattr(cursor._conn, "standin_tag", "")
    LATE.append(timer)
    timer.start()


class Running:
    """A statement that the service has: its tag is in the history of queries."""

    def __init__(self, cursor):
        self.standin_tag = getattr(cursor._conn, "standin_tag", "")


def run_long(cursor, seconds):
    running = Running(cursor)
    with LOCK:
        LATE.append(running)
    time.sleep(seconds)
    with LOCK:
        LATE.remove(running)


def log(cursor, command, failed, prefix=""):
    CATALOG.run(f"insert into {META}.statements values (nextval('{META}.serial'), get_current_timestamp(), "
                "?, ?, ?, ?, ?)", str(id(cursor._conn)), getattr(cursor._conn, "standin_tag", ""),
                handlers.Session(CATALOG, cursor._conn).role, prefix + command, failed)


def execute(cursor, command, params=None, *args, **kwargs):
    with LOCK:
        fault = take_fault(command)
    if fault and fault["kind"] == "long":
        run_long(cursor, fault["seconds"])
        fault = None
    with LOCK:
        failed = True
        try:
            if fault and fault["kind"] == "late":
                run_late(cursor, command, fault["seconds"])
            if fault and fault["kind"] != "lost":
                raise OperationalError(msg="250001: the connection to the service was lost", errno=250001,
                                       sqlstate="08001")
            run_one(cursor, command, params, args, kwargs)
            cursor.standin_described = PLAIN_DESCRIBE(cursor)
            failed = False
            if fault:
                raise OperationalError(msg="250001: the connection to the service was lost", errno=250001,
                                       sqlstate="08001")
            return cursor
        except (ProgrammingError, OperationalError):
            raise
        except Exception as e:
            raise error(100132, "P0000", str(e).split("\n")[0]) from e
        finally:
            log(cursor, command, failed)


def plain(cursor, sql):
    return PLAIN_EXECUTE(cursor, sql)


def described(cursor):
    found = getattr(cursor, "standin_described", None)
    return PLAIN_DESCRIBE(cursor) if found is None else found


def own_merge(expression):
    """The engine has a MERGE; it only wants to know whose columns the inserted values are. And a
    hash of all rows, which this is the one place for."""
    for call in list(expression.find_all(exp.HashAgg)):
        call.replace(sqlglot.parse_one("coalesce(sum(hash(*columns(*))::hugeint), 0)", read="duckdb"))
    if not isinstance(expression, exp.Merge):
        return PLAIN_MERGE(expression)
    source = expression.args["using"].alias_or_name
    for when in expression.args["whens"].expressions:
        then = when.args.get("then")
        if isinstance(then, exp.Insert) and isinstance(then.expression, exp.Tuple):
            for column in then.expression.find_all(exp.Column):
                if not column.table:
                    column.set("table", exp.to_identifier(source))
    return [expression]


PLAIN_MERGE = fakesnow.cursor.transforms.merge
PLAIN_INFORMATION = fakesnow.cursor.transforms.information_schema_fs
OWN_VIEWS = {
    "TABLES": f"""select db as "TABLE_CATALOG", sch as "TABLE_SCHEMA", name as "TABLE_NAME",
        owner as "TABLE_OWNER", case kind when 'view' then 'VIEW' else 'BASE TABLE' end as "TABLE_TYPE",
        case when transient then 'YES' else 'NO' end as "IS_TRANSIENT",
        case kind when 'table' then t.estimated_size end as "ROW_COUNT",
        case kind when 'table' then t.estimated_size * 64 end as "BYTES", 1 as "RETENTION_TIME",
        created as "CREATED", altered as "LAST_ALTERED", altered as "LAST_DDL", o.comment as "COMMENT",
        'NO' as "IS_TEMPORARY", 'NO' as "IS_ICEBERG", case when o.dynamic is null then 'NO' else 'YES' end as "IS_DYNAMIC",
        'NO' as "IS_HYBRID", o.clustering as "CLUSTERING_KEY",
        case when o.reclusters then 'YES' else 'NO' end as "AUTO_CLUSTERING_ON"
        from {META}.objects o left join duckdb_tables t on t.database_name = db and t.schema_name = sch
        and t.table_name = name where kind in ('table', 'view') and db = '${{catalog}}'
        and not o.temporary""",
    "VIEWS": f"""select db as "TABLE_CATALOG", sch as "TABLE_SCHEMA", name as "TABLE_NAME",
        owner as "TABLE_OWNER", text as "VIEW_DEFINITION", 'NONE' as "CHECK_OPTION", 'NO' as "IS_SECURE",
        created as "CREATED", altered as "LAST_ALTERED", comment as "COMMENT"
        from {META}.objects where kind = 'view' and db = '${{catalog}}' and not temporary""",
    "SCHEMATA": f"""select db as "CATALOG_NAME", sch as "SCHEMA_NAME", owner as "SCHEMA_OWNER",
        case when transient then 'YES' else 'NO' end as "IS_TRANSIENT",
        case when managed then 'YES' else 'NO' end as "IS_MANAGED_ACCESS",
        retention as "RETENTION_TIME", created as "CREATED", altered as "LAST_ALTERED", comment as "COMMENT"
        from {META}.objects where kind = 'schema' and db = '${{catalog}}'
        union all select '${{catalog}}', 'INFORMATION_SCHEMA', null, 'NO', 'NO', 1, null, null, null""",
    "DATABASES": f"""select db as "DATABASE_NAME", owner as "DATABASE_OWNER",
        case when transient then 'YES' else 'NO' end as "IS_TRANSIENT", comment as "COMMENT",
        created as "CREATED", altered as "LAST_ALTERED", 1 as "RETENTION_TIME", 'STANDARD' as "TYPE"
        from {META}.objects where kind = 'database'""",
    "REPLICATION_DATABASES": f"""select '{handlers.ACCOUNT}' as "ACCOUNT_NAME", db as "DATABASE_NAME",
        'true' as "IS_PRIMARY", replicated as "REPLICATION_ALLOWED_TO_ACCOUNTS"
        from {META}.objects where kind = 'database' and replicated is not null""",
    "SEQUENCES": f"""select db as "SEQUENCE_CATALOG", sch as "SEQUENCE_SCHEMA", name as "SEQUENCE_NAME",
        owner as "SEQUENCE_OWNER", next_value as "NEXT_VALUE", increment as "INCREMENT", created as "CREATED",
        altered as "LAST_ALTERED" from {META}.objects where kind = 'sequence' and db = '${{catalog}}'""",
    "OBJECT_PRIVILEGES": f"""select grantor as "GRANTOR", grantee as "GRANTEE", grantee_kind as "GRANTED_TO",
        db as "OBJECT_CATALOG", nullif(sch, '') as "OBJECT_SCHEMA",
        coalesce(nullif(name, ''), nullif(sch, ''), db) as "OBJECT_NAME", upper(kind) as "OBJECT_TYPE",
        privilege as "PRIVILEGE_TYPE", case when grantable then 'YES' else 'NO' end as "IS_GRANTABLE",
        null::timestamptz as "CREATED" from {META}.grants g where future is null and (db = '${{catalog}}') and not exists (select 1 from
        {META}.objects o where o.temporary and (o.kind, o.db, o.sch, o.name) = (g.kind, g.db, g.sch, g.name))
        union all select owner, owner, 'ROLE', db, nullif(sch, ''),
        coalesce(nullif(name, ''), nullif(sch, ''), db), upper(kind), 'OWNERSHIP', 'YES', created
        from {META}.objects where db = '${{catalog}}' and not temporary""",
}


def own_information(expression):
    if isinstance(expression, exp.Table) and expression.db.upper() == "INFORMATION_SCHEMA" and \
            expression.name.upper() in OWN_VIEWS:
        expression.set("this", exp.Identifier(this=f"_STANDIN_{expression.name.upper()}", quoted=False))
        expression.set("db", exp.Identifier(this="_FS_INFORMATION_SCHEMA", quoted=False))
        return expression
    return PLAIN_INFORMATION(expression)


PLAIN_CREATION = fakesnow.info_schema.per_db_creation_sql


def own_creation(db):
    views = "".join(
        f'create or replace view "{db}"._fs_information_schema._standin_{name} as '
        f"{text.replace('${catalog}', db)};" for name, text in OWN_VIEWS.items())
    return PLAIN_CREATION(db) + views


PLAIN_LOGIN = server.login_request


async def login(request):
    answer = await PLAIN_LOGIN(request)
    body = json.loads(bytes(answer.body))
    connection = server.sessions[body["data"]["token"]]
    raw = await request.body()
    if request.headers.get("Content-Encoding") == "gzip":
        import gzip

        raw = gzip.decompress(raw)
    parameters = json.loads(raw)["data"].get("SESSION_PARAMETERS", {})
    connection.standin_role = (request.query_params.get("roleName") or "SYSADMIN").upper()
    connection.standin_tag = parameters.get("QUERY_TAG", "")
    return answer


PLAIN_PARSE = server.parse_one


def parse_any(sql):
    """Only for the kind of statement; what cannot be parsed fails in execute(), as an SQL error."""
    try:
        return PLAIN_PARSE(sql)
    except Exception:
        return exp.Command(this="UNKNOWN", expression=sql)


async def add_fault(request):
    fault = {"seconds": 1.0, "kind": "error", **await request.json()}
    with LOCK:
        FAULTS.append(fault)
    return JSONResponse({"success": True})


async def list_statements(request):
    with LOCK:
        rows = CATALOG.rows(f"select session, tag, role, text, failed from {META}.statements "
                            "order by serial")
    return JSONResponse([dict(zip(("session", "tag", "role", "text", "failed"), r)) for r in rows])


def patch():
    CURSOR.execute = execute
    CURSOR.standin_plain = plain
    CURSOR._describe_last_sql = described
    transforms = fakesnow.cursor.transforms
    transforms.merge = own_merge
    transforms.information_schema_fs = own_information
    transforms.information_schema_databases = lambda e, current_schema=None: e
    fakesnow.info_schema.per_db_creation_sql = own_creation
    server.parse_one = parse_any


def start_catalog(create_on_connect, databases):
    global CATALOG
    for setting in ("threads", "async_threads"):  # with none of its own the process may fork
        server.shared_fs.duck_conn.execute(f"set {setting} = {int(setting == 'threads')}")
    server.shared_fs.create_database_on_connect = create_on_connect
    server.shared_fs.create_schema_on_connect = create_on_connect
    CATALOG = Catalog(server.shared_fs)
    for db in databases:
        CATALOG.make_database(db.upper())
        CATALOG.run(f'create schema "{db.upper()}"."PUBLIC"')
    CATALOG.sync("SYSADMIN")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--ready")
    arguments.add_argument("--owner", type=int)
    arguments.add_argument("--database", action="append", default=[])
    arguments.add_argument("--create-on-connect", action="store_true")
    given = arguments.parse_args()

    patch()
    start_catalog(given.create_on_connect, given.database)
    listener = socket.socket(proto=socket.IPPROTO_TCP)  # else answers wait for acknowledgements: 40 ms each
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    config = uvicorn.Config(server.app, log_level="warning", lifespan="off")
    running = []
    server.app.router.routes[:0] = [
        Route("/session/v1/login-request", login, methods=["POST"]),
        Route("/standin/fault", add_fault, methods=["POST"]),
        Route("/standin/statements", list_statements, methods=["GET"]),
        *frozen.routes(lambda: setattr(running[-1], "should_exit", True)),
    ]

    def serve():
        running.append(uvicorn.Server(config))
        asyncio.run(running[-1].serve(sockets=[listener.dup()]))

    if given.ready:
        with open(given.ready + ".new", "w", encoding="utf-8") as f:
            f.write(f"{listener.getsockname()[1]}\n")
        os.replace(given.ready + ".new", given.ready)
    frozen.run(serve, given.owner)


if __name__ == "__main__":
    main()
