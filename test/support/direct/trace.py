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
        with self._open() as file:
            file.seek(0)
            begun = [line for line in map(json.loads, file.read().splitlines()) if "began" in line]
            self.nth += sum(line["verb"] == verb for line in begun)
            self._write(file, pid=os.getpid(), parent=os.getppid(), began=time.monotonic(), target=target)

    def _open(self):
        """Locked: two that begin together must not both take the same number, and nobody may read half a
        line, which a long one of another is for a moment."""
        file = open(self.path, "ab+", buffering=0)
        fcntl.flock(file, fcntl.LOCK_EX)
        return file

    def _write(self, file, **fields):
        file.write((json.dumps({"verb": self.verb, "nth": self.nth, **fields}) + "\n").encode())

    def add(self, **fields):
        if self.path:
            with self._open() as file:
                self._write(file, **fields)

    def ended(self, status):
        self.add(ended=time.monotonic(), status=status)
