#define PCRE2_CODE_UNIT_WIDTH 8

#include "airlock/format/glob.h"

#include <pcre2.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "airlock/base/buf.h"
#include "airlock/base/mem.h"

/* Enough for any name: a pattern of n stars costs at most n passes over the subject. */
#define MATCH_LIMIT 10000000

struct glob {
	char *literal;    /* the pattern, when it holds nothing special */
	pcre2_code *code; /* NULL: matches nothing */
	pcre2_match_context *limits;
	pcre2_match_data *match;
};

/* A pattern as code points: ranges and `?` mean characters, not bytes. */
struct points {
	uint32_t *v;
	size_t n;
};

static size_t sequence_length(unsigned char lead)
{
	if (lead < 0x80)
		return 1;
	if (lead >= 0xc2 && lead < 0xe0)
		return 2;
	if (lead >= 0xe0 && lead < 0xf0)
		return 3;
	return lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
}

/* Returns -1 for bytes that are not UTF-8. Surrogates are left to pcre2 to refuse. */
static int decode(const char *s, struct points *ret_points)
{
	struct points points = { mem_alloc((strlen(s) + 1) * sizeof(uint32_t)), 0 };

	while (*s) {
		unsigned char lead = (unsigned char)*s;
		size_t len = sequence_length(lead);
		uint32_t point = len == 1 ? lead : lead & (0x7fU >> len);

		for (size_t i = 1; i < len; i++) {
			if (((unsigned char)s[i] & 0xc0) != 0x80)
				len = 0;
			else
				point = point << 6 | ((unsigned char)s[i] & 0x3f);
		}
		if (len == 0) {
			free(points.v);
			return -1;
		}
		points.v[points.n++] = point;
		s += len;
	}
	*ret_points = points;
	return 0;
}

static void add_point(struct buf *regex, uint32_t point)
{
	buf_printf(regex, "\\x{%x}", (unsigned)point);
}

/*
 * What stands between the brackets, as Python's fnmatch.translate() reads it: a hyphen between
 * two characters makes a range, unless the one before it ended a range already; a range from
 * high to low vanishes with both of its ends.
 */
static void add_set(struct buf *regex, const uint32_t *p, size_t n, bool negated)
{
	size_t start = regex->len;
	size_t i = 0;

	buf_add_str(regex, negated ? "[^" : "[");
	while (i < n) {
		if (i + 2 < n && p[i + 1] == '-') {
			if (p[i] <= p[i + 2]) {
				add_point(regex, p[i]);
				buf_add_char(regex, '-');
				add_point(regex, p[i + 2]);
			}
			i += 3;
		} else {
			add_point(regex, p[i++]);
		}
	}
	if (regex->len > start + 1 + negated) {
		buf_add_char(regex, ']');
		return;
	}
	regex->data[regex->len = start] = '\0';
	buf_add_str(regex, negated ? "." : "(?!)");
}

/* From behind an opening bracket at `i`; returns where to go on. */
static size_t add_bracket(struct buf *regex, const struct points *p, size_t i)
{
	bool negated = i < p->n && p->v[i] == '!';
	size_t first = i + negated;
	size_t end = first;

	if (end < p->n && p->v[end] == ']')
		end++;
	while (end < p->n && p->v[end] != ']')
		end++;
	if (end >= p->n) {
		buf_add_str(regex, "\\[");
		return i;
	}
	add_set(regex, p->v + first, end - first, negated);
	return end + 1;
}

static size_t add_one(struct buf *regex, const struct points *p, size_t i)
{
	if (p->v[i] == '[')
		return add_bracket(regex, p, i + 1);
	if (p->v[i] == '?')
		buf_add_char(regex, '.');
	else
		add_point(regex, p->v[i]);
	return i + 1;
}

static bool has_star(const struct points *p, size_t i)
{
	while (i < p->n && p->v[i] != '*')
		i++;
	return i < p->n;
}

/*
 * Each star but the last takes the first place where what follows it fits, for good: going back
 * could only find the same match later, and this way no pattern takes exponential time.
 */
static void translate(struct buf *regex, const struct points *p)
{
	bool open = false;
	size_t i = 0;

	buf_add_str(regex, "\\A");
	while (i < p->n) {
		if (p->v[i] != '*') {
			i = add_one(regex, p, i);
			continue;
		}
		while (i < p->n && p->v[i] == '*')
			i++;
		if (open)
			buf_add_char(regex, ')');
		open = has_star(p, i);
		buf_add_str(regex, open ? "(?>.*?" : ".*");
	}
	buf_add_str(regex, "\\z");
}

static void compile(struct glob *glob, const char *pattern)
{
	CLEANUP(buf_release) struct buf regex = BUF_INIT;
	struct points points;
	int code;
	size_t offset;

	if (decode(pattern, &points) < 0)
		return;
	translate(&regex, &points);
	free(points.v);
	glob->code = pcre2_compile((PCRE2_SPTR)buf_cstr(&regex), regex.len,
				   PCRE2_UTF | PCRE2_DOTALL, &code, &offset, NULL);
	if (!glob->code)
		return;
	glob->limits = pcre2_match_context_create(NULL);
	glob->match = pcre2_match_data_create_from_pattern(glob->code, NULL);
	if (!glob->limits || !glob->match)
		abort();
	pcre2_set_match_limit(glob->limits, MATCH_LIMIT);
}

bool glob_is_pattern(const char *s)
{
	return s[strcspn(s, "*?[]")] != '\0';
}

struct glob *glob_new(const char *pattern)
{
	struct glob *glob = mem_alloc(sizeof(*glob));

	if (glob_is_pattern(pattern))
		compile(glob, pattern);
	else
		glob->literal = mem_strdup(pattern);
	return glob;
}

void glob_free(struct glob *glob)
{
	if (!glob)
		return;
	pcre2_match_data_free(glob->match);
	pcre2_match_context_free(glob->limits);
	pcre2_code_free(glob->code);
	free(glob->literal);
	free(glob);
}

bool glob_matches(const struct glob *glob, const char *s)
{
	if (glob->literal)
		return strcmp(glob->literal, s) == 0;
	if (!glob->code)
		return false;
	return pcre2_match(glob->code, (PCRE2_SPTR)s, strlen(s), 0, 0, glob->match, glob->limits) >=
	       0;
}

bool glob_match_once(const char *pattern, const char *s)
{
	struct glob *glob = glob_new(pattern);
	bool matches = glob_matches(glob, s);

	glob_free(glob);
	return matches;
}
