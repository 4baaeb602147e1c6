"""From a command line to an exit status: which verb, which connection, what becomes of an error."""

import os
import re
import sys

from arguments import Arguments, Usage
from engines import ENGINES, DatabaseError, NoConnection, comment
from events import Log, heading
from faults import Faults, Injected, Lost
from operation import Operation
from recording import Recording, path_of
from trace import Trace


class Failed(Exception):
    """dbt's `Encountered an error`, exit status 2."""


class Command:
    def __init__(self, arguments):
        self.arguments = arguments
        self.target = arguments.text("target", "staging")
        self.project = arguments.text("project-dir", os.getcwd())
        self.log = Log()
        self.trace = Trace(arguments.verb, self.target)
        self.faults = Faults(self.trace, self.log)
        self.profile = arguments.text("profile") or self._project_profile()
        self.connection = None

    def _project_profile(self):
        try:
            with open(f"{self.project}/dbt_project.yml", encoding="utf-8") as file:
                return re.search(r'^profile: *"?(\w+)"?', file.read(), re.MULTILINE)[1]
        except OSError:
            return None

    def run(self):
        engine = ENGINES.get(self.profile)
        if not engine:
            raise Failed(f"Runtime Error\n  Could not find profile named '{self.profile}'")
        self.log.started(engine.name)
        if not os.path.exists(path_of(engine, self.target)):
            raise Failed(f"Runtime Error\n  The profile '{self.profile}' does not have a target named "
                         f"'{self.target}'.")
        self.faults.meet("before", 0)
        status = VERBS[self.arguments.verb](self, engine)
        if self.connection:
            self.connection.close()
        self.faults.meet("after", 0)
        return status

    def connect(self, engine):
        self.connection = engine(comment(self.profile, self.target), self.target)
        return self.connection

    def target_path(self):
        return self.arguments.text("target-path", "target")

    def parse(self, engine):
        path = self.target_path()
        directory = os.path.join(self.project, path)
        Recording(engine, self.target).write(directory, path, self.log, compiled=False)
        return 0

    def compile(self, engine):
        path = self.target_path()
        directory = os.path.join(self.project, path)
        if not self.arguments.flag("no-introspect"):
            self.connect(engine)
        Recording(engine, self.target).write(directory, path, self.log, compiled=True)
        return 0

    def build(self, engine):
        from build import Build

        recording = Recording(engine, self.target)
        build = Build(recording, self.connect(engine), self.arguments, self.log, self.faults)
        self.trace.add(calls=build.nodes)
        return build.run()

    def list(self, engine):
        from selection import select

        recording = Recording(engine, self.target)
        self.parse(engine)
        types = self.arguments.words("resource-types")
        for unique_id in select(recording, self.arguments.words("select"), self.arguments.words("exclude")):
            if not types or recording.nodes[unique_id]["resource_type"] in types:
                self.log.printed('{"unique_id": "%s"}' % unique_id)
        return 0

    def operate(self, engine):
        if self.arguments.operands != ["airlock_run"]:
            name = " ".join(self.arguments.operands)
            raise Failed(f"Compilation Error\n  dbt could not find a macro with the name '{name}'")
        operation = Operation(self.project)
        self.trace.add(calls=operation.calls())
        try:
            return operation.run(self.connect(engine), self.log, self.faults)
        except DatabaseError as error:  # of the connection
            self.log.operation_failed(str(error))
            return 1


VERBS = {
    "parse": Command.parse,
    "build": Command.build,
    "run": Command.build,
    "seed": Command.build,
    "test": Command.build,
    "retry": Command.build,
    "compile": Command.compile,
    "ls": Command.list,
    "list": Command.list,
    "run-operation": Command.operate,
}


def guarded(command):
    """run(), and what dbt makes of an exception."""
    try:
        return command.run()
    except NoConnection as error:
        command.log.no_connection(str(error))
        return 1
    except Lost:
        return 0
    except (Failed, Injected, DatabaseError, ValueError) as error:
        command.log.failed(str(error))
    except OSError as error:
        command.log.failed(heading("Runtime Error", str(error)))
    except KeyboardInterrupt:
        command.log.failed("")
    return 2


def main(words):
    try:
        if words == ["--version"]:
            print("Core:\n  - installed: 1.11.16")
            return 0
        arguments = Arguments(words)
        if arguments.verb not in VERBS:
            raise Usage(f"No such command '{arguments.verb}'.")
        command = Command(arguments)
        status = guarded(command)
        command.trace.ended(status)
        return status
    except Usage as error:
        print(f"Usage: dbt [OPTIONS] COMMAND\n\nError: {error}", file=sys.stderr)
        return 2
