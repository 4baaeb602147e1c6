"""The warehouse that a test uses: ENGINE is duckdb, postgres or snowflake, the rest is what
the sample profiles read (SHOP_DUCKDB, SHOP_PG_*, SHOP_SF_*)."""

import os


def engine():
    return os.environ["ENGINE"]


def connect(read_only=True):
    """An autocommitting connection; all kinds answer execute() through cursor()."""
    if engine() == "duckdb":
        import _duckdb  # the package around it takes longer to import than most statements take

        return _duckdb.connect(os.environ["SHOP_DUCKDB"], read_only=read_only)
    if engine() == "snowflake":
        import snowflake.connector

        return snowflake.connector.connect(
            account="standin", user="tester", password="tester", host="127.0.0.1", protocol="http",
            port=int(os.environ["SHOP_SF_PORT"]), database="SHOP", schema="PUBLIC", warehouse="SHOP",
            role=os.environ.get("SHOP_SF_ROLE", "SYSADMIN"), network_timeout=60,
        )
    import psycopg2

    connection = psycopg2.connect(
        host=os.environ["SHOP_PG_HOST"],
        port=os.environ["SHOP_PG_PORT"],
        user=os.environ["SHOP_PG_USER"],
        password=os.environ["SHOP_PG_PASSWORD"],
        dbname=os.environ["SHOP_PG_DBNAME"],
    )
    connection.autocommit = True
    return connection


def rows(connection, sql):
    cursor = connection.cursor()
    cursor.execute(sql)
    return cursor.fetchall() if cursor.description else []
