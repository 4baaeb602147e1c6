{{ config(materialized='view') }}
select page, visits from {{ ref('pages') }} where seconds > 20
