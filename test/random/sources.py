"""The random sources of a mirror, each with its raw model, and what becomes of them between two
refreshes."""

from dataclasses import dataclass

from project import NAMES, SEED_TYPES, Node, Project, Test

SCHEMA = "shop_source"
MAX_SHRINK = 50  # airlock's own, in percent


@dataclass
class Source:
    columns: dict  # name -> type
    rows: list
    kind: str = "table"  # or a view; or one that cannot be read; or gone


class Sources(Project):
    def begin(self):
        self.accepted = []  # of the next refresh: they may be empty, have shrunk or fail their test
        self.last = {}  # rows of the last good copies
        for _ in range(self.chance.randint(1, 4)):
            self._add()

    def scope(self):
        return list(self.nodes)

    def source(self, name):
        return f"{SCHEMA}.{self.nodes[name].alias}"

    def good(self):
        """The raw models that a refresh has to copy."""
        return [name for name, node in self.nodes.items() if self._is_good(name, self.sources[node.alias])]

    def _is_good(self, name, source):
        if source.kind not in ("table", "view"):
            return False
        if name in self.accepted:
            return True
        before, now = self.last.get(name, -1), len(source.rows)
        alias = self.nodes[name].alias
        failing = any(test.node == alias and test.finds and source.rows for test in self.tests.values())
        return not failing and (now > 0 or before == 0) and (before - now) * 100 <= max(before, 0) * MAX_SHRINK

    def kept(self):
        return [name for name in self.nodes if name not in self.good()]

    def statements(self, engine):
        """That make the outside system what it is now."""
        yield f"drop schema if exists {SCHEMA} cascade"
        yield f"create schema {SCHEMA}"
        for name, source in self.sources.items():
            if source.kind != "gone":
                yield from _made(f"{SCHEMA}.{name}", source, engine)

    # --- what becomes of them

    def change(self):
        """One to three of them, in words."""
        self.accepted = []
        return [self.chance.choice(self.CHANGES)(self) for _ in range(self.chance.randint(1, 3))]

    def mend(self):
        """Each is good again."""
        self.accepted = []
        for name in list(self.sources):
            self._mend(name)

    def _pick(self):
        return self.chance.choice(list(self.sources))

    def _add(self):
        chance, name = self.chance, self.fresh_name("source")
        columns = {column: chance.choice(SEED_TYPES) for column in chance.sample(NAMES, chance.randint(1, 3))}
        source = self.sources[name] = Source(columns, [])
        self._fill(source, chance.randint(3, 8))
        self.nodes[f"mirror_{name}"] = Node(f"mirror_{name}", "table", "raw", name, ("raw",), [name])
        if chance.random() < 0.4:
            test = self.fresh_name("test")
            self.tests[test] = Test(test, name)
        return f"{name} is new"

    def _fill(self, source, count):
        for _ in range(count):
            id_ = max([row[0] for row in source.rows], default=0) + 1
            source.rows.append([id_, *(self.value(type_) for type_ in source.columns.values())])

    def _mend(self, name):
        source = self.sources[name]
        source.kind = "table"
        for test in self.tests.values():
            test.finds = test.finds and test.node != name
        self._fill(source, max(1, self.last.get(f"mirror_{name}", 0) - len(source.rows)))
        return f"{name} is good"

    def _grow(self):
        name = self._pick()
        self._fill(self.sources[name], self.chance.randint(1, 3))
        return f"more rows in {name}"

    def _shrink(self):
        name = self._pick()
        rows = self.sources[name].rows
        self.sources[name].rows = self.chance.sample(rows, self.chance.randint(0, len(rows)))
        return f"{name} had {len(rows)} rows and has {len(self.sources[name].rows)}"

    def _empty(self):
        name = self._pick()
        self.sources[name].rows = []
        return f"{name} is empty"

    def _turn(self):
        name, kind = self._pick(), self.chance.choice(("gone", "gone", "unreadable", "view", "table"))
        self.sources[name].kind = kind
        return f"{name}: {kind}"

    def _fail(self):
        if not self.tests:
            return self._grow()
        test = self.chance.choice(list(self.tests.values()))
        test.finds = True
        return f"{test.name} fails"

    def _change_columns(self):
        name, chance = self._pick(), self.chance
        source = self.sources[name]
        free = [column for column in NAMES if column not in source.columns]
        old = chance.choice(list(source.columns))
        place = list(source.columns).index(old) + 1
        if chance.random() < 0.4:
            column, type_ = chance.choice(free), chance.choice(SEED_TYPES)
            source.columns[column] = type_
            source.rows = [[*row, self.value(type_)] for row in source.rows]
            return f"{name} with {column}"
        if len(source.columns) > 1 and chance.random() < 0.5:
            del source.columns[old]
            source.rows = [[*row[:place], *row[place + 1:]] for row in source.rows]
            return f"{name} without {old}"
        source.columns[old] = chance.choice(SEED_TYPES)
        source.rows = [[*row[:place], self.value(source.columns[old]), *row[place + 1:]] for row in source.rows]
        return f"{name}.{old} is {source.columns[old]}"

    def _forget(self):
        """The raw table stays."""
        if len(self.sources) < 2:
            return self._add()
        name = self._pick()
        del self.sources[name], self.nodes[f"mirror_{name}"]
        self.tests = {key: test for key, test in self.tests.items() if test.node != name}
        return f"{name} has no model any more"

    def _accept(self):
        self.accepted.append(f"mirror_{self._pick()}")
        return f"{self.accepted[-1]} is accepted"

    def _mend_one(self):
        return self._mend(self._pick())

    CHANGES = (_grow, _grow, _shrink, _shrink, _empty, _turn, _turn, _fail, _change_columns, _change_columns, _add,
               _forget, _accept, _mend_one)


def _made(name, source, engine):
    columns = {"id": "integer", **source.columns}
    table = name if source.kind == "table" else f"{name}_all"
    yield f"create table {table} ({', '.join(f'{column} {type_}' for column, type_ in columns.items())})"
    values = ", ".join(f"({', '.join(map(_literal, row))})" for row in source.rows)
    if values:
        yield f"insert into {table} values {values}"
    if table != name:
        fails = " where 1 / (id - id) > 0" if source.kind == "unreadable" and engine == "postgres" else ""
        yield f"create view {name} as select * from {table}{fails}"
    if source.kind == "unreadable" and engine == "duckdb":
        yield f"drop table {table}"


def _literal(value):
    return "null" if value == "" else f"'{value}'"
