"""The warehouse that a test uses: ENGINE is duckdb or postgres, the rest is what the sample
profiles read (SHOP_DUCKDB, SHOP_PG_*)."""

import os


def engine():
    return os.environ["ENGINE"]


def connect(read_only=True):
    """An autocommitting connection; both kinds answer execute() through cursor()."""
    if engine() == "duckdb":
        import duckdb

        return duckdb.connect(os.environ["SHOP_DUCKDB"], read_only=read_only)
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
