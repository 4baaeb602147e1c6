"""The matrix: every case, followed by every follow-up, each from the frozen state."""

import itertools
import multiprocessing
import random
import signal
import sys
import time
from dataclasses import dataclass, field

import checks
from cases import Case, all_cases
from followups import FOLLOWUPS
from strategies import STRATEGIES
from world import AROUND, World

LATE_S = 2  # the server is done with what a dead client sent
FEW = 4


@dataclass
class Outcome:
    case: Case
    followup: str
    status: int = 0  # of the faulted deployment
    state: str = ""
    settled: str = ""  # what the follow-up made of it
    problems: list = field(default_factory=list)
    seconds: float = 0.0

    @property
    def name(self):
        return f"{self.case.name}; then {self.followup}"

    @property
    def cell(self):
        status = "killed" if self.status == checks.KILLED else str(self.status)
        return f"{status} {self.state.splitlines()[0]}" + (" **wrong**" if self.problems else "")


def one_of_each(cases):
    """One of each kind of fault, the places spread over what there is."""
    columns = {}
    for case in cases:
        columns.setdefault((case.fault, "step" in case.place, case.group), []).append(case)
    return [group[(7 * number + len(group) // 2) % len(group)] for number, group in enumerate(columns.values())]


def sample(cases, strategy, is_standin):
    """The first strategy has all kinds, the others every second one: the next has those that this one has
    not. A stand-in takes ten times as long as a database: of it a few."""
    found = one_of_each(cases)
    if is_standin:
        return found[:: -(-len(found) // FEW)]
    if strategy != STRATEGIES[0] and not strategy.has_hooks:
        found = found[STRATEGIES.index(strategy) % 2::2]
    return found


def one_of_each_place(cases):
    """Each place, and each kind of fault: the next kind of those that it has, each time."""
    places = {}
    for case in cases:
        places.setdefault(case.place, []).append(case)
    return [found[number % len(found)] for number, found in enumerate(places.values())]


def choose_tries(cases, options):
    """What is a step, a command or a commit with every follow-up, and then what is inside with the next of
    them. Both in an order of chance, always the same: a run that is ended early has met something of everything."""
    if not options.all or options.real:
        return list(zip(cases, itertools.cycle(FOLLOWUPS)))
    whole = [case for case in cases if case.is_whole or case.is_commit or options.only]
    inside = [] if options.only else [case for case in cases if not (case.is_whole or case.is_commit)]
    parts = [list(itertools.product(whole, FOLLOWUPS)), list(zip(inside, itertools.cycle(FOLLOWUPS)))]
    for tries in parts:
        random.Random(len(tries)).shuffle(tries)
    return [*parts[0], *parts[1]]


def try_case(world, case, followup):
    """Never raises: what goes wrong in the harness is a problem of the case."""
    outcome = Outcome(case, followup)
    began = time.monotonic()
    try:
        world.thaw()
        _fault(world, case, outcome)
        _follow(world, case, followup, outcome)
    except Exception as error:  # the next case begins anew in any case
        outcome.problems.append(f"{type(error).__name__}: {error}")
    outcome.seconds = time.monotonic() - began
    return outcome


def _fault(world, case, outcome):
    outcome.state = "old"
    tries = ((world.do, "new"), (world.recover, world.deployed))
    for (command, published_is), environment in zip(tries, case.faults):
        before = outcome.state
        run = command(**environment)
        trace = world.trace()
        outcome.problems += checks.of_processes(trace)
        outcome.status, outcome.state = run.status, _settled_state(world, case)
        outcome.problems += checks.of_state(world, run)
        outcome.problems += checks.of_report(run, before, outcome.state, world, published_is)
        if case.is_retried:
            outcome.problems += _of_retry(world, run, case)
        if not case.may_be_missed:
            outcome.problems += _of_meeting(environment, run, trace)
        if case.interrupted and run.status != case.interrupted:
            outcome.problems.append(f"it was told to stop, and ended with {run.status}: {run.errors[-800:]}")


def _settled_state(world, case):
    """Nobody looks at production in one statement: while the server is at what a dead client sent, what is
    read may be some of both, and the catalog may name what is gone. A moment later it is not."""
    if "late" not in str(case.faults):
        return world.state()
    try:
        state = world.state()
    except Exception as error:
        state = f"neither: {error}"
    if state.startswith("neither"):
        time.sleep(LATE_S)
        world.leave()
        state = world.state()
    return state


def _of_retry(world, run, case):
    """Not more than once: the fault is gone when it was met. Who reads the history has no journal yet."""
    retries = sum(line["event"] == "retry" for line in world.journal())
    good = run.status == 0 and retries == (not case.place.startswith("operation 1 (look)"))
    return [] if good else [f"ended with {run.status} after {retries} retries: {run.errors[-800:]}"]


def _of_meeting(environment, run, trace):
    """A fault that was not met proves nothing."""
    if any(name.startswith("FAULT_") for name in environment):
        met = run.status != 0
    elif "AIRLOCK_FAULT" in environment:
        met = run.status == checks.KILLED or "AIRLOCK_FAULT" in run.output + run.errors
    else:
        met = sum("fault" in line for line in trace) == len(environment["DIRECT_FAULT"].split())
    return [] if met else [f"the fault was not met: exit {run.status} {run.errors[-300:]}"]


def _follow(world, case, followup, outcome):
    """What is inside a step ends with what settled it, if that did; anything else with the next deployment
    and gc, of which a sample leaves gc to some. The lock of a second one that died is for the next too."""
    run, expected, problems = FOLLOWUPS[followup](world, outcome.state)
    outcome.settled = world.state()
    if problems or outcome.settled != expected:
        outcome.problems += [*problems,
                             f"after {followup} production is {outcome.settled}: {run.errors[-1500:]}"]
    outcome.problems += checks.of_report(run, outcome.state, outcome.settled, world, expected)
    goes_on = not world.is_real and (case.is_whole or len(case.faults) > 1 or not world.is_exhaustive)
    # One that never got its lock has no history: the next deployment settles it.
    if followup != "deploy" and (goes_on or run.status):
        after = world.deploy()
        if after.status or world.state() != world.deployed:
            outcome.problems.append(f"the next deployment ended with {after.status}: {after.errors[-800:]}")
    outcome.problems += checks.of_rest(world)
    if followup == "deploy" or world.is_exhaustive and case.is_whole:
        outcome.problems += checks.of_gc(world)


STOPPED = []


def stop(*_):
    """Upon SIGTERM, once: the servers and folders still go."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    STOPPED.append(True)  # DuckDB makes an error of its query of what is raised here
    sys.exit(143)


def _work(engine, strategy, options, todo, done):
    with _world(engine, strategy, options) as world:
        for case, followup in iter(todo.get, None):
            done.put(try_case(world, case, followup))
            if STOPPED:
                return


def _world(engine, strategy, options):
    world = World(engine, strategy, AROUND if options.real else None)
    world.is_exhaustive = options.all and not options.real
    return world


def run(engine, strategy, options, report):
    """Each outcome goes to report() as it is known."""
    with _world(engine, strategy, options) as world:
        cases = list(all_cases(world, options.only))
        for number, case in enumerate(cases):
            case.number = number
        if options.real:
            cases = one_of_each_place(cases)
        elif not options.all:
            cases = sample(cases, strategy, world.is_standin)
        cases = [case for case in cases if options.only in case.name]
        tries = choose_tries(cases, options)[:options.tries]
        report.plan(len(tries))
        if options.jobs == 1:
            for case, followup in tries:
                _report(try_case(world, case, followup), report)
        else:
            world.leave()
            _run_parallel(engine, strategy, tries, options, report)


def _run_parallel(engine, strategy, tries, options, report):
    todo, done = multiprocessing.Queue(), multiprocessing.Queue()
    for item in [*tries, *[None] * options.jobs]:
        todo.put(item)
    arguments = (engine, strategy, options, todo, done)
    # A run that is ended early waits neither for them nor for the rest of what there is to do.
    workers = [multiprocessing.Process(target=_work, args=arguments, daemon=True) for _ in range(options.jobs)]
    todo.cancel_join_thread()
    for worker in workers:
        worker.start()
    for _ in tries:
        _report(done.get(), report)
    for worker in workers:
        worker.join()


def _report(outcome, report):
    report.outcomes.append(outcome)
    report.case(outcome.name, outcome.problems, f"{outcome.cell}, then {outcome.settled}")
