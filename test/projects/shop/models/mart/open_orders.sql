{{ config(materialized='view') }}

select
  o.order_id,
  o.ordered_on,
  o.status,
  c.customer_name
from {{ ref('orders') }} as o
inner join {{ ref('customers') }} as c on o.customer_id = c.customer_id
where o.status in ('placed', 'shipped')
