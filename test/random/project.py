"""A small project made up from a seed: nodes in the order of a build, and the tests of them.

Every relation has a unique `id`; each other column is an expression over the ids or the columns of
one of the node's parents, so that a project stays valid whatever change.py does to it. What is kept
from build to build (incremental models, snapshots) takes columns of others as text only, so that it
need not be made anew when they get another type.
"""

from dataclasses import dataclass, field

SHARED = ("staging", "intermediate")  # layers that the audit target of wap has in common with production
LAYERS = {"staging": 0, "intermediate": 1, "mart": 2, "utils": 2, "history": 3}
SEED_TYPES = ("integer", "bigint", "varchar(20)", "numeric(12,2)", "date")
NAMES = "amount country day flag name price quantity rank ratio region state total unit value weight".split()

OF_ID = {
    "integer": "cast({id} * {k} as integer)",
    "bigint": "cast({id} * {k} as bigint)",
    "varchar": "cast('v' || cast({id} % {k} as varchar(20)) as varchar(20))",
    "numeric": "cast({id} * 1.5 + {k} as numeric(12,2))",
    "date": "cast('2025-01-01' as date) + cast({id} % {k} as integer)",
    "boolean": "({id} % {k} = 0)",
}


@dataclass
class Column:
    """Of an id by `type`, or the column `of` of the parent of that number."""

    type: str
    k: int
    parent: int = 0
    of: str = ""
    is_text: bool = False  # it was another's in what is kept, and stays what it was there

    def sql(self, as_text):
        a = "ab"[self.parent]
        if not self.of:
            made = OF_ID[self.type].format(id="a.id", k=self.k)
            return f"cast({made} as varchar(40))" if self.is_text else made
        return f"cast({a}.{self.of} as varchar(40))" if as_text else f"{a}.{self.of}"


@dataclass
class Node:
    name: str
    kind: str  # seed, snapshot, or how the model is materialized
    layer: str = ""  # its schema; without one it goes where the target has the rest
    alias: str = ""
    tags: tuple = ()
    parents: list = field(default_factory=list)
    columns: dict = field(default_factory=dict)  # name -> Column; of a seed, name -> type
    rows: list = field(default_factory=list)
    modulus: int = 0  # of the ids that a model leaves out
    has_key: bool = True  # an incremental model without one appends
    is_broken: bool = False

    @property
    def resource_type(self):
        return self.kind if self.kind in ("seed", "snapshot") else "model"


@dataclass
class Test:
    name: str
    node: str
    finds: bool = False  # rows that should not be there
    is_warning: bool = False


class Project:
    def __init__(self, chance, rules):
        self.chance, self.rules = chance, rules
        self.nodes, self.tests, self.sources = {}, {}, {}
        self.number = 0
        self.tags = ()  # of what is published; none: everything
        self.needs_refresh = False
        self.begin()

    def begin(self):
        chance = self.chance
        self.tags = chance.choice(self.rules.tags)
        for _ in range(chance.randint(1, 2)):
            self.add("seed")
        for _ in range(chance.randint(2, 6)):
            self.add()
        self.settle()

    # --- making nodes

    def fresh_name(self, word):
        self.number += 1
        return f"{word}_{self.number}"

    def add(self, kind=None):
        """A node that reads what is there."""
        chance = self.chance
        layer = "staging" if kind == "seed" else chance.choice(["", *LAYERS])
        kind = kind or self.pick_kind(layer)
        if kind == "snapshot":
            layer = "history"
        node = Node(self.fresh_name(kind), kind, layer)
        node.alias = node.name if chance.random() < 0.8 or kind == "seed" else f"{node.name}_alias"
        if kind == "seed":
            node.columns = {name: chance.choice(SEED_TYPES) for name in chance.sample(NAMES, chance.randint(1, 3))}
            self.nodes[node.name] = node
            for _ in range(chance.randint(3, 8)):
                self.add_row(node)
            return node
        readable = self.readable_by(node)
        node.parents = chance.sample(readable, min(len(readable), chance.choice((1, 1, 2))))
        node.modulus = chance.choice((0, 0, 0, 5, 7))
        node.has_key = chance.random() < 0.7
        self.nodes[node.name] = node
        for _ in range(chance.randint(1, 4)):
            self.add_column(node)
        if self.tags and chance.random() < 0.6:
            node.tags = (chance.choice(self.tags),)
        if kind != "ephemeral" and chance.random() < 0.4:
            self.add_test(node)
        return node

    def pick_kind(self, layer):
        kinds = self.rules.kinds
        if layer == "history":
            kinds = [kind for kind in kinds if kind not in ("view", "ephemeral")] or ["table"]
        if self.rules.is_audit:
            kinds = ["view", "ephemeral", "table"] if layer in SHARED else [k for k in kinds if k != "view"]
        return self.chance.choice(kinds)

    def readable_by(self, node):
        """A layer reads itself and those below it; nobody reads a snapshot."""
        rank = LAYERS.get(node.layer, 2)
        return [other.name for other in self.nodes.values()
                if other.kind != "snapshot" and LAYERS.get(other.layer, 2) <= rank and other is not node]

    def add_column(self, node):
        free = [name for name in NAMES if name not in node.columns]
        if free:
            node.columns[self.chance.choice(free)] = self.make_column(node)

    def make_column(self, node):
        chance = self.chance
        column = Column(chance.choice(list(OF_ID)), chance.randint(2, 5))
        parent = chance.randrange(len(node.parents))
        there = list(self.nodes[node.parents[parent]].columns)
        if there and chance.random() < 0.6:
            column.parent, column.of = parent, chance.choice(there)
        return column

    def add_row(self, node):
        """Of a seed, with the next free id."""
        id_ = max([row[0] for row in node.rows], default=0) + 1
        node.rows.append([id_, *(self.value(type_) for type_ in node.columns.values())])

    def value(self, type_):
        chance = self.chance
        if chance.random() < 0.1:
            return ""
        number = chance.randint(0, 99)
        return {"numeric(12,2)": f"{number}.5", "date": f"2025-03-{number % 28 + 1:02d}",
                "varchar(20)": f"x{number}"}.get(type_, number)

    def add_test(self, node):
        """Now and then one that finds something, and only warns."""
        name, warns = self.fresh_name("test"), self.chance.random() < 0.15
        self.tests[name] = Test(name, node.name, finds=warns, is_warning=warns)

    # --- what must be so

    def settle(self):
        """After a change: an order of a build, columns that are there, and a scope that can be published."""
        self._sort()
        for node in self.nodes.values():
            for column in node.columns.values() if node.kind != "seed" else ():
                if column.of and column.of not in self.nodes[node.parents[column.parent]].columns:
                    column.of, column.is_text = "", node.kind in ("incremental", "snapshot")
        if self.tags:
            self._close_tags()
        self.tests = {name: test for name, test in self.tests.items() if test.node in self.nodes}
        scope = self.scope()
        if not scope:
            self.add("table").tags = self.tags[:1]
            return self.settle()
        if not any(test.node in scope for test in self.tests.values()):
            self.add_test(self.nodes[scope[0]])
        return None

    def _sort(self):
        """Parents first, and otherwise as they came."""
        order = {}

        def visit(node):
            for parent in node.parents:
                visit(self.nodes[parent])
            order[node.name] = node

        for node in list(self.nodes.values()):
            visit(node)
        self.nodes = order

    def _close_tags(self):
        """What is published finds its parents in production."""
        for node in reversed(list(self.nodes.values())):
            if self._is_wanted(node):
                for parent in node.parents:
                    self.nodes[parent].tags = self.nodes[parent].tags or node.tags

    def _is_wanted(self, node):
        return not self.tags or bool(set(node.tags) & set(self.tags))

    def used_tags(self):
        return [tag for tag in self.tags if any(tag in self.nodes[name].tags for name in self.scope())]

    def scope(self):
        """The names of what is published, in the order of a build."""
        return [node.name for node in self.nodes.values()
                if self._is_wanted(node) and node.kind != "ephemeral"
                and not (self.rules.is_audit and node.layer in SHARED)
                and not (self.rules.rebuilds and node.kind in ("seed", "snapshot"))]

    def children(self, name):
        return [node for node in self.nodes.values() if name in node.parents]
