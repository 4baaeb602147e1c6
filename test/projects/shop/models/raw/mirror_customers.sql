{{ config(alias='customers') }}

select * from {{ source('shop', 'customers') }}
