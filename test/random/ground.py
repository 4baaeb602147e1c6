"""One project and one warehouse that random deployments are tried on, with a copy of the warehouse in
which the same is done without airlock (twin.py)."""

import contextlib
import difflib
import os
import pathlib
import re
import shutil
import subprocess

import render
import twin
from world import World, by_relation

import warehouse  # noqa: E402  (world.py knows where it is)

# The times of a snapshot, and the keys that are made of them.
TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?|\b[0-9a-f]{32}\b")
COLUMN = re.compile(r"^(column \S+ \| )\d+ \| ", re.MULTILINE)  # its number
BARE = re.compile(r"^(schema \S+ \| \S+ \|)$", re.MULTILINE)  # a schema without airlock's mark
BY_HAND = """
    create schema reports;
    create table reports.by_hand as select 42 as answer;
    comment on table reports.by_hand is 'made by hand'"""


class Ground(World):
    def __init__(self, engine, strategy, dbt=None):
        super().__init__(engine, strategy, dbt)
        self.is_read_by_name = True  # a rewrite keeps the order of production's columns
        self.recorded = self.directory / "recorded"
        self.copied = self.directory / "copy" / self.file.name
        (self.directory / "green").mkdir()
        self.copied.parent.mkdir()
        self.environment |= {
            "DIRECT_RECORDED": str(self.recorded),
            "SHOP_DUCKDB_GREEN": str(self.directory / "green" / self.file.name),
        }

    def start(self):
        self.data.mkdir()
        self.project.mkdir()
        if self.engine == "postgres":
            self._export(self._pg("start", str(os.getpid())))
        self._here()

    def clear(self):
        """Nothing is there but what somebody made by hand."""
        self.leave()
        if self.engine == "postgres":
            self._administrate("drop database if exists shop with (force)")
            self._administrate("create database shop")
        for path in self.directory.glob("**/*.duckdb*"):
            path.unlink()
        shutil.rmtree(self.project)
        self.project.mkdir()
        if self.strategy.replaces != "everything":
            self.sql(BY_HAND)
        self.frozen_events, self.scope, self.made = set(), set(), set()

    def write(self, project):
        render.write(project, self.engine, self.project, self.recorded)
        if self.strategy.is_published_alone:
            self._build_ahead(project)
        for statement in project.statements(self.engine) if self.strategy.mirrors else ():
            self.sql(statement)

    def _build_ahead(self, project):
        """Staging, by dbt alone, without its tests; what fails is not there, and nothing is made of it."""
        broken = [node for node in project.nodes.values() if node.is_broken]
        for node in broken:
            place = render.place(node, self.strategy.staging)
            there = self.sql("select table_type from information_schema.tables"
                             f" where table_schema || '.' || table_name = '{place}'")
            for (kind,) in there:  # it may have been another
                self.sql(f"drop {'view' if kind == 'VIEW' else 'table'} {place} cascade")
        self._build(self.strategy.staging, "--exclude", *project.tests, *(f"{node.name}+" for node in broken),
                    *(["--full-refresh"] if project.needs_refresh else []))

    # --- deployments

    def arguments(self, project):
        if self.strategy.mirrors:
            return [self.strategy.verb, *self.strategy.arguments, "--json",
                    *(word for name in project.accepted for word in ("--accept", name))]
        tags = ["--tags", ",".join(project.used_tags())] if project.tags else []
        gone = self.gone(project)
        if gone and self.strategy.replaces != "relations":
            tags += ["--foreign-objects", ",".join(f"*.{name}" for name in gone)]
        dbt = ["--", "--full-refresh"] if project.needs_refresh or self.strategy.dbt else []
        if self.strategy.is_published_alone:
            dbt = []
        return [self.strategy.verb, *self.strategy.arguments, *tags, "--yes", "--json", *dbt]

    def gone(self, project):
        """Names of what was made once, and no node makes any more."""
        return sorted({name.partition(".")[2] for name in self.made - _places(project)})

    def expect(self, project):
        """What is there now is the old production; the new one is made in a copy."""
        self.scope = _places(project)
        self.made |= self.scope
        self.old = self.production()
        if self.strategy.mirrors:
            project.last = {name: self._rows(node) for name, node in project.nodes.items()}
        with twin.of(self) as copy:
            twin.EXPECTED[self.strategy.expected](copy, project, self.strategy)
            with self._in_copy():
                made = by_relation(self.production())
        found = {name: lines for name, lines in by_relation(self.old).items() if self._stays(name)}
        for name, lines in made.items():
            if name in self.scope or "." not in name and name not in found:
                found[name] = lines
        self.new = "\n".join(sorted(line for lines in found.values() for line in lines))

    def _rows(self, node):
        """Of a raw table; -1: it is not there."""
        name = render.place(node, "prod")
        return self.sql(f"select count(*) from {name}")[0][0] if self.relations(
            f"table_schema || '.' || table_name = '{name}'") else -1

    def _stays(self, name):
        """Whether a deployment that replaces what the scope is in leaves this where it was."""
        if self.strategy.replaces == "schemas":
            return name.partition(".")[0] not in {other.partition(".")[0] for other in self.scope}
        return self.strategy.replaces == "relations"

    def differences(self):
        """From what was expected."""
        expected, found = self.new.splitlines(), self.production().splitlines()
        lines = difflib.unified_diff(expected, found, "expected", "production", n=0, lineterm="")
        return ["\n".join(list(lines)[:40])]

    def production(self):
        """Without times; of a view outside the scope, which shows what it reads, its text alone."""
        if self.engine == "duckdb" and not os.path.exists(os.environ["SHOP_DUCKDB"]):
            return ""
        text = BARE.sub(r"\1 -", TIME.sub("<time>", super().production()))
        lines = (COLUMN.sub(r"\1", text) if self.engine == "postgres" else text).splitlines()
        views = {line.split()[1] for line in lines if line.startswith("view ")} - self.scope
        shown = [line for line in lines if not (line.startswith(("row ", "column ")) and line.split()[1] in views)]
        return "\n".join(sorted(shown))

    # --- the copy

    @contextlib.contextmanager
    def _in_copy(self):
        name, there = ("SHOP_PG_DBNAME", "copy") if self.engine == "postgres" else ("SHOP_DUCKDB", str(self.copied))
        here = os.environ[name]
        self.leave()
        os.environ[name] = there
        try:
            yield {**self.environment, name: there}
        finally:
            self.leave()
            os.environ[name] = here

    def copy_warehouse(self):
        self.leave()
        if self.engine == "postgres":
            self._administrate("create database copy template shop")
        elif self.file.exists():
            shutil.copyfile(self.file, self.copied)

    def empty_copy(self):
        self.drop_copy()
        if self.engine == "postgres":
            self._administrate("create database copy")

    def drop_copy(self):
        if self.engine == "postgres":
            self._administrate("drop database copy with (force)")
        else:
            for path in self.copied.parent.iterdir():
                path.unlink()

    def build_in_place(self):
        """Production, by dbt alone."""
        self._build("prod")

    def build_in_copy(self, verb, target, options):
        command = [self.environment["AIRLOCK_DBT"], verb, "--target", target, *options]
        command += ["--target-path", str(self.directory / "in_place")]
        with self._in_copy() as environment:
            environment = {k: v for k, v in environment.items() if k != "DIRECT_TRACE"}
            done = subprocess.run(command, cwd=self.project, env=environment, text=True, capture_output=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stdout[-600:]}{done.stderr}")

    def sql_in_copy(self, sql):
        with self._in_copy():
            return self.sql(sql)

    def resolved_in_copy(self, sql):
        database = "copy" if self.engine == "postgres" else pathlib.Path(self.file).stem
        return sql.replace(render.DATABASE, database)


def _places(project):
    return {render.place(project.nodes[name], "prod") for name in project.scope()}
