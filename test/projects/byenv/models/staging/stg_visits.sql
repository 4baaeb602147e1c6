select visit_id, page, seconds from {{ ref('raw_visits') }}
