{# What people use without airlock: after the tests, every table of a tag is copied into the schema
   that the tag names. #}
{% macro clone_by_tag() %}
  {% for node in graph.nodes.values() if node.config.materialized in ('table', 'incremental') %}
    {% for tag in node.tags if tag in var('tags_to_clone') %}
      {% set to = tag ~ '.' ~ (node.alias or node.name) %}
      {% do run_query('create schema if not exists ' ~ tag) %}
      {% do run_query('drop table if exists ' ~ to) %}
      {% do run_query('create table ' ~ to ~ ' as select * from ' ~ node.relation_name) %}
    {% endfor %}
  {% endfor %}
{% endmacro %}
