#include "airlock/warehouse/marker.h"

#include <stdlib.h>
#include <string.h>

#include "airlock/base/mem.h"
#include "airlock/warehouse/sql.h"

char *marker_restore(const char *id, size_t number, const struct relation *of)
{
	char *name CLEANUP(mem_free_string) = relation_display(of);
	char *rest CLEANUP(mem_free_string) = mem_printf(", table %zu: %s", number, name);

	if (!id)
		return sql_bind_mark("airlock: restore point of deployment ", "id", rest);
	return mem_printf("airlock: restore point of deployment %s%s", id, rest);
}

char *marker_mirror(const char *id, const struct relation *of)
{
	char *name CLEANUP(mem_free_string) = relation_display(of);

	return mem_printf(MARKER_MIRROR "%s, for %s", id, name);
}

bool marker_is_ours(const char *comment)
{
	return comment && strstr(comment, MARKER_BEGINS);
}

char *marker_publisher(const char *comment)
{
	static const char before[] = MARKER_BEGINS "published ";
	const char *id = comment ? strstr(comment, before) : NULL;
	const char *end = id ? strchr(id, ']') : NULL;

	if (!end || end[1])
		return NULL;
	id += strlen(before);
	return mem_strndup(id, (size_t)(end - id));
}

char *marker_demoted(const char *id)
{
	return mem_printf(MARKER_BEGINS "demoted by %s]", id);
}
