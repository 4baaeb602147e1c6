{{ config(materialized='incremental', unique_key='month') }}
select p.month, count(*) as loans
from {{ ref('stg_loans') }} as l
inner join {{ ref('months') }} as p on l.lent_on >= p.month and l.lent_on < p.next_month
{% if is_incremental() %}
where p.month >= (select max(t.month) from {{ this }} as t)
{% endif %}
group by p.month
