"""Cases as TAP."""

import sys


class Report:
    """TAP on stdout, and how many cases failed."""

    def __init__(self, prefix, is_whole):
        self.prefix, self.number, self.failed = prefix, 0, 0
        self.planned, self.outcomes = 0, []
        self.is_whole = is_whole  # every case, or a sample of them

    def plan(self, count):
        self.planned = count
        print(f"1..{count}", flush=True)

    def case(self, name, problems, note=""):
        self.number += 1
        self.failed += bool(problems)
        # A `#` would begin a directive.
        name = f"{self.prefix}{name}".replace("#", "")
        print(f"{'not ok' if problems else 'ok'} {self.number} - {name}" + (f": {note}" if note else ""))
        for problem in problems:
            for line in problem.splitlines():
                print(f"# {line}")
        sys.stdout.flush()
