#include <string.h>

#include "airlock/base/fs.h"
#include "airlock/base/mem.h"
#include "airlock/dbt/find.h"

enum {
	PROGRAM_MOST = 16 * 1024 * 1024, /* airlock is much smaller, a native dbt much larger */
};

/* The note is the constant below, which stands somewhere in the program. */
bool find_has_note(const char *path)
{
	CLEANUP(buf_release) struct buf content = BUF_INIT;
	CLEANUP(err_release) struct err ignored = ERR_INIT;

	return fs_read(path, PROGRAM_MOST, &content, &ignored) == 0 &&
	       memmem(content.data, content.len, FIND_NOTE, sizeof(FIND_NOTE) - 1);
}
