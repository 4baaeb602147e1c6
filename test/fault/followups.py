"""What happens after a fault: one row each, and every case is tried with all of them.

A row is a function of the world and the state that the fault left; it gives the run that settled
things, the state that production has to have then, and what is wrong besides. `resume` and `abort`
name the newest deployment; where the history has none, nothing was begun, and both say so.
"""


def deploy_again(world, _state):
    run = world.deploy()
    return run, "new", _failed(run)


def resume(world, state):
    """What was published stays, what was not is published; one that has ended is left as it is."""
    name, events = _newest(world)
    run = world.run(["resume", *_id(name), *world.strategy.sides, "--json"])
    if not name:
        return run, state, _refused(run, "deployment-unknown")
    if "aborted" in events or _ended_rebuild(world, events):
        return run, state, _refused(run, "not-resumable")
    expected = state if world.strategy.mirrors and state == "mixed" else "new"
    return run, expected, _failed(run) + _twice(world, "resume", name, 0)


def abort(world, state):
    """Before the publish production stays; after it, also when the server was still at it, abort says
    that it is too late."""
    name, _ = _newest(world)
    run = world.run(["abort", *_id(name), *world.strategy.sides, "--json"])
    if not name:
        return run, state, _refused(run, "deployment-unknown")
    if run.status == 70:
        expected = state if state == "mixed" or world.strategy.rebuilds else "new"
        return run, expected, _refused(run, "already-published") + _twice(world, "abort", name, 70)
    return run, "old" if state == "old" else state, _failed(run) + _twice(world, "abort", name, 0)


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
