"""The statements that fakesnow lacks or gets wrong, one handler each, found by pattern."""

import re

from catalog import META, error, exists_already, missing
from sqltext import NAME, WORD, literal, quoted, split_name

ACCOUNT = "STANDIN"
ADMINS = ("ACCOUNTADMIN", "SYSADMIN")
HANDLERS = []


def statement(pattern):
    """The pattern with NAME and WORD filled in, over the whole statement; blanks match any."""
    text = pattern.replace("<name>", NAME).replace("<word>", WORD).replace(" ", r"\s+")

    def add(function):
        HANDLERS.append((re.compile(text + r"\s*$", re.IGNORECASE | re.DOTALL), function))
        return function

    return add


def run_plain(connection, sql):
    """A statement through fakesnow as it is."""
    cursor = connection.cursor()
    cursor.standin_plain(sql)
    return cursor


def rename_view(text, name):
    return re.sub(rf"(\bview\s+(?:if\s+not\s+exists\s+)?){NAME}", lambda m: m[1] + name, text, count=1,
                  flags=re.IGNORECASE)


class Session:
    """One statement's surroundings: who asks, and where unqualified names lead."""

    def __init__(self, catalog, connection):
        self.catalog = catalog
        self.connection = connection
        self.role = getattr(connection, "standin_role", None) or "SYSADMIN"

    def name(self, text, parts=3):
        found = split_name(text)
        lead = [self.connection.database, self.connection.schema][: parts - len(found)]
        if any(part is None for part in lead) or len(found) > parts:
            raise error(90105, "22000", f"Cannot resolve the name {text}: this session has no current "
                                        "database or schema.")
        return tuple(lead + found)

    def own(self, kind, *parts):
        found = self.catalog.need(kind, *parts)
        if self.role not in (*ADMINS, found["owner"]):
            raise error(3001, "42501", f"SQL access control error:\nInsufficient privileges to operate "
                                       f"on {found['kind']} '{parts[-1]}'.")
        return found

    def may(self, privilege, kind, *parts):
        """For what the tests take away: the owner, an administrator, or somebody with a grant."""
        found = self.catalog.need(kind, *parts)
        db, sch, name = (*parts, "", "")[:3]
        if self.role in (*ADMINS, found["owner"]):
            return
        if not self.catalog.rows(
                f"select 1 from {META}.grants where future is null and kind = ? and db = ? and sch = ? "
                "and name = ? and grantee = ? and privilege in (?, 'ALL', 'OWNERSHIP')",
                found["kind"], db, sch, name, self.role, privilege):
            raise error(3001, "42501", f"SQL access control error:\nInsufficient privileges to operate "
                                       f"on {found['kind']} '{parts[-1]}'.")


# --- clone


@statement(r"create (or replace )?(transient )?table (if not exists )?(<name>) clone (<name>)"
           r"(\s+copy grants)?(\s+copy tags)?")
def clone_table(session, replace, transient, unless, target, source, copy_grants, _tags):
    catalog = session.catalog
    target, source = session.name(target), session.name(source)
    from_ = catalog.need("", *source)
    if from_["kind"] != "table":
        raise error(2032, "42601", f"SQL compilation error:\nObject '{source[-1]}' is a view and "
                                   "cannot be cloned.")
    session.may("SELECT", "table", *source)
    if from_["transient"] and not transient:
        raise error(2120, "0A000", "SQL compilation error:\nTransient object cannot be cloned to a "
                                   "permanent object.")
    catalog.need("schema", *target[:2])
    there = catalog.get("", *target)
    if there and unless:
        return f"{target[-1]} already exists, statement succeeded."
    if there and not replace:
        raise exists_already(*target)
    if there:
        session.own(there["kind"], *target)
        if there["kind"] == "view":
            raise error(2034, "42710", f"SQL compilation error:\nObject '{target[-1]}' already exists "
                                       "as VIEW")
    else:
        session.may("CREATE TABLE", "schema", *target[:2])
    catalog.copy_table(source, target)
    catalog.sync(session.role)
    catalog.replaced("table", *target, bool(transient), None, session.role, bool(copy_grants),
                     from_["comment"])
    catalog.copy_assignments(source, target)
    catalog.copy_service(source, target)
    if copy_grants and not there:
        catalog.copy_grants("table", source, target)
    return f"Table {target[-1]} successfully created."


def clone_noted_into(catalog, source, target, role):
    """Neither pipes nor internal stages."""
    for kind, name, comment, text, following, by in catalog.rows(
            f"select kind, name, comment, text, next_value, increment from {META}.objects where db = ? and sch = ? "
            "and (kind in ('sequence', 'stream', 'task', 'alert', 'file format', 'function', 'procedure', "
            "'masking policy', 'row access policy', 'tag') or kind = 'stage' and text = 'external') order by serial",
            *source):
        catalog.note(kind, *target, name, role)
        catalog.run(f"update {META}.objects set comment = ?, text = ?, next_value = ?, increment = ? where kind = ? "
                    "and db = ? and sch = ? and name = ?", comment, text, following, by, kind, *target, name)
        catalog.copy_grants(kind, (*source, name), (*target, name))


def clone_schema_into(catalog, source, target, role):
    catalog.copy_assignments((*source, ""), (*target, ""))
    for name, transient, comment in catalog.rows(
            f"select name, transient, comment from {META}.objects where kind = 'table' and db = ? "
            "and sch = ? and not temporary order by serial", *source):
        catalog.copy_table((*source, name), (*target, name))
        catalog.sync(role)
        catalog.replaced("table", *target, name, transient, None, role, False, comment)
        catalog.copy_grants("table", (*source, name), (*target, name))
        catalog.copy_assignments((*source, name), (*target, name))
        catalog.copy_service((*source, name), (*target, name))
    clone_noted_into(catalog, source, target, role)
    views = catalog.views_of(*source)
    catalog.make_views([(*target, v[2], v[3]) for v in views])
    catalog.sync(role)
    for v in views:
        catalog.replaced("view", *target, v[2], False, v[3], role, False)
        catalog.copy_grants("view", (*source, v[2]), (*target, v[2]))
        catalog.copy_assignments((*source, v[2]), (*target, v[2]))


def remove_schema(catalog, db, sch, role):
    catalog.run(f"drop schema {quoted(db, sch)} cascade")
    catalog.sync(role)


@statement(r"create (or replace )?(transient )?schema (if not exists )?(<name>) clone (<name>)"
           r"(\s+with managed access)?")
def clone_schema(session, replace, transient, unless, target, source, _managed):
    catalog = session.catalog
    target, source = session.name(target, 2), session.name(source, 2)
    catalog.need("schema", *source)
    if catalog.get("schema", *target):
        if unless:
            return f"{target[-1]} already exists, statement succeeded."
        if not replace:
            raise exists_already(*target)
        session.own("schema", *target)
        remove_schema(catalog, *target, session.role)
    catalog.run(f"create schema {quoted(*target)}")
    catalog.sync(session.role)
    catalog.replaced("schema", *target, "", bool(transient), None, session.role, False)
    clone_schema_into(catalog, source, target, session.role)
    return f"Schema {target[-1]} successfully created."


@statement(r"create (or replace )?(transient )?database (if not exists )?(<word>)(?: clone (<word>))?")
def create_database(session, replace, transient, unless, target, source):
    catalog = session.catalog
    (target,) = split_name(target)
    source = source and split_name(source)[0]
    if source:
        catalog.need("database", source)
    if catalog.get("database", target):
        if unless:
            return f"{target} already exists, statement succeeded."
        if not replace:
            raise exists_already(target)
        session.own("database", target)
        catalog.drop_database(target)
        catalog.sync(session.role)
    catalog.make_database(target)
    if not source:
        catalog.run(f"create schema {quoted(target, 'PUBLIC')}")
    catalog.sync(session.role)
    catalog.replaced("database", target, "", "", bool(transient), None, session.role, False)
    if source:
        catalog.copy_assignments((source, "", ""), (target, "", ""))
        for sch in catalog.schemas(source):
            catalog.run(f"create schema {quoted(target, sch)}")
            catalog.sync(session.role)
            catalog.copy_grants("schema", (source, sch, ""), (target, sch, ""))
        for sch in catalog.schemas(source):
            clone_schema_into(catalog, (source, sch), (target, sch), session.role)
    session.connection.database = target
    session.connection.database_set = True
    return f"Database {target} successfully created."


NOTED = r"(sequence|stage|stream|task|file format|function|procedure|alert|pipe)"


@statement(rf"create (or replace )?{NOTED} (<name>)([\s(].*)?")
def create_noted(session, replace, kind, name, rest):
    parts, kind = session.name(name), " ".join(kind.lower().split())
    session.catalog.need("schema", *parts[:2])
    if replace:
        forget_noted(session, kind, parts)
    session.catalog.note(kind, *parts, session.role)
    start = re.search(r"start\s*(?:with)?\s*=?\s*(-?\d+)", rest or "", re.IGNORECASE)
    step = re.search(r"increment\s*(?:by)?\s*=?\s*(-?\d+)", rest or "", re.IGNORECASE)
    session.catalog.run(f"update {META}.objects set next_value = ?, increment = ?, text = ? where kind = ? and db = ? "
                        "and sch = ? and name = ?", int(start[1]) if start else 1, int(step[1]) if step else 1,
                        "external" if re.search(r"\burl\s*=", rest or "", re.IGNORECASE) else None, kind, *parts)
    return f"{kind.capitalize()} {parts[-1]} successfully created."


def forget_noted(session, kind, parts):
    session.catalog.run(f"delete from {META}.objects where kind = ? and db = ? and sch = ? and name = ?", kind, *parts)


@statement(rf"drop {NOTED} (if exists )?(<name>)")
def drop_noted(session, kind, unless, name):
    parts, kind = session.name(name), " ".join(kind.lower().split())
    if not session.catalog.get(kind, *parts) and unless:
        return "Drop statement executed successfully."
    session.own(kind, *parts)
    forget_noted(session, kind, parts)
    return f"{parts[-1]} successfully dropped."


@statement(rf"select ({WORD}(?:\s*\.\s*{WORD}){{0,2}})\.nextval")
def next_value(session, name):
    parts = session.name(name)
    session.catalog.need("sequence", *parts)
    where = "kind = 'sequence' and db = ? and sch = ? and name = ?"
    (found,), = session.catalog.rows(f"select next_value from {META}.objects where {where}", *parts)
    session.catalog.run(f"update {META}.objects set next_value = next_value + increment where {where}", *parts)
    return [{"NEXTVAL": found}]


# --- what the service does with tables by itself


@statement(r"create (or replace )?dynamic table (<name>) (?:target_lag\s*=\s*'[^']*'\s*)(?:warehouse\s*=\s*<word>\s*)"
           r"as (.*)")
def create_dynamic(session, replace, name, query):
    parts = session.name(name)
    if session.catalog.get("", *parts) and not replace:
        raise exists_already(*parts)
    run_plain(session.connection, f"create or replace table {quoted(*parts)} as {query}")
    session.catalog.sync(session.role)
    session.catalog.replaced("table", *parts, False, None, session.role, False)
    set_service(session, parts, "dynamic", "ACTIVE")
    return f"Dynamic table {parts[-1]} successfully created."


def set_service(session, parts, column, value):
    session.catalog.run(f"update {META}.objects set {column} = ?, altered = get_current_timestamp() where kind = 'table' "
                        "and db = ? and sch = ? and name = ?", value, *parts)
    return "Statement executed successfully."


@statement(r"alter dynamic table (<name>) (suspend|resume)")
def suspend_dynamic(session, name, how):
    parts = session.name(name)
    session.own("table", *parts)
    if not session.catalog.rows(f"select 1 from {META}.objects where dynamic is not null and kind = 'table' and db = ? "
                                "and sch = ? and name = ?", *parts):
        raise missing("dynamic table", *parts)
    return set_service(session, parts, "dynamic", "ACTIVE" if how.lower() == "resume" else "SUSPENDED")


@statement(r"show dynamic tables in (schema|database) (<name>)")
def show_dynamic(session, scope, name):
    parts = session.name(name, 1 if scope.lower() == "database" else 2)
    found = session.catalog.rows(
        f"select created::varchar, name, db, sch, dynamic from {META}.objects where dynamic is not null and db = ? "
        "and (? = '' or sch = ?) order by serial", parts[0], (*parts, "")[1], (*parts, "")[1])
    columns = ("created_on", "name", "database_name", "schema_name", "scheduling_state")
    return [dict(zip(columns, row)) for row in found] or Nothing(columns)


@statement(r"alter table (<name>) cluster by (\(.*\))")
def cluster_by(session, name, key):
    parts = session.name(name)
    session.own("table", *parts)
    set_service(session, parts, "clustering", f"LINEAR{key}")
    return set_service(session, parts, "reclusters", True)


@statement(r"alter table (<name>) (suspend|resume) recluster")
def suspend_recluster(session, name, how):
    parts = session.name(name)
    session.own("table", *parts)
    if not session.catalog.rows(f"select 1 from {META}.objects where clustering is not null and kind = 'table' and "
                                "db = ? and sch = ? and name = ?", *parts):
        raise error(2303, "0A000", f"SQL compilation error:\nTable '{parts[-1]}' has no clustering key.")
    return set_service(session, parts, "reclusters", how.lower() == "resume")


# --- swap and rename


@statement(r"alter database (if exists )?(<word>) swap with (<word>)")
def swap_databases(session, unless, left, right):
    catalog = session.catalog
    (left,), (right,) = split_name(left), split_name(right)
    session.own("database", left)
    session.own("database", right)
    between = "_standin_between"
    for old, new in ((left, between), (right, left), (between, right)):
        catalog.alias_database(old, new)
    catalog.moved({left: right, right: left})
    for db in (left, right):
        catalog.rename_schema_of(db)
    catalog.make_views(catalog.views_of(left) + catalog.views_of(right))
    return "Statement executed successfully."


@statement(r"alter database (if exists )?(<word>) rename to (<word>)")
def rename_database(session, unless, old, new):
    catalog = session.catalog
    (old,), (new,) = split_name(old), split_name(new)
    session.own("database", old)
    if catalog.get("database", new):
        raise exists_already(new)
    catalog.alias_database(old, new)
    catalog.moved({old: new})
    catalog.rename_schema_of(new)
    catalog.make_views(catalog.views_of(new))
    return "Statement executed successfully."


def move_schema(catalog, db, old, new):
    """The engine cannot rename one: its tables are copied, their rows of the metadata move."""
    catalog.run(f"create schema {quoted(db, new)}")
    for (name,) in catalog.rows(f"select name from {META}.objects where kind = 'table' and db = ? "
                                "and sch = ?", db, old):
        catalog.copy_table((db, old, name), (db, new, name))
    catalog.run(f"drop schema {quoted(db, old)} cascade")


@statement(r"alter schema (if exists )?(<name>) swap with (<name>)")
def swap_schemas(session, unless, left, right):
    catalog = session.catalog
    left, right = session.name(left, 2), session.name(right, 2)
    if left[0] != right[0]:
        raise error(1003, "42000", "SQL compilation error:\nthe stand-in swaps schemas of one database")
    session.own("schema", *left)
    session.own("schema", *right)
    between = "_STANDIN_BETWEEN"
    # The rows say what is where, so they follow each move.
    for old, new in ((left[1], between), (right[1], left[1]), (between, right[1])):
        move_schema(catalog, left[0], old, new)
        catalog.moved({(left[0], old): (left[0], new)})
    catalog.make_views(catalog.views_of(*left) + catalog.views_of(*right))
    return "Statement executed successfully."


@statement(r"alter schema (if exists )?(<name>) rename to (<name>)")
def rename_schema(session, unless, old, new):
    catalog = session.catalog
    old = session.name(old, 2)
    new = (old[0], *split_name(new)) if len(split_name(new)) == 1 else session.name(new, 2)
    session.own("schema", *old)
    if catalog.get("schema", *new):
        raise exists_already(*new)
    if old[0] != new[0]:
        raise error(1003, "42000", "SQL compilation error:\nthe stand-in renames within one database")
    move_schema(catalog, old[0], old[1], new[1])
    catalog.moved({old: new})
    catalog.make_views(catalog.views_of(*new))
    return "Statement executed successfully."


def move_object(session, kind, old, new):
    catalog = session.catalog
    if kind == "view":
        text = catalog.get("view", *old)["text"]
        catalog.make_views([(*new, text)])
        catalog.run(f"drop view {quoted(*old)}")
    else:
        catalog.copy_table(old, new)
        catalog.run(f"drop table {quoted(*old)}")
    catalog.run(f"delete from {META}.grants where db = ? and sch = ? and name = ?", *new)
    for table in ("objects", "grants", "assignments"):
        catalog.run(f"update {META}.{table} set db = ?, sch = ?, name = ? where db = ? and sch = ? "
                    "and name = ?", *new, *old)


@statement(r"alter (table|view) (if exists )?(<name>) rename to (<name>)")
def rename_object(session, kind, unless, old, new):
    old = session.name(old)
    new = (*old[: 3 - len(split_name(new))], *split_name(new))
    if not session.catalog.get("", *old) and unless:
        return "Statement executed successfully."
    found = session.own("", *old)
    session.catalog.need("schema", *new[:2])
    if session.catalog.get("", *new):
        raise exists_already(*new)
    move_object(session, found["kind"], old, new)
    return "Statement executed successfully."


@statement(r"alter table (if exists )?(<name>) swap with (<name>)")
def swap_tables(session, unless, left, right):
    left, right = session.name(left), session.name(right)
    session.own("table", *left)
    session.own("table", *right)
    between = (*left[:2], "_STANDIN_BETWEEN")
    for old, new in ((left, between), (right, left), (between, right)):
        move_object(session, "table", old, new)
    return "Statement executed successfully."


@statement(r"alter schema (<name>) set data_retention_time_in_days\s*=\s*(\d+)")
def set_retention(session, name, days):
    parts = session.name(name, 2)
    session.own("schema", *parts)
    session.catalog.run(f"update {META}.objects set retention = ? where kind = 'schema' and db = ? and "
                        "sch = ?", int(days), *parts)
    return "Statement executed successfully."


@statement(r"alter schema (<name>) (enable|disable) managed access")
def set_managed(session, name, how):
    parts = session.name(name, 2)
    session.own("schema", *parts)
    session.catalog.run(f"update {META}.objects set managed = ? where kind = 'schema' and db = ? and "
                        "sch = ?", how.lower() == "enable", *parts)
    return "Statement executed successfully."


@statement(r"alter database (<word>) (?:enable replication to accounts (.+)|disable replication)")
def set_replication(session, name, accounts):
    (name,) = split_name(name)
    session.own("database", name)
    session.catalog.run(f"update {META}.objects set replicated = ? where kind = 'database' and db = ?",
                        accounts and accounts.upper(), name)
    return "Statement executed successfully."


# --- drop and comment


@statement(r"drop database (if exists )?(<word>)( cascade| restrict)?")
def drop_database(session, unless, name, _how):
    (name,) = split_name(name)
    if not session.catalog.get("database", name):
        if unless:
            return "Drop statement executed successfully."
        raise missing("database", name)
    session.own("database", name)
    session.catalog.drop_database(name)
    session.catalog.sync(session.role)
    return f"{name} successfully dropped."


@statement(r"drop schema (if exists )?(<name>)( cascade| restrict)?")
def drop_schema(session, unless, name, _how):
    name = session.name(name, 2)
    if not session.catalog.get("schema", *name):
        if unless:
            return "Drop statement executed successfully."
        raise missing("schema", *name)
    session.own("schema", *name)
    remove_schema(session.catalog, *name, session.role)
    return f"{name[1]} successfully dropped."


@statement(r"drop (table|view) (if exists )?(<name>)( cascade| restrict)?")
def drop_object(session, kind, unless, name, _how):
    name, kind = session.name(name), kind.lower()
    if not session.catalog.get(kind, *name):
        if unless:
            return "Drop statement executed successfully."
        raise missing(kind, *name)
    session.own(kind, *name)
    session.catalog.run(f"drop {kind} {quoted(*name)}")
    session.catalog.sync(session.role)
    return f"{name[-1]} successfully dropped."


@statement(r"comment (if exists )?on (table|view|schema|database) (<name>) is '((?:[^']|'')*)'")
def comment_on(session, _unless, kind, name, text):
    kind = kind.lower()
    parts = session.name(name, {"database": 1, "schema": 2}.get(kind, 3))
    session.own(kind, *parts)
    session.catalog.comment(kind, parts, text.replace("''", "'"))
    return "Statement executed successfully."


@statement(r"alter (table|view|schema|database) (<name>) set comment\s*=\s*'((?:[^']|'')*)'")
def set_comment(session, kind, name, text):
    return comment_on(session, None, kind, name, text)


# --- grants

OBJECT = r"(table|view|schema|database|sequence|stage|file format)"
GRANTEE = r"(role |share |database role |user )?"


def grant_rows(session, privileges, kind, parts, grantee_kind, grantee, option, future):
    db, sch, name = (*parts, "", "")[:3]
    who = (grantee_kind or "role").strip().upper()
    for privilege in (p.strip().upper() for p in privileges.split(",")):
        session.catalog.run(
            f"delete from {META}.grants where kind = ? and db = ? and sch = ? and name = ? and "
            "privilege = ? and grantee_kind = ? and grantee = ? and (future is not null) = ?",
            kind, db, sch, name, privilege, who, grantee, bool(future))
        if option is not None:
            session.catalog.run(f"insert into {META}.grants values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                                kind, db, sch, name, privilege, who, grantee, bool(option),
                                session.role, future)


def expand(session, kind, scope, container):
    """Objects of `all <kind>s in schema|database x`."""
    parts = session.name(container, 1 if scope.lower() == "database" else 2)
    return [r for r in session.catalog.rows(
        f"select db, sch, name from {META}.objects where kind = ? and db = ? and (? = '' or sch = ?)",
        kind, parts[0], (*parts, "")[1], (*parts, "")[1])]


def target(session, kind, name):
    kind = kind.lower()
    parts = session.name(name, {"database": 1, "schema": 2}.get(kind, 3))
    found = session.catalog.need("" if kind in ("table", "view") else kind, *parts)
    return found["kind"], parts


@statement(rf"grant ownership on {OBJECT} (<name>) to (role |database role )?(<name>)"
           r"( copy current grants| revoke current grants)?")
def grant_ownership(session, kind, name, _kind, grantee, how):
    kind, parts = target(session, kind, name)
    session.own(kind, *parts)
    db, sch, obj = (*parts, "", "")[:3]
    if not how and session.catalog.rows(
            f"select 1 from {META}.grants where kind = ? and db = ? and sch = ? and name = ? "
            "and future is null", kind, db, sch, obj):
        raise error(3080, "0A000", "SQL execution error: Dependent grant of privilege exists. It must "
                                   "be revoked first.")
    session.catalog.run(f"update {META}.objects set owner = ? where kind = ? and db = ? and sch = ? "
                        "and name = ?", split_name(grantee)[-1], kind, db, sch, obj)
    return "Statement executed successfully."


@statement(rf"grant ([a-z ,]+?) on (?:all (table|view|schema)s in (schema|database)|{OBJECT}) (<name>) "
           rf"to {GRANTEE}(<name>)( with grant option)?")
def grant(session, privileges, all_kind, scope, kind, name, who, grantee, option):
    found = ([(all_kind.lower(), parts) for parts in expand(session, all_kind.lower(), scope, name)]
             if all_kind else [target(session, kind, name)])
    for each, parts in found:
        grant_rows(session, privileges, each, [p for p in parts if p], who,
                   split_name(grantee)[-1], bool(option), None)
    return "Statement executed successfully."


@statement(rf"revoke (?:grant option for )?([a-z ,]+?) on (?:all (table|view|schema)s in (schema|database)|"
           rf"{OBJECT}) (<name>) from {GRANTEE}(<name>)")
def revoke(session, privileges, all_kind, scope, kind, name, who, grantee):
    found = ([(all_kind.lower(), parts) for parts in expand(session, all_kind.lower(), scope, name)]
             if all_kind else [target(session, kind, name)])
    for each, parts in found:
        grant_rows(session, privileges, each, [p for p in parts if p], who,
                   split_name(grantee)[-1], None, None)
    return "Statement executed successfully."


@statement(rf"(grant|revoke) ([a-z ,]+?) on future (table|view|schema)s in (schema|database) (<name>) "
           rf"(?:to|from) {GRANTEE}(<name>)( with grant option)?")
def grant_future(session, verb, privileges, kind, scope, name, who, grantee, option):
    parts = session.name(name, 1 if scope.lower() == "database" else 2)
    session.catalog.need(scope.lower(), *parts)
    grant_rows(session, privileges, kind.lower(), parts, who, split_name(grantee)[-1],
               bool(option) if verb.lower() == "grant" else None, "future")
    return "Statement executed successfully."


SHOWN = ("created_on", "privilege", "granted_on", "name", "granted_to", "grantee_name", "grant_option",
         "granted_by")


SHOWN_FUTURE = ("created_on", "privilege", "grant_on", "name", "grant_to", "grantee_name", "grant_option")


def show_grant_rows(session, where, *params):
    columns = ("'2026-01-01 00:00:00' as created_on", "privilege as privilege",
               "upper(kind) as granted_on",
               "array_to_string(list_filter([db, sch, name], lambda x: x <> ''), '.') as name",
               "grantee_kind as granted_to", "grantee as grantee_name",
               "case when grantable then 'true' else 'false' end as grant_option",
               "grantor as granted_by")
    rows = session.catalog.rows(f"select {', '.join(columns)} from {META}.grants where {where} "
                                "order by all", *params)
    return [dict(zip(SHOWN, row)) for row in rows]


@statement(rf"show grants on {OBJECT} (<name>)")
def show_grants_on(session, kind, name):
    kind, parts = target(session, kind, name)
    db, sch, obj = (*parts, "", "")[:3]
    owner = session.catalog.get(kind, *parts)["owner"]
    own = dict(zip(SHOWN, ("2026-01-01 00:00:00", "OWNERSHIP", kind.upper(), ".".join(parts), "ROLE",
                           owner, "true", owner)))
    return [own] + show_grant_rows(session, "future is null and kind = ? and db = ? and sch = ? and "
                                            "name = ?", kind, db, sch, obj)


@statement(r"show grants to (?:role )?(<name>)")
def show_grants_to(session, grantee):
    role = split_name(grantee)[-1]
    owned = session.catalog.rows(
        f"select kind, db, sch, name from {META}.objects where owner = ? order by all", role)
    return [dict(zip(SHOWN, ("2026-01-01 00:00:00", "OWNERSHIP", o[0].upper(),
                             ".".join(p for p in o[1:] if p), "ROLE", role, "true", role)))
            for o in owned] + show_grant_rows(session, "future is null and grantee = ?", role)


@statement(r"show future grants in (schema|database) (<name>)")
def show_future_grants(session, scope, name):
    parts = session.name(name, 1 if scope.lower() == "database" else 2)
    found = show_grant_rows(session, "future is not null and db = ? and sch = ?", parts[0],
                            (*parts, "")[1])
    renamed = dict(zip(SHOWN, SHOWN_FUTURE))
    rows = [{renamed[k]: v for k, v in row.items() if k in renamed} for row in found]
    return rows or Nothing(SHOWN_FUTURE)


# --- sessions, texts


@statement(r"alter session set query_tag\s*=\s*'((?:[^']|'')*)'")
def set_tag(session, tag):
    session.connection.standin_tag = tag.replace("''", "'")
    return "Statement executed successfully."


@statement(r"alter session unset query_tag")
def unset_tag(session):
    session.connection.standin_tag = ""
    return "Statement executed successfully."


@statement(r"use role (<word>)")
def use_role(session, role):
    (session.connection.standin_role,) = split_name(role)
    return "Statement executed successfully."


@statement(r"use (secondary roles|warehouse) (<word>)")
def use_warehouse(session, _what, _name):
    return "Statement executed successfully."


@statement(r"show (databases|schemas) like '((?:[^']|'')*)'(?: in database (<word>))?")
def show_like(session, what, pattern, db):
    kind = what.lower()[:-1]
    db = split_name(db)[0] if db else session.connection.database
    column = "db" if kind == "database" else "sch"
    found = session.catalog.rows(
        f"select {column}, db, owner, coalesce(comment, '') from {META}.objects where kind = ? and "
        f"upper({column}) like upper(?) escape '\\' and (? = 'database' or db = ?) order by 1",
        kind, pattern, kind, db)
    return [{"created_on": "2026-01-01 00:00:00", "name": r[0], "database_name": r[1], "owner": r[2],
             "comment": r[3]} for r in found]


class Nothing(tuple):
    """The columns of an answer without rows."""


def as_select(result):
    """A SELECT whose answer is what the statement answers."""
    if isinstance(result, str):
        return f"select {literal(result)} as \"status\""
    if isinstance(result, Nothing):
        return "select " + ", ".join(f"'' as \"{c}\"" for c in result) + " where 1 = 0"
    if not result:
        return "select " + ", ".join(f"'' as \"{c}\"" for c in SHOWN) + " where 1 = 0"
    return " union all ".join(
        "select " + ", ".join(f"{literal(v)} as \"{k}\"" for k, v in row.items()) for row in result)
