/*
 * glob: Python's fnmatch.fnmatchcase, which is what dbt's selectors use: `*` and `?` cross dots
 * and slashes, [seq] and [!seq], no escapes. Compiled to a pcre2 pattern with a match limit.
 */
#ifndef AIRLOCK_FORMAT_GLOB_H
#define AIRLOCK_FORMAT_GLOB_H

#include <stdbool.h>
#include <stddef.h>

struct glob;

struct glob *glob_new(const char *pattern); /* never NULL: every string is a pattern */
void glob_free(struct glob *glob);
bool glob_matches(const struct glob *glob, const char *s);
bool glob_is_pattern(const char *s); /* holds one of * ? [ ] */
bool glob_match_once(const char *pattern, const char *s);

#endif
