#include "manifest_internal.h"

#include <string.h>

#define CHUNK ((size_t)32 * 1024)

static size_t mix(size_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

size_t id_hash(const char *id, size_t len)
{
	size_t hash = len;
	uint64_t word;

	for (; len >= sizeof(word); id += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, id, sizeof(word));
		hash = mix(hash, word);
	}
	word = 0;
	memcpy(&word, id, len);
	return mix(hash, word);
}

uint32_t *id_slot(const struct id_table *table, const struct manifest_node *nodes, const char *id,
		  size_t len)
{
	size_t at = id_hash(id, len) & (table->size - 1);

	while (table->slots[at]) {
		const char *other = nodes[table->slots[at] - 1].unique_id;

		if (strncmp(other, id, len) == 0 && other[len] == '\0')
			break;
		at = (at + 1) & (table->size - 1);
	}
	return &table->slots[at];
}

/* Without the alignment that an arena gives, which strings do not need. */
static const char *keep(struct texts *texts, const char *s, size_t len)
{
	char *copy;

	if (len >= CHUNK) {
		copy = arena_alloc(texts->arena, len + 1);
		memcpy(copy, s, len);
		copy[len] = '\0';
		return copy;
	}
	if (texts->left <= len) {
		texts->at = arena_alloc(texts->arena, CHUNK);
		texts->left = CHUNK;
	}
	copy = texts->at;
	memcpy(copy, s, len);
	copy[len] = '\0';
	texts->at += len + 1;
	texts->left -= len + 1;
	return copy;
}

struct jslice texts_keep(struct texts *texts, struct jslice slice)
{
	if (slice.at)
		slice.at = keep(texts, slice.at, slice.len);
	return slice;
}

int texts_get(struct texts *texts, struct jslice slice, const char **ret_text)
{
	const char *s;
	size_t len, at;

	*ret_text = "";
	if (!jslice_is_string(slice))
		return 0;
	s = slice.at + 1;
	len = slice.len - 2;
	if (!jslice_is_plain(slice)) {
		if (jscan_decode(slice, &texts->decoded) < 0)
			return -1;
		s = buf_cstr(&texts->decoded);
		len = texts->decoded.len;
		/* With a NUL inside, what C sees is not the value. */
		if (memchr(s, '\0', len))
			return 0;
	}
	if (len == 0)
		return 0;
	at = id_hash(s, len) % TEXT_RECENT;
	if (texts->recent[at].len != len || memcmp(texts->recent[at].text, s, len) != 0) {
		texts->recent[at].text = keep(texts, s, len);
		texts->recent[at].len = len;
	}
	*ret_text = texts->recent[at].text;
	return 0;
}

static size_t count_items(struct jslice array)
{
	struct jscan scan;
	size_t n = 0;

	jscan_init(&scan, array.at, array.len);
	if (jscan_enter(&scan) < 0)
		return 0;
	while (jscan_item(&scan) > 0 && jscan_skip(&scan, NULL) == 0)
		n++;
	return n;
}

static int fail_at(struct jscan *scan, struct jslice slice)
{
	return jscan_fail(scan, slice.at, "not JSON: no valid string");
}

/* `scan` takes the error, so that its place is one of the whole file. */
int texts_list(struct texts *texts, struct jscan *scan, struct jslice slice,
	       const char *const **ret_list, size_t *ret_n)
{
	static const char *const none[] = { NULL };
	struct jscan items;
	struct jslice item;
	const char **v;
	size_t n = 0;
	int rc;

	*ret_list = none;
	*ret_n = 0;
	if (!slice.at || jslice_equals(slice, "[]") || (*slice.at != '[' && *slice.at != '"'))
		return 0;
	if (*slice.at == '"') {
		v = arena_alloc(texts->arena, sizeof(*v));
		if (texts_get(texts, slice, &v[0]) < 0)
			return fail_at(scan, slice);
		*ret_list = v;
		*ret_n = 1;
		return 0;
	}
	v = arena_alloc(texts->arena, (count_items(slice) + 1) * sizeof(*v));
	jscan_init(&items, slice.at, slice.len);
	jscan_enter(&items);
	while ((rc = jscan_item(&items)) > 0) {
		if (jscan_skip(&items, &item) < 0)
			break;
		if (!jslice_is_string(item))
			continue;
		if (texts_get(texts, item, &v[n++]) < 0)
			return fail_at(scan, item);
	}
	if (rc != 0)
		return jscan_fail(scan, items.failed_at, items.message);
	*ret_list = v;
	*ret_n = n;
	return 0;
}
