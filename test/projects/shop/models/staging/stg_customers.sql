select
  id as customer_id,
  name as customer_name,
  country,
  segment
from {{ ref('mirror_customers' if var('mirror', false) else 'raw_customers') }}
