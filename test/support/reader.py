"""A reader of production: python3 reader.py QUERY [SECONDS].

Runs QUERY, whose one row holds two values that agree in any one state of production, again and
again until SECONDS are over or SIGTERM arrives; then prints what it saw, as JSON: how many reads,
how many were torn (the two values differ) or failed, how many different states, the longest wait.

A file of DuckDB is opened and closed for each read, with a pause behind it for those who write; a file
that is held is no failure. The stand-in for BigQuery takes one statement at a time: a pause too.
"""

import json
import signal
import sys
import time

import warehouse

PAUSE_S = 0.15


def main(query, seconds="inf"):
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    read = each_time if warehouse.engine() == "duckdb" else connected()
    seen = {"reads": 0, "torn": 0, "states": 0, "longest_ms": 0, "errors": []}
    states = set()
    end = time.monotonic() + float(seconds)
    while not stopped and time.monotonic() < end:
        start = time.monotonic()
        try:
            for first, second in read(query):
                seen["reads"] += 1
                seen["torn"] += abs(first - second) > 0.001
                states.add(round(first, 2))
        except Exception as error:  # whatever it is, a reader should not have got it
            seen["errors"].append(str(error).strip())
        seen["longest_ms"] = max(seen["longest_ms"], round((time.monotonic() - start) * 1000))
    seen["states"] = len(states)
    print(json.dumps(seen))


def connected():
    connection = warehouse.connect()
    if warehouse.engine() != "bigquery":
        return lambda query: warehouse.rows(connection, query)

    def with_pause(query):
        time.sleep(PAUSE_S)
        return warehouse.rows(connection, query)

    return with_pause


def each_time(query):
    """No row where the file is held."""
    try:
        connection = warehouse.connect()
    except Exception as error:
        if "Could not set lock" not in str(error):
            raise
        return []
    try:
        return warehouse.rows(connection, query)
    finally:
        connection.close()
        time.sleep(PAUSE_S)


main(*sys.argv[1:])
