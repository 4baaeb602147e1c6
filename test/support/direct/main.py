"""direct: what airlock asks of dbt, answered in milliseconds against real databases, or stand-ins of
services.

It plays what `record` recorded of the sample project, and never imports dbt:

  parse          writes the recorded manifest of the target, under a new invocation id
  build          executes the recorded SQL node by node, writes manifest.json and run_results.json
  ls             lists what a selection of the recorded graph selects
  run-operation  executes what airlock wrote into its generated project, call by call

with the JSON log of dbt 1.11 on stdout and its exit statuses. The connection is that of the sample
profiles (SHOP_DUCKDB, SHOP_PG_*, SHOP_SF_*, SHOP_BQ_*). What else it reads:

  DIRECT_RECORDED  a directory with the recordings of another project, ENGINE-TARGET.json
  DIRECT_SCENARIO  a file, or JSON itself: what the project does differently (build.py)
  DIRECT_TRACE     a file to which every start is appended, and what it ran (trace.py)
  DIRECT_FAULT     what goes wrong and where (faults.py); it counts starts in DIRECT_TRACE

This file stays small: it is the only one that Python compiles at each start.
"""

import os
import sys
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
VERSION = "python%d.%d" % sys.version_info[:2]
sys.path[:0] = [HERE, f"{ROOT}/.cache/dbt/lib/{VERSION}/site-packages"]

import command  # noqa: E402  (its folder is on the path only now)


def run(words):
    status = command.main(words)
    sys.stdout.flush()
    # Everything is closed by now; taking the interpreter apart would cost as much as starting it.
    os._exit(status)


def serve(path, profile):
    """What a command imports when it needs it is there already."""
    import build  # noqa: F401
    import selection  # noqa: F401
    import server
    from engines import ENGINES

    ENGINES[profile].prepare()
    return server.serve(path)


words = sys.argv[1:]
if words[:1] == ["--serve"]:
    words = serve(*words[1:])
    if words is None:
        os._exit(0)
    try:
        run(words)
    except Exception:  # of the harness: whoever asked has its text
        traceback.print_exc()
    finally:
        os._exit(126)  # of no meaning to dbt
run(words)
