{#
  Four kinds of targets, told apart by name:
  - an audit target keeps the shared layers and sends everything else to `unaudited`;
  - `staging` builds into one flat schema, target.schema;
  - `green` builds into schemas of its own beside each one of production, `green_` in front;
  - any other, production first of all, uses the schema that the node asks for.
  The raw layer is refreshed on its own and is one and the same on every target.
#}
{% macro generate_schema_name(custom_schema_name, node) -%}
  {%- set custom = (custom_schema_name or '') | trim -%}
  {%- if 'audit' in target.name -%}
    {{ custom if custom in ('staging', 'intermediate', 'raw') else 'unaudited' }}
  {%- elif target.name == 'staging' -%}
    {{ custom if custom == 'raw' else target.schema }}
  {%- elif target.name == 'green' -%}
    {{ custom if custom == 'raw' else 'green_' ~ (custom or target.schema) }}
  {%- else -%}
    {{ custom or target.schema }}
  {%- endif -%}
{%- endmacro %}
