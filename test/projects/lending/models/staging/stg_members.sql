select member_id, name, town from {{ ref('members') }}
