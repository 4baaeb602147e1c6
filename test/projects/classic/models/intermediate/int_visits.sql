select
  visit_id,
  page,
  seconds,
  seconds >= 10 as is_engaged
from {{ ref('stg_visits') }}
