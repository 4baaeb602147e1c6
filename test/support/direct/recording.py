"""A recorded manifest: what airlock reads of one, and the SQL of each node."""

import json
import os
import re

NAMED = "recorded_database"  # as `record` named it


def path_of(engine, target):
    recorded = os.environ.get("DIRECT_RECORDED") or f"{os.path.dirname(os.path.abspath(__file__))}/recorded"
    return f"{recorded}/{engine.name}-{target}.json"


class Recording:
    def __init__(self, engine, target):
        with open(path_of(engine, target), encoding="utf-8") as file:
            text = file.read().replace(NAMED, engine.database())
        for pair in os.environ.get("DIRECT_RENAMED", "").split():  # as if the files had other names: old=new
            old, new = pair.split("=")
            text = re.sub(rf"\b{old}\b", new, text)
        recorded = json.loads(text)
        self.metadata = recorded["metadata"]
        left_out = os.environ.get("DIRECT_WITHOUT", "").split()  # as if their files were not there
        nodes = [node for node in recorded["nodes"] if node["unique_id"] not in left_out
                 and not (node["resource_type"] in ("test", "unit_test")
                          and set(left_out) & set(node["depends_on"]["nodes"]))]
        self.nodes = {node["unique_id"]: node for node in nodes}  # in the order of a build
        self.sources = {source["unique_id"]: source for source in recorded.get("sources", [])}

    def parents(self, unique_id):
        return [] if unique_id in self.sources else self.nodes[unique_id]["depends_on"]["nodes"]

    def ancestors(self, unique_id):
        seen, left = set(), list(self.parents(unique_id))
        while left:
            parent = left.pop()
            if parent not in seen:
                seen.add(parent)
                left += self.parents(parent)
        return seen

    def is_test(self, unique_id):
        return self.nodes[unique_id]["resource_type"] in ("test", "unit_test")

    def write(self, directory, target_path, log, compiled):
        """manifest.json; of a build it says where the compiled SQL is."""
        maps = {"nodes": {}, "unit_tests": {}}
        for unique_id, node in self.nodes.items():
            node = dict(node)
            code, path = node.pop("compiled_code", None), node.pop("compiled_path", None)
            node.pop("compiled_from_nothing", None)
            if compiled and code:
                node |= {"compiled": True, "compiled_code": code}
                if path:
                    node["compiled_path"] = f"{target_path}/{path}"
            node.setdefault("raw_code", "")
            kind = "unit_tests" if node["resource_type"] == "unit_test" else "nodes"
            maps[kind][unique_id] = node
        metadata = {**self.metadata, "invocation_id": log.invocation_id}
        write_json(f"{directory}/manifest.json", {"metadata": metadata, **maps, "sources": self.sources})


def write_json(path, document):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(document, file)
