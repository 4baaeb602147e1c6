"""Every case of the matrix: which fault, and where.

Two kinds of places. Steps are those of the plan (AIRLOCK_FAULT, inside airlock). Calls are those of
dbt's commands as a deployment without a fault made them (DIRECT_FAULT, inside the stand-in dbt):
every statement of every operation, some nodes of the build, and each command as a whole.
"""

import re
from dataclasses import dataclass, field

WHENS = ("before", "after")
SIGNALS = ("int", "term")


@dataclass
class Case:
    place: str  # a row of the table
    fault: str  # a column of it
    environment: dict = field(default_factory=dict)
    may_be_missed: bool = False  # the place may not be reached: then nothing may have gone wrong

    @property
    def name(self):
        return f"{self.place}: {self.fault}"


def all_cases(world):
    steps = world.plan_steps()
    for step in steps:
        for when in WHENS:
            for kind in ("error", "crash"):
                # `finish` goes out in one operation with the publish
                yield Case(f"step {step}", f"{kind} {when}", {"AIRLOCK_FAULT": f"{step}:{when}:{kind}"},
                           may_be_missed=step == "finish")
    commands = Commands(world)
    yield from commands.cases()
    yield from commands.double_faults()


class Commands:
    """The commands of a deployment, from the trace of a good one."""

    def __init__(self, world):
        self.is_postgres = world.engine == "postgres"
        self.calls, self.nodes = {}, 0
        for line in world.good_trace:
            if "began" in line:
                self.calls.setdefault((line["verb"], line["nth"]), [])
            elif "calls" in line:
                self.calls[line["verb"], line["nth"]] = line["calls"]
        self.publish = next(key for key, calls in self.calls.items() if any(map(is_publish_record, calls)))

    def cases(self):
        for (verb, nth), calls in self.calls.items():
            name = f"{verb} {nth}"
            for fault in self._whole_command_faults():
                yield self._case(verb, nth, 0, name, fault)
            for number, sql in enumerate(calls, 1):
                place = f"{name}, {number}/{len(calls)} {label(sql)}" if verb == "run-operation" \
                    else f"{name}, node {number}/{len(calls)} {sql}"
                for fault in self._call_faults(verb, number, len(calls)):
                    yield self._case(verb, nth, number, place, fault)

    def _case(self, verb, nth, call, place, fault):
        when, kind = fault
        column = f"{kind} {when}".replace("=", " ")
        return Case(place, column, {"DIRECT_FAULT": f"{verb}/{nth}.{call}:{when}:{kind}"})

    @staticmethod
    def _whole_command_faults():
        for kind in ("error", "crash", "lost", *SIGNALS, "full"):
            yield "before", kind
        for kind in ("error", "crash", *SIGNALS):
            yield "after", kind

    def _call_faults(self, verb, number, total):
        is_special = number in (1, (total + 1) // 2, total)
        if verb != "run-operation" and not is_special:
            return
        for when in WHENS:
            yield when, "error"
            yield when, "crash"
        if verb == "run-operation":
            yield "after", "lost"
            yield "after", "mute"
            if self.is_postgres:
                yield "before", "late"
                yield "before", "orphan"
            else:
                for milliseconds in (1, 3, 10, 30):
                    yield "before", f"strike={milliseconds}"
        if is_special:
            for kind in SIGNALS:
                yield "before", kind
                yield "after", kind
            yield "before", "full"

    def double_faults(self):
        """The publish ends unseen, and what is to find out how fails as well."""
        verb, nth = self.publish
        calls = self.calls[self.publish]
        commit = next(i for i, sql in enumerate(calls, 1) if sql == "commit" or is_publish_record(sql))
        if self.is_postgres:
            commit = calls.index("commit") + 1
        for first in (f"{verb}/{nth}.{commit}:after:crash", f"{verb}/{nth}.{commit}:after:lost",
                      f"{verb}/{nth}.{commit}:before:crash", f"{verb}/{nth}.{commit}:after:mute"):
            for second in ("0:before:error", "0:before:crash", "1:before:crash", "1:after:crash",
                           "1:after:lost", "1:after:error", "1:before:int"):
                for later in (nth + 1, nth + 2):
                    what = first.partition(".")[2].partition(":")[2].replace(":", " ")
                    kind = second.partition(":")[2].replace(":", " ")
                    yield Case(f"{verb} {nth}, commit, {what}; {verb} {later}, {second[0]}", kind,
                               {"DIRECT_FAULT": f"{first} {verb}/{later}.{second}"}, may_be_missed=True)


def is_publish_record(sql):
    return "airlock_log" in sql and "'published'" in sql and "insert into" in sql


def label(sql):
    """A statement in a few words, without what differs between two deployments."""
    if sql.startswith("begin;"):
        return "the transaction"
    text = re.sub(r"\s+", " ", sql).replace('"', "").replace("''", "'")
    text = re.sub(r"airlock_lock_[0-9a-f]+", "airlock_lock", re.sub(r"r_\d+_[0-9a-f]{6}_", "r_", text))
    if text.startswith("do "):
        found = re.search(r"airlock-\w+|create \w+ (if not exists )?[\w.]+", text)
        table = re.findall(r"\b(?:stage|mart|utils|airlock)\.\w+", text)
        return f"do: {found[0] if found else 'block'} {table[-1] if table else ''}".strip()
    text = re.sub(r"\(.*", "", text) if text.startswith(("insert", "create")) else text
    event = re.search(r"'(intent|published|finished|aborted)'", sql)
    return text[:48].strip() + (f" {event[1]}" if event and "airlock_log" in text else "")
