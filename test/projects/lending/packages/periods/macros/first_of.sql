{% macro first_of(year, month) -%}
  cast('{{ year }}-{{ '%02d' % month }}-01' as date)
{%- endmacro %}
