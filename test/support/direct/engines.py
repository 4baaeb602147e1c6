"""The two databases, as dbt's adapters use them: each statement is committed by the server unless
`begin` was sent before, and one that fails ends the connection's transaction.

The module of the driver is imported when it is used: the packages around both would take longer
than all the rest, so their extension modules are asked directly.
"""

import json
import os
import sys
import types

from events import heading


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


ENGINES = {"shop": DuckDB, "shop_postgres": Postgres}  # by profile
