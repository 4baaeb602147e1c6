{% for month in range(1, 12) %}
select {{ periods.first_of(2025, month) }} as month, {{ periods.first_of(2025, month + 1) }} as next_month
{% if not loop.last %}union all{% endif %}
{% endfor %}
