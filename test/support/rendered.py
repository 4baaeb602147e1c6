"""The SQL that airlock would run, run here: manifests of a few tables, a picture of the warehouse
by airlock's own queries, and the calls of its plan (render_plan, a program of the build)."""

import json
import os
import pathlib
import subprocess
import tempfile


class Refused(Exception):
    """airlock would not plan this; `code` is the error's name."""

    def __init__(self, error):
        super().__init__(f"{error['code']}: {error['message']}")
        self.code = error["code"]


def manifest(adapter, database, tables):
    """`tables` maps a name to schema and identifier, or to a dictionary with more."""
    nodes = {}
    for name, place in tables.items():
        node = place if isinstance(place, dict) else dict(zip(("schema", "alias"), place))
        unique_id = f"model.shop.{name}"
        nodes[unique_id] = {
            "unique_id": unique_id,
            "resource_type": "model",
            "name": name,
            "package_name": "shop",
            "original_file_path": f"models/{name}.sql",
            "database": database,
            "alias": name,
            "relation_name": None,
            "fqn": ["shop", name],
            "tags": [],
            "depends_on": {"nodes": []},
            "config": {"materialized": "table", "enabled": True},
            **node,
        }
    metadata = {"adapter_type": adapter, "dbt_version": "1.11.16", "project_name": "shop"}
    return {"metadata": metadata, "nodes": nodes, "sources": {}, "unit_tests": {}}


class Deployment:
    """One publish of `tables`: name to ((schema, identifier) in staging, the same in production);
    `database` is one name, or one for each side."""

    def __init__(self, adapter, database, tables, number=1, options=()):
        self.directory = tempfile.TemporaryDirectory()
        self.id = f"2026010203040{number}_abcdef"
        self.options = ["--from", "staging", "--to", "prod", *options]
        self.picture = self.planned = None
        databases = database if isinstance(database, tuple) else (database, database)
        for number, side in enumerate(("staging", "prod")):
            relations = {name: pair[number] for name, pair in tables.items()}
            self.write(side, manifest(adapter, databases[number], relations))

    def path(self, name):
        return str(pathlib.Path(self.directory.name, f"{name}.json"))

    def write(self, name, document):
        pathlib.Path(self.path(name)).write_text(json.dumps(document, ensure_ascii=False))

    def render(self, what, *arguments):
        output = subprocess.run(
            [os.environ["RENDER_PLAN"], what, self.path("staging"), self.path("prod"), *arguments]
            + self.options,
            check=True,
            capture_output=True,
        ).stdout
        answer = json.loads(output)
        if "error" in answer:
            raise Refused(answer["error"])
        return answer

    def observe(self, query):
        """Looks at the warehouse and plans, as before the build and as after it. `query` gives the
        first column of each row."""
        before = "-"
        for built in (False, True):
            queries = self.render("queries", before)["queries"]
            answers = [[json.loads(row) for row in query(sql)] for sql in queries]
            self.picture = {
                "session": answers[0][0],
                "schemas": answers[1],
                "relations": answers[2],
                "rows": [row for answer in answers[3:] for row in answer],
                "built": built,
            }
            self.write("picture", self.picture)
            before = self.path("picture")
            self.planned = self.plan()

    def state(self, dead, fence):
        """What can be done with the lock of staging, and how it is taken from the deployment `dead`."""
        return self.render("state", "-", self.id, dead, str(fence))["steps"]

    def plan(self):
        return self.render("plan", self.path("picture"), self.id)
