"""Random projects, deployed one change after another, as TAP: run ENGINE [--strategy NAME].

After each deployment production is the old or the new set, compared whole with the same built in
place; nothing else is another; what failed is mended, and the next one publishes.

  --count N   so many projects, each time others; with AIRLOCK_TEST_ALL it is many, and without both the
              one of the strategy's row, the same each time
  --seed N    the one project that N stands for; it says what is done to it
  --real      with the real dbt, far fewer of them
"""

import argparse
import os
import pathlib
import random
import signal
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "fault"))

import session  # noqa: E402
from ground import Ground  # noqa: E402
from report import Report  # noqa: E402
from strategies import STRATEGIES  # noqa: E402
from world import REAL  # noqa: E402

MANY, FEW = 25, 2


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("engine", choices=("duckdb", "postgres"))
    parser.add_argument("--strategy", choices=[s.name for s in STRATEGIES], default=STRATEGIES[0].name)
    parser.add_argument("--count", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--real", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # airlock inherits what Python ignores
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the servers and folders still go
    strategy = next(s for s in STRATEGIES if s.name == options.strategy)
    seeds = _seeds(options, strategy)
    report = Report(f"{strategy.name} on {options.engine}: ", False)
    report.plan(len(seeds))
    with Ground(options.engine, strategy, REAL if options.real else None) as ground:
        for seed in seeds:
            problems, done = session.run(ground, seed, is_told=options.seed is not None)
            report.case(f"random project, seed {seed}", problems, done)
    sys.exit(report.failed > 0)


def _seeds(options, strategy):
    if options.seed is not None:
        return [options.seed]
    is_random = options.count or options.real or os.environ.get("AIRLOCK_TEST_ALL")
    count = options.count or (FEW if options.real else MANY)
    return [random.randrange(10**6) for _ in range(count)] if is_random else [strategy.seed]


main()
