#include "golden_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "airlock/base/err.h"
#include "airlock/base/fs.h"
#include "airlock/base/mem.h"

static void show_difference(const char *path, const char *was, const char *is)
{
	size_t line = 1, start = 0;

	for (size_t i = 0; was[i] && was[i] == is[i]; i++)
		if (was[i] == '\n') {
			line++;
			start = i + 1;
		}
	fail_msg("%s:%zu\n  was: %.*s\n   is: %.*s\nscripts/golden-update shows all of it", path,
		 line, (int)strcspn(was + start, "\n"), was + start, (int)strcspn(is + start, "\n"),
		 is + start);
}

void is_golden(const char *name, const struct buf *text)
{
	CLEANUP(mem_free_string) char *path = mem_printf("%s%s", GOLDEN, name);
	CLEANUP(buf_release) struct buf golden = BUF_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;

	if (getenv("AIRLOCK_GOLDEN_UPDATE")) {
		CLEANUP(mem_free_string) char *folder = fs_parent(path);

		if (fs_make_directories(folder, &err) < 0 ||
		    fs_write_atomic(path, buf_cstr(text), text->len, 0644, &err) < 0)
			fail_msg("%s", err.message);
		return;
	}
	if (fs_read(path, 1 << 20, &golden, &err) < 0)
		fail_msg("%s", err.message);
	if (strcmp(buf_cstr(&golden), buf_cstr(text)) != 0)
		show_difference(name, buf_cstr(&golden), buf_cstr(text));
}
