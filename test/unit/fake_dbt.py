#!/usr/bin/env python3
"""A dbt for the unit tests of runner and ops: FAKE_DBT says how it behaves.

It reads the macro that airlock wrote and prints what the real one would print, with one fault.
Each wanted answer is one document {"sql": <the text of the call>}.
"""
import hashlib
import json
import os
import re
import signal
import sys
import time

mode = os.environ.get("FAKE_DBT", "good")
PIECE = 32768


def event(name, code, level, message, **data):
    info = {"name": name, "code": code, "level": level, "msg": message,
            "invocation_id": "0f0e0d0c-0000-4000-8000-000000000001"}
    print(json.dumps({"info": info, "data": data or {"msg": message}}), flush=True)


def say(text):
    if mode == "plain":  # as dbt 1.8
        print(gap.join(text), flush=True)
        return
    event("PrintEvent", "Z052", "info", gap.join(text), msg=gap.join(text))


def caught(text):
    event("RunningOperationCaughtError", "Q001", "error",
          "Encountered an error while running operation: " + text, exc=text)
    sys.exit(1)


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


def check(steps):
    for i, step in enumerate(steps):
        if mode == "short-check" and i == len(steps) - 1:
            continue
        say(f"airlock {nonce} text {i} {len(step['sql'])} {md5(step['sql'])}")
        if mode == "mismatch":
            caught("Compilation Error in macro airlock_run (macros/airlock_ops.sql)\n"
                   f"  airlock {nonce} mismatch {i}\n  \n  > in macro airlock_run")
        assert step["md5"] == md5(step["sql"])


def answer(i, step):
    documents = [json.dumps({"sql": step["sql"]}, ensure_ascii=False)] if step["rows"] else []
    if "nothing" in step["sql"]:
        documents = []
    text = "[" + ",".join(documents) + "]" if step["rows"] else ""
    if mode == "not-json" and step["rows"]:
        text = "[None]"
    pieces = [text[j:j + PIECE] for j in range(0, len(text), PIECE)]
    order = list(range(len(pieces)))
    if mode == "missing-piece" and len(order) > 1:
        del order[1]
    if mode == "wrong-order" and len(order) > 1:
        order[0], order[1] = order[1], order[0]
    for j in order:
        sent = pieces[j].replace("select", "*****") if mode == "scrubbed" else pieces[j]
        if mode == "killed" and j == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        say(f"airlock {nonce} {i} {j} {len(pieces)} {sent}")
    if mode == "lost-done" and i == 1:
        return
    rows = 2 if mode == "wrong-count" and step["rows"] else len(documents)
    say(f"airlock {nonce} done {i} {len(pieces)} {rows} {md5(text)}")


def statement(sql):
    """What the text asks for: `slow`, `broken`, `lost`, `busy NAME` and `shut NAME` the first time. What was
    run is a line of FAKE_DBT_LOG, with the process that did."""
    log = os.environ.get("FAKE_DBT_LOG")
    if not log:
        return
    name = re.search("(?:busy|shut) [a-z0-9]+", sql)
    if name and not os.path.exists(log + name.group()):
        open(log + name.group(), "w", encoding="utf-8").close()
        caught("Database Error\n  Exceeded rate limits" if "busy" in sql else "Database Error\n  Unable to generate access token")
    if "lost" in sql:
        os.kill(os.getpid(), signal.SIGKILL)
    if "broken" in sql:
        caught("Database Error\n  Not found: no such table\n")
    if "slow" in sql:
        time.sleep(0.3)
    with open(log, "a", encoding="utf-8") as f:
        f.write(f"{os.getpid()} {sql}\n")


def operation():
    project = sys.argv[sys.argv.index("--project-dir") + 1]
    with open(project + "/macros/airlock_ops.sql", encoding="utf-8") as f:
        macro = f.read()
    steps = [json.loads(line.strip().rstrip(","))
             for line in macro.split("\n") if line.startswith('\t{"md5": ')]
    global nonce, gap
    nonce = re.search(r'set nonce = "([0-9a-f]*)"', macro).group(1)
    gap = re.search(r'set gap = "(.*)" -', macro).group(1)
    if mode == "wrong-nonce":
        nonce = "0" * len(nonce)
    check(steps)
    guard = 0
    for i, step in enumerate(steps):
        if mode == "second-error" and i == 1:  # as dbt 2.x
            event("Generic", "", "error", "[error] [DbDriverFailed (dbt1308)]: Catalog Error: no table t\n\n"
                  "LINE 1: select * from t\n(in :4:13)\n  --> :4:13\n   0: <unknown>\n")
            sys.exit(1)
        if mode == "sql-error" and i == 1:
            caught('Database Error\n  relation "t" does not exist\n  LINE 1: select * from t\n')
        if step["guarded"] and "nothing" in steps[guard]["sql"] or mode == "skips" and i == 1:
            say(f"airlock {nonce} skip {i}")
            continue
        guard = guard if step["guarded"] else i
        statement(step["sql"])
        answer(i, step)
    if mode == "no-end":
        return
    say(f"airlock {nonce} end {len(steps)}")
    if mode == "twice":
        say(f"airlock {nonce} end {len(steps)}")
    if mode == "fails-after":
        event("MainEncounteredError", "Z002", "error", "Encountered an error:\n[Errno 28]")
        sys.exit(2)


def record():
    path = os.environ.get("FAKE_DBT_RECORD")
    if path:
        with open(path, "w", encoding="utf-8") as f:
            json.dump({"argv": sys.argv[1:], "env": dict(os.environ)}, f)


nonce = gap = ""
record()
event("MainReportVersion", "A001", "info", "Running with dbt=1.11.16")
if mode == "silent":
    sys.exit(0)
if mode == "usage":
    print("Usage: dbt build [OPTIONS]\n\nError: No such option '--nope'.", file=sys.stderr)
    sys.exit(2)
if mode == "profile":
    event("MainEncounteredError", "Z002", "error", "Runtime Error\n  no target 'x'")
    sys.exit(2)
if mode == "hangs":
    signal.pause()
operation()
