"""The warehouse that a test uses: ENGINE is duckdb, postgres, snowflake or bigquery, the rest is what
the sample profiles read (SHOP_DUCKDB, SHOP_PG_*, SHOP_SF_*, SHOP_BQ_*)."""

import json
import os
import urllib.request


def engine():
    return os.environ["ENGINE"]


class BigQuery:
    """Connection and cursor in one, as far as these use them: the vendor's client takes seconds to import."""

    description = None

    def __init__(self, url):
        self.url = url

    def cursor(self):
        return self

    def execute(self, sql):
        body = json.dumps({"query": sql, "useLegacySql": False}).encode()
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            found = json.load(answer)
        if found.get("errors"):
            raise RuntimeError(found["errors"][0]["message"])
        self.description = [(f["name"], f["type"]) for f in found["schema"]["fields"]]
        self.found = found.get("rows", [])

    def close(self):
        """Every question is a connection of its own."""

    def fetchall(self):
        return [tuple(cell["v"] == "true" if kind == "BOOLEAN" and cell["v"] else cell["v"]
                      for cell, (_, kind) in zip(row["f"], self.description)) for row in self.found]


def connect(read_only=True):
    """An autocommitting connection; all kinds answer execute() through cursor()."""
    if engine() == "duckdb":
        import _duckdb  # the package around it takes longer to import than most statements take

        settings = {"threads": "1", "async_threads": "0"}  # to start more costs more than they save
        return _duckdb.connect(os.environ["SHOP_DUCKDB"], read_only, settings)
    if engine() == "snowflake":
        import snowflake.connector

        return snowflake.connector.connect(
            account="standin", user="tester", password="tester", host="127.0.0.1", protocol="http",
            port=int(os.environ["SHOP_SF_PORT"]), database="SHOP", schema="PUBLIC", warehouse="SHOP",
            role=os.environ.get("SHOP_SF_ROLE", "SYSADMIN"), network_timeout=60,
        )
    if engine() == "bigquery":
        project = os.environ.get("SHOP_BQ_PROJECT", "shop-eu")
        return BigQuery(f"{os.environ['SHOP_BQ_ENDPOINT']}/bigquery/v2/projects/{project}/queries")
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


def datasets(connection):
    """Of BigQuery's project."""
    return [row[0] for row in rows(connection, "select schema_name from `region-eu`.INFORMATION_SCHEMA.SCHEMATA")]
