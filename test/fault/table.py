"""The outcomes as Markdown: a row per place, a column per fault."""

KINDS = "error crash crash-airlock lost mute late late-airlock orphan strike int term full".split()


def column_order(column):
    """By kind, before and after; `strike 10 before` behind `strike 3 before`."""
    kind, *number, when = column.split()
    return KINDS.index(kind), int(number[0]) if number else 0, when == "after"


HEAD = """# Faults and what became of them

Made by `test/fault/run matrix ENGINE --all --table test/fault/MATRIX.md`; each case is run by
`scripts/test --all`.

Every row is a place in a deployment that replaces rows, changes columns and adds a table in one
publish; every column a fault there. A cell is the exit status of the deployment that met it, and
what production was afterwards, compared whole: `old` or `new`, never anything else. Each case was
run three times: followed by the next deployment, by `resume`, and by `abort`, each of the last two
once more and then by a deployment. What had published stayed; what had not was published by `resume`
and left alone by `abort`; at the end no lock was held, each beginning had one end, nothing was left
behind.

- **step** is a step of the plan, the fault inside airlock. The others are commands of dbt, the fault
  inside dbt: an *operation* or *build* as a whole (before it connects, after all it did), a statement
  of an operation, a node of a build.
- **error**: the database or dbt says so. **crash**: dbt dies by SIGKILL; **crash-airlock**: airlock,
  and its dbt with it. **lost**: dbt ends with 0, its answer lost; **mute**: it goes on to its end,
  unheard.
- **late**: dbt dies, its connection stays open, and the server executes the statement a second
  later; **late-airlock**: airlock dies as well, and the next deployment begins at once; **orphan**:
  the connection is closed. On DuckDB this cannot happen: the database is part of the process.
  **strike N**: dbt dies N ms into the statement.
- **int**, **term**: airlock gets the signal. **full**: no file can grow any more.
- *before* and *after* the statement is executed.
"""


def section(engine, strategy, outcomes):
    groups = {}
    for outcome in outcomes:
        rows = groups.setdefault(outcome.case.group, {})
        cells = rows.setdefault(outcome.case.place, {})
        if outcome.problems or outcome.case.fault not in cells:
            cells[outcome.case.fault] = outcome.cell
    bad = sum(bool(outcome.problems) for outcome in outcomes)
    lines = [f"## {strategy.name} on {engine}", "", f"{len(outcomes)} cases, {bad} of them wrong.", ""]
    for title, rows in groups.items():
        columns = {column for cells in rows.values() for column in cells}
        lines += [*_grid(rows, sorted(columns, key=column_order), title), ""]
    return "\n".join(lines)


def _grid(rows, columns, title):
    yield f"| {title} | " + " | ".join(columns) + " |"
    yield "|---" * (len(columns) + 1) + "|"
    for place, cells in rows.items():
        yield f"| {place.replace('|', '/')} | " + " | ".join(cells.get(c, "") for c in columns) + " |"


def write(path, engine, strategy, text):
    """The other sections of the file stay."""
    mark = f"## {strategy.name} on {engine}"
    try:
        with open(path, encoding="utf-8") as file:
            head, *sections = file.read().split("\n## ")
    except FileNotFoundError:
        sections = []
    sections = {f"## {part}".split("\n")[0]: f"## {part}".strip() for part in sections}
    sections[mark] = text.strip()
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n\n".join([HEAD.strip(), *(sections[key] for key in sorted(sections))]) + "\n")
