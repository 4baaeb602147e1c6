"""A random project and what becomes of it: deployed, changed, deployed again, with what goes wrong
between."""

import random

import checks
from change import change
from project import Project
from sources import Sources


def run(ground, seed, is_told):
    """What was wrong, and what was done in a few words."""
    chance = random.Random(seed)
    session = Session(ground, chance, is_told)
    try:
        session.run()
    except Exception as error:  # of a build in place, or of a report that cannot be read
        session.problems.append(f"{type(error).__name__}: {error}")
    if session.problems:
        session.problems += [f"done: {step}" for step in session.steps]
    return session.problems, f"{session.deployments} deployments"


class Session:
    def __init__(self, ground, chance, is_told):
        self.ground, self.chance, self.is_told = ground, chance, is_told
        self.problems, self.steps, self.deployments = [], [], 0

    def say(self, text):
        self.steps.append(text)
        if self.is_told:
            print(f"# {text}", flush=True)

    def run(self):
        self.ground.clear()
        rules = self.ground.strategy
        self.project = (Sources if rules.mirrors else Project)(self.chance, rules)
        if rules.begins_in_place:
            self.ground.write(self.project)
            self.ground.build_in_place()
        for number in range(self.chance.randint(2, 4)):
            if number:
                self.say("; ".join(self.project.change() if rules.mirrors else change(self.project)))
            else:
                self.say(f"{len(self.project.nodes)} nodes, tags {self.project.tags or 'none'}")
            trouble = self.chance.choice((None, *self._troubles()))
            if trouble:
                trouble()
            if not self.problems:
                self._succeed()
            if self.problems:
                return
            self.project.needs_refresh = False
        if rules.mirrors:
            self.say("all sources are good again")
            self.project.mend()
            self._succeed()
        self.problems += checks.of_gc(self.ground, foreign=self.ground.gone(self.project))

    def _troubles(self):
        """A source that is not good is none: its copy is kept, and the others are new."""
        return (self._fault,) if self.ground.strategy.mirrors else (self._fail_test, self._fail_model, self._fault)

    def _fail_test(self):
        scope = self.project.scope()
        tests = [test for test in self.project.tests.values() if test.node in scope and not test.is_warning]
        if tests:
            broken = self.chance.choice(tests)
            broken.finds = True
            self._fail(broken)
            broken.finds = False

    def _fail_model(self):
        scope = [self.project.nodes[name] for name in self.project.scope()]
        models = [node for node in scope if node.resource_type == "model"]
        if models:
            broken = self.chance.choice(models)
            broken.is_broken = True
            self._fail(broken)
            broken.is_broken = False

    def _fail(self, broken):
        self.ground.write(self.project)
        self.ground.old = self.ground.new = self.ground.production()
        is_missing = self.ground.strategy.is_published_alone and broken.name in self.project.nodes
        self._deploy(f"{broken.name} fails", (125 if is_missing else 1,), ("old",))

    def _fault(self):
        """Somewhere in what airlock itself does; or nowhere, when it does not come that far."""
        chance = self.chance
        kind = chance.choice(("error", "crash", "crash-airlock", "lost", "mute"))
        call, when = f"{chance.randint(1, 5)}.{chance.randint(0, 8)}", chance.choice(("before", "after"))
        fault = f"run-operation/{call}:{when}:{kind}"
        rebuilds = self.ground.strategy.rebuilds
        may_be_mixed = rebuilds or self.ground.strategy.mirrors
        if rebuilds and chance.random() < 0.7:
            fault = f"run/1.{chance.randint(1, 6)}:{chance.choice(('before', 'after'))}:{kind}"
        self.ground.write(self.project)
        self.ground.expect(self.project)
        self._deploy(fault, None, ("old", "new", "mixed") if may_be_mixed else ("old", "new"), DIRECT_FAULT=fault)
        if rebuilds and not self.problems:
            self._settle(chance.choice((("abort",), ("resume", "abort"))))

    def _settle(self, verbs):
        """What dbt had begun to make anew comes to its end, or goes back: never some of both."""
        for verb in verbs:
            run_ = self.ground.run([verb, *self.ground.strategy.sides, "--json"])
            state = self.ground.state()
            self.say(f"{verb}: exit {run_.status}, production is {state.splitlines()[0]}")
            if state in ("old", "new"):
                return
        self.problems += [f"after {verb} production is {state}: {run_.errors[-700:]}", *self.ground.differences()]

    def _succeed(self):
        self.ground.write(self.project)
        self.ground.expect(self.project)
        kept = self.project.kept() if self.ground.strategy.mirrors else []
        self._deploy(f"all but {', '.join(kept)}" if kept else "good", (checks.KEPT if kept else 0,),
                     ("new" if self.ground.new != self.ground.old else "old",), kept)

    def _deploy(self, what, statuses, states, kept=(), **environment):
        """Any exit status is right without `statuses`, if it tells what is so."""
        self.deployments += 1
        run_ = self.ground.run(self.ground.arguments(self.project), **environment)
        self.problems += checks.of_processes(self.ground.trace())
        state = self.ground.state()
        self.say(f"{what}: exit {run_.status}, production is {state.splitlines()[0]}")
        if statuses and run_.status not in statuses:
            self.problems.append(f"{what}: ended with {run_.status}: {run_.errors[-700:]}")
        if kept and sorted(row["unique_id"].rpartition(".")[2] for row in run_.report()["kept"]) != sorted(kept):
            self.problems.append(f"{what}: it says that it kept {run_.report()['kept']}")
        if state not in states:
            self.problems += [f"{what}: production is {state}", *self.ground.differences()]
        if self.ground.old != self.ground.new:
            self.problems += checks.of_report(run_, "old", state.splitlines()[0], self.ground)
        if statuses:
            self.problems += checks.of_rest(self.ground)
