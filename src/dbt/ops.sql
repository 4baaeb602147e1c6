{#-
	Written by airlock for one operation; answer.h says what it prints. dbt puts ***** where a
	line that it prints holds the value of a secret variable; a gap between all characters
	keeps it from finding one.
-#}
{%- macro airlock_run() -%}
@VALUES@
{%- set head = "airlock " ~ nonce ~ " " -%}
{#- Every text is checked before the first one is run. -#}
{%- for step in steps -%}
	{%- set sum = local_md5(step["sql"]) -%}
	{%- set seen = loop.index0 ~ " " ~ step["sql"] | length ~ " " ~ sum -%}
	{%- do print((head ~ "text " ~ seen) | join(gap)) -%}
	{%- if sum != step["md5"] -%}
		{%- do exceptions.raise_compiler_error(head ~ "mismatch " ~ loop.index0) -%}
	{%- endif -%}
{%- endfor -%}
{#- What is asked of a whole region names a dataset of it instead, whose region is asked for. -#}
{%- set regions = {} -%}
{#- How many rows each call brought that was not guarded: the last of them guards. -#}
{%- set guards = [0] -%}
{%- for step in steps -%}
	{%- set number = loop.index0 -%}
	{%- if step["guarded"] and (guards | last) == 0 -%}
		{%- do print((head ~ "skip " ~ number) | join(gap)) -%}
	{%- else -%}
		{%- set sql = step["sql"] -%}
		{%- if sql[:16] == "declare located " -%}
			{%- set name = sql.split("`region-of ")[1].split("`")[0] -%}
			{%- if name not in regions -%}
				{%- set parts = name.rsplit(".", 1) -%}
				{%- set dataset = api.Relation.create(database=parts[0], schema=parts[1]) -%}
				{%- do regions.update({name: adapter.get_dataset_location(dataset)}) -%}
			{%- endif -%}
			{%- set region = "`region-" ~ regions[name] | lower ~ "`" -%}
			{%- set sql = sql.replace("`region-of " ~ name ~ "`", region) -%}
		{%- endif -%}
		{%- set result = run_query(sql) -%}
		{%- set documents = [] -%}
		{%- if step["rows"] -%}
			{%- for row in result.rows -%}
				{%- do documents.append(row[0]) -%}
			{%- endfor -%}
		{%- endif -%}
		{%- if not step["guarded"] -%}
			{%- do guards.append(documents | length) -%}
		{%- endif -%}
		{%- set text = "[" ~ documents | join(",") ~ "]" if step["rows"] else "" -%}
		{%- set pieces = (text | length + 32767) // 32768 -%}
		{%- for piece in range(pieces) -%}
			{%- set part = text[piece * 32768:(piece + 1) * 32768] -%}
			{%- set place = number ~ " " ~ piece ~ " " ~ pieces ~ " " -%}
			{%- do print((head ~ place ~ part) | join(gap)) -%}
		{%- endfor -%}
		{%- set total = pieces ~ " " ~ documents | length ~ " " ~ local_md5(text) -%}
		{%- do print((head ~ "done " ~ number ~ " " ~ total) | join(gap)) -%}
	{%- endif -%}
{%- endfor -%}
{%- do print((head ~ "end " ~ steps | length) | join(gap)) -%}
{%- endmacro -%}
