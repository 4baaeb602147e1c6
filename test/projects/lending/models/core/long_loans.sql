select loan_id, member_id, days from {{ ref('stg_loans') }} where days > 20
