"""The strategies that random projects are deployed with: a row for each."""

from dataclasses import dataclass

MODELS = ("table", "table", "view", "incremental", "ephemeral", "snapshot")


@dataclass(frozen=True)
class Strategy:
    name: str
    staging: str  # the target of the build
    expected: str  # the function of twin.py that does the same in place
    verb: str = "deploy"
    options: tuple = ()
    dbt: tuple = ()  # behind `--`
    tags: tuple = ((),)  # one of these is the scope; none: everything
    kinds: tuple = MODELS
    own_schemas: tuple = ("stage", "airlock", "airlock_restore")  # neither production nor somebody else's
    aside: str = ""
    engines: tuple = ("duckdb", "postgres")
    is_audit: bool = False  # its two sides share layers
    rebuilds: bool = False  # production becomes new one table after the other
    mirrors: bool = False  # these three as of the faults, which share their checks
    green: str = ""
    home: str = ""
    replaces: str = "relations"  # of the scope; or the schemas that these are in, or everything
    begins_in_place: bool = False  # production was built without airlock
    # of a default run: of many the one with the most going on, a failing node, a fault of airlock's and
    # many kinds of changes
    seed: int = 0

    @property
    def is_published_alone(self):
        """What a job has built in staging, without airlock."""
        return self.verb == "publish"

    @property
    def arguments(self):
        word = self.name.partition(":")[2 if self.mirrors else 0]
        return (word, *self.sides, *self.options)

    @property
    def sides(self):
        return ("--from", self.staging, "--to", "prod")


SOME = ((), ("a",), ("a", "b"))
NO_SNAPSHOT = tuple(kind for kind in MODELS if kind != "snapshot")

NO_VIEW = tuple(kind for kind in MODELS if kind != "view")

STRATEGIES = (
    Strategy("wac", "staging", "cloned", options=("--max-shrink", "100"), tags=SOME, seed=243),
    Strategy("wac:publish", "staging", "held", verb="publish", options=("--max-shrink", "100"), tags=SOME,
             seed=53703),
    # publishes no views, and reads those of production
    Strategy("production-rollback", "staging", "in_place", tags=SOME, kinds=NO_VIEW, begins_in_place=True,
             seed=29),
    Strategy(
        "wap:copy", "prod_audit", "cloned", options=("--publish-by", "copy", "--max-shrink", "100"), is_audit=True,
        own_schemas=("unaudited", "staging", "intermediate", "airlock", "airlock_restore"), seed=55),
    Strategy(
        "wap:rebuild", "prod_audit", "audited", options=("--publish-by", "rebuild"), is_audit=True, rebuilds=True,
        kinds=NO_SNAPSHOT, own_schemas=("unaudited", "staging", "intermediate", "airlock", "airlock_restore"),
        begins_in_place=True, seed=187),
    Strategy(
        "blue-green", "green", "anew", dbt=("--", "--full-refresh"), kinds=NO_SNAPSHOT, engines=("postgres",),
        own_schemas=("airlock", "airlock_restore"), aside="^green_|__airlock_", replaces="schemas", seed=284),
    Strategy(
        "blue-green:file", "blue_green", "anew", dbt=("--", "--full-refresh"), kinds=NO_SNAPSHOT,
        engines=("duckdb",), own_schemas=("airlock", "airlock_restore"), replaces="everything",
        seed=40),
    # production is the raw layer; of its sources some cannot be read
    Strategy("mirror:refresh", "staging", "mirrored", verb="mirror", mirrors=True,
             own_schemas=("airlock", "airlock_restore", "shop_source"), seed=232608),
)
