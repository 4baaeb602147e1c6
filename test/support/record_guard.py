"""Command lines of dbt, and what dbt itself makes of them: writes test/unit/data/guard.jsonl.

    PYTHON-WITH-DBT test/support/record_guard.py > test/unit/data/guard.jsonl

The first line holds the files; each other line one command: its words, environment and directory,
and the answer of dbt's own parser and profile loader: {"verb", "target"}, {"help"} or {"error"}.
`untold`: dbt knows the target, but not without running Jinja; the guard must stop.
test_guard.c replays it.
"""

import json
import os
import pathlib
import sys
import tempfile

import yaml
from dbt.cli.flags import Flags, args_to_context
from dbt.config.runtime import load_profile
from dbt.flags import set_flags
from dbt_common.context import set_invocation_context

AIRLOCK = """\
vars:
  airlock:
    protect: [prod]
    protect_operations: [drop_old]
    from: dev
    to: prod
    tags: [mart]
"""

TARGETS = {name: {"type": "duckdb", "path": f"{name}.db"} for name in ("dev", "prod", "default", "=prod")}


def profiles(**defaults):
    document = {}
    for name, target in defaults.items():
        document[name] = {"outputs": TARGETS} if target is None else {"target": target, "outputs": TARGETS}
    return yaml.safe_dump(document)


FILES = {
    "shop/dbt_project.yml": "name: shop\nprofile: shop\n" + AIRLOCK,
    "shop/models/here.sql": "select 1",
    "jinja/dbt_project.yml": "name: shop\nprofile: \"{{ env_var('WHICH', 'shop') }}\"\n" + AIRLOCK,
    "bare/dbt_project.yml": "name: shop\nprofile: bare\n" + AIRLOCK,
    "env/dbt_project.yml": "name: shop\nprofile: env\n" + AIRLOCK,
    "both/dbt_project.yml": "name: shop\nprofile: both\n" + AIRLOCK,
    "hard/dbt_project.yml": "name: shop\nprofile: hard\n" + AIRLOCK,
    "own/dbt_project.yml": "name: shop\nprofile: shop\n" + AIRLOCK,
    "own/profiles.yml": profiles(shop="prod"),
    "ci/profiles.yml": profiles(shop="prod", other="dev"),
    "home/.dbt/profiles.yml": profiles(
        shop="dev",
        other="prod",
        bare=None,
        env="{{ env_var('STAGE', 'prod') }}",
        both="{{ env_var('PART') }}{{env_var(\"REST\",'')}}",
        hard="{{ 'pr' ~ 'od' }}",
    ),
}

VERBS = ["build", "clone", "run", "seed", "snapshot"]
FORMS = [["--target", "{}"], ["--target={}"], ["-t", "{}"], ["-t{}"]]
OTHERS = ["test", "compile", "parse", "ls", "list", "docs generate", "source freshness", "deps", "debug", "show"]


def form(pattern, target):
    return [word.format(target) for word in pattern]


def cases():
    def case(words, env=None, cwd="shop", **more):
        return {"words": words.split() if isinstance(words, str) else words, "env": env or {}, "cwd": cwd, **more}

    for verb in VERBS:
        yield case(verb)
        for pattern in FORMS:
            for target in ("prod", "dev"):
                yield case([verb, *form(pattern, target)])
                yield case([*form(pattern, target), verb])
    for noise in (
        "--select a b", "-s a", "-sa", "--select=a", "--exclude a", "-m a b c", "--models a", "--selector x",
        "--threads 4", "--threads=4", "--vars {a:1}", "-x", "--fail-fast", "--no-partial-parse", "-q", "-d",
        "--full-refresh", "-f", "--log-format json", "--defer --state old", "--no-defer", "--event-time-start 2026-01-01",
        "--log-level=debug", "--warn-error", "--printer-width 80", "--profile shop", "--no-use-colors", "--empty",
        "--indirect-selection cautious", "--target-path out", "--use-colors-file", "--sample 3days",
    ):
        words = noise.split()
        yield case(["run", *words, "--target", "prod"])
        yield case(["run", "-t", "prod", *words])
        yield case(["-t", "prod", "run", *words])
        yield case(["run", *words])
    for words in (
        "run --target dev --target prod", "run --target prod --target dev", "run -t prod -t dev", "run -t dev --target=prod",
        "-t dev -t prod run", "-t prod --target=dev run", "-t prod run -t dev", "-t dev run --target prod",
        "run -xt prod", "run -xtprod", "-xt prod run", "run -qxtdev", "run -xfs a -t prod", "run -fxsa -tprod",
        "run -t=prod", "run -t =prod", "run --targe prod", "run --TARGET prod", "run --target", "run -t",
        "run --target prod extra", "run -- --target prod", "run --target dev -- -t prod", "-- run -t prod", "run prod",
        "run --select --target prod", "run -s -t prod", "run --select a --target prod", "run --select -t prod -t dev",
        "run --vars --target prod", "run --vars -t -t prod", "run --exclude --target --target prod",
        "run --threads --target prod", "run -s run -t prod", "run --select prod", "run --profile prod", "test -s run -t prod",
        "run --help", "run -t prod --help", "--help run -t prod", "run -t --help", "run -h -t prod", "--version run -t prod",
        "-v run -t prod", "run -t prod -v", "run --version -t prod", "run -s --help -t prod", "run -t prod --select --help",
        "build --resource-type model -t prod", "build --resource-type model test -t prod", "build -t prod --resource-types",
        "build --exclude-resource-type test --target prod", "build --resource-type --target prod",
        "seed --show -t prod", "snapshot --select s -tprod", "clone --state old -t prod", "clone --state -t prod",
        "run-operation drop_old -t prod", "run-operation drop_old --args {a:1} --target prod",
        "run-operation -t prod drop_old", "run-operation --args {a:1} drop_old -t prod", "-t prod run-operation drop_old",
        "run-operation drop_old", "run-operation other -t prod", "run-operation other --args drop_old -t prod",
        "run-operation shop.drop_old -t prod", "run-operation drop_old -t dev", "run-operation drop_new -t prod",
        "run-operation --target prod", "run-operation drop_old other -t prod",
        "runn -t prod", "RUN -t prod", "ru -t prod", "", "--target prod", "-t prod", "run --no-such --target prod",
        "run --target=", "run --target dev --no-print", "run --print -t prod", "run -r timing -t prod", "run -rtiming -t prod",
        "-r timing -t prod run", "run --record-timing-info=x -t prod", "run -t prod -t", "docs -t prod generate",
        "run --defer-state old -t prod", "run --favor-state -tprod", "run --state -t -t prod", "run --target prod --target-path dev",
        "run --target-path prod", "run --target-path=prod -t dev", "run --profiles-dir ../ci", "run --profiles-dir=../ci",
        "run --profiles-dir ../ci -t dev", "run --profile other", "run --profile=other", "--profile other run",
        "--profile other run --profiles-dir ../ci", "run --profiles-dir ../nowhere", "run --project-dir ../own",
        "run --project-dir ../own --profiles-dir ../own", "run --project-dir=../env", "run --project-dir ../bare",
        "run --project-dir ../nowhere -t prod", "run --profile nothing", "--profiles-dir ../ci run",
    ):
        yield case(words)
    for verb in OTHERS:
        yield case(f"{verb} -t prod")
        yield case(f"-t prod {verb}")
    for env in (
        {"DBT_TARGET": "prod"}, {"DBT_ENGINE_TARGET": "prod"}, {"DBT_TARGET": "prod", "DBT_ENGINE_TARGET": "dev"},
        {"DBT_TARGET": "dev", "DBT_ENGINE_TARGET": "prod"}, {"DBT_TARGET": ""}, {"DBT_ENGINE_TARGET": "", "DBT_TARGET": "prod"},
        {"DBT_PROFILE": "other"}, {"DBT_ENGINE_PROFILE": "other"}, {"DBT_PROFILE": "other", "DBT_ENGINE_PROFILE": "shop"},
        {"DBT_PROFILES_DIR": "../ci"}, {"DBT_ENGINE_PROFILES_DIR": "../ci"}, {"DBT_PROFILES_DIR": ""},
        {"DBT_PROJECT_DIR": "../own"}, {"DBT_ENGINE_PROJECT_DIR": "../env"}, {"TARGET": "prod"}, {"AIRLOCK_X": "prod"},
        {"DBT_TARGET": "prod", "DBT_PROFILE": "nothing"}, {"DBT_FULL_REFRESH": "1", "DBT_TARGET": "prod"},
    ):
        for words in ("run", "run -t dev", "-t dev build", "seed --target prod"):
            yield case(words, env)
    for cwd, env, more in (
        ("own", {}, {}), ("shop/models", {}, {}), ("bare", {}, {}), ("env", {}, {}), ("env", {"STAGE": "dev"}, {}),
        ("env", {"STAGE": "prod"}, {}), ("env", {"STAGE": ""}, {}), ("jinja", {}, {}), ("jinja", {"WHICH": "other"}, {}),
        ("jinja", {"WHICH": "nothing"}, {}), ("both", {}, {}), ("both", {"PART": "prod"}, {}),
        ("both", {"PART": "pr", "REST": "od"}, {}), ("both", {"PART": "de", "REST": "v"}, {}), ("hard", {}, {"untold": True}),
        ("home", {}, {}), ("ci", {}, {}),
    ):
        yield case("run", env, cwd, **more)
        yield case("run -t dev", env, cwd)
        yield case("test", env, cwd)


def answer(case):
    try:
        context = args_to_context(list(case["words"]))
        flags = Flags(context)
        set_flags(flags)
        variables = getattr(flags, "VARS", {}) or {}
        profile = load_profile(
            str(flags.PROJECT_DIR), variables, getattr(flags, "PROFILE", None), getattr(flags, "TARGET", None), None
        )
        verb = context.command.name if context.parent.command.name == "cli" else context.info_name
        return {"verb": verb, "target": profile.target_name, "macro": context.params.get("macro")}
    except SystemExit:
        return {"help": True}
    except BaseException as error:  # click's Exit among them
        if type(error).__name__ == "Exit":
            return {"help": True}
        return {"error": type(error).__name__}


def main():
    root = pathlib.Path(tempfile.mkdtemp())
    kept = {name: os.environ[name] for name in ("PATH",)}
    real = os.dup(1)
    os.dup2(2, 1)
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    lines = [json.dumps({"files": FILES})]
    for case in cases():
        os.chdir(root / case["cwd"])
        os.environ.clear()
        os.environ.update(kept, HOME=str(root / "home"), **case["env"])
        set_invocation_context(dict(os.environ))
        lines.append(json.dumps({**case, "dbt": answer(case)}))
    with os.fdopen(real, "w") as out:
        out.write("\n".join(lines) + "\n")


main()
