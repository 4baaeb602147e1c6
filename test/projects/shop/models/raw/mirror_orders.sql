{{ config(alias='orders') }}

select * from {{ source('shop', 'orders') }}
