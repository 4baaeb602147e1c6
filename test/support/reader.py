"""A reader of production: python3 reader.py QUERY [SECONDS].

Runs QUERY, whose one row holds two values that agree in any one state of production, again and
again until SECONDS are over or SIGTERM arrives; then prints what it saw, as JSON: how many reads,
how many were torn (the two values differ) or failed, how many different states, the longest wait.
"""

import json
import signal
import sys
import time

import warehouse


def main(query, seconds="inf"):
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    connection = warehouse.connect()
    seen = {"reads": 0, "torn": 0, "states": 0, "longest_ms": 0, "errors": []}
    states = set()
    end = time.monotonic() + float(seconds)
    while not stopped and time.monotonic() < end:
        start = time.monotonic()
        try:
            first, second = warehouse.rows(connection, query)[0]
            seen["torn"] += first != second
            states.add((first, second))
        except Exception as error:  # whatever it is, a reader should not have got it
            seen["errors"].append(str(error).strip())
        seen["reads"] += 1
        seen["longest_ms"] = max(seen["longest_ms"], round((time.monotonic() - start) * 1000))
    seen["states"] = len(states)
    print(json.dumps(seen))


main(*sys.argv[1:])
