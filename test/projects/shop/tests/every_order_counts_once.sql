-- the days add up to the orders
with days as (
  select sum(orders) as n from {{ ref('revenue_by_day') }}
),

orders as (
  select count(*) as n from {{ ref('orders') }} where status <> 'returned'
)

select
  days.n as by_day,
  orders.n as by_order
from days, orders
where days.n <> orders.n
