{{ config(alias='payments') }}

select * from {{ source('shop', 'payments') }}
