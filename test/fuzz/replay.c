/* Feeds every file of a directory to a fuzz target, and cut and flipped copies of it: one TAP
 * case. usage: replay NAME DIRECTORY */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "airlock/base/fs.h"
#include "fuzz.h"

/* A copy of exactly that size, so that a sanitizer sees one byte too far. */
static void feed(const char *data, size_t len)
{
	uint8_t *copy = mem_realloc(NULL, len, 1);

	if (len)
		memcpy(copy, data, len);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
}

static void feed_variants(struct buf *content)
{
	feed(content->data, content->len);
	for (size_t i = 1; i < 16; i++) {
		size_t at = content->len * i / 16;

		if (at == 0)
			continue;
		feed(content->data, at);
		content->data[at] ^= 0x20;
		feed(content->data, content->len);
		content->data[at] ^= 0x20;
	}
}

int main(int argc, char **argv)
{
	CLEANUP(strv_release) struct strv names = STRV_INIT;
	struct err err = ERR_INIT;

	if (argc != 3 || fs_list(argv[2], &names, &err) < 0 || names.n == 0) {
		printf("1..1\nnot ok 1 - no corpus\n");
		return 1;
	}
	for (size_t i = 0; i < names.n; i++) {
		CLEANUP(mem_free_string) char *path = fs_join(argv[2], names.v[i]);
		struct buf content = BUF_INIT;

		if (fs_read(path, (size_t)1 << 26, &content, &err) < 0)
			abort();
		if (content.len)
			feed_variants(&content);
		else
			feed("", 0);
		buf_release(&content);
	}
	printf("1..1\nok 1 - the corpus of %s, %zu files\n", argv[1], names.n);
	return 0;
}
