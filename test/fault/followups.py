"""What happens after a fault: one row each, and every case is tried with all of them.

A row is a function of the world and the state that the fault left; it gives the run that settled
things, the state that production has to have then, and what is wrong besides. `resume` and `abort`
name the newest deployment; where the history has none, nothing was begun, and both say so. Where tables
change one at a time, one that had begun to change them is resumed or aborted: the next deployment says
71, and changes nothing.
"""

import time


def deploy_again(world, state):
    partly = _partly(world)
    run = world.deploy()
    if partly:
        return _only_resumed(world, partly, state, run)
    return run, world.deployed, _failed(run)


def resume(world, state):
    """What was published stays, what was not is published; one that has ended is left as it is, and a
    rebuild that has failed on its way is for abort."""
    name, events = _newest(world)
    partly = _partly(world)
    run = refused = _resume(world, _id(name))
    if not name:
        return run, state, _refused(run, "deployment-unknown")
    if _ended_rebuild(world, events):
        run, expected, problems = abort(world, state)
        return run, expected, problems + _refused(refused, "not-resumable")
    if "aborted" in events:
        return run, state, _refused(run, "not-resumable")
    expected = state if world.strategy.mirrors and state == "mixed" and not partly else _publishes(world, name)
    return run, expected, _failed(run) + _twice(world, "resume", name, 0)


def abort(world, state):
    """Before the publish production stays; after it, also when the server was still at it, abort says
    that it is too late. A rebuild on its way is neither: production is the old one again."""
    name, _ = _newest(world)
    partly = _partly(world)
    run = world.run(["abort", *_id(name), *world.strategy.sides, "--json"])
    if not name:
        return run, state, _refused(run, "deployment-unknown")
    if partly and world.strategy.green:
        return _only_resumed(world, partly, state, run)
    if partly:
        return run, "old", _failed(run) + _twice(world, "abort", name, 0)
    if run.status == 70:
        expected = state if state == "mixed" and not world.strategy.rebuilds else "new"
        return run, expected, _refused(run, "already-published") + _twice(world, "abort", name, 70)
    expected = "old" if world.strategy.rebuilds else state
    return run, expected, _failed(run) + _twice(world, "abort", name, 0)


def _publishes(world, name):
    """What production is behind it. Of a rollback the newest may be the deployment that came next."""
    if not world.strategy.rolls_back:
        return world.deployed
    is_rollback = any(one["id"] == name and one.get("of") for one in world.history())
    return "new" if is_rollback else world.deployed


def _partly(world):
    """The newest one, where it died between its first table and its last, as far as its record goes."""
    name, events = _newest(world)
    ends = {"published", "finished", "aborted"} & set(events)
    return name if world.is_standin and "intent" in events and not ends else None


def _only_resumed(world, name, state, refused):
    problems = _refused(refused, "outcome-unknown")
    if world.state() != state:
        problems.append("what was refused changed production")
    run = _resume(world, [name])
    return run, "new", problems + _failed(run) + _twice(world, "resume", name, 0)


def _resume(world, name):
    """A swap that the service still has is waited for."""
    run = world.run(["resume", *name, *world.strategy.sides, "--json"])
    while run.status == 71 and "the service still has" in run.errors:
        time.sleep(0.5)
        run = world.run(["resume", *name, *world.strategy.sides, "--json"])
    return run


def _ended_rebuild(world, events):
    """It failed while production was made anew: that cannot be taken up again."""
    return world.strategy.rebuilds and "finished" in events and world.history()[0]["outcome"] != "published"


def _newest(world):
    """The one that was faulted; those before it are of the frozen state."""
    events = {name: found for name, found in world.events().items() if name not in world.frozen_events}
    return list(events.items())[-1] if events else (None, [])


def _id(name):
    return [name] if name else []


def _failed(run):
    return [f"it ended with {run.status}"] if run.status else []


def _refused(run, code):
    error = run.report()["error"]
    return [] if error and error["code"] == code else [f"it ended with {run.status}, and not with {code}"]


def _twice(world, verb, name, status):
    run = world.run([verb, name, *world.strategy.sides, "--json"])
    return [] if run.status == status else [f"the second {verb} ended with {run.status}: {run.errors[-800:]}"]


FOLLOWUPS = {"deploy": deploy_again, "resume": resume, "abort": abort}
