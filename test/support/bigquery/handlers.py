"""The statements that bqemulator lacks or gets wrong, one handler each, found by pattern."""

import re

from bqemulator.domain.errors import InvalidQueryError, NotFoundError
from catalog import layout_of, read_layout, shown
from sqltext import NAME, split_commas, split_name, take_options, unquote

HANDLERS = []


def statement(pattern, kind):
    """The pattern with NAME filled in, over the whole statement; blanks match any."""
    text = pattern.replace("<name>", NAME).replace(" ", r"\s+").replace("~", r"\s*")

    def add(function):
        HANDLERS.append((re.compile(text + r"\s*$", re.IGNORECASE | re.DOTALL), kind, function))
        return function

    return add


@statement(r"create (or replace )?table (if not exists )?(<name>) (copy|clone) (<name>)(.*)",
           "CREATE_TABLE")
def copy_or_clone(catalog, project, replace, unless, target, word, source, rest):
    options, rest = take_options(rest)
    if rest.strip():
        raise InvalidQueryError(f"Syntax error: Unexpected {rest.strip()!r}")
    catalog.copy(split_name(source, project), split_name(target, project), replace=bool(replace),
                 unless=bool(unless), kind="CLONE" if word.lower() == "clone" else "TABLE", options=options)


@statement(r"create snapshot table (if not exists )?(<name>) clone (<name>)(.*)", "CREATE_SNAPSHOT_TABLE")
def snapshot(catalog, project, unless, target, source, rest):
    options, rest = take_options(rest)
    if rest.strip():
        raise InvalidQueryError(f"Syntax error: Unexpected {rest.strip()!r}")
    catalog.copy(split_name(source, project), split_name(target, project), unless=bool(unless),
                 kind="SNAPSHOT", options=options)


@statement(r"drop snapshot table (if exists )?(<name>)", "DROP_SNAPSHOT_TABLE")
def drop_snapshot(catalog, project, if_exists, name):
    catalog.drop(split_name(name, project), if_exists, "SNAPSHOT")


@statement(r"drop table (if exists )?(<name>)", "DROP_TABLE")
def drop_table(catalog, project, if_exists, name):
    catalog.drop(split_name(name, project), if_exists, "TABLE", "CLONE")


@statement(r"drop view (if exists )?(<name>)", "DROP_VIEW")
def drop_view(catalog, project, if_exists, name):
    catalog.drop(split_name(name, project), if_exists, "VIEW")


@statement(r"alter table (if exists )?(<name>) rename to (<name>)", "ALTER_TABLE")
def rename(catalog, project, if_exists, name, new):
    key = split_name(name, project)
    if catalog.get(key) or not if_exists:
        catalog.rename(key, new.strip("`"))


@statement(r"alter (?:table|view) (if exists )?(<name>) set (options~\(.*\))", "ALTER_TABLE")
def alter_options(catalog, project, if_exists, name, options):
    key = split_name(name, project)
    if catalog.get(key) or not if_exists:
        catalog.set_options(key, take_options(options)[0])


COLUMN = re.compile(rf"alter\s+column\s+(if\s+exists\s+)?({NAME})\s+set\s+(options\s*\(.*\))", re.IGNORECASE | re.DOTALL)


@statement(r"alter (table|view) (<name>) (alter column .+)", "ALTER_TABLE")
def alter_columns(catalog, project, word, name, actions):
    key = split_name(name, project)
    if (catalog.need(key).table_type == "VIEW") != (word.lower() == "view"):
        raise InvalidQueryError(f"{name} is of type {catalog.need(key).table_type}, which ALTER {word} does not change")
    found = [COLUMN.fullmatch(action) for action in split_commas(actions)]
    if not all(found):
        raise InvalidQueryError(f"Syntax error: Unexpected {actions!r}")
    for if_exists, column, options in [action.groups() for action in found]:
        column = column.strip("`")
        if not if_exists or column in [f.name for f in catalog.need(key).schema_.fields]:
            catalog.describe_column(key, column, take_options(options)[0])


@statement(r"call bq\.jobs\.cancel~\((.+)\)", "CALL")
def cancel(catalog, project, job):
    catalog.cancel(unquote(job).split(".")[-1])


@statement(r"(grant|revoke) (.+?) on (table|view|schema) (<name>) (?:to|from) (.+)", "GRANT")
def grant(catalog, project, word, roles, kind, name, whom):
    key = split_name(name, project)
    if kind.lower() != "schema":
        catalog.need(key)
    given = {(role.strip("`"), unquote(who)) for role in split_commas(roles) for who in split_commas(whom)}
    if any(who is None or ":" not in who for _, who in given):
        raise InvalidQueryError(f"Invalid grantee in {whom}")
    there = catalog.grants.setdefault(key, set())
    if word.lower() == "grant":
        there |= given
    else:
        there -= given


# --- around a statement of the emulator's own

CREATE = re.compile(
    rf"create\s+(?P<replace>or\s+replace\s+)?(?P<kind>table|view)\s+(?P<unless>if\s+not\s+exists\s+)?"
    rf"(?P<name>{NAME})(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
CHANGE = re.compile(rf"(?:insert(?:\s+into)?|update|delete\s+from|delete|merge(?:\s+into)?|truncate\s+table)"
                    rf"\s+({NAME})", re.IGNORECASE)


class Made:
    """A table or a view that a statement of the emulator's own is about to make."""

    def __init__(self, catalog, project, found):
        self.catalog, self.kind = catalog, found["kind"].lower()
        self.key = split_name(found["name"], project)
        head, _, query = split_query(found["rest"])
        self.options, self.head = take_options(head)
        self.layout = read_layout(re.sub(r"^\s*\(.*?\)(?=\s*(partition|cluster|$))", "", self.head,
                                         flags=re.IGNORECASE | re.DOTALL))
        self.there = catalog.get(self.key)
        self.query = query.strip()
        self.skipped = bool(found["unless"] and self.there)
        if self.skipped:
            return
        catalog.dataset(*self.key[:2])
        if self.there and not found["replace"]:
            catalog.must_be_new(self.key)
        if self.there and (self.there.table_type == "VIEW") != (self.kind == "view"):
            raise InvalidQueryError(f"{shown(self.key)} is of type {self.there.table_type}, which a "
                                    f"{self.kind} does not replace")
        if self.there and self.kind == "table":
            catalog.must_fit(self.key, self.there,
                             layout_of(self.there.model_copy(update=self.layout)))

    def note(self):
        if self.skipped:  # the emulator makes a new entry of it all the same
            self.catalog.put(self.there)
            return
        now = self.catalog.now()
        values = {"creation_time": now, "last_modified_time": now}
        if self.kind == "table":
            values |= {**self.layout, "table_type": "TABLE", "labels": {}, "description": None,
                       "expiration_time": self.catalog.default_expiration(self.key)}
        else:
            values |= {"view_query": self.query, "description": None, "labels": {}}
        self.catalog.change(self.key, **values)
        self.catalog.set_options(self.key, self.options)


def split_query(rest):
    """What stands in front of a CREATE's query, `as`, and the query."""
    depth = 0
    for found in re.finditer(r"[()]|\bas\b|'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|`[^`]*`", rest, re.IGNORECASE):
        word = found[0].lower()
        depth += {"(": 1, ")": -1}.get(word, 0)
        if word == "as" and depth == 0:
            return rest[: found.start()], "as", rest[found.end():]
    return rest, "", ""


def prepare(catalog, project, text):
    found = CREATE.match(text)
    return Made(catalog, project, found) if found else None


def note(catalog, project, text, made):
    if made:
        made.note()
    changed = CHANGE.match(text)
    if changed:
        catalog.touch(split_name(changed[1], project))


# --- INFORMATION_SCHEMA

REFERENCE = re.compile(
    r"(?:`?(?P<first>[\w-]+)`?\s*\.\s*)?(?:`?(?P<second>[\w-]+)`?\s*\.\s*)?"
    r"(?:`?INFORMATION_SCHEMA`?\s*\.\s*`?(?P<view>TABLES|TABLE_OPTIONS|COLUMN_FIELD_PATHS|VIEWS|SCHEMATA|OBJECT_PRIVILEGES|JOBS_BY_USER)\b`?"
    r"|`?(?P<meta>__TABLES__)`?)", re.IGNORECASE)


def beside_literals(sql, change):
    """The text with `change` done to all but what stands in quotes of a literal."""
    kept = []

    def keep(found):
        kept.append(found[0])
        return f"\x00{len(kept) - 1}\x00"

    return re.sub("\x00(\\d+)\x00", lambda m: kept[int(m[1])], change(TEXT.sub(keep, sql)))


TEXT = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"", re.DOTALL)


def expand(catalog, project, sql):
    """References to what the stand-in shows itself become queries of values."""
    def values(found):
        view = (found["view"] or found["meta"]).upper()
        names = [n for n in (found["first"], found["second"]) if n]
        if names and names[-1].lower().startswith("region-"):
            names[-1:] = [] if view == "SCHEMATA" else names[-1:]
        if view == "SCHEMATA":
            return catalog.information(view, names[0] if names else project, None)
        if not names:
            raise InvalidQueryError(f"{view} must be qualified with a dataset or a region")
        dataset = names.pop()
        if view in ("OBJECT_PRIVILEGES", "JOBS_BY_USER"):
            catalog.need_region(project, dataset.lower())
        return catalog.information(view, names[0] if names else project, dataset)

    def change(text):
        text = re.sub(r"@@script\.job_id\b", f"'{catalog.job_id}'", text, flags=re.IGNORECASE)
        text = re.sub(r"@@project_id\b", f"'{project}'", text, flags=re.IGNORECASE)
        # Of 38 digits there; the engine's own has 18.
        text = re.sub(r"\bas\s+numeric\s*\)", "as numeric(38, 9))", text, flags=re.IGNORECASE)
        return REFERENCE.sub(values, text)

    return beside_literals(sql, change).replace("%E3S", "%S.%g")


__all__ = ["HANDLERS", "NotFoundError", "expand", "note", "prepare"]
