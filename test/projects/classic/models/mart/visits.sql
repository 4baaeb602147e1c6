select * from {{ ref('int_visits') }}
