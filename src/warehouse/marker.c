#include "airlock/warehouse/marker.h"

#include <stdlib.h>

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

char *marker_demoted(const char *id)
{
	return mem_printf("[airlock: demoted by %s]", id);
}
