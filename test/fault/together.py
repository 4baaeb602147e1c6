"""Many deployments started at once on one production: one at a time gets the lock, the others wait for
it or stop with 72, and what is published is whole. Half of the rounds share one checkout of the
project, in the others everybody has one of their own, as on different machines. Every second
deployment does not wait (`if_locked: fail`)."""

import shutil

import checks
from followups import FOLLOWUPS
from world import REAL, World


def run(engine, strategy, options, report):
    rounds, at_once = (50, 20) if options.all else (2, 20 if engine == "duckdb" else 6)
    if options.real:
        rounds, at_once = (3, 20) if options.all else (1, 3)
    report.plan(rounds)
    with World(engine, strategy, REAL if options.real else None) as world:
        for number in range(rounds):
            place = "checkouts of their own" if number % 2 else "one checkout"
            problems, note = _round(world, at_once, own_checkouts=number % 2)
            report.case(f"{at_once} at once, {place}, round {number + 1}", problems, note)


def _round(world, at_once, own_checkouts):
    world.thaw()
    fences = _fences(world)
    checkouts = _checkouts(world, at_once) if own_checkouts else [world.project] * at_once
    started = [world.popen(_arguments(world, number), cwd=c) for number, c in enumerate(checkouts)]
    runs = [world.finish(process) for process in started]
    trace = world.trace()
    state = world.state()
    problems = checks.of_processes(trace) + checks.of_rest(world)
    statuses = sorted(run.status for run in runs)
    for one in runs:
        if one.status not in (0, 72):
            problems.append(f"one ended with {one.status}: {one.errors[-800:]}")
        # What the others did meanwhile is not in this report.
        problems += checks.of_report(one, "old" if one.status == 0 else state, state, world)
    if 0 not in statuses or state != "new":
        problems.append(f"nobody published: {statuses}, production is {state}")
    problems += _overlaps(_builds(trace))
    waited = [run.status for run in runs[1::2]]
    if 72 in waited:
        problems.append(f"one did not wait long enough: {waited}")
    held = len(statuses) - statuses.count(72)
    taken = {name: fence - fences.get(name, 0) for name, fence in _fences(world).items()}
    if set(taken.values()) != {held}:
        problems.append(f"locks were taken {taken} times, and {held} held them: {statuses}")
    problems += _one_holder(world, held)
    after, expected, _ = FOLLOWUPS["deploy"](world, state)
    if after.status or world.state() != expected:
        problems.append(f"the next deployment ended with {after.status}: {after.errors[-800:]}")
    for directory in set(checkouts) - {world.project}:
        shutil.rmtree(directory)
    return problems, f"{statuses.count(0)} published, {statuses.count(72)} stopped with 72"


def _arguments(world, number):
    wait = ("--lock-timeout", "600") if number % 2 else ("--if-locked", "fail")
    verb, *rest = world.deploy_arguments()
    return [verb, *wait, *rest]


def _checkouts(world, count):
    directories = [world.directory / f"checkout{number}" for number in range(count)]
    for directory in directories:
        shutil.copytree(world.project, directory)
    return directories


def _fences(world):
    """How often each lock that deployments hold was taken, ever. Production's have no holder, unless
    the strategy holds them from its begin: then they are taken together with those of staging."""
    fences = {name: world.sql(f"select fence, id from airlock.{name}")[0] for name in world.lock_tables()}
    return {name: fence for name, (fence, holder) in fences.items() if holder}


def _one_holder(world, count):
    """Of the newest: each had a fence of its own, and began when the one before it had ended."""
    times = world.sql("select id, min(logged_at), max(logged_at) from airlock.airlock_log group by id order by 2")
    times = times[-count:]
    fences = {one["id"]: one["fence"] for one in world.history()}
    return [f"held at once: {one} and {other}, by their fences {fences[one[0]]} and {fences[other[0]]}"
            for one, other in zip(times, times[1:])
            if fences[one[0]] >= fences[other[0]] or one[2] > other[1]]


def _builds(trace):
    """When each deployment built: (began, ended, its process)."""
    ended = {(line["verb"], line["nth"]): line["ended"] for line in trace if "ended" in line}
    return sorted((line["began"], ended.get((line["verb"], line["nth"]), float("inf")), line["parent"])
                  for line in trace if "began" in line and line["verb"] == "build")


def _overlaps(builds):
    return [f"two at once held staging: {one} and {other}"
            for one, other in zip(builds, builds[1:]) if other[0] < one[1]]
