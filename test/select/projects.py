"""The three dbt projects that selections are asked about, and what their parts are called.

<<this||that>>: this where dbt 1 reads it, that for dbt 2, which wants some keys elsewhere.
"""
import os
import re
import textwrap

PROFILE = """
select:
  target: dev
  outputs:
    dev: {type: duckdb, path: 'select.duckdb', schema: main, threads: 1}
"""

HELPER = {
    "dbt_project.yml": """
        name: helper
        version: '1.0'
        config-version: 2
        models:
          helper:
            +tags: pkg
        """,
    "models/staging/h_stg.sql": "select 1 as id",
    "models/marts/h_mart.sql": "{{ config(materialized='table') }} select * from {{ ref('h_stg') }}",
    "models/only_here/h_only.sql": "select 2 as id",
    "models/helper.yml": """
        version: 2
        models:
          - name: h_mart
            columns: [{name: id, tests: [unique]}]
        """,
}

SHOP = {
    "dbt_project.yml": """
        name: shop
        version: '1.0'
        config-version: 2
        profile: select
        on-run-start: ["{{ log('start') }}"]
        models:
          shop:
            staging: {+tags: [stg, nightly], +materialized: view}
            marts: {+tags: mart, +materialized: table}
        seeds: {shop: {+tags: raw}}
        """,
    "packages.yml": "packages: [{local: helper}]",
    "seeds/raw_orders.csv": "id,customer,amount\n1,a,2\n",
    "seeds/raw_customers.csv": "id,name\n1,a\n",
    "seeds/seeds.yml": """
        version: 2
        seeds:
          - name: raw_orders
            config: {tags: [heavy]}
            columns: [{name: id, tests: [unique, not_null]}]
        """,
    "models/staging/stg_orders.sql": "select * from {{ ref('raw_orders') }}",
    "models/staging/stg_customers.sql": "select * from {{ ref('raw_customers') }}",
    "models/staging/stg_events.sql": "select * from {{ source('web', 'events') }}",
    "models/staging/stg_eph.sql":
        "{{ config(materialized='ephemeral', tags=['quick']) }} select 1 as id",
    "models/staging/sources.yml": """
        version: 2
        sources:
          - name: web
            <<tags: [ext]||config: {tags: [ext]}>>
            tables:
              - name: events
                columns: [{name: id, tests: [not_null]}]
              - name: clicks
                <<tags: [heavy]||config: {tags: [heavy]}>>
          - name: crm
            tables: [{name: leads}]
        """,
    "models/marts/orders.sql":
        "{{ config(materialized='incremental', tags=['hourly'], meta={'owner': 'data', 'tier': 1,"
        " 'flags': ['x', 'y'], 'live': true}) }} select o.* from {{ ref('stg_orders') }} o"
        " cross join {{ ref('stg_eph') }} e",
    "models/marts/customers_v1.sql": "select * from {{ ref('stg_customers') }}",
    "models/marts/customers_v2.sql": "select *, 1 as n from {{ ref('stg_customers') }}",
    "models/marts/customers_v3.sql": "select *, 2 as n from {{ ref('stg_customers') }}",
    "models/marts/deep/report.sql":
        "select * from {{ ref('orders') }} join {{ ref('customers') }} using (id)"
        " join {{ ref('secret') }} using (id)",
    "models/marts/deep/secret.sql": "select 5 as id",
    "models/marts/deep/report_h.sql": "select * from {{ ref('h_mart') }}",
    "models/marts/orders_x.sql": "{{ config(materialized='view') }} select 3 as id",
    "models/marts/off.sql": "{{ config(enabled=false) }} select 4 as id",
    "models/marts/marts.yml": """
        version: 2
        groups:
          - name: finance
            owner: {name: f}
          - name: growth
            owner: {name: g}
        models:
          - name: orders
            config: {group: finance}
            columns:
              - name: id
                tests:
                  - unique
                  - not_null: {config: {tags: [slow]}}
                  - relationships: <<{to: ref('stg_customers'), field: id}||{arguments: {to: ref('stg_customers'), field: id}}>>
          - name: secret
            <<access: private||>>
            config: {group: finance<<||, access: private>>}
          - name: report
            <<access: protected||>>
            config: {group: finance<<||, access: protected>>}
            tests:
              - report_ok: {<<other: ref('stg_orders')||arguments: {other: ref('stg_orders')}>>, config: {severity: warn}}
          - name: customers
            latest_version: 2
            <<access: public||>>
            columns: [{name: id}]
            config: {group: growth<<||, access: public>>}
            tests: [report_ok]
            versions:
              - v: 1
              - v: 2
              - v: 3
        unit_tests:
          - name: orders_add_up
            model: orders
            config: {tags: [unit]}
            given:
              - input: ref('stg_orders')
                rows: [{id: 1}]
              - input: ref('stg_eph')
                rows: [{id: 1}]
            expect: {rows: [{id: 1}]}
        exposures:
          - name: dash
            type: dashboard
            owner: {name: o, email: o@example.com}
            <<tags: [bi]||config: {tags: [bi]}>>
            depends_on: [ref('orders'), ref('report')]
          - name: dash_two
            type: notebook
            owner: {name: o, email: o@example.com}
            depends_on: ["ref('stg_customers')", "source('web', 'clicks')"]
        """,
    "macros/report_ok.sql":
        "{% test report_ok(model, other=none) %}select * from {{ model }} where 1 = 0"
        "{% if other %} and exists (select 1 from {{ other }}){% endif %}{% endtest %}",
    "tests/no_negative.sql":
        "{{ config(tags=['slow']) }} select * from {{ ref('orders') }} where id < 0",
    "tests/joined.sql":
        "select * from {{ ref('orders') }} join {{ ref('stg_orders') }} using (id) where 1 = 0",
    "snapshots/snap.sql":
        "{% snapshot snap_orders %}{{ config(target_schema='snaps', unique_key='id',"
        " strategy='check', check_cols='all', tags=['nightly']) }}"
        " select * from {{ ref('stg_orders') }}{% endsnapshot %}",
    "analyses/look.sql": "select * from {{ ref('orders_x') }}",
    "selectors.yml": """
        selectors:
          - name: nightly
            definition: 'tag:nightly'
          - name: plussed
            definition: '+orders+1'
          - name: short
            definition: {tag: mart}
          - name: by_config
            definition: {method: config.materialized, value: table}
          - name: full
            definition:
              method: fqn
              value: stg_orders
              children: true
              children_depth: 2
              parents: true
              exclude: [{method: tag, value: hourly}, 'orders_x']
          - name: at
            definition: {method: fqn, value: stg_orders, childrens_parents: true}
          - name: both
            definition:
              union:
                - method: tag
                  value: nightly
                - intersection:
                    - {method: tag, value: mart}
                    - {method: path, value: models/marts/deep}
                - exclude: [stg_customers]
          - name: careful
            definition:
              union:
                - {method: fqn, value: orders, indirect_selection: cautious}
                - {method: fqn, value: stg_customers, indirect_selection: empty}
          - name: crossed
            definition:
              intersection:
                - {method: tag, value: mart}
                - 'orders+'
                - exclude: [{method: resource_type, value: exposure}]
          - name: again
            definition:
              union:
                - {method: selector, value: both}
                - {method: source, value: web}
          - name: live
            definition: {method: config.meta.live, value: true}
        """,
}

CRM = {
    "dbt_project.yml": """
        name: crm
        version: '1.0'
        config-version: 2
        profile: select
        models: {crm: {+materialized: table, core: {+tags: [core]}}}
        """,
    "models/base/leads.sql": "select 1 as id, current_date as on_day, 2 as amount",
    "models/base/accounts.sql": "select 1 as id",
    "models/core/deals.sql": "select * from {{ ref('leads') }} join {{ ref('accounts') }} using (id)",
    "models/core/core.sql": "select * from {{ ref('deals') }}",
    "models/core/sub/core_leads.sql": "{{ config(tags=['deep']) }} select * from {{ ref('core') }}",
    "models/core/metricflow_time_spine.sql": "{{ config(tags=['spine']) }} select current_date as date_day",
    "models/core/core.yml": """
        version: 2
        models:
          - name: metricflow_time_spine
            time_spine: {standard_granularity_column: date_day}
            columns: [{name: date_day, granularity: day}]
          - name: leads
            columns:
              - {name: id, tests: [unique, {not_null: {config: {severity: warn}}}]}
              - {name: on_day, <<tags: [pii]||config: {tags: [pii]}>>, tests: [not_null]}
          - name: deals
            config: {contract: {enforced: false}, grants: {select: [reader]}}
            columns: [{name: id, tests: [{relationships: <<{to: ref('accounts'), field: id}||{arguments: {to: ref('accounts'), field: id}}>>}]}]
        semantic_models:
          - name: leads_sem
            model: ref('leads')
            defaults: {agg_time_dimension: on_day}
            entities: [{name: lead, type: primary, expr: id}]
            dimensions: [{name: on_day, type: time, type_params: {time_granularity: day}}]
            measures: [{name: total, agg: sum, expr: amount}]
        metrics:
          - name: total_amount
            label: Total
            type: simple
            type_params: {measure: total}
            config: {tags: [kpi]}
          - name: double_amount
            label: Double
            type: derived
            type_params: {expr: total * 2, metrics: [{name: total_amount, alias: total}]}
        saved_queries:
          - name: weekly
            query_params: {metrics: [total_amount], group_by: ["TimeDimension('lead__on_day', 'week')"]}
            config: {tags: [kpi]}
        exposures:
          - name: board
            type: dashboard
            owner: {name: o, email: o@example.com}
            depends_on: [metric('double_amount')]
        """,
    "tests/deals_fit.sql": "select * from {{ ref('deals') }} where id in (select id from {{ ref('core') }}) and 1 = 0",
    "selectors.yml": """
        selectors:
          - name: usual
            default: true
            definition:
              union:
                - {method: tag, value: core}
                - {method: metric, value: '*'}
          - name: rest
            definition: {method: path, value: models/base}
        """,
}

ODD = {
    "dbt_project.yml": """
        name: odd
        version: '1.0'
        config-version: 2
        profile: select
        model-paths: [models, more]
        models:
          odd:
            a: {+tags: [A, 'été']}
            a.b: {+tags: dotted_folder}
        """,
    "models/a/a.sql": "select 1 as id",
    "models/a/b/a_b.sql": "select * from {{ ref('a') }}",
    "models/a/b/c/leaf.sql": "select * from {{ ref('a_b') }} union select * from {{ ref('[b]') }}",
    "models/a/[b].sql": "select 2 as id",
    "models/a.b/dot.sql": "select * from {{ ref('leaf') }}",
    "models/same/same.sql": "select 1 as id",
    "models/same/same/inner.sql": "select * from {{ ref('same') }}",
    "more/extra.sql": "{{ config(tags=['x-y', 'A']) }} select * from {{ ref('inner') }}",
    "more/chain_1.sql": "select * from {{ ref('extra') }}",
    "more/chain_2.sql": "select * from {{ ref('chain_1') }}",
    "more/chain_3.sql": "select * from {{ ref('chain_2') }} join {{ ref('leaf') }} using (id)",
    "more/chain_4.sql": "select * from {{ ref('chain_3') }}",
    "more/more.yml": """
        version: 2
        models:
          - name: chain_2
            columns: [{name: id, tests: [unique, {relationships: <<{to: ref('chain_4'), field: id}||{arguments: {to: ref('chain_4'), field: id}}>>}]}]
          - name: chain_3
            tests: [{both: {name: named_test, <<other: ref('a')||arguments: {other: ref('a')}>>}}]
          - name: leaf
            columns: [{name: id, <<tags: [coltag]||config: {tags: [coltag]}>>, tests: [not_null]}]
        """,
    "macros/both.sql": "{% test both(model, other) %}select * from {{ model }}, {{ other }} where 1 = 0{% endtest %}",
    "seeds/more.csv": "id\n1\n",
}

PROJECTS = {"shop": SHOP, "crm": CRM, "odd": ODD}

# What expressions are made of: names, tags, paths and so on that exist, nearly exist or do not.
WORDS = {
    "shop": {
        "fqn": ["orders", "stg_orders", "stg_*", "customers", "customers.v1", "customers_v2",
                "shop.staging", "staging", "marts.deep", "shop.*.orders", "*orders", "helper",
                "h_mart", "report*", "snap_orders", "raw_orders", "dash", "no_negative",
                "orders_add_up", "nope", "shop.marts", "*", "[so]*", "o?ders", "marts.*",
                "unique_orders_id", "not_null*", "off", "look"],
        "tag": ["nightly", "mart", "stg", "hourly", "heavy", "slow", "ext", "pkg", "bi", "unit",
                "n*", "quick", "nope", "*"],
        "path": ["models/staging", "models/marts", "models/marts/deep", "models/marts/*.sql",
                 "models/**/report*", "seeds", "models/marts/marts.yml", "tests", "snapshots",
                 "models/staging/stg_orders.sql", "models/nope", "models", "models/only_here"],
        "file": ["orders.sql", "stg_*.sql", "orders", "raw_orders.csv", "marts.yml", "*", "nope.sql"],
        "source": ["web", "web.events", "shop.web.events", "*", "crm.*", "nope", "web.*s"],
        "exposure": ["dash", "shop.dash", "*", "dash*", "nope"],
        "metric": ["*", "x"],
        "unit_test": ["orders_add_up", "shop.*", "*", "nope"],
        "package": ["shop", "helper", "this", "h*", "nope"],
        "config.materialized": ["table", "view", "incremental", "ephemeral", "test", "seed", "nope"],
        "config.tags": ["nightly", "mart"],
        "config.meta.owner": ["data", "x"],
        "config.meta.flags": ["x", "z"],
        "config.meta.live": ["true", "false", "True"],
        "config.meta.tier": ["1"],
        "config.severity": ["warn", "WARN", "error"],
        "config.enabled": ["true", "false"],
        "config.nope": ["x"],
        "resource_type": ["model", "test", "seed", "snapshot", "source", "exposure", "unit_test",
                          "analysis", "operation", "nope"],
        "test_type": ["generic", "singular", "unit", "data", "schema", "nope"],
        "test_name": ["unique", "not_null", "report_*", "relationships", "orders_add_up", "nope"],
        "access": ["private", "public", "protected", "nope"],
        "group": ["finance", "growth", "f*", "nope"],
        "version": ["latest", "old", "prerelease", "none"],
    },
    "crm": {
        "fqn": ["leads", "core", "crm.core", "deals", "core.sub", "core_leads", "total_amount",
                "weekly", "leads_sem", "board", "*leads*", "crm", "base", "metricflow*"],
        "tag": ["core", "deep", "kpi", "pii", "spine", "nope"],
        "path": ["models/core", "models/base/leads.sql", "models/core/core.yml", "models/*/*.sql"],
        "file": ["core.sql", "core", "core.yml", "leads.sql"],
        "metric": ["total_amount", "crm.*", "*_amount", "nope"],
        "semantic_model": ["leads_sem", "*", "crm.leads_sem", "nope"],
        "saved_query": ["weekly", "*", "nope"],
        "exposure": ["board", "*"],
        "source": ["*"],
        "package": ["crm", "this"],
        "config.materialized": ["table", "view"],
        "config.contract.enforced": ["true", "false"],
        "config.grants.select": ["reader", "x"],
        "config.severity": ["warn", "Error"],
        "config.full_refresh": ["true", "false"],
        "config.on_schema_change": ["ignore", "fail"],
        "resource_type": ["metric", "semantic_model", "saved_query", "model", "exposure", "test"],
        "test_type": ["generic", "singular", "unit", "data"],
        "test_name": ["unique", "relationships", "not_null"],
        "access": ["protected"],
        "version": ["none", "latest"],
    },
    "odd": {
        "fqn": ["a", "a.b", "odd.a", "same", "same.same", "inner", "chain_*", "chain_?", "a.*",
                "[[]b]", "leaf", "a.b.c", "odd.a.b", "extra", "*.c.*", "more", "named_test", "A",
                "*a", "odd.*", "chain_[12]", "chain_[!12]", "dot", "odd"],
        "tag": ["A", "a", "été", "x-y", "[aA]", "coltag", "dotted_folder", "é*"],
        "path": ["models/a", "more", "models/a/b/*", "models/a/**", "models/same/same", "more/c*",
                 "models/a.b", "./models/a/", "models/*", "seeds/more.csv", "more/more.yml"],
        "file": ["more.csv", "more", "chain_?.sql", "*.sql", "a.sql", "dot"],
        "package": ["odd", "o?d", "this"],
        "config.materialized": ["view", "seed"],
        "config.tags": ["A", "été", "x-y"],
        "resource_type": ["model", "seed", "test"],
        "test_type": ["generic", "singular"],
        "test_name": ["both", "named_test", "rel*"],
        "version": ["none"],
    },
}

SELECTORS = {"shop": ["nightly", "plussed", "short", "by_config", "full", "at", "both", "careful",
                      "crossed", "again", "live", "nope"],
             "crm": ["usual", "rest"], "odd": []}


def write_one(name, path, folder):
    with open(os.path.join(folder, path), "w", encoding="utf-8") as file:
        file.write(textwrap.dedent(PROJECTS[name][path]).lstrip("\n"))


def write(name, root, major):
    """The project `name` below `root`, as that dbt wants it; returns its directory."""
    directory = os.path.join(root, name)
    files = dict(PROJECTS[name], **{"profiles.yml": PROFILE})
    if "packages.yml" in files:
        files.update({"helper/" + path: text for path, text in HELPER.items()})
    for path, text in files.items():
        path = os.path.join(directory, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            text = re.sub(r"<<(.*?)\|\|(.*?)>>", lambda found: found[1 if major < 2 else 2], text)
            file.write(textwrap.dedent(text).lstrip("\n"))
    return directory
