select town, sum(loans) as loans from {{ ref('readers', v=2) }} group by town
