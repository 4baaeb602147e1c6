{#
  Schemas are named by layer and look the same in every target. Only a target with `audit` in its
  name is different: there, what lies above staging and intermediate goes to `unaudited`.
#}
{% macro generate_schema_name(custom_schema_name, node) -%}
  {%- set layer = (custom_schema_name or '') | trim -%}
  {%- if not layer -%}
    {{ target.schema }}
  {%- elif 'audit' in target.name and layer not in ['staging', 'intermediate'] -%}
    unaudited
  {%- else -%}
    {{ layer }}
  {%- endif -%}
{%- endmacro %}
