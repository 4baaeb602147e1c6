with days as (
  {{ dbt.date_spine('day', "cast('2025-01-01' as date)", "cast('2025-02-01' as date)") }}
)

select
  cast(date_day as date) as day,
  cast(extract(isodow from date_day) as integer) as day_of_week,
  extract(isodow from date_day) in (6, 7) as is_weekend
from days
