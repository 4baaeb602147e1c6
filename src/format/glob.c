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

static bool is_range(const uint32_t *p, size_t n)
{
	return n >= 3 && p[1] == '-';
}

static void add_members(struct buf *regex, const uint32_t *p, size_t n)
{
	size_t i = 0;

	while (i < n) {
		if (!is_range(p + i, n - i)) {
			add_point(regex, p[i++]);
			continue;
		}
		if (p[i] <= p[i + 2]) {
			add_point(regex, p[i]);
			buf_add_char(regex, '-');
			add_point(regex, p[i + 2]);
		}
		i += 3;
	}
}

/*
 * What stands between the brackets, as Python's fnmatch.translate() reads it: a hyphen between
 * two characters makes a range, unless the one before it ended a range already; a range from
 * high to low vanishes with both of its ends; an exclamation mark that thereby becomes the first
 * character negates, and the hyphen of its own range is left as a character.
 */
static void add_set(struct buf *regex, const uint32_t *p, size_t n, bool negated)
{
	CLEANUP(buf_release) struct buf members = BUF_INIT;
	size_t i = 0;

	while (!negated && is_range(p + i, n - i) && p[i] > p[i + 2])
		i += 3;
	if (i > 0 && i < n && p[i] == '!') {
		negated = true;
		if (is_range(p + i, n - i)) {
			add_point(&members, '-');
			add_point(&members, p[i + 2]);
			i += 2;
		}
		i++;
	}
	add_members(&members, p + i, n - i);
	if (members.len > 0)
		buf_printf(regex, negated ? "[^%s]" : "[%s]", buf_cstr(&members));
	else
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

/*
 * Each star but the last takes the first place where what follows it fits, for good: going back
 * could only find the same match later, and this way no pattern takes exponential time.
 */
static void translate(struct buf *regex, const struct points *p)
{
	CLEANUP(buf_release) struct buf fixed = BUF_INIT; /* behind the last star so far */
	bool behind_star = false;
	size_t i = 0;

	buf_add_str(regex, "\\A");
	while (i < p->n) {
		if (p->v[i] != '*') {
			i = add_one(&fixed, p, i);
			continue;
		}
		if (fixed.len > 0)
			buf_printf(regex, behind_star ? "(?>.*?%s)" : "%s", buf_cstr(&fixed));
		buf_clear(&fixed);
		behind_star = true;
		i++;
	}
	buf_printf(regex, behind_star ? ".*%s\\z" : "%s\\z", buf_cstr(&fixed));
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
