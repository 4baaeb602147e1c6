"""Parses every statement of the goldens with sqlfluff, in the dialect that the file is named after:
test/golden/{sql,publish}/<dialect>.sql and test/golden/<strategy>/<dialect>*.json; prints TAP, one case per
file. The body of `do '...'` is a string to sqlfluff: test/e2e/sql_postgres.py runs those.

`<...>`, a value that the plan does not know yet, stands inside quotes as it is and elsewhere for an
identifier, or for a column with its type.
"""

import concurrent.futures
import functools
import json
import pathlib
import re
import sys

from sqlfluff.core import FluffConfig, Linter

QUOTED_OR_PLACEHOLDER = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|(?<!struct)(?<!array)<[^<>=]+>")

# A text and a name as each database reads them; plain() has made `""` an underscore before.
DOUBLED, ESCAPED = r"'(?:[^']|'')*'", r"'(?:[^'\\]|''|\\.)*'"
QUOTED = {
    dialect: re.compile(text + r"|\"(?:[^\"\\]|\\.)*\"|`[^`]*`")
    for dialect, text in (("bigquery", ESCAPED), ("duckdb", DOUBLED), ("postgres", DOUBLED), ("snowflake", ESCAPED))
}

# What a database takes and sqlfluff does not: (dialect, how the statement begins, why).
ALLOWED = (("bigquery", "grant `", "it has no GRANT in this dialect"),
           ("snowflake", "create or replace transient schema ", "it has no CLONE of a transient one"),
           ("snowflake", "<masking policies", "only the build decides which statements these are"))

# The same of statements that stand in one string with others: they are left out.
LEFT_OUT = {"duckdb": re.compile(r"(?m)^\s*(?:attach|detach|checkpoint) [^;]*(?:;\n|$)"),
            "snowflake": re.compile(r"(?m)^\s*show dynamic tables in [^;]*;")}


def plain(match):
    """What sqlfluff can read of a quoted text or a placeholder: it does not know that a name may hold
    two quotes for one."""
    text = match[0]
    if text.startswith("<"):
        if text.startswith("<transient"):
            return "transient "
        return "undecided integer" if "constraints" in text else "undecided"
    return '"' + text[1:-1].replace('""', "_") + '"' if text.startswith('"') else text


def statements(path):
    """(where, SQL) of each."""
    if path.suffix == ".json":
        for step in json.loads(path.read_text())["steps"]:
            for sql in step["sql"]:
                yield f"step {step['id']}", sql
        return
    for text in re.split(r"(?m)^-- (?=\w+$)", path.read_text())[1:]:
        name, sql = text.split("\n", 1)
        if path.parent.name == "publish":  # a statement a line
            yield from ((name, line.removesuffix(";")) for line in sql.splitlines() if line)
        else:
            yield f"template {name}", sql.rstrip().removesuffix(";")


@functools.cache
def linter(dialect):
    return Linter(FluffConfig(overrides={"dialect": dialect, "templater": "raw"}))


def violations(of):
    dialect, sql = of
    return [violation.desc() for violation in linter(dialect).parse_string(sql).violations]


def shape(dialect, sql):
    """The statement with one name and one text for all: a parser sees no more of what is quoted, and
    of ten statements nine differ in that alone."""
    return QUOTED[dialect].sub(lambda match: match[0][0] + "_" + match[0][0], sql)


def shapes(path):
    """(where, SQL, what is parsed of it) of each."""
    dialect = re.match(r"[a-z]+", path.stem)[0]
    for where, sql in statements(path):
        if any(dialect == name and sql.startswith(begin) for name, begin, _ in ALLOWED):
            continue
        if dialect in LEFT_OUT and (dialect == "snowflake" or not where.startswith("template")):
            sql = LEFT_OUT[dialect].sub("", sql)
        yield where, sql, (dialect, shape(dialect, QUOTED_OR_PLACEHOLDER.sub(plain, sql)))


def main(root):
    root = pathlib.Path(root)
    paths = sorted(root.glob("*/*.sql")) + sorted(root.glob("[!i]*/*.json"))
    read = {path: list(shapes(path)) for path in paths}
    once = sorted({of for found in read.values() for _, _, of in found})
    with concurrent.futures.ProcessPoolExecutor() as pool:
        wrong = dict(zip(once, pool.map(violations, once, chunksize=4)))
    print(f"1..{len(paths)}")
    failed = 0
    for number, path in enumerate(paths, 1):
        found = [f"{where}: {violation}\n{sql}" for where, sql, of in read[path] for violation in wrong[of]]
        failed += bool(found)
        print(f"{'not ok' if found else 'ok'} {number} {path.relative_to(root)} parses")
        for text in found:
            print("# " + text.replace("\n", "\n# "))
    return failed > 0 or not paths


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
