{{ config(materialized='incremental', unique_key='ordered_on') }}

select
  ordered_on,
  count(*) as orders,
  sum(amount_eur) as revenue_eur
from {{ ref('orders') }}
where status <> 'returned'
{% if is_incremental() %}
  -- the last day may still have been growing
  and ordered_on >= (select coalesce(max(t.ordered_on), date '1900-01-01') from {{ this }} as t)
{% endif %}
group by ordered_on
