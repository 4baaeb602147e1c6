{#- Written by airlock for one operation; what it does is printed in the plan. -#}
{%- macro airlock_run() -%}
@VALUES@
{#- Every text is checked before the first one is run. -#}
{%- for step in steps -%}
	{%- set sum = local_md5(step["sql"]) -%}
	{%- do print("airlock " ~ nonce ~ " text " ~ loop.index0 ~ " " ~ step["sql"] | length ~ " " ~ sum) -%}
	{%- if sum != step["md5"] -%}
		{%- do exceptions.raise_compiler_error("airlock " ~ nonce ~ " mismatch " ~ loop.index0) -%}
	{%- endif -%}
{%- endfor -%}
{%- for step in steps -%}
	{%- set number = loop.index0 -%}
	{%- set result = run_query(step["sql"]) -%}
	{%- set documents = [] -%}
	{%- if step["rows"] -%}
		{%- for row in result.rows -%}
			{%- do documents.append(row[0]) -%}
		{%- endfor -%}
	{%- endif -%}
	{%- set text = "[" ~ documents | join(",") ~ "]" if step["rows"] else "" -%}
	{#- dbt puts ***** where a line of its log holds the value of a secret variable. -#}
	{%- set sent = text.encode("utf-8").hex() if hexadecimal else text -%}
	{%- set pieces = (sent | length + 32767) // 32768 -%}
	{%- for piece in range(pieces) -%}
		{%- do print("airlock " ~ nonce ~ " " ~ number ~ " " ~ piece ~ " " ~ pieces ~ " " ~ sent[piece * 32768:(piece + 1) * 32768]) -%}
	{%- endfor -%}
	{%- do print("airlock " ~ nonce ~ " done " ~ number ~ " " ~ pieces ~ " " ~ local_md5(text)) -%}
{%- endfor -%}
{%- do print("airlock " ~ nonce ~ " end " ~ steps | length) -%}
{%- endmacro -%}
