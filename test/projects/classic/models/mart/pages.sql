select
  page,
  count(*) as visits,
  sum(seconds) as seconds
from {{ ref('int_visits') }}
group by page
