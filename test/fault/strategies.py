"""The strategies that the faults are tried on: one row each. A new strategy adds its row."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Strategy:
    name: str
    arguments: tuple  # behind `deploy` and `plan`
    sides: tuple  # where its history is
    own_schemas: tuple  # what is neither production nor somebody else's
    engines: tuple = ("duckdb", "postgres")
    dbt: tuple = ()  # behind `--`
    aside: str = ""  # a pattern of schemas that are not production either
    in_place: str = ""  # production was built there, all of it; then this SQL
    apart: str = ""  # SQL behind what is made by hand: what of that the strategy refuses goes again
    verb: str = "deploy"  # publish: what staging holds already
    rebuilds: bool = False  # production becomes new one table after the other
    line: str = "    tags: ['mart', 'utils']\n"  # of dbt_project.yml: without tags all that is built
    green: str = ""  # what a view that is not made anew yet has in the place of production's name
    home: str = ""  # the database of airlock's records, where that is not production's
    files: bool = False  # staging is a file of its own, and takes the place of production's
    mirrors: bool = False  # production is the raw layer, which copies its sources
    has_hooks: bool = False  # its faults are those of hooks: FAULT_BEFORE and FAULT_AFTER are run
    rolls_back: bool = False  # what meets the fault takes a deployment back


EVERYWHERE = ("duckdb", "postgres", "snowflake", "bigquery")

WAC = Strategy(
    name="wac",
    arguments=("wac", "--from", "staging", "--to", "prod", "--tags", "mart,utils"),
    sides=("--from", "staging", "--to", "prod"),
    own_schemas=("stage", "airlock", "airlock_restore"),
    engines=EVERYWHERE,
)

WAP_REBUILD = Strategy(
    name="wap-rebuild",
    arguments=("wap", "--from", "prod_audit", "--to", "prod", "--tags", "mart", "--publish-by", "rebuild"),
    sides=("--from", "prod_audit", "--to", "prod"),
    own_schemas=("unaudited", "staging", "intermediate", "airlock", "airlock_restore"),
    in_place="select 1",
    rebuilds=True,
    engines=("duckdb", "bigquery"),
)

ROLLBACK = Strategy(
    name="production-rollback",
    arguments=("production-rollback", "--from", "staging", "--to", "prod", "--tags", "mart,utils,history"),
    sides=("--from", "staging", "--to", "prod"),
    own_schemas=("stage", "airlock", "airlock_restore"),
    # a view over a table whose columns will change
    in_place="drop view mart.open_orders",
)

SCHEMAS = Strategy(
    name="blue-green",
    arguments=("blue-green", "--from", "green", "--to", "prod", "--tags", "mart,utils",
               "--foreign-objects", "mart.by_hand"),
    sides=("--from", "green", "--to", "prod"),
    dbt=("--", "--full-refresh"),
    own_schemas=("airlock", "airlock_restore"),
    aside="^green_|__airlock_",
    engines=("postgres",),
)

SWAPPED = replace(
    SCHEMAS,
    arguments=("blue-green", "--from", "green", "--to", "prod", "--exclude", "customers_history",
               "--foreign-objects", "MART.BY_HAND"),
    green=r"\bgreen_",
    line="",
    engines=("snowflake",),
)

FILES = Strategy(
    name="blue-green",
    arguments=("blue-green", "--from", "blue_green", "--to", "prod",
               "--foreign-objects", "mart.by_hand,mart.*_by_c*,reports.*"),
    sides=("--from", "blue_green", "--to", "prod"),
    dbt=("--", "--full-refresh"),
    own_schemas=("airlock", "airlock_restore"),
    files=True,
    line="",
    engines=("duckdb",),
)


def cloned(strategy):
    return replace(strategy, name="blue-green-clone", arguments=(*strategy.arguments, "--prepare", "clone"), dbt=())


def rolled_back(strategy):
    return replace(strategy, name=f"rollback-{strategy.name}", rolls_back=True, engines=strategy.engines[:2])


STRATEGIES = (
    WAC,
    replace(WAC, name="publish", verb="publish"),
    replace(WAC, name="hooks", has_hooks=True, arguments=(
        *WAC.arguments, "--before-publish", 'eval "${FAULT_BEFORE-}"', "--after-publish", 'eval "${FAULT_AFTER-}"')),
    Strategy(
        name="wap",
        arguments=("wap", "--from", "prod_audit", "--to", "prod", "--tags", "mart,utils",
                   "--publish-by", "copy"),
        sides=("--from", "prod_audit", "--to", "prod"),
        # what both sides share is written by the build itself
        own_schemas=("unaudited", "staging", "intermediate", "airlock", "airlock_restore"),
        engines=EVERYWHERE,
    ),
    WAP_REBUILD,
    # dbt would drop the view with the table
    replace(WAP_REBUILD, apart="drop view reports.big_orders", engines=("postgres",)),
    ROLLBACK,
    replace(ROLLBACK, in_place="select 1", engines=("snowflake", "bigquery")),
    SCHEMAS,
    FILES,
    cloned(SCHEMAS),
    cloned(FILES),
    *map(rolled_back, (WAC, SCHEMAS, FILES)),
    SWAPPED,
    replace(SWAPPED, name="blue-green-clone", arguments=(*SWAPPED.arguments[:-1], "clone")),
    Strategy(
        name="blue-green-database",
        arguments=("blue-green", "--from", "blue_green", "--to", "prod", "--prepare", "clone",
                   "--foreign-objects", "MART.BY_HAND,REPORTS,REPORTS.*"),
        sides=("--from", "blue_green", "--to", "prod"),
        own_schemas=("airlock", "airlock_restore"),
        green=r"\bshop_green\b",
        line="    state_database: shop_airlock\n",
        home="shop_airlock",
        in_place="select 1",
        engines=("snowflake",),
    ),
    Strategy(
        name="mirror",
        verb="mirror",
        arguments=("refresh", "--from", "staging", "--to", "prod"),
        sides=("--from", "staging", "--to", "prod"),
        own_schemas=("airlock", "airlock_restore"),
        in_place="select 1",
        mirrors=True,
        engines=EVERYWHERE,
    ),
)
