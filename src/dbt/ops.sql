{#- Written by airlock for one operation. dbt puts ***** where a line that it prints holds the value of a
    secret variable; a gap between all characters keeps it from finding one. -#}
{%- macro airlock_run() -%}
@VALUES@
{#- Every text is checked before the first one is run. -#}
{%- for step in steps -%}
	{%- set sum = local_md5(step["sql"]) -%}
	{%- do print(("airlock " ~ nonce ~ " text " ~ loop.index0 ~ " " ~ step["sql"] | length ~ " " ~ sum) | join(gap)) -%}
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
	{%- set pieces = (text | length + 32767) // 32768 -%}
	{%- for piece in range(pieces) -%}
		{%- do print(("airlock " ~ nonce ~ " " ~ number ~ " " ~ piece ~ " " ~ pieces ~ " " ~ text[piece * 32768:(piece + 1) * 32768]) | join(gap)) -%}
	{%- endfor -%}
	{%- do print(("airlock " ~ nonce ~ " done " ~ number ~ " " ~ pieces ~ " " ~ local_md5(text)) | join(gap)) -%}
{%- endfor -%}
{%- do print(("airlock " ~ nonce ~ " end " ~ steps | length) | join(gap)) -%}
{%- endmacro -%}
