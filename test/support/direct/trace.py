"""What was started: one JSON line when a command begins, one when it knows its calls, one when
it ends. One that never ended was killed.

  {"verb", "nth", "pid", "parent", "began", "target"}   nth of its verb in this file, from 1
  {"verb", "nth", "calls": [sql, ...]}                   of a run-operation; of a build, its nodes
  {"verb", "nth", "skipped"}                             a call, from 1, whose guard brought no row
  {"verb", "nth", "fault"}                               that was met
  {"verb", "nth", "ended", "status"}
"""

import fcntl
import json
import os
import time


class Trace:
    def __init__(self, verb, target):
        self.path = os.environ.get("DIRECT_TRACE")
        self.verb, self.nth = verb, 1
        if not self.path:
            return
        # Two that begin together must not both take the same number.
        with open(self.path, "a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            begun = [line for line in map(json.loads, file) if "began" in line]
            self.nth += sum(line["verb"] == verb for line in begun)
            self._write(file, pid=os.getpid(), parent=os.getppid(), began=time.monotonic(), target=target)

    def _write(self, file, **fields):
        file.write(json.dumps({"verb": self.verb, "nth": self.nth, **fields}) + "\n")

    def add(self, **fields):
        if self.path:
            with open(self.path, "a", encoding="utf-8") as file:
                self._write(file, **fields)

    def ended(self, status):
        self.add(ended=time.monotonic(), status=status)
