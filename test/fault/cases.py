"""Every case of the matrix: which fault, and where.

Two kinds of places. Steps are those of the plan (AIRLOCK_FAULT, inside airlock). Calls are those of
dbt's commands as a deployment without a fault made them (DIRECT_FAULT, inside the stand-in dbt): each
command as a whole, some nodes of the build, and the statements of every operation. Of statements that
differ in names alone the first and the last are taken; and nothing happens between two statements, so
that of a death between them one is enough; what only reads leaves nothing that could be half done.
"""

import itertools
import re
from dataclasses import dataclass

WHENS = ("before", "after")
SIGNALS = {"int": 130, "term": 143}  # and the exit status of who is told so

# (when, kind): of a command as a whole; of its first call; of the first, middle and last one; of each
# statement that changes something, and by engine; inside a transaction
WHOLE_COMMAND = [
    *itertools.product(["before"], ("error", "crash", "lost", *SIGNALS, "full")),
    *itertools.product(["after"], ("error", "crash", *SIGNALS)),
]
FIRST_CALL = [("before", "crash"), ("before", "crash-airlock"), ("after", "error")]
SPECIAL_CALL = [("after", "mute"), ("before", "full")]
EACH_STATEMENT = [("after", "crash"), ("after", "lost"), ("after", "crash-airlock")]
UNCOMMITTED = [("after", "crash"), ("before", "late-airlock")]
EACH_STATEMENT_OF = {
    "postgres": [("before", "late"), ("before", "late-airlock"), ("before", "orphan")],
    "duckdb": [("before", "strike=1"), ("before", "strike=10")],
    "snowflake": [("before", "late"), ("before", "late-airlock")],
    "bigquery": [("before", "late"), ("before", "late-airlock")],
}
KILLED = "killed"  # so begins the name of a recovery that breaks
IN_RECOVERY = [("before", "error"), ("after", "crash"), ("after", "crash-airlock")]
# What a hook does in the place of its work
HOOKS = {
    "fails": "exit 3",
    "is killed": "kill -KILL $$",
    "airlock is killed": "kill -KILL $PPID",
    "airlock gets int": "kill -INT $PPID; sleep 5",
    "airlock gets term": "kill -TERM $PPID; sleep 5",
}
# A table of production becomes another one
REPLACES = re.compile(r'create or replace \w* ?table ["`][\w-]+["`]\.["`](mart|utils)["`]', re.IGNORECASE)
TRANSIENT = {
    "postgres": ("deadlock_detected", "could_not_serialize_access", "canceling_statement_due_to_lock_timeout"),
    "snowflake": ("000625_(57014):_a_statement_has_locked_table",),
    "bigquery": ("Exceeded_rate_limits", "Could_not_serialize_access_to_table"),
}


@dataclass
class Case:
    place: str  # a row of the table
    fault: str  # a column of it
    faults: tuple  # the environment of each deployment, one after the other
    group: str = "one fault"
    may_be_missed: bool = False  # the place may not be reached: then nothing may have gone wrong
    is_retried: bool = False  # and nobody but the journal notices
    is_whole: bool = False  # a step, a command or a hook: not a statement or a node inside
    is_commit: bool = False  # the statement with which production changes
    interrupted: int = 0  # the exit status of one that is told to stop before it publishes; 0: it is not
    number: int = 0  # of all cases

    @property
    def name(self):
        return f"{self.place}: {self.fault}"


def all_cases(world, only):
    """`only`: those whose name does not have it need not be found out."""
    if world.strategy.has_hooks:
        yield from hook_faults(world)
        return
    yield from step_faults(world)
    good = Commands(world.good_trace)
    yield from call_faults(good, world.engine)
    if world.is_real:  # faults are around its commands
        return
    yield from transient_errors(good, world.engine)
    yield from unseen_publishes(good)
    if not only or only.startswith(KILLED):
        yield from broken_recoveries(world, good)


def step_faults(world):
    steps = world.steps()
    for step in steps:
        # What airlock does itself: no command of dbt meets these there.
        is_own = "link" in steps and step in ("link", "publish")
        for when in WHENS:
            for kind in ("error", "crash", *((*SIGNALS, "full") if is_own else ())):
                # `finish` goes out in one operation with the publish
                fault = {"AIRLOCK_FAULT": f"{step}:{when}:{kind}"}
                interrupted = SIGNALS.get(kind, 0) if step == "link" else 0
                yield Case(f"step {step}", f"{kind} {when}", (fault,), may_be_missed=step == "finish", is_whole=True,
                           interrupted=interrupted)


def hook_faults(world):
    """The user's own commands: they fail, die, or airlock does while they run."""
    for step in ("before_publish", "after_publish"):
        for case in step_faults(world):
            if case.place == f"step {step}":
                yield case
        for fault, command in HOOKS.items():
            variable = f"FAULT_{step.split('_')[0].upper()}"
            yield Case(f"hook {step}", fault, ({variable: command},), "hooks", is_whole=True)


def transient_errors(commands, engine):
    """What the server undid and may have better luck with is tried again: the deployment is none the
    worse."""
    for (verb, nth), calls in commands.calls.items():
        if verb != "run-operation":
            continue
        for call in sorted({1, (len(calls) + 1) // 2, len(calls)}):
            for error in TRANSIENT.get(engine, ()):
                fault = {"DIRECT_FAULT": at(verb, nth, call, "before", f"error={error}")}
                yield Case(commands.place(verb, nth, call), error.replace("_", " "), (fault,),
                           "transient errors", is_retried=True)


class Commands:
    """The commands of a deployment and their calls, from the trace of one."""

    def __init__(self, trace):
        self.calls = {}
        self.skipped = set()  # (verb, nth, call): listed among them, and not run
        for line in trace:
            if "began" in line:
                self.calls.setdefault((line["verb"], line["nth"]), [])
            elif "calls" in line:
                self.calls[line["verb"], line["nth"]] = line["calls"]
            elif "skipped" in line:
                self.skipped.add((line["verb"], line["nth"], line["skipped"]))
        publishes = [key for key, calls in self.calls.items() if any(map(is_publish_record, calls))]
        self.publish = publishes[0] if publishes else None

    def commits(self):
        """The calls of the publish that commit it: one of its own, or the string with all of it. Where tables
        change one at a time the first of them, the middle and the last, and the record."""
        calls = list(enumerate(self.calls[self.publish], 1))
        replaces = [call for call, sql in calls if REPLACES.match(sql)]
        record = [call for call, sql in calls if sql == "commit" or is_publish_record(sql) and is_whole(sql)]
        return [*(replaces[place - 1] for place in sorted(special(replaces))), record[0]]

    def commit_name(self, call):
        """The last of them is the record."""
        return "commit" if call == self.commits()[-1] else f"replacement in call {call}"

    def place(self, verb, nth, call):
        calls = self.calls[verb, nth]
        name = f"{verb} {nth}"
        if verb == "run-operation":
            name = f"operation {nth} ({role(calls)})" if calls else f"operation {nth}"
        if not call:
            return name
        what = label(calls[call - 1]) if verb == "run-operation" else f"node {calls[call - 1]}"
        return f"{name}, {call}/{len(calls)} {what}"


def at(verb, nth, call, when, kind):
    return f"{verb}/{nth}.{call}:{when}:{kind}"


def call_faults(commands, engine):
    """Around the real dbt nobody knows which operation publishes: only what comes first is before it."""
    is_before = True
    for (verb, nth), calls in commands.calls.items():
        is_before = is_before and (verb, nth) != commands.publish and bool(commands.publish or verb != "run-operation")
        for when, kind in WHOLE_COMMAND:
            yield _case(commands, verb, nth, 0, when, kind, is_before)
        for call in told_apart(verb, calls):
            for when, kind in _faults_of_call(engine, verb, call, calls):
                yield _case(commands, verb, nth, call, when, kind, is_before)


def _case(commands, verb, nth, call, when, kind, is_before):
    fault = {"DIRECT_FAULT": at(verb, nth, call, when, kind)}
    interrupted = SIGNALS[kind] if is_before and kind in SIGNALS else 0
    return Case(commands.place(verb, nth, call), f"{kind} {when}".replace("=", " "), (fault,), is_whole=not call,
                is_commit=(verb, nth) == commands.publish and call in commands.commits(), interrupted=interrupted)


def special(calls):
    """The first, the middle and the last call, from 1."""
    return {1, (len(calls) + 1) // 2, len(calls)} if calls else set()


def told_apart(verb, calls):
    """The first, the middle and the last call; of an operation also the first and the last of those
    statements that differ in names alone. From 1."""
    places = special(calls)
    if verb == "run-operation":
        shapes = {}
        for call, sql in enumerate(calls, 1):
            shapes.setdefault(_shape(sql), []).append(call)
        places |= {place for same in shapes.values() for place in (same[0], same[-1])}
    return sorted(places)


def _shape(sql):
    """How a statement begins, without names, texts and numbers."""
    text = sql[4:].replace("''", "'") if sql.startswith("do '") else without_attach(sql)
    return " ".join(re.sub(r"""\s+|"[^"]*"|'[^']*'|\d+""", " ", text).split())[:120]


def without_attach(sql):
    return re.sub(r"^attach if not exists '[^']*' as \S+( \(read_only\))?;\s*", "", sql)


def only_reads(sql):
    return re.match(r"(--[^\n]*\n|\s)*(select|with)\b", without_attach(sql)) is not None


def in_transaction(calls, call):
    """Between `begin` and `commit`."""
    return [sql for sql in calls[:call] if sql in ("begin", "commit")][-1:] == ["begin"]


def _faults_of_call(engine, verb, call, calls):
    is_special = call in special(calls)
    yield "before", "error"
    if verb != "run-operation":
        yield "after", "crash"
    elif is_special:
        yield from EACH_STATEMENT + EACH_STATEMENT_OF[engine]
    elif in_transaction(calls, call):
        yield from UNCOMMITTED
    elif not only_reads(calls[call - 1]):
        yield from EACH_STATEMENT + EACH_STATEMENT_OF[engine]
    if is_special:
        yield from [*itertools.product(WHENS, SIGNALS), *SPECIAL_CALL]
    if call == 1:
        yield from FIRST_CALL


def unseen_publishes(commands):
    """Nobody heard how the publish ended, and what is to find out, or to clean up, fails as well."""
    verb, nth = commands.publish
    endings = (("after", "crash"), ("after", "lost"), ("after", "mute"), ("before", "crash"))
    for commit, (when, kind) in itertools.product(commands.commits(), endings):
        for later in (nth + 1, nth + 2):
            for call, then, second in (
                *((0, "before", second) for second in ("error", "crash")),
                *((1, "after", second) for second in ("error", "crash", "lost")),
                (1, "before", "crash"),
                (1, "before", "int"),
            ):
                faults = f"{at(verb, nth, commit, when, kind)} {at(verb, later, call, then, second)}"
                what = "the probe" if later == nth + 1 else "the end"
                place = f"{commands.commit_name(commit)}: {kind} {when}; then {what}, call {call}"
                yield Case(place, f"{second} {then}", ({"DIRECT_FAULT": faults},), "the publish ends unseen",
                           may_be_missed=True)


def broken_recoveries(world, commands):
    """A deployment died in its publish, and the one that takes over dies while it does so."""
    verb, nth = commands.publish
    places = list(itertools.product(commands.commits(), WHENS))
    if not world.is_exhaustive:  # each of them takes two deployments to know
        places = [] if world.is_standin else places[-2:]
    for commit, when in places:
        first = {"DIRECT_FAULT": at(verb, nth, commit, when, "crash-airlock")}
        world.thaw()
        world.do(**first)
        world.recover()
        recovery = Commands(world.trace())
        for (other, number), calls in recovery.calls.items():
            if other == "build" or not world.is_standin and role(calls) in ("publish", "copy", "prepare"):
                break  # what comes now is a deployment like the first
            if other != "run-operation":
                continue
            for call in told_apart(other, calls):
                if (other, number, call) in recovery.skipped:
                    continue
                for then, kind in IN_RECOVERY[:1] if only_reads(calls[call - 1]) else IN_RECOVERY:
                    second = {"DIRECT_FAULT": at(other, number, call, then, kind)}
                    place = f"{KILLED} {when} the {commands.commit_name(commit)}"
                    yield Case(f"{place}; {recovery.place(other, number, call)}",
                               f"{kind} {then}", (first, second), "a recovery that breaks")


def role(calls):
    """What an operation is there for."""
    for name, mark in (("publish", "'published', '"), ("take over", "then 'finished' else 'aborted'"),
                       ("lock", "create table if not exists"), ("count", "'rows', q.n"),
                       ("prepare", '"stage"."revenue_by_day"'), ("copy", "airlock: side copy of refresh")):
        if any(mark in sql.replace("''", "'") for sql in calls):
            return name
    return "look"


def is_whole(sql):
    """One string with all of it; of a file with all but the rename, which is airlock's."""
    return sql.startswith("begin;") or "checkpoint " in sql


def is_publish_record(sql):
    return "airlock_log" in sql and "'published'" in sql and "insert into" in sql


def label(sql):
    """A statement in a few words, without what differs between two deployments."""
    sql = without_attach(sql)
    if sql.startswith("begin;"):
        return "the transaction"
    text = re.sub(r"\s+", " ", sql).replace('"', "").replace("''", "'")
    text = re.sub(r"airlock_lock_[0-9a-f]+", "airlock_lock", re.sub(r"\d{14}_[0-9a-f]{6}", "ID", text))
    if text.startswith("do "):
        found = re.search(r"airlock-\w+|create \w+ (if not exists )?[\w.]+", text)
        table = re.findall(r"\b(?:stage|mart|utils|airlock)\.\w+", text)
        return f"do: {found[0] if found else 'block'} {table[-1] if table else ''}".strip()
    text = re.sub(r"\(.*", "", text) if text.startswith(("insert", "create")) else text
    event = re.search(r"'(intent|published|finished|aborted)'", sql)
    return text[:48].strip() + (f" {event[1]}" if event and "airlock_log" in text else "")
