select
  id as payment_id,
  order_id,
  method,
  amount
from {{ ref('mirror_payments' if var('mirror', false) else 'raw_payments') }}
