#include <stdint.h>
#include <string.h>

#include "airlock/base/fs.h"
#include "airlock/dbt/find.h"

enum {
	NOTE_WITHIN = 4096, /* the notes of an ELF file stand behind its program headers */
};

/* By this note another copy of the program knows this one, and does not take it for a dbt. */
struct note {
	uint32_t name_size, text_size, type;
	char name[8]; /* padded to a multiple of 4, as the text is */
	char text[(sizeof(FIND_NOTE) + 3) / 4 * 4];
};

__attribute__((used, section(".note.airlock"), aligned(4))) static const struct note note = {
	.name_size = sizeof("airlock"),
	.text_size = sizeof(note.text),
	.type = 1,
	.name = "airlock",
	.text = FIND_NOTE,
};

bool find_has_note(const char *path)
{
	char head[NOTE_WITHIN];

	return memmem(head, fs_head(path, sizeof(head), head), FIND_NOTE, sizeof(FIND_NOTE) - 1);
}
