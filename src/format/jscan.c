#include "airlock/format/jscan.h"

#include <jansson.h>
#include <string.h>

#include "jscan_block.h"

#define MARKER_LEN 7 /* <<<<<<<, =======, >>>>>>> */
#define SHORT_STEPS 5
#define SHORT (SHORT_STEPS * STEP + 2)

/* Once with the wide blocks of jscan_block.h, once without. */
#define BOTH static inline __attribute__((always_inline))

static const char ends_early[] = "the file ends in the middle of a value";
static const char too_deep[] = "values are nested deeper than 2048 levels";
static const char raw_control[] = "not JSON: a control character in a string";

void jscan_init(struct jscan *scan, const char *text, size_t len)
{
	*scan = (struct jscan) {
		.start = text,
		.at = text,
		.end = text + len,
		.is_wide = block_is_wide(),
	};
}

int jscan_fail(struct jscan *scan, const char *at, const char *message)
{
	if (!scan->failed_at) {
		scan->failed_at = at;
		scan->message = message;
	}
	return -1;
}

static inline bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline char peek(struct jscan *scan)
{
	const char *p = scan->at;

	while (p < scan->end && is_blank(*p))
		p++;
	scan->at = p;
	return p < scan->end ? *p : '\0';
}

char jscan_peek(struct jscan *scan)
{
	return peek(scan);
}

static int unexpected(struct jscan *scan, const char *message)
{
	return jscan_fail(scan, scan->at, scan->at < scan->end ? message : ends_early);
}

/* Of a string of up to 79 plain bytes, which most are, the closing quote; NULL for any other. */
static inline const char *short_string_end(const struct jscan *scan, const char *quote)
{
	const char *p = quote + 1;
	unsigned special;

	if (scan->end - quote <= SHORT)
		return NULL;
	for (int i = 0; !(special = step_special(p)); p += STEP)
		if (++i == SHORT_STEPS)
			return NULL;
	p += __builtin_ctz(special);
	return *p == '"' ? p : NULL;
}

/* From behind the opening quote to the closing one; NULL with the scan failed. */
BOTH const char *string_end_by(bool is_wide, struct jscan *scan, const char *p)
{
	uint64_t escape = 0;

	for (; scan->end - p >= BLOCK; p += BLOCK) {
		struct string_masks m = is_wide ? block_string_wide(p) : block_string(p);
		uint64_t quotes = m.quote & ~block_escaped(m.backslash, &escape);
		uint64_t control = m.control & ((quotes & -quotes) - 1);

		if (control) {
			jscan_fail(scan, p + __builtin_ctzll(control), raw_control);
			return NULL;
		}
		if (quotes)
			return p + __builtin_ctzll(quotes);
	}
	for (; p < scan->end; p++) {
		if ((unsigned char)*p < 0x20) {
			jscan_fail(scan, p, raw_control);
			return NULL;
		}
		if (*p == '"' && !escape)
			return p;
		escape = *p == '\\' && !escape;
	}
	jscan_fail(scan, scan->end, ends_early);
	return NULL;
}

WIDE static const char *string_end_wide(struct jscan *scan, const char *p)
{
	return string_end_by(true, scan, p);
}

static const char *string_end_narrow(struct jscan *scan, const char *p)
{
	return string_end_by(false, scan, p);
}

static int skip_string(struct jscan *scan)
{
	const char *quote = scan->is_wide ? string_end_wide(scan, scan->at + 1)
					  : string_end_narrow(scan, scan->at + 1);

	if (!quote)
		return -1;
	scan->at = quote + 1;
	return 0;
}

/* What numbers and words are made of. */
static inline bool is_plain(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '.' || c == '-' ||
	       c == '+' || c == 'E';
}

/* Numbers and words, up to what may follow them. */
static int skip_plain(struct jscan *scan)
{
	const char *p = scan->at;

	while (p < scan->end && is_plain(*p))
		p++;
	if (p == scan->end)
		return jscan_fail(scan, p, ends_early);
	if (p == scan->at || !(is_blank(*p) || *p == ',' || *p == ']' || *p == '}'))
		return jscan_fail(scan, p, "not JSON: a value was expected");
	scan->at = p;
	return 0;
}

/* What a container is skipped with: how deep, and whether the block begins inside a string. */
struct skip {
	size_t depth;
	uint64_t in_string; /* all bits or none */
	uint64_t escape;
};

/* The brackets of one block, one by one. 1: the container ends, behind scan->at. */
static int walk_brackets(struct jscan *scan, const char *block, struct skip *skip, uint64_t open,
			 uint64_t close)
{
	uint64_t both = open | close;

	for (; both; both &= both - 1) {
		int at = __builtin_ctzll(both);

		if (open >> at & 1) {
			if (scan->depth + ++skip->depth > JSCAN_MAX_DEPTH)
				return jscan_fail(scan, block + at, too_deep);
		} else if (--skip->depth == 0) {
			scan->at = block + at + 1;
			return 1;
		}
	}
	return 0;
}

BOTH int skip_block(bool is_wide, struct jscan *scan, const char *block, const char *bytes,
		    struct skip *skip)
{
	struct block_masks m = is_wide ? block_read_wide(bytes) : block_read(bytes);
	uint64_t quotes = m.string.quote & ~block_escaped(m.string.backslash, &skip->escape);
	uint64_t inside = block_between(quotes) ^ skip->in_string;
	uint64_t open = m.open & ~inside;
	uint64_t close = m.close & ~inside;
	uint64_t wrong = (m.string.control & inside) | (m.stray & ~inside);
	unsigned opens, closes;
	int rc;

	skip->in_string = (inside >> 63) * UINT64_MAX;
	if (!(open | close | wrong))
		return 0;
	opens = is_wide ? (unsigned)__builtin_popcountll(open) : block_count(open);
	closes = is_wide ? (unsigned)__builtin_popcountll(close) : block_count(close);
	if (!wrong && closes < skip->depth &&
	    scan->depth + skip->depth + opens <= JSCAN_MAX_DEPTH) {
		skip->depth += opens;
		skip->depth -= closes;
		return 0;
	}
	if (wrong) {
		/* What stands behind the end of the container is none of its business. */
		uint64_t before = (wrong & -wrong) - 1;

		rc = walk_brackets(scan, block, skip, open & before, close & before);
		if (rc)
			return rc;
		return jscan_fail(scan, block + __builtin_ctzll(wrong),
				  m.string.control & inside & wrong & -wrong
					  ? raw_control
					  : "not JSON: no value begins like this");
	}
	return walk_brackets(scan, block, skip, open, close);
}

BOTH int skip_container_by(bool is_wide, struct jscan *scan)
{
	struct skip skip = { 0 };
	const char *block = scan->at;
	int rc = 0;

	while (rc == 0 && scan->end - block >= BLOCK) {
		rc = skip_block(is_wide, scan, block, block, &skip);
		block += BLOCK;
	}
	if (rc == 0 && block < scan->end) {
		char last[BLOCK];

		memset(last, ' ', sizeof(last));
		memcpy(last, block, (size_t)(scan->end - block));
		rc = skip_block(is_wide, scan, block, last, &skip);
	}
	if (rc == 0)
		return jscan_fail(scan, scan->end, ends_early);
	return rc < 0 ? -1 : 0;
}

WIDE static int skip_container_wide(struct jscan *scan)
{
	return skip_container_by(true, scan);
}

static int skip_container_narrow(struct jscan *scan)
{
	return skip_container_by(false, scan);
}

/* Of the words that most values are, with the comma behind them, the end; NULL for anything else.
 */
static inline const char *word_end(const char *p)
{
	static const char *const words[] = { "null", "true", "alse" };
	int word = *p == 'n' ? 0 : *p == 't' ? 1 : *p == 'f' ? 2 : -1;

	if (word < 0)
		return NULL;
	p += word == 2;
	return memcmp(p, words[word], 4) == 0 && p[4] == ',' ? p + 4 : NULL;
}

/* Not inlined: what it needs of registers would be saved for each short value as well. */
static __attribute__((noinline)) int skip_any(struct jscan *scan, struct jslice *ret_value)
{
	char first = peek(scan);
	const char *start = scan->at;
	int rc;

	if (first == '"')
		rc = skip_string(scan);
	else if (first == '{' || first == '[')
		rc = scan->is_wide ? skip_container_wide(scan) : skip_container_narrow(scan);
	else
		rc = skip_plain(scan);
	scan->is_first = false;
	if (rc == 0 && ret_value)
		*ret_value = (struct jslice) { start, (size_t)(scan->at - start) };
	return rc;
}

/* Most values are short strings, words and empty containers, behind one blank. */
int jscan_skip(struct jscan *scan, struct jslice *ret_value)
{
	const char *p = scan->at;
	const char *end = NULL;

	if (scan->end - p > SHORT + 1) {
		p += *p == ' ';
		if (*p == '"') {
			end = short_string_end(scan, p);
			end = end ? end + 1 : NULL;
		} else if (*p == '{' || *p == '[') {
			end = p[1] == *p + 2 ? p + 2 : NULL;
		} else {
			end = word_end(p);
		}
	}
	if (!end)
		return skip_any(scan, ret_value);
	scan->at = end;
	scan->is_first = false;
	if (ret_value)
		*ret_value = (struct jslice) { p, (size_t)(end - p) };
	return 0;
}

int jscan_enter(struct jscan *scan)
{
	char first = peek(scan);

	if (first != '{' && first != '[')
		return unexpected(scan, "not JSON: '{' or '[' was expected");
	if (++scan->depth > JSCAN_MAX_DEPTH)
		return jscan_fail(scan, scan->at, too_deep);
	scan->at++;
	scan->is_first = true;
	return 0;
}

/* To the next element, past a comma. 0: past the closing bracket. */
static int next_element(struct jscan *scan, char closing)
{
	char c = peek(scan);

	if (c == closing && scan->at < scan->end) {
		scan->at++;
		scan->depth--;
		scan->is_first = false;
		return 0;
	}
	if (!scan->is_first) {
		if (c != ',')
			return unexpected(scan, closing == '}'
							? "not JSON: ',' or '}' was expected"
							: "not JSON: ',' or ']' was expected");
		scan->at++;
	}
	scan->is_first = false;
	return 1;
}

/* The next member where it is written as nearly all are: `, "name":`, the comma behind another. */
static bool take_plain_key(struct jscan *scan, struct jslice *ret_key)
{
	const char *p = scan->at;
	const char *quote;

	if (scan->end - p <= SHORT + 2)
		return false;
	if (!scan->is_first) {
		if (*p++ != ',')
			return false;
		p += *p == ' ';
	}
	quote = *p == '"' ? short_string_end(scan, p) : NULL;
	if (!quote || quote[1] != ':')
		return false;
	*ret_key = (struct jslice) { p, (size_t)(quote + 1 - p) };
	scan->at = quote + 2;
	scan->is_first = false;
	return true;
}

static __attribute__((noinline)) int take_any_key(struct jscan *scan, struct jslice *ret_key)
{
	int rc = next_element(scan, '}');
	const char *start;

	if (rc <= 0)
		return rc;
	if (peek(scan) != '"')
		return unexpected(scan, "not JSON: the name of a member was expected");
	start = scan->at;
	if (skip_string(scan) < 0)
		return -1;
	if ((size_t)(scan->at - start) > JSCAN_MAX_KEY)
		return jscan_fail(scan, start, "a name is longer than 65536 bytes");
	*ret_key = (struct jslice) { start, (size_t)(scan->at - start) };
	if (peek(scan) != ':')
		return unexpected(scan, "not JSON: ':' was expected");
	scan->at++;
	return 1;
}

int jscan_key(struct jscan *scan, struct jslice *ret_key)
{
	scan->is_plain_key = take_plain_key(scan, ret_key);
	return scan->is_plain_key ? 1 : take_any_key(scan, ret_key);
}

int jscan_item(struct jscan *scan)
{
	return next_element(scan, ']');
}

int jscan_finish(struct jscan *scan)
{
	peek(scan);
	if (scan->at < scan->end)
		return jscan_fail(scan, scan->at, "something follows the end of the document");
	return 0;
}

static bool is_conflict_marker(const char *line, const char *end)
{
	if (end - line < MARKER_LEN || !memchr("<=>", *line, 3))
		return false;
	for (int i = 1; i < MARKER_LEN; i++)
		if (line[i] != *line)
			return false;
	return true;
}

int jscan_error(const struct jscan *scan, const char *name, enum err_code code, struct err *err)
{
	const char *line = scan->start;
	const char *newline;
	size_t lines = 1;
	size_t column = 1;

	while ((newline = memchr(line, '\n', (size_t)(scan->failed_at - line)))) {
		line = newline + 1;
		lines++;
	}
	if (is_conflict_marker(line, scan->end))
		return err_set(err, code, "%s:%zu:1: a merge conflict marker instead of JSON", name,
			       lines);
	for (const char *p = line; p < scan->failed_at; p++)
		column += ((unsigned char)*p & 0xc0) != 0x80;
	return err_set(err, code, "%s:%zu:%zu: %s", name, lines, column, scan->message);
}

bool jslice_is_string(struct jslice slice)
{
	return slice.at && slice.at[0] == '"';
}

bool jslice_equals(struct jslice slice, const char *literal)
{
	size_t len = strlen(literal);

	return slice.at && slice.len == len && memcmp(slice.at, literal, len) == 0;
}

bool jslice_is_plain(struct jslice string)
{
	const char *p = string.at + 1;
	const char *end = string.at + string.len - 1;

	for (; end - p >= STEP; p += STEP)
		if (step_odd(p))
			return false;
	/* What is left once more with what stands before it. */
	if (string.len >= STEP + 2)
		return p == end || !step_odd(end - STEP);
	for (; p < end; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x80 || *p == '\\')
			return false;
	return true;
}

static char simple_escape(char c)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	const char *found = c ? strchr(from, c) : NULL;

	return found ? to[found - from] : '\0';
}

/* ASCII with escapes of one character, which need no jansson: 1 when that was all. */
static int decode_simple(struct jslice string, struct buf *text)
{
	const char *p = string.at + 1;
	const char *end = string.at + string.len - 1;

	while (p < end) {
		const char *from = p;

		while (p < end && *p != '\\')
			if ((unsigned char)*p++ >= 0x80)
				return 0;
		buf_add(text, from, (size_t)(p - from));
		if (p == end)
			break;
		char c = simple_escape(p[1]);

		if (!c)
			return 0;
		buf_add_char(text, c);
		p += 2;
	}
	return 1;
}

int jscan_decode(struct jslice string, struct buf *ret_text)
{
	json_t *value;

	buf_clear(ret_text);
	if (decode_simple(string, ret_text))
		return 0;
	buf_clear(ret_text);
	value = json_loadb(string.at, string.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	if (!json_is_string(value)) {
		json_decref(value);
		return -1;
	}
	buf_add(ret_text, json_string_value(value), json_string_length(value));
	json_decref(value);
	return 0;
}

bool jslice_is_key(struct jslice key, const char *name, size_t len)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	if (key.len == len + 2 && memcmp(key.at + 1, name, len) == 0)
		return true;
	if (key.len <= len + 2 || !memchr(key.at, '\\', key.len) || jscan_decode(key, &text) < 0)
		return false;
	return text.len == len && memcmp(buf_cstr(&text), name, len) == 0;
}
