"""kill -9 at random moments: of airlock, of its dbt, of both. Production is the old or the new one, and
the next deployment, resume or abort settles it. The seed is in the name of each case: --seed tries it again."""

import os
import random
import signal
import time

import checks
from followups import FOLLOWUPS
from world import REAL, World

VICTIMS = ("airlock", "dbt", "both")
NEXT = ("deploy", "resume", "abort")  # of each victim each


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
            followup = NEXT[seed // len(VICTIMS) % len(NEXT)]
            problems, note = _kill(world, victim, chance.uniform(0, duration), followup)
            report.case(f"{victim} killed at a random moment, seed {seed}; then {followup}", problems, note)


def _kill(world, victim, delay, followup):
    world.thaw()
    process = world.popen(world.deploy_arguments())
    time.sleep(delay)
    for pid in _victims(process.pid, victim):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it was faster
    killed = world.finish(process)
    problems = checks.of_processes(world.trace())  # first: one that is dying may hold the file
    state = world.state()
    problems += checks.of_state(world, killed) + checks.of_report(killed, "old", state, world)
    run_, expected, wrong = FOLLOWUPS[followup](world, state)
    settled = world.state()
    if wrong or settled != expected:
        problems += [*wrong, f"after {followup} production is {settled}: {run_.errors[-1500:]}"]
    problems += checks.of_report(run_, state, settled, world)
    if followup != "deploy":
        after = world.deploy()
        if after.status or world.state() != world.deployed:
            problems.append(f"the next deployment ended with {after.status}: {after.errors[-800:]}")
    problems += checks.of_rest(world) + checks.of_gc(world)
    ends = [text.splitlines()[0] for text in (state, settled)]
    return problems, f"after {delay:.2f} s: {killed.status} {ends[0]}, then {ends[1]}"


def _victims(airlock, victim):
    try:
        with open(f"/proc/{airlock}/task/{airlock}/children", encoding="utf-8") as file:
            children = [int(pid) for pid in file.read().split()]
    except FileNotFoundError:
        children = []
    return {"airlock": [airlock], "dbt": children, "both": [*children, airlock]}[victim]
