"""The outcomes as Markdown: a row per place, or per places with the same outcomes."""

KINDS = "error crash crash-airlock lost mute late late-airlock orphan strike int term full".split()


def column_order(column):
    """By kind, before and after; `strike 10 before` behind `strike 3 before`."""
    when = column.split()[-1]
    if when not in ("before", "after"):
        return len(KINDS), 0, column
    kind, *number, when = column.split()
    return KINDS.index(kind), int(number[0]) if number else 0, when == "after"


HEAD = """# Faults and what became of them

Made by `test/fault/run matrix ENGINE --strategy S --all --table test/fault/MATRIX.md`; each case is run
by `scripts/test --all`. Where it says `of`, the run was ended early, in an order of chance.

Every row is a place in a deployment that replaces rows, changes columns and adds a table in one
publish, or several places that follow each other. What became of it is the exit status of the
deployment that met the fault, and what production was afterwards, compared whole: `old` or `new`,
never anything else, and where tables change one at a time `mixed`, each table old or new, whole; behind
it the faults that ended so. What befalls a step or a command is tried three
times: followed by the next deployment, by `resume`, and by `abort`, each of the last two once more and
then by a deployment. What befalls a statement is followed by one of the three. What had published
stayed; what had not was published by `resume` and left alone by `abort`, or put back where dbt had begun
to make production anew; at the end no lock was held,
each beginning had one end, and nothing was left behind. Where tables change one at a time a deployment that
died between them was refused by the next one with 71, and then published by `resume`; `abort` put back what
was there before it, or, where schemas are exchanged, was refused as well.

Snowflake and BigQuery are stand-ins: what they prove of the services is what their headers say.

Of the statements of an operation that differ in names alone the first and the last are taken. What only
reads and what a transaction has not committed meet fewer kinds: nothing of them stays.

- **step** is a step of the plan, the fault inside airlock. The others are commands of dbt, the fault
  inside dbt: an *operation* or *build* as a whole (before it connects, after all it did), a statement
  of an operation, a node of a build.
- **error**: the database or dbt says so. **crash**: dbt dies by SIGKILL; **crash-airlock**: airlock,
  and its dbt with it. **lost**: dbt ends with 0, its answer lost; **mute**: it goes on to its end,
  unheard.
- **late**: dbt dies, its connection stays open, and the server executes the statement a second
  later; **late-airlock**: airlock dies as well, and the next deployment begins at once; **orphan**:
  the connection is closed. On DuckDB this cannot happen: the database is part of the process.
  **strike N**: dbt dies N ms into the statement. A service executes late what it has, whoever dies.
- **int**, **term**: airlock gets the signal. **full**: no file can grow any more.
- *before* and *after* the statement is executed.
"""


def section(engine, strategy, report):
    groups = {}
    outcomes = sorted(report.outcomes, key=lambda outcome: outcome.case.number)
    for outcome in outcomes:
        rows = groups.setdefault(outcome.case.group, {})
        cells = rows.setdefault(outcome.case.place, {})
        if outcome.problems or outcome.case.fault not in cells:
            cells[outcome.case.fault] = outcome.cell
    bad = sum(bool(outcome.problems) for outcome in outcomes)
    of = "" if len(outcomes) == report.planned else f" of {report.planned}"
    cases = len({outcome.case.number for outcome in outcomes})
    what = "cases" if report.is_whole else "cases, a sample"
    text = f"{cases} {what}, {len(outcomes)}{of} tries, {bad} of them wrong."
    lines = [f"## {strategy.name} on {engine}", "", text, ""]
    for title, rows in groups.items():
        lines += [*_grid(rows, title), *(_impossible(engine) if title == "one fault" else []), ""]
    return "\n".join(lines)


def _impossible(engine):
    if engine == "duckdb":
        yield "| every statement of an operation | cannot happen, in-process: late, late-airlock, orphan |"


def _grid(rows, title):
    """Places that follow each other with the same outcomes are one row."""
    yield f"| {title} | what became of it |"
    yield "|---|---|"
    merged = []
    for place, cells in rows.items():
        text = _outcomes(cells)
        if merged and merged[-1][1] == text:
            merged[-1][0].append(place)
        else:
            merged.append(([place], text))
    for places, text in merged:
        last = f" … {places[-1]} ({len(places)} places)" if places[1:] else ""
        yield f"| {places[0]}{last} | {text} |".replace("\n", " ")


def _outcomes(cells):
    """The faults behind each outcome; the places of a row may not have the same ones."""
    faults = {}
    for fault in sorted(cells, key=column_order):
        faults.setdefault(cells[fault], []).append(fault)
    return "; ".join(f"**{outcome}**: {', '.join(found)}" for outcome, found in faults.items())


def write(path, engine, strategy, report):
    """The other sections of the file stay as they are."""
    mark = f"## {strategy.name} on {engine}"
    try:
        with open(path, encoding="utf-8") as file:
            head, *sections = file.read().split("\n## ")
    except FileNotFoundError:
        sections = []
    sections = {f"## {part}".split("\n")[0]: f"## {part}".strip() for part in sections}
    sections[mark] = section(engine, strategy, report).strip()
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n\n".join([HEAD.strip(), *(sections[key] for key in sorted(sections))]) + "\n")
