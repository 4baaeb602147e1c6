select
  id as order_id,
  customer_id,
  ordered_on,
  status,
  currency
from {{ ref('mirror_orders' if var('mirror', false) else 'raw_orders') }}
