select
  id as visit_id,
  page,
  seconds
from {{ ref('raw_visits') }}
