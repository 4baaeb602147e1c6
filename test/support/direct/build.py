"""Plays `dbt build`, and `run`, `seed` and `test`, which take a part of it, and `retry`, which takes
what failed or was skipped in the build before: node by node, each skipped behind what failed, as dbt
does it.

DIRECT_SCENARIO is a file of JSON, or JSON itself:

  {"columns": {"model.shop.customers": "1 as weight"},      more columns than were recorded
   "results": {"test.shop.unique_orders_order_id.fed79b3a6e":   what happens instead
                  {"status": "fail", "failures": 1, "message": "Got 1 result, ..."}}}

The statuses are dbt's: error for a node; fail, warn and error for a test.
"""

import json
import os
import time

from arguments import Usage
from engines import DatabaseError
from faults import Injected
from materialize import materializer
from recording import write_json
from selection import select

GOOD = ("success", "pass", "warn")
TYPES = {"run": ("model",), "seed": ("seed",), "test": ("test", "unit_test")}  # of `build`: all
RESULT_EVENTS = {
    "seed": ("LogSeedResult", "Q016"),
    "snapshot": ("LogSnapshotResult", "Q015"),
    "model": ("LogModelResult", "Q012"),
}


def scenario():
    text = os.environ.get("DIRECT_SCENARIO", "{}")
    if not text.startswith("{"):
        with open(text, encoding="utf-8") as file:
            text = file.read()
    return json.loads(text)


class Build:
    def __init__(self, recording, engine, arguments, log, faults):
        self.recording, self.engine, self.log, self.faults = recording, engine, log, faults
        self.arguments = arguments
        self.scenario = scenario()
        self.project = arguments.text("project-dir", os.getcwd())
        self.target_path = arguments.text("target-path", "target")
        self.directory = os.path.join(self.project, self.target_path)
        before = self._before() if arguments.verb == "retry" else None
        self.verb = before["args"]["which"] if before else arguments.verb
        self.refreshes = before["args"]["full_refresh"] if before else arguments.flag("full-refresh")
        self.materializer = materializer(engine, self.project, self.refreshes, self.scenario.get("columns", {}))
        self.results = {}
        self.deferred = []
        chosen = select(recording, arguments.words("select"), arguments.words("exclude"))
        if before:
            again = [row["unique_id"] for row in before["results"] if row["status"] not in GOOD]
            chosen = [unique_id for unique_id in recording.nodes if unique_id in again]
        self.nodes = [unique_id for unique_id in chosen if self._is_built(unique_id)]
        if arguments.flag("defer"):
            self._defer(set(chosen))

    def run(self):
        """The exit status."""
        nodes = self.nodes
        self.recording.write(self.directory, self.target_path, self.log, compiled=True)
        self._make_schemas(nodes)
        try:
            for number, unique_id in enumerate(nodes, 1):
                self._node(number, len(nodes), unique_id)
        except KeyboardInterrupt:
            self._write_results()
            raise
        self._write_results()
        self._report(nodes)
        return 0 if all(result["status"] in GOOD for result in self.results.values()) else 1

    def _before(self):
        with open(f"{self.directory}/run_results.json", encoding="utf-8") as file:
            return json.load(file)

    def _defer(self, chosen):
        """(name in this target, name in the state) of each node that is not selected."""
        if not self.arguments.flag("favor-state"):
            raise Usage("the stand-in dbt knows --defer with --favor-state only")
        state = os.path.join(self.project, self.arguments.text("state"), "manifest.json")
        with open(state, encoding="utf-8") as file:
            others = json.load(file)["nodes"]
        for unique_id, node in self.recording.nodes.items():
            other = others.get(unique_id, {})
            if unique_id not in chosen and node.get("relation_name") and other.get("relation_name"):
                self.deferred.append((node["relation_name"], other["relation_name"]))

    def _resolve(self, node):
        """The node with what is deferred read from the state."""
        node = dict(node)
        for key in ("compiled_code", "compiled_from_nothing"):
            for own, other in self.deferred:
                if node.get(key):
                    node[key] = node[key].replace(own, other)
        return node

    def _is_built(self, unique_id):
        node = self.recording.nodes[unique_id]
        types = TYPES.get(self.verb)
        if types and node["resource_type"] not in types:
            return False
        return node["config"].get("materialized") != "ephemeral"

    def _make_schemas(self, nodes):
        made = [self.recording.nodes[u] for u in nodes if not self.recording.is_test(u)]
        for node in {node["schema"]: node for node in made}.values():
            self.materializer.make_schema(node)

    def _node(self, number, total, unique_id):
        node = self._resolve(self.recording.nodes[unique_id])
        place = {"index": number, "total": total, "num_models": total}
        if self._is_blocked(unique_id):
            self._finish(node, place, status="skipped", message=None)
            self.log.event("SkippingDetails", "Q034", f"{number} of {total} SKIP {node['name']}",
                           node_info=self._info(node, "skipped"), **place)
            return
        self.log.event("LogStartLine", "Q011", f"{number} of {total} START {node['name']} [RUN]",
                       description=node["name"], node_info=self._info(node, "started"), **place)
        self._write_compiled(node)
        began = time.monotonic()
        self.faults.meet("before", number, self.engine, "select 1")
        result = self._outcome(node)
        self.faults.meet("after", number, self.engine, "select 1")
        self._finish(node, place, seconds=time.monotonic() - began, **result)

    def _outcome(self, node):
        forced = self.scenario.get("results", {}).get(node["unique_id"])
        if forced:
            return {"message": None, **forced}
        try:
            if node["resource_type"] == "unit_test":
                return {"status": "pass", "message": None, "failures": 0}
            if node["resource_type"] == "test":
                return self._test(node)
            self.materializer.run(node)
            return {"status": "success", "message": "OK"}
        except (DatabaseError, Injected) as error:
            self._leave_transaction()
            where = f"{node['resource_type']} {node['name']} ({node['original_file_path']})"
            message = str(error).replace(" Error", f" Error in {where}", 1)
            return {"status": "error", "message": message}

    def _test(self, node):
        failures = self.materializer.failures(node)
        if not failures:
            return {"status": "pass", "message": None, "failures": 0}
        word = node["config"].get("severity", "error").lower()
        message = f"Got {failures} result{'s' if failures > 1 else ''}, configured to "
        message += f"{'warn' if word == 'warn' else 'fail'} if != 0"
        return {"status": "warn" if word == "warn" else "fail", "message": message, "failures": failures}

    def _leave_transaction(self):
        try:
            self.engine.execute("rollback")
        except DatabaseError:
            pass  # there was none

    def _is_blocked(self, unique_id):
        """By a parent that was not built, or by a failed test all of whose parents are above."""
        above = self.recording.ancestors(unique_id)
        for other, result in self.results.items():
            if result["status"] in GOOD:
                continue
            if other in above:
                return True
            if self.recording.is_test(other) and not self.recording.is_test(unique_id):
                if set(self.recording.parents(other)) <= above:
                    return True
        return False

    def _info(self, node, status):
        keys = ("database", "schema", "alias", "relation_name")
        return {
            "unique_id": node["unique_id"],
            "node_name": node["name"],
            "node_path": node["path"],
            "node_relation": {key: node.get(key, "") for key in keys},
            "node_status": status,
            "resource_type": node["resource_type"],
            "materialized": node["config"].get("materialized", ""),
        }

    def _finish(self, node, place, status, message, failures=None, seconds=0.0):
        self.results[node["unique_id"]] = {
            "status": status,
            "message": message,
            "failures": failures,
            "execution_time": seconds,
            "unique_id": node["unique_id"],
            "relation_name": node.get("relation_name"),
            "timing": [],
            "thread_id": "Thread-1 (worker)",
            "adapter_response": {},
            "compiled": True,
            "compiled_code": None,
            "batch_results": None,
        }
        if status == "skipped":
            return
        name, code = RESULT_EVENTS.get(node["resource_type"], ("LogTestResult", "Q007"))
        level = {"fail": "error", "error": "error", "warn": "warn"}.get(status, "info")
        text = f"{place['index']} of {place['total']} {status.upper()} {node['name']}"
        text += f" [{status} in {seconds:.2f}s]"
        self.log.event(name, code, text, level, name=node["name"], status=status, execution_time=seconds,
                       num_failures=failures or 0, node_info=self._info(node, status), **place)

    def _write_compiled(self, node):
        if "compiled_path" in node:
            path = f"{self.directory}/{node['compiled_path']}"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(node["compiled_code"])

    def _write_results(self):
        options = self.arguments.options
        args = {
            "which": self.verb,
            "target": options.get("target"),
            "select": options.get("select", []),
            "exclude": options.get("exclude", []),
            "indirect_selection": options.get("indirect-selection", "eager"),
            "full_refresh": self.refreshes,
            "defer": self.arguments.flag("defer"),
            "empty": False,
            "sample": None,
        }
        metadata = {
            "dbt_schema_version": "https://schemas.getdbt.com/dbt/run-results/v6.json",
            "dbt_version": "1.11.16",
            "invocation_id": self.log.invocation_id,
        }
        document = {"metadata": metadata, "args": args, "results": list(self.results.values())}
        write_json(f"{self.directory}/run_results.json", document)

    def _report(self, nodes):
        """The lines behind the last node: each failure once more, and the counts."""
        for unique_id in nodes:
            if self.results[unique_id]["status"] in ("fail", "error"):
                self._report_failure(self.recording.nodes[unique_id], self.results[unique_id]["message"])
        statuses = [self.results[unique_id]["status"] for unique_id in nodes]
        stats = {
            "error": sum(status in ("fail", "error") for status in statuses),
            "noop": 0,
            "pass": sum(status in ("pass", "success") for status in statuses),
            "skip": statuses.count("skipped"),
            "total": len(nodes),
            "warn": statuses.count("warn"),
        }
        text = "Done. PASS={pass} WARN={warn} ERROR={error} SKIP={skip} NO-OP={noop} TOTAL={total}"
        self.log.event("StatsLine", "Z023", text.format_map(stats), stats=stats)

    def _report_failure(self, node, message):
        what = f"{node['resource_type']} {node['name']} ({node['original_file_path']})"
        about = {"node_info": self._info(node, "None"), "node_name": node["name"]}
        self.log.event("RunResultFailure", "Z022", f"Failure in {what}", "error", **about)
        self.log.event("RunResultError", "Z024", f"  {message}", "error", msg=message, **about)
