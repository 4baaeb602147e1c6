select loan_id, member_id, title, lent_on, days from {{ ref('loans') }}
