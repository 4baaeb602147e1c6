"""Counts the cases in what ctest ran: python3 count_tap.py JUNIT.xml... prints "PASSED FAILED".

Every test program prints TAP. A case that is skipped, a program without a plan, one that ran
another number of cases than planned, and one that ended badly without a failed case to show for
it are failures; each failure is named on stderr.
"""

import re
import sys
import xml.etree.ElementTree as xml

PLAN = re.compile(r"^1\.\.(\d+)\s*$")
RESULT = re.compile(r"^(not )?ok\b(.*)$")


def count(program, status, output):
    """(passed, [what failed]) of one program."""
    planned, passed, failed = None, 0, []
    for line in output.splitlines():
        plan, result = PLAN.match(line), RESULT.match(line)
        if plan:
            planned = (planned or 0) + int(plan[1])
        elif result and (result[1] or re.search(r"#\s*skip", result[2], re.IGNORECASE)):
            failed.append(f"{program}: {line.strip()}")
        elif result:
            passed += 1
    seen = passed + len(failed)
    if planned is None:
        failed.append(f"{program}: printed no plan ({status})")
    elif planned != seen:
        failed.append(f"{program}: planned {planned} cases and ran {seen}")
    elif status != "run" and not failed:
        failed.append(f"{program}: all cases passed, yet it ended as '{status}'")
    return passed, failed


def main(paths):
    passed, failed = 0, []
    for path in paths:
        for case in xml.parse(path).getroot().iter("testcase"):
            some, bad = count(case.get("name"), case.get("status"), case.findtext("system-out") or "")
            passed += some
            failed += bad
    for line in failed:
        print(f"failed: {line}", file=sys.stderr)
    print(passed, len(failed))


main(sys.argv[1:])
