"""What production has to be after a deployment: the same done in the plainest way, without airlock, in
a copy of the warehouse."""

import contextlib

from render import Compiler, place


def cloned(twin, project, strategy):
    """Build in staging; then each table over, and each view from the SQL for production."""
    twin.build(strategy.staging, project)
    held(twin, project, strategy)


def held(twin, project, strategy):
    """The same of what staging holds already."""
    scope = [project.nodes[name] for name in project.scope()]
    for node in scope:
        target = place(node, "prod")
        twin.make_schema(target)
        if node.kind != "view":
            twin.replace("table", target, f"select * from {place(node, strategy.staging)}")
    compiler = Compiler(project, "prod")
    for node in scope:
        if node.kind == "view":
            twin.replace("view", place(node, "prod"), twin.resolved(compiler.node(node)))


def in_place(twin, project, strategy):
    """Build the scope in production."""
    twin.build("prod", project, "--select", *project.scope())


def audited(twin, project, strategy):
    """Build in the audit target, and again in production, without tests."""
    twin.build(strategy.staging, project)
    twin.build("prod", project, "--select", *project.scope(), verb="run")


def anew(twin, project, strategy):
    """Build all of production where there is nothing. Whatever else was in its schemas is gone."""
    twin.empty()
    twin.build("prod", project)


def mirrored(twin, project, strategy):
    """A copy of each source that is good; the others keep theirs."""
    for name in project.good():
        target = place(project.nodes[name], "prod")
        twin.make_schema(target)
        twin.replace("table", target, f"select * from {project.source(name)}")


@contextlib.contextmanager
def of(world):
    twin = Twin(world)
    twin.begin()
    try:
        yield twin
    finally:
        twin.end()


class Twin:
    """A copy of the world's warehouse under another name, or in another folder."""

    def __init__(self, world):
        self.world = world

    def begin(self):
        self.world.copy_warehouse()

    def end(self):
        self.world.drop_copy()

    def empty(self):
        self.world.empty_copy()

    def build(self, target, project, *selection, verb="build"):
        options = ["--full-refresh"] if project.needs_refresh or self.world.strategy.dbt else []
        self.world.build_in_copy(verb, target, [*options, *selection])

    def make_schema(self, target):
        self.world.sql_in_copy(f"create schema if not exists {target.partition('.')[0]}")

    def replace(self, kind, target, select):
        schema, _, name = target.partition(".")
        found = self.world.sql_in_copy("select table_type from information_schema.tables where table_schema ="
                                       f" '{schema}' and table_name = '{name}'")
        if found:
            old = "view" if found[0][0] == "VIEW" else "table"
            self.world.sql_in_copy(f"drop {old} {target} cascade")
        self.world.sql_in_copy(f"create {kind} {target} as {select}")

    def resolved(self, sql):
        return self.world.resolved_in_copy(sql)


EXPECTED = {function.__name__: function for function in (cloned, held, in_place, audited, anew, mirrored)}
