select
  o.order_id,
  o.customer_id,
  o.ordered_on,
  o.status,
  o.currency,
  coalesce(p.payments, 0) as payments,
  cast(coalesce(p.paid, 0) * c.euros_per_unit as numeric(12, 2)) as amount_eur
from {{ ref('stg_orders') }} as o
inner join {{ ref('raw_currencies') }} as c on o.currency = c.code
left join {{ ref('int_order_payments') }} as p on o.order_id = p.order_id
