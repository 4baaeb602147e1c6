"""What has to be true of a deployment that met a fault, and of the world after the next one. Each
gives a list of what is wrong."""

import re
import time

KILLED = -9
KEPT = 75


def of_state(world, run):
    """Production is the old or the new one; only where it becomes new one table after the other may one
    that failed or died have left it between, and a refresh that says that it kept some copies."""
    state = world.state()
    may_stop = world.strategy.rebuilds or world.is_standin
    may_be_between = may_stop and run.status or world.strategy.mirrors and run.status == KEPT
    is_between = may_be_between and state == "mixed"
    return [] if state in ("old", "new") or is_between else [f"production is {state}"]


def of_report(run, before, after, world, published_is="new"):
    """What was said is what is so. Nobody reports who was killed. Of a rebuild that began, some of
    production may be new, and of a refresh those sources that were good. Where tables change one at a time
    one may have become another that holds the same."""
    if run.status == KILLED:
        return []
    if run.status < 0:
        return [f"ended by signal {-run.status}: {run.errors}"]
    try:
        report = run.report()
    except ValueError:
        return [f"exit {run.status} without a report: {run.output!r} {run.errors}"]
    outcome, status = report["outcome"], run.status
    changed = report["raw_changed" if "raw_changed" in report else "production_changed"]
    published = report["refreshed" if "refreshed" in report else "published"]
    unchanged, is_new = before == after, after == published_is or world.strategy.mirrors and after == "mixed"
    is_back = outcome == "aborted" and world.strategy.rebuilds and after == "old"
    may_be_new = is_new or after == "mixed" or world.strategy.rebuilds or world.is_standin
    claims = (
        (report["exit"] == status, f"the report says exit {report['exit']}"),
        ((status == 0) <= (outcome in ("published", "aborted")), "exit 0, and neither published nor aborted"),
        ((outcome == "aborted") <= (status == 0 and (unchanged or is_back)), "aborted, and yet something happened"),
        ((outcome == "published") <= (changed and is_new), "published, and it is not there"),
        ((outcome == "unknown") == (status == 71), "71 stands for unknown"),
        (changed <= may_be_new, "production_changed, and it has not"),
        (changed or status == 71 or unchanged or is_back, "production changed, and the report denies it"),
        ((status in (1, 2, 72, 73, 74)) <= unchanged, "a status that promises the old production"),
        ((status == 70) <= may_be_new, "70 stands for a changed production"),
        ((status != 0) <= (report["error"] is not None), "failed without an error"),
        (bool(published) <= changed, "lists what it published, and changed nothing"),
        (told_production(run.errors) in ("", "was" if changed else "was not"), "two words on production"),
    )
    said = f"(exit {status}, {outcome}, {before} to {after}): {run.errors[-800:]}"
    return [f"{what} {said}" for true, what in claims if not true]


def told_production(errors):
    """`was` or `was not`, as the last words for people have it; nothing when they leave it open."""
    told = re.findall(r"(whether )?production (was not|was) changed", errors)
    return told[-1][1] if told and not told[-1][0] else ""


def of_processes(trace):
    """No dbt outlives its deployment; one that was just killed may take a moment to go."""
    ended = {(line["verb"], line["nth"]) for line in trace if "ended" in line}
    left = [line["pid"] for line in trace if "began" in line and (line["verb"], line["nth"]) not in ended]
    for _ in range(50):
        left = [pid for pid in left if _is_alive(pid)]
        if not left:
            return []
        time.sleep(0.1)
    return [f"dbt still runs: {left}"]


def _is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def of_rest(world):
    """Nobody holds a lock, every intent has one end, and nothing lies about."""
    problems = [f"the lock is held by {name}" for name in world.held_locks()]
    published = set()
    for name, events in world.events().items():
        # In front of a rebuild `published` is the record of what was kept, and says nothing of an end.
        ends = [event for event in events if event in (
            ("finished", "aborted") if world.strategy.rebuilds else ("published", "aborted"))]
        if "published" in events:
            published.add(name)
        tried = 1 + events.count("resumed")
        if "begun" in events and len(ends) != 1 or len(ends) > 1 or events.count("intent") > tried:
            problems.append(f"the history of {name} is {events}")
        if ("finished" in events) != ("published" in events and "aborted" not in events):
            problems.append(f"the history of {name} ends with {events}")
    for schema, name in world.relations("table_schema = 'airlock_restore'"):
        if not any(name.startswith(f"r_{id_}_") for id_ in published):
            problems.append(f"{schema}.{name} is of no published deployment")
    foreign = "table_schema not in ('airlock', 'airlock_restore')"
    left = world.relations(f"{foreign} and table_name like '%airlock%'")
    return problems + [f"left behind: {found}" for found in left]


def _spare(kept):
    """Those that are not the newest of their name. What one exchange put aside stays as one."""
    newest = {}
    for point in sorted(kept, key=lambda point: point["at"]):
        newest[point["of"]] = point
    stay = {point["deployment"] for point in newest.values() if "__airlock_" in point["relation"]}
    return [point for point in kept if newest[point["of"]] is not point and point["deployment"] not in stay]


def of_gc(world, foreign=("by_hand",)):
    """After `airlock gc` nothing is there but log, locks and the newest restore point of each table or
    schema; and a schema with something `foreign` in it, of people or of a node that is gone."""
    before = world.state()
    run = world.run(["gc", *world.strategy.sides, "--keep-for", "0", "--yes", "--json"])
    if run.status:
        return [f"gc ended with {run.status}: {run.output[-800:]} {run.errors[-800:]}"]
    report = run.report()
    points = report["restore_points"]
    kept = [point for point in points if point["state"] == "kept"]
    held = [point for point in points if any(name in (point["why"] or "").lower() for name in foreign)]
    copies = report["side_copies"]  # a refresh that died made one late
    left = world.relations("table_schema = 'airlock_restore'") + world.schemas_aside()
    copies_left = world.relations("table_schema = 'airlock' and table_name like 'mirror%'")
    claims = (
        (world.state() == before, "gc changed production"),
        (not report["side_tables"], f"side tables: {report['side_tables']}"),
        (not report["unfinished"], f"without an end: {report['unfinished']}"),
        (all(point["state"] != "foreign" or point in held for point in points), f"foreign: {points}"),
        (not _spare(kept), f"several of one: {_spare(kept)}"),
        (report["dropped"] == len(points) - len(kept) - len(held) + len(copies),
         f"dropped {report['outcome']} of {points}"),
        (len(left) == len(kept) + len(held), f"others are left: {left}"),
        (not copies_left, f"side copies are left: {copies_left}"),
    )
    return [f"after gc: {what}" for true, what in claims if not true]
