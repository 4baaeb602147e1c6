select
  code as currency,
  name as currency_name,
  euros_per_unit
from {{ ref('raw_currencies') }}
