"""Did a deployment run what its plan printed? python3 plan_equals_run.py PLAN.json OUTPUT

Every statement of every step of PLAN.json has to stand in OUTPUT, what the deployment printed as it
went, in the same order and whatever the indentation; `<...>` in the plan, a value that only the
deployment knows, stands for any text. At least one statement has to change production.
"""

import json
import re
import sys


def squeezed(text):
    return re.sub(r"\s+", " ", text).strip()


def pattern(statement):
    parts = re.split(r"<[^<>]+>", squeezed(statement))
    return re.compile(".+?".join(re.escape(part) for part in parts))


def main(plan_path, output_path):
    with open(plan_path) as file:
        steps = json.load(file)["steps"]
    with open(output_path) as file:
        output = squeezed(file.read())
    statements = [(step["id"], sql) for step in steps for sql in step["sql"]]
    if not any(step == "publish" for step, _ in statements):
        sys.exit("the plan publishes nothing")
    position = 0
    for step, sql in statements:
        found = pattern(sql).search(output, position)
        if not found:
            sys.exit(f"step {step}: planned, and not run after what comes before it:\n{sql}")
        position = found.end()


main(*sys.argv[1:])
