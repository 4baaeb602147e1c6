select l.member_id, count(*) as loans, count(long_loans.loan_id) as long_loans
from {{ ref('stg_loans') }} as l
left join {{ ref('long_loans') }} as long_loans on l.loan_id = long_loans.loan_id
group by l.member_id
