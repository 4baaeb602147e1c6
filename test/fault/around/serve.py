"""The real dbt without a start of Python for each command, for test/support/direct/client.c: half of what a
command of it takes is imports. serve.py SOCKET ENGINE"""

import gc
import importlib
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "test/support/direct"))

import server  # noqa: E402
from dbt.cli.main import cli  # noqa: E402

path, engine = sys.argv[1:]
importlib.import_module(f"dbt.adapters.{engine}")
words = server.serve(path)
if words is None:
    os._exit(0)
gc.unfreeze()
gc.enable()
sys.argv = ["dbt", *words]
cli()
