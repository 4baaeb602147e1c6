select page, count(*) as visits, sum(seconds) as seconds
from {{ ref('stg_visits') }}
group by page
{% if var('break_pages', false) %}union all select 'home', 0, 0{% endif %}
