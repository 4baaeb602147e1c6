select
  order_id,
  customer_id,
  ordered_on,
  status,
  payments,
  amount_eur,
  amount_eur > 0 as is_paid
from {{ ref('int_orders_in_euros') }}
{% if var('break_orders', false) %}
-- the demonstration: one order twice, as a careless join would give it
union all
select
  order_id,
  customer_id,
  ordered_on,
  status,
  payments,
  amount_eur,
  amount_eur > 0 as is_paid
from {{ ref('int_orders_in_euros') }}
where order_id = 101
{% endif %}
