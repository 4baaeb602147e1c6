"""The databases, as dbt's adapters use them: each statement is committed by the server unless `begin` was
sent before, and one that fails ends the connection's transaction.

The module of the driver is imported when it is used: the packages around those of DuckDB and PostgreSQL
would take longer than all the rest, so their extension modules are asked directly.

late(sql, seconds) is a statement whose client dies while the server still has it: as dbt sends it, and
never answered.
"""

import io
import itertools
import json
import os
import sys
import types

from events import heading

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


class DatabaseError(Exception):
    """A statement failed; the text is dbt's."""


class NoConnection(Exception):
    """The database could not be opened; the text is dbt's."""


def comment(profile, target):
    """What dbt puts in front of every statement."""
    return "/* " + json.dumps(
        {"app": "dbt", "dbt_version": "1.11.16", "profile_name": profile, "target_name": target}
    ) + " */\n\n    "


def psycopg():
    """Without its package, and without `ssl`, which it imports for connections of another kind."""
    if "psycopg2._psycopg" in sys.modules:
        return sys.modules["psycopg2._psycopg"]
    package = types.ModuleType("psycopg2")
    package.__path__ = [f"{path}/psycopg2" for path in sys.path]
    sys.modules |= {"psycopg2": package, "ssl": types.ModuleType("ssl")}
    import psycopg2._psycopg

    return psycopg2._psycopg


def packages(environment):
    """Where those of an environment are; all have the same Python."""
    path = f"{ROOT}/.cache/{environment}/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    if path not in sys.path:
        sys.path.append(path)


def forget_starter():
    """Airlock finds by it what it has started: the kernel shows what a process began with."""
    import ctypes

    variables = ctypes.POINTER(ctypes.c_void_p).in_dll(ctypes.CDLL(None), "environ")
    for i in itertools.takewhile(variables.__getitem__, itertools.count()):
        if ctypes.string_at(variables[i]).startswith(b"AIRLOCK_STARTED_BY="):
            ctypes.memset(variables[i], ord("_"), len("AIRLOCK"))


def leave_behind(execute):
    """Another process goes on with the connection, out of reach of whoever ends this one."""
    pid = os.fork()
    if pid:
        return pid
    os.setsid()
    forget_starter()
    null = os.open("/dev/null", os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)
    try:
        execute()
    finally:
        os._exit(0)


class Postgres:
    name = "postgres"
    text_type = "text"
    prepare = staticmethod(psycopg)

    def __init__(self, prefix, _target):
        driver = psycopg()
        self.error = driver.Error
        self.prefix = prefix
        get = os.environ.get
        words = {
            "host": get("SHOP_PG_HOST", "localhost"),
            "port": get("SHOP_PG_PORT", "5432"),
            "user": get("SHOP_PG_USER", "postgres"),
            "password": get("SHOP_PG_PASSWORD", ""),
            "dbname": self.database(),
        }
        try:
            self.connection = driver._connect(" ".join(f"{word}='{value}'" for word, value in words.items()))
        except driver.Error as error:
            raise DatabaseError(heading("Database Error", str(error))) from error
        self.connection.autocommit = True

    @staticmethod
    def database():
        return os.environ.get("SHOP_PG_DBNAME", "shop")

    def execute(self, sql):
        """Runs it and gives the rows, if there are any."""
        cursor = self.connection.cursor()
        try:
            cursor.execute(f"{self.prefix}{sql}\n  ")
            return cursor.fetchall() if cursor.description else []
        except self.error as error:
            raise DatabaseError(heading("Database Error", str(error).strip())) from error

    def late(self, sql, seconds):
        return leave_behind(lambda: self.execute(f"select pg_sleep({seconds}); {sql}"))

    def close(self):
        self.connection.close()


class DuckDB:
    name = "duckdb"
    text_type = "varchar"
    # Of more threads a start costs more than these few rows do, and with none a process may fork.
    settings = {"threads": "1", "async_threads": "0"}
    empty = None  # an open database without a file, the only thing that takes time at a start

    @classmethod
    def prepare(cls):
        import _duckdb

        cls.empty = _duckdb.connect(":memory:", False, cls.settings)
        # The first question about the catalog makes what all of them read.
        cls.empty.cursor().execute("select * from duckdb_columns()").fetchall()

    def __init__(self, prefix, target):
        import _duckdb

        self.error = _duckdb.Error
        self.prefix = prefix
        path = self.path(target)
        try:
            if self.empty:
                self.connection = self.empty
                self.cursor = self.connection.cursor()
                self.cursor.execute(f"attach '{path}' as \"{self.database(target)}\"")
                self.cursor.execute(f'use "{self.database(target)}"')
            else:
                self.connection = _duckdb.connect(path, False, self.settings)
                self.cursor = self.connection.cursor()
        except _duckdb.Error as error:
            raise NoConnection(str(error)) from error

    @staticmethod
    def path(target="prod"):
        if target == "blue_green":
            return os.environ.get("SHOP_DUCKDB_GREEN", "green/warehouse.duckdb")
        return os.environ.get("SHOP_DUCKDB", "warehouse.duckdb")

    @classmethod
    def database(cls, target="prod"):
        return os.path.basename(cls.path(target)).partition(".")[0]

    def execute(self, sql):
        try:
            self.cursor.execute(f"{self.prefix}{sql}\n  ")
            return self.cursor.fetchall() if self.cursor.description else []
        except (self.error, RuntimeError) as error:
            raise DatabaseError(heading("Runtime Error", str(error))) from error

    def close(self):
        self.cursor.close()
        self.connection.close()


class Snowflake:
    """Against the stand-in. The driver sends one statement at a time: the answer is that of the last."""

    name = "snowflake"
    text_type = "varchar"
    answer = "100132 (P0000): {}"  # how it begins tells it from what the driver says

    @staticmethod
    def prepare():
        packages("snowflake")
        import snowflake.connector.util_text

        return snowflake.connector

    def __init__(self, comment, target):
        driver = self.prepare()
        self.driver, self.comment = driver, comment
        get = os.environ.get
        try:
            self.connection = driver.connect(
                account="standin", user="shop", password="shop", host="127.0.0.1", protocol="http",
                port=int(get("SHOP_SF_PORT", "443")), role=get("SHOP_SF_ROLE", "SYSADMIN"), warehouse="shop",
                database=self.database(target), schema="stage" if target == "staging" else "analytics",
                session_parameters={"CLIENT_TELEMETRY_ENABLED": False}, network_timeout=60)
        except driver.Error as error:
            raise DatabaseError(heading("Database Error", str(error))) from error
        self.cursor = self.connection.cursor()

    @staticmethod
    def database(target="prod"):
        return "shop_green" if target == "blue_green" else "shop"

    def _statements(self, sql):
        found = self.driver.util_text.split_statements(io.StringIO(sql))
        return [text for text, _ in found if text.strip(" \t\n;")]

    def _send(self, text):
        try:
            # What dbt adds to each statement stands behind it.
            return self.cursor.execute(f"{text}\n{self.comment.strip()}").fetchall()
        except self.driver.ProgrammingError as error:
            raise DatabaseError(heading("Database Error", str(error))) from error
        except self.driver.Error as error:
            raise DatabaseError(heading("Runtime Error", str(error))) from error

    def execute(self, sql):
        for text in self._statements(sql):
            rows = self._send(text)
        return rows

    def late(self, sql, seconds):
        """The last of several; those in front of it are answered."""
        *before, last = self._statements(sql)
        for text in before:
            self._send(text)
        address = f"http://127.0.0.1:{os.environ['SHOP_SF_PORT']}"
        standin_late(address, seconds, lambda: self._send(last))

    def close(self):
        self.connection.close()


class BigQuery:
    """Against the stand-in, without the vendor's client: every statement is a job of its own."""

    name = "bigquery"
    text_type = "string"
    answer = "Query error: {}"
    project = "shop-eu"

    @staticmethod
    def prepare():
        import http.client

        return http.client

    def __init__(self, comment, _target):
        get = os.environ.get
        self.address = get("SHOP_BQ_ENDPOINT", "http://127.0.0.1:9050")
        self.comment, self.labels = comment, {}
        if "AIRLOCK_JOB_LABEL" in os.environ:  # the comment of an operation
            self.comment = "/* %s */\n" % get("AIRLOCK_JOB_LABEL")
            self.labels = {key: value.lower() for key, value in json.loads(get("AIRLOCK_JOB_LABEL")).items()}
        self.connection = self.prepare().HTTPConnection(self.address.rpartition("/")[2], timeout=600)

    @classmethod
    def database(cls, _target="prod"):
        return cls.project

    def _ask(self, method, path, body=None):
        path = f"/bigquery/v2/projects/{self.project}/{path}"
        try:
            self.connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"})
            answer = self.connection.getresponse()
            found = json.loads(answer.read() or "{}")
        except (OSError, ValueError, self.prepare().HTTPException) as error:
            raise DatabaseError(heading("Database Error", str(error))) from error
        problem = found.get("error") or found.get("status", {}).get("errorResult")
        if problem or answer.status >= 400:
            message = problem["message"] if problem else f"{answer.status} {found.get('detail', '')}"
            raise DatabaseError(heading("Database Error", message))
        return found

    def execute(self, sql):
        query = {"query": {"query": f"{self.comment}{sql}", "useLegacySql": False}, "labels": self.labels}
        reference = {"projectId": self.project, "jobId": os.urandom(16).hex(), "location": "EU"}
        self._ask("POST", "jobs", {"jobReference": reference, "configuration": query})
        found = self._ask("GET", f"queries/{reference['jobId']}?location=EU&maxResults=100000")
        kinds = [field["type"] for field in found.get("schema", {}).get("fields", [])]
        return [tuple(int(cell["v"]) if kind in ("INTEGER", "INT64") and cell["v"] is not None else cell["v"]
                      for cell, kind in zip(row["f"], kinds)) for row in found.get("rows", [])]

    def late(self, sql, seconds):
        standin_late(self.address, seconds, lambda: self.execute(sql))

    def close(self):
        self.connection.close()


def standin_fault(address, fault):
    """What a stand-in does with the next statement that it gets."""
    import urllib.request

    body = json.dumps(fault).encode()
    request = urllib.request.Request(f"{address}/standin/fault", body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=60).close()


def standin_late(address, seconds, send):
    standin_fault(address, {"kind": "late", "pattern": "", "seconds": seconds})
    try:
        send()
    except DatabaseError:
        pass  # that the reply was lost


ENGINES = {  # by profile
    "shop": DuckDB,
    "shop_postgres": Postgres,
    "shop_snowflake": Snowflake,
    "shop_bigquery": BigQuery,
}
