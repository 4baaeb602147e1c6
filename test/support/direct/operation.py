"""Plays `dbt run-operation airlock_run`: the calls that airlock wrote into its generated project,
with what src/dbt/ops.sql does and prints."""

import hashlib
import json
import re

from engines import DatabaseError
from events import heading
from faults import Injected

PIECE = 32768
# Of src/dbt/ops.sql as it is played here: when it changes, this file has to follow. What it does for the
# regions of BigQuery has no part here.
PLAYED = "862f44f552b537f87944d652cb85cc3f"
VALUES = re.compile(
    r'\{%- set nonce = "(?P<nonce>\w*)" -%\}\n\{%- set gap = "(?P<gap>[^\n]*)" -%\}\n'
    r"\{%- set steps = \[\n(?P<steps>.*)^\] -%\}$",
    re.DOTALL | re.MULTILINE,
)


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


class Operation:
    def __init__(self, project):
        with open(f"{project}/macros/airlock_ops.sql", encoding="utf-8") as file:
            macro = file.read()
        values = VALUES.search(macro)
        if md5(f"{macro[:values.start()]}@VALUES@{macro[values.end():]}") != PLAYED:
            raise ValueError("src/dbt/ops.sql is another one than test/support/direct/operation.py plays")
        self.nonce, self.gap = values["nonce"], values["gap"]
        # A Jinja literal of airlock's is one of JSON too.
        self.steps = [json.loads(line.strip().rstrip(",")) for line in values["steps"].splitlines()]

    def calls(self):
        return [step["sql"] for step in self.steps]

    def run(self, engine, log, faults):
        """The exit status. Each text is checked before the first one is run."""
        try:
            for number, step in enumerate(self.steps):
                self._check(log, number, step)
            guard = 0
            for number, step in enumerate(self.steps):
                if step["guarded"] and not guard:
                    faults.trace.add(skipped=number + 1)
                    self._say(log, f"skip {number}")
                    continue
                rows = self._call(engine, log, faults, number, step)
                guard = guard if step["guarded"] else rows
            self._say(log, f"end {len(self.steps)}")
            return 0
        except (DatabaseError, Injected) as error:
            log.operation_failed(str(error))
            return 1

    def _say(self, log, text):
        log.printed(self.gap.join(f"airlock {self.nonce} {text}"))

    def _check(self, log, number, step):
        seen = md5(step["sql"])
        self._say(log, f"text {number} {len(step['sql'])} {seen}")
        if seen != step["md5"]:
            raise DatabaseError(heading("Compilation Error in macro airlock_run (macros/airlock_ops.sql)",
                                        f"airlock {self.nonce} mismatch {number}"))

    def _call(self, engine, log, faults, number, step):
        faults.meet("before", number + 1, engine, step["sql"])
        rows = engine.execute(step["sql"])
        faults.meet("after", number + 1, engine, step["sql"])
        documents = [str(row[0]) for row in rows] if step["rows"] else []
        text = f"[{','.join(documents)}]" if step["rows"] else ""
        pieces = -(-len(text) // PIECE)
        for piece in range(pieces):
            self._say(log, f"{number} {piece} {pieces} {text[piece * PIECE:(piece + 1) * PIECE]}")
        self._say(log, f"done {number} {pieces} {len(documents)} {md5(text)}")
        return len(documents)
