select m.member_id, m.name, m.town, b.loans, b.long_loans
from {{ ref('stg_members') }} as m
inner join {{ ref('loans_by_member') }} as b on m.member_id = b.member_id
{% if var('break_readers', false) %}union all select 1, 'Ada', 'Bern', 0, 0{% endif %}
