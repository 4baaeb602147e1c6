#include "manifest_internal.h"

#include <stdlib.h>
#include <string.h>

size_t manifest_window = (size_t)128 * 1024; /* what the nearest caches hold */

void window_of_file(struct window *window, struct jscan *scan, struct fs_pieces *file)
{
	window->file = file;
	window->cap = file->left < manifest_window ? file->left + 1 : manifest_window;
	window->data = mem_large(window->cap);
	jscan_init(scan, window->data, fs_pieces_read(file, window->data, window->cap));
}

void window_release(struct window *window)
{
	free(window->data);
	*window = (struct window) { .file = NULL };
}

bool window_more(struct window *window, struct jscan *scan, const struct jscan *from)
{
	size_t at = (size_t)(from->at - from->start);
	size_t kept = (size_t)(from->end - from->at);
	size_t depth = from->depth;
	bool is_first = from->is_first; /* `from` may be `scan` */
	size_t n;

	if (!window->file || window->file->left == 0)
		return false;
	if (kept > window->cap / 2) {
		window->data = mem_realloc(window->data, window->cap, 2);
		window->cap *= 2;
	}
	memmove(window->data, window->data + at, kept);
	n = fs_pieces_read(window->file, window->data + kept, window->cap - kept);
	jscan_init(scan, window->data, kept + n);
	scan->depth = depth;
	scan->is_first = is_first;
	if (n == 0)
		jscan_fail(scan, scan->end, "the file has become shorter");
	return n > 0;
}

size_t window_left(const struct window *window, const struct jscan *scan)
{
	return (size_t)(scan->end - scan->at) + (window->file ? window->file->left : 0);
}
