#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "airlock/base/fs.h"
#include "airlock/base/mem.h"

int fs_remove_directory(const char *path, struct err *err)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	if (fs_list(path, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		char *name CLEANUP(mem_free_string) = fs_join(path, names.v[i]);

		if (fs_remove(name, err) < 0)
			return -1;
	}
	if (rmdir(path) && errno != ENOENT)
		return err_set(err, ERR_FILE, "cannot remove '%s': %s", path, strerror(errno));
	return 0;
}
