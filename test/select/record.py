#!/usr/bin/env python3
"""Asks a real dbt what expressions select, and writes its manifests and answers down.

usage: record.py DBT DIRECTORY     DBT is the `dbt` of the environment that runs this

DIRECTORY/<project>/expressions.json is made from the grammar, the same for every dbt;
DIRECTORY/<project>/<version>.json gets {"dbt", "manifest", "ids", "answers"}: for each expression
the positions in `ids`, or null where dbt refused it. dbt 1.x answers from one process. files.json
names the files of the project, since path: looks at them.
"""
import json
import os
import random
import subprocess
import sys
import tempfile

import projects

COUNT = {"shop": 520, "crm": 260, "odd": 300}
MODES = ("eager", "cautious", "buildable", "empty")
TYPES = ("model", "test", "seed", "snapshot", "source", "exposure", "unit_test", "analysis",
         "metric", "semantic_model", "saved_query", "all", "default")


def criterion(rng, words):
    method = rng.choice(list(words) + ["fqn", "fqn", "fqn", "tag", "tag", "path"])
    value = rng.choice(words[method])
    bare = method == "fqn" or (method == "path" and "/" in value) or \
        (method == "file" and value.endswith((".sql", ".csv")))
    text = value if bare and rng.random() < 0.7 else f"{method}:{value}"
    shape = rng.random()
    if shape < 0.12:
        return "+" + text
    if shape < 0.24:
        return text + "+"
    if shape < 0.30:
        return f"{rng.randrange(4)}+{text}"
    if shape < 0.36:
        return f"{text}+{rng.randrange(4)}"
    if shape < 0.41:
        return f"+{text}+{rng.choice(['', '1', '2'])}"
    if shape < 0.47:
        return "@" + text
    return text


def words_of(rng, words, most):
    return [",".join(criterion(rng, words) for _ in range(rng.choice((1, 1, 1, 1, 2, 2, 3))))
            for _ in range(rng.randint(1, most))]


def singles(words):
    """Every method with every value, by itself."""
    return [{"select": [f"{method}:{value}"]} for method in words for value in words[method]]


def expressions(name):
    rng = random.Random(name)
    words = projects.WORDS[name]
    made = [{}] + singles(words)
    made += [{"selector": selector} for selector in projects.SELECTORS[name]]
    made += [{"selector": selector, "indirect": mode} for selector in projects.SELECTORS[name]
             for mode in MODES[1:]]
    made += [{"select": [word]} for word in ("", "bogus:x", "@orders+", "tag.x:mart", "source:a.b.c.d",
                                             "a,,b", "config:x", "metric:a.b.c", "version:x",
                                             "+", "@", "tag:", "selector:nightly", "1+", "a b")]
    while len(made) < COUNT[name]:
        one = {}
        if rng.random() < 0.95:
            one["select"] = words_of(rng, words, 3)
        if rng.random() < 0.35:
            one["exclude"] = words_of(rng, words, 2)
        if rng.random() < 0.5:
            one["indirect"] = rng.choice(MODES)
        if rng.random() < 0.25:
            one["resource_types"] = rng.sample(TYPES, rng.randint(1, 3))
        if rng.random() < 0.08:
            one["exclude_resource_types"] = rng.sample(TYPES[:11], rng.randint(1, 2))
        made.append(one)
    return made


def arguments(one):
    words = ["ls", "--output", "json", "--output-keys", "unique_id"]
    for key, option in (("select", "--select"), ("exclude", "--exclude")):
        for word in one.get(key, ()):
            words += [option, word]
    if "selector" in one:
        words += ["--selector", one["selector"]]
    if "indirect" in one:
        words += ["--indirect-selection", one["indirect"]]
    for key, option in (("resource_types", "--resource-type"),
                        ("exclude_resource_types", "--exclude-resource-type")):
        for word in one.get(key, ()):
            words += [option, word]
    return words


def ids_of(lines):
    return sorted(json.loads(line)["unique_id"] for line in lines if line.startswith("{"))


class One:
    """dbt 1.x: imported once, the project parsed once."""

    def __init__(self, directory):
        from dbt.cli.main import dbtRunner
        os.chdir(directory)
        self.common = ["--project-dir", directory, "--profiles-dir", directory, "--quiet"]
        result = dbtRunner().invoke(["parse"] + self.common)
        if not result.success:
            raise SystemExit(f"dbt parse: {result.exception}")
        self.runner = dbtRunner(manifest=result.result)

    def ask(self, one):
        result = self.runner.invoke(arguments(one) + self.common)
        return ids_of(result.result) if result.success else None


class Two:
    """dbt 2.x: starts in a few milliseconds."""

    def __init__(self, directory, dbt):
        self.dbt = dbt
        self.directory = directory
        subprocess.run([dbt, "parse", "-q"], cwd=directory, check=True)

    def ask(self, one):
        done = subprocess.run([self.dbt, "-q"] + arguments(one), cwd=self.directory, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        return None if done.returncode else ids_of(done.stdout.splitlines())


KEPT = {"metadata", "nodes", "sources", "exposures", "metrics", "semantic_models", "saved_queries",
        "unit_tests", "functions", "disabled", "parent_map", "child_map", "selectors", "groups"}


def without_bulk(manifest):
    """Everything but what selection never looks at and what differs from run to run."""
    manifest = {key: value for key, value in manifest.items() if key in KEPT}
    for key in ("generated_at", "invocation_id", "user_id", "invocation_started_at",
                "run_started_at", "env"):
        manifest["metadata"].pop(key, None)
    for key in KEPT - {"metadata", "parent_map", "child_map", "groups", "selectors", "disabled"}:
        for node in manifest.get(key, {}).values():
            for bulk in ("raw_code", "columns", "checksum", "created_at", "macros", "root_path",
                         "unrendered_config", "docs", "given", "expect", "refs", "doc_blocks"):
                node.pop(bulk, None)
    manifest["disabled"] = {}
    return manifest


def record(name, dbt, version, directory):
    made = expressions(name)
    with tempfile.TemporaryDirectory(prefix="airlock-select-") as root:
        project = projects.write(name, root, int(version.split(".")[0]))
        environment = dict(os.environ, DBT_SEND_ANONYMOUS_USAGE_STATS="false")
        if name == "shop":
            subprocess.run([dbt, "deps"], cwd=project, check=True, env=environment,
                           stdout=subprocess.DEVNULL)
        engine = Two(project, dbt) if version.startswith("2.") else One(project)
        answers = [engine.ask(one) for one in made]
        with open(os.path.join(project, "target", "manifest.json"), encoding="utf-8") as file:
            manifest = without_bulk(json.load(file))
        os.chdir("/")
    ids = sorted({uid for answer in answers for uid in answer or ()})
    place = {uid: i for i, uid in enumerate(ids)}
    answers = [None if answer is None else [place[uid] for uid in answer] for answer in answers]
    folder = os.path.join(directory, name)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "expressions.json"), "w", encoding="utf-8") as file:
        file.write("[\n" + ",\n".join(json.dumps(one, ensure_ascii=False) for one in made) + "\n]\n")
    with open(os.path.join(folder, "files.json"), "w", encoding="utf-8") as file:
        json.dump(sorted(projects.PROJECTS[name]), file, ensure_ascii=False, indent=0)
        file.write("\n")
    if "selectors.yml" in projects.PROJECTS[name]:
        projects.write_one(name, "selectors.yml", folder)
    short = version if version.startswith("2.") else ".".join(version.split(".")[:2])
    with open(os.path.join(folder, short + ".json"), "w", encoding="utf-8") as file:
        file.write('{"dbt": %s,\n"manifest": %s,\n"ids": %s,\n"answers": [\n%s\n]}\n' % (
            json.dumps(version), json.dumps(manifest, sort_keys=True), json.dumps(ids),
            ",\n".join(json.dumps(answer, separators=(",", ":")) for answer in answers)))
    refused = sum(answer is None for answer in answers)
    print(f"{name} {version}: {len(made)} expressions, {refused} refused", flush=True)


def main():
    dbt, directory = sys.argv[1], os.path.abspath(sys.argv[2])
    os.environ["DBT_SEND_ANONYMOUS_USAGE_STATS"] = "false"
    from importlib.metadata import version
    for name in projects.PROJECTS:
        record(name, dbt, version("dbt-core"), directory)


if __name__ == "__main__":
    main()
