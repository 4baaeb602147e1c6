"""Runs SQL in the test's warehouse: python3 sql.py [--header] SQL. One line per row, `|` between
the values, as psql -At prints them."""

import sys

import warehouse


def text(value):
    if isinstance(value, bool):
        return "t" if value else "f"
    return "" if value is None else str(value)


def main(arguments):
    header = arguments[:1] == ["--header"]
    cursor = warehouse.connect(read_only=header).cursor()
    cursor.execute(arguments[-1])
    if not cursor.description or arguments[-1].lstrip()[:6].lower() not in ("select", "with"):
        return
    lines = [[text(value) for value in row] for row in cursor.fetchall()]
    if not header:
        print("\n".join("|".join(line) for line in lines))
        return
    lines.insert(0, [column[0] for column in cursor.description])
    widths = [max(map(len, column)) for column in zip(*lines)]
    for line in lines:
        print("  " + "  ".join(value.ljust(width) for value, width in zip(line, widths)).rstrip())


main(sys.argv[1:])
