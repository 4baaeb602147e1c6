"""Parses every statement of the golden plans with sqlfluff, in the dialect that the file is named
after (test/golden/<strategy>/<dialect>*.json); prints TAP, one case per file.

`<...>`, a value that the plan does not know yet, stands inside quotes as it is and elsewhere for an
identifier.
"""

import json
import pathlib
import re
import sys

from sqlfluff.core import Linter

QUOTED_OR_PLACEHOLDER = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|<[^<>=]+>")


def without_placeholders(sql):
    return QUOTED_OR_PLACEHOLDER.sub(
        lambda match: "undecided" if match[0].startswith("<") else match[0], sql
    )


def problems(path):
    linter = Linter(dialect=re.match(r"[a-z]+", path.stem)[0])
    for step in json.loads(path.read_text())["steps"]:
        for sql in step["sql"]:
            for violation in linter.parse_string(without_placeholders(sql)).violations:
                yield f"step {step['id']}: {violation.desc()}\n{sql}"


def main(root):
    paths = sorted(pathlib.Path(root).glob("*/*.json"))
    print(f"1..{len(paths)}")
    failed = 0
    for number, path in enumerate(paths, 1):
        found = list(problems(path))
        failed += bool(found)
        print(f"{'not ok' if found else 'ok'} {number} {path} parses")
        for text in found:
            print("# " + text.replace("\n", "\n# "))
    return failed > 0 or not paths


sys.exit(main(sys.argv[1]))
