"""Policies and tags: that they are there, and what they are assigned to, as GET_DDL says it."""

import re

from catalog import META, error, exists_already
from handlers import ADMINS, statement
from sqltext import literal, quoted, split_name

NAMES = r"\([^()]*\)"


def policy(session, kind, name):
    """Its whole name as the service writes it; whoever assigns one has APPLY on the account, or is an administrator."""
    parts = session.name(name)
    session.catalog.need(kind, *parts)
    if not sees(session, kind):
        raise error(3001, "42501", f"SQL access control error:\nInsufficient privileges to operate on {kind} "
                                   f"'{parts[-1]}'.")
    return ".".join(written(p) for p in parts)


def sees(session, kind):
    return session.role in ADMINS or session.catalog.rows(
        f"select 1 from {META}.account_grants where privilege = ? and grantee = ?", f"APPLY {kind.upper()}",
        session.role)


def written(name):
    return name if re.fullmatch(r"[A-Z_][A-Z0-9_$]*", name) else quoted(name)


def listed(names):
    return "(" + ", ".join(written(n) for n in split_name(names)) + ")" if names else ""


@statement(r"create (or replace )?(masking policy|row access policy|tag) (if not exists )?(<name>)(\s.*)?")
def create_policy(session, _replace, kind, _unless, name, _rest):
    kind = " ".join(kind.lower().split())
    parts = session.name(name)
    session.catalog.need("schema", *parts[:2])
    if session.catalog.get(kind, *parts):
        raise exists_already(*parts)
    session.catalog.note(kind, *parts, session.role)
    return f"{kind.capitalize()} {parts[-1]} successfully created."


@statement(r"grant (apply masking policy|apply row access policy|apply tag) on account to role (<name>)")
def grant_on_account(session, privilege, role):
    session.catalog.run(f"insert into {META}.account_grants values (?, ?)", " ".join(privilege.upper().split()),
                        split_name(role)[-1])
    return "Statement executed successfully."


def place(session, kind, name):
    parts = session.name(name)
    session.own(kind.lower(), *parts)
    return parts


def column_of(session, parts, name):
    (col,) = split_name(name)
    if not session.catalog.rows("select 1 from duckdb_columns() where database_name = ? and schema_name = ? and "
                                "table_name = ? and column_name = ?", *parts, col):
        raise error(904, "42000", f"SQL compilation error:\ninvalid identifier '{col}'")
    return col


@statement(rf"alter (table|view) (<name>) modify column (<word>) set masking policy (<name>)(?:\s+using ({NAMES}))?"
           r"(\s+force)?")
def set_masking(session, kind, name, column, masking, using, force):
    parts = place(session, kind, name)
    col, assigned = column_of(session, parts, column), policy(session, "masking policy", masking)
    if session.catalog.assignments(parts, col, "MASKING POLICY") and not force:
        raise error(3555, "42710", "Specified column already attached to another masking policy. Please unset the "
                                   f"current masking policy on column '{col}'.")
    session.catalog.unassign(parts, col, "MASKING POLICY")
    session.catalog.assign(parts, col, "MASKING POLICY", assigned, using and "USING " + listed(using))
    session.catalog.touch(*parts)
    return "Statement executed successfully."


@statement(r"alter (table|view) (<name>) modify column (<word>) unset masking policy")
def unset_masking(session, kind, name, column):
    parts = place(session, kind, name)
    session.catalog.unassign(parts, column_of(session, parts, column), "MASKING POLICY")
    session.catalog.touch(*parts)
    return "Statement executed successfully."


@statement(rf"alter (table|view) (<name>) add row access policy (<name>) on ({NAMES})")
def add_row_access(session, kind, name, row_access, on):
    parts = place(session, kind, name)
    if session.catalog.assignments(parts, "", "ROW ACCESS POLICY"):
        raise error(3555, "42710", f"Object {parts[-1]} already has a ROW_ACCESS_POLICY. Only one ROW_ACCESS_POLICY is "
                                   "allowed at a time.")
    for column in split_name(on):
        column_of(session, parts, quoted(column))
    session.catalog.assign(parts, "", "ROW ACCESS POLICY", policy(session, "row access policy", row_access),
                           "ON " + listed(on))
    session.catalog.touch(*parts)
    return "Statement executed successfully."


@statement(r"alter (table|view) (<name>) drop all row access policies")
def drop_row_access(session, kind, name):
    parts = place(session, kind, name)
    session.catalog.unassign(parts, "", "ROW ACCESS POLICY")
    session.catalog.touch(*parts)
    return "Statement executed successfully."


@statement(r"alter (table|view) (<name>) (?:modify column (<word>) )?set tag (<name>)\s*=\s*'((?:[^']|'')*)'")
def set_tag_of(session, kind, name, column, tag, value):
    parts = place(session, kind, name)
    col = column_of(session, parts, column) if column else ""
    assigned = policy(session, "tag", tag)
    session.catalog.unassign(parts, col, "TAG", assigned)
    session.catalog.assign(parts, col, "TAG", assigned, value.replace("''", "'"))
    session.catalog.touch(*parts)
    return "Statement executed successfully."


@statement(r"alter (table|view) (<name>) (?:modify column (<word>) )?unset tag (<name>)")
def unset_tag_of(session, kind, name, column, tag):
    parts = place(session, kind, name)
    col = column_of(session, parts, column) if column else ""
    session.catalog.unassign(parts, col, "TAG", policy(session, "tag", tag))
    session.catalog.touch(*parts)
    return "Statement executed successfully."


@statement(r"alter (schema|database) (<name>) (?:set tag (<name>)\s*=\s*'((?:[^']|'')*)'|unset tag (<name>))")
def tag_container(session, kind, name, tag, value, taken):
    parts = session.name(name, 1 if kind.lower() == "database" else 2)
    session.own(kind.lower(), *parts)
    of, assigned = (*parts, "", "")[:3], policy(session, "tag", tag or taken)
    session.catalog.unassign(of, "", "TAG", assigned)
    if tag:
        session.catalog.assign(of, "", "TAG", assigned, value.replace("''", "'"))
    return "Statement executed successfully."


def tag_references(session, name, domain):
    """As a query; what it would inherit is not in it."""
    parts = session.name(name, 1 if domain.lower() == "database" else 2)
    session.catalog.need(domain.lower(), *parts)
    rows = [split_name(tag) + [value] for tag, value in session.catalog.assignments((*parts, "", "")[:3], "", "TAG")]
    values = ", ".join("(" + ", ".join(literal(part) for part in row) + f", {literal(domain.upper())})" for row in rows)
    return f"(select * from (values {values or '(null, null, null, null, null)'}) as t (tag_database, tag_schema, " \
           "tag_name, tag_value, level) where level is not null)"


def assigned_text(session, parts, col):
    """What the text of a table says of it, or of one column; what the role may not see has another name."""
    out = []
    for kind in ("MASKING POLICY", "ROW ACCESS POLICY"):
        for name, rest in session.catalog.assignments(parts, col, kind):
            name = name + (f" {rest}" if rest else "") if sees(session, kind) else "#UNKNOWN_POLICY"
            out.append(f" WITH {kind} {name}")
    tags = session.catalog.assignments(parts, col, "TAG")
    if tags:
        out.append(" WITH TAG (" + ", ".join(f"{name}='{value}'" if sees(session, "TAG")
                                             else "#UNKNOWN_TAG='#UNKNOWN_VALUE'" for name, value in tags) + ")")
    return out


def ddl(session, kind, name, qualified):
    """The statement that makes a table or view, as the service writes it."""
    parts = session.name(name)
    found = session.catalog.need(kind.lower(), *parts)
    columns = ",\n\t".join(
        written(c) + ("" if kind.lower() == "view" else f" {t}") + "".join(assigned_text(session, parts, c))
        for c, t in session.catalog.rows(
            "select column_name, data_type from duckdb_columns() where database_name = ? and schema_name = ? and "
            "table_name = ? order by column_index", *parts))
    called = ".".join(written(p) for p in (parts if qualified else parts[-1:]))
    own = "\n".join(assigned_text(session, parts, "")) + "\n" if assigned_text(session, parts, "") else ""
    if kind.lower() == "view":
        query = re.split(r"\bas\b", found["text"] or "", maxsplit=1, flags=re.IGNORECASE)[-1]
        return f"create or replace view {called}(\n\t{columns}\n){own} as {query.strip()};"
    what = "TRANSIENT TABLE" if found["transient"] else "TABLE"
    return f"create or replace {what} {called} (\n\t{columns}\n){own};"
