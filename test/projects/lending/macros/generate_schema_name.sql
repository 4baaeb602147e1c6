{#
  Production has the schemas as they are named. Everybody else has them behind a name of their own;
  the audit target has source and staging in common with production.
#}
{% macro generate_schema_name(custom_schema_name, node) -%}
  {%- set name = (custom_schema_name or target.schema) | trim -%}
  {%- if target.name == 'prod' or (target.name == 'audit' and name in ('source', 'staging')) -%}
    {{ name }}
  {%- else -%}
    {{ target.name }}_{{ name }}
  {%- endif -%}
{%- endmacro %}
