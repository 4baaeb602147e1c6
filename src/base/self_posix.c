#include <stdlib.h>
#include <string.h>

#include "airlock/base/fs.h"
#include "airlock/base/host.h"
#include "airlock/base/strv.h"

/* As a shell has found it. A caller may name anything: then it is known by its note (dbt/find.h).
 */
char *host_self(const char *called_as)
{
	CLEANUP(strv_release) struct strv directories = STRV_INIT;
	const char *path = getenv("PATH");

	if (called_as && !strchr(called_as, '/') && path) {
		strv_split(&directories, path, ":");
		for (size_t i = 0; i < directories.n; i++) {
			char *candidate = fs_join(directories.v[i], called_as);

			if (fs_is_regular(candidate) && fs_is_executable(candidate))
				return candidate;
			free(candidate);
		}
	}
	return mem_strdup(called_as ? called_as : "");
}
