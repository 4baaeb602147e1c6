"""kill -9 at random moments: of airlock, of its dbt, of both. Production is the old or the new one,
and the next deployment publishes. The seed is in the name of each case: --seed tries it again."""

import os
import random
import signal
import time

import checks
from followups import FOLLOWUPS
from world import REAL, World

VICTIMS = ("airlock", "dbt", "both")


def run(engine, strategy, options, report):
    count = 100 if options.all else 1 if options.real else 5
    seeds = [options.seed] if options.seed else [random.randrange(10**6) for _ in range(count)]
    report.plan(len(seeds))
    with World(engine, strategy, REAL if options.real else None) as world:
        began = time.monotonic()
        world.deploy()
        duration = time.monotonic() - began
        for seed in seeds:
            chance = random.Random(seed)
            victim = VICTIMS[seed % len(VICTIMS)]
            problems, note = _kill(world, victim, chance.uniform(0, duration))
            report.case(f"{victim} killed at a random moment, seed {seed}", problems, note)


def _kill(world, victim, delay):
    world.thaw()
    process = world.popen(world.deploy_arguments())
    time.sleep(delay)
    for pid in _victims(process.pid, victim):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it was faster
    run_ = world.finish(process)
    problems = checks.of_processes(world.trace())  # first: one that is dying may hold the file
    state = world.state()
    problems += checks.of_state(world, run_) + checks.of_report(run_, "old", state, world)
    followup, expected, _ = FOLLOWUPS["deploy"](world, state)
    settled = world.state()
    if followup.status or settled != expected:
        problems.append(f"the next deployment ended with {followup.status}: {followup.errors[-1500:]}")
    problems += checks.of_report(followup, state, settled, world) + checks.of_rest(world) + checks.of_gc(world)
    ends = [text.splitlines()[0] for text in (state, settled)]
    return problems, f"after {delay:.2f} s: {run_.status} {ends[0]}, then {ends[1]}"


def _victims(airlock, victim):
    try:
        with open(f"/proc/{airlock}/task/{airlock}/children", encoding="utf-8") as file:
            children = [int(pid) for pid in file.read().split()]
    except FileNotFoundError:
        children = []
    return {"airlock": [airlock], "dbt": children, "both": [*children, airlock]}[victim]
