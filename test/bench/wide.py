"""A project of many models on Snowflake, and a production that has them and what no node makes."""
import os
import shutil

PROJECT = """name: shop
version: '1.0'
profile: shop_snowflake
flags: {send_anonymous_usage_stats: false}
models: {shop: {+materialized: table, mart: {+schema: mart}, utils: {+schema: utils}}}
"""
BY_HAND = ("table shop.mart.by_hand_{0} as select 1 as a", "view shop.mart.by_hand_{0} as select 1 as a",
           "sequence shop.utils.by_hand_{0}", "stage shop.mart.by_hand_{0}")
ROOTS = 100


def folder(number):
    return "mart" if number % 4 else "utils"


def is_view(number):
    return number >= ROOTS and number % 3 == 2


def query(number, name):
    """Two models are read by each but the first ones; name(number) is how one is called."""
    if number < ROOTS:
        return "select 1 as id"
    return f"select a.id from {name(number // 2)} as a join {name(number // 3)} as b on a.id = b.id"


def write_project(directory, root, models):
    for each in ("macros", "models/mart", "models/utils"):
        os.makedirs(os.path.join(directory, each))
    shop = os.path.join(root, "test/projects/shop")
    shutil.copy(os.path.join(shop, "profiles.yml"), directory)
    shutil.copy(os.path.join(shop, "macros/generate_schema_name.sql"), os.path.join(directory, "macros"))
    files = {"dbt_project.yml": PROJECT, "macros/nothing.sql": "{% macro nothing() %}{% endmacro %}\n"}
    for number in range(models):
        head = "{{ config(materialized='view') }}\n" if is_view(number) else ""
        files[f"models/{folder(number)}/m{number}.sql"] = \
            head + query(number, lambda n: f"{{{{ ref('m{n}') }}}}") + "\n"
    for each in ("mart", "utils"):
        files[f"models/{each}/_{each}.yml"] = "models:\n" + "".join(
            f"  - {{name: m{number}, columns: [{{name: id, data_tests: [not_null]}}]}}\n"
            for number in range(models) if folder(number) == each)
    for path, text in files.items():
        with open(os.path.join(directory, path), "w", encoding="utf-8") as file:
            file.write(text)


def production(models, foreign):
    """Statements: every second table is granted to somebody."""
    yield from ("create schema shop.mart", "create schema shop.utils", "create database shop_green",
                "create database shop_airlock")
    for number in range(models):
        name = f"shop.{folder(number)}.m{number}"
        text = query(number, lambda n: f"shop.{folder(n)}.m{n}")
        yield f"create view {name} as ({text})" if is_view(number) else \
            f"create transient table {name} as select 1 as id"
        if number % 2 == 0 and not is_view(number):
            yield f"grant select on table {name} to role analyst"
    for number in range(foreign):
        yield "create " + BY_HAND[number % len(BY_HAND)].format(number)
