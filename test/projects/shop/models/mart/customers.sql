select
  c.customer_id,
  c.customer_name,
  c.country,
  c.segment,
  count(o.order_id) as orders,
  coalesce(sum(o.amount_eur), 0) as revenue_eur,
  max(o.ordered_on) as last_ordered_on
from {{ ref('stg_customers') }} as c
left join {{ ref('orders') }} as o
  on c.customer_id = o.customer_id and o.status <> 'returned'
group by c.customer_id, c.customer_name, c.country, c.segment
