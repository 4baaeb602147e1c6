"""The faults, as TAP: run matrix|together|killed ENGINE.

  matrix    each fault at each place; without --all (or AIRLOCK_TEST_ALL) one of each kind. A step or a
            command is followed by the next deployment, by resume and by abort, and then by another
            deployment and gc; a statement by one of the three
  together  20 deployments started at once (without --all on PostgreSQL: 6)
  killed    airlock, its dbt or both killed at random moments

  --all         everything; --sample: not, whatever AIRLOCK_TEST_ALL says
  --real        with the real dbt, far fewer of them; of the matrix one at each step and command
  --jobs N      of the matrix, side by side, each with a project and a warehouse of its own
  --only TEXT   the cases whose name has it, with all three
  --tries N     not more of the matrix, of everything something
  --seed N      the one kill at the moment that N stands for
  --table FILE  writes the outcomes of the matrix into it, as Markdown; ended by SIGTERM, those so far
"""

import argparse
import os
import signal
import sys

import killed
import matrix
import table
import together
from report import Report
from strategies import STRATEGIES


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("matrix", "together", "killed"))
    parser.add_argument("engine", choices=("duckdb", "postgres", "snowflake", "bigquery"))
    parser.add_argument("--strategy", choices={s.name: s for s in STRATEGIES}, default=STRATEGIES[0].name)
    parser.add_argument("--all", action="store_true", default=bool(os.environ.get("AIRLOCK_TEST_ALL")))
    parser.add_argument("--sample", action="store_false", dest="all")
    parser.add_argument("--real", action="store_true")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--tries", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--table")
    options = parser.parse_args()
    # airlock inherits what Python ignores, and what a shell ignores in the background: of what is ignored
    # it takes no notice, and a fault of that kind would prove nothing.
    for ignored in (signal.SIGPIPE, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(ignored, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, matrix.stop)
    strategy = next(s for s in STRATEGIES if s.name == options.strategy and options.engine in s.engines)
    report = Report(f"{strategy.name} on {options.engine}: ", options.all)
    if options.what == "matrix":
        try:
            matrix.run(options.engine, strategy, options, report)
        finally:
            if options.table:
                table.write(options.table, options.engine, strategy, report)
    else:
        {"together": together, "killed": killed}[options.what].run(options.engine, strategy, options, report)
    sys.exit(report.failed > 0)


main()
