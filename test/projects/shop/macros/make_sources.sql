{#
  Plays the outside system that the raw layer mirrors: fills its schema from the seeds.
  dbt run-operation make_sources --vars '{mirror: true}'
#}
{% macro make_sources() %}
  {% do run_query('create schema if not exists shop_source') %}
  {% for name in ['customers', 'orders', 'payments'] %}
    {% do run_query('drop table if exists shop_source.' ~ name) %}
    {% do run_query('create table shop_source.' ~ name ~ ' as select * from ' ~ ref('raw_' ~ name)) %}
  {% endfor %}
{% endmacro %}
