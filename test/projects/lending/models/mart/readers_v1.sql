select m.member_id, m.name, b.loans
from {{ ref('stg_members') }} as m
inner join {{ ref('loans_by_member') }} as b on m.member_id = b.member_id
