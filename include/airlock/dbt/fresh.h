/*
 * fresh: whether the manifest that a parse left is what a parse would write now.
 *
 * A picture of all that dbt reads is taken before it is started and kept beside the manifest if
 * nothing changed meanwhile: the files of the project, its packages and the profile (size, time,
 * content), the target, the options, the dbt and its adapters, and the environment variables that
 * the files name. In doubt (Jinja in a path, a dbt whose packages cannot be seen, too many files)
 * the answer is never "fresh". What a macro asks of the clock or of the warehouse is not seen, nor
 * is it by dbt's own partial parsing.
 *
 * Life cycle: fresh_take(), fresh_compare() or fresh_keep(), fresh_free().
 * Limits:     100,000 files, 32 levels; content of files up to 16 MiB.
 */
#ifndef AIRLOCK_DBT_FRESH_H
#define AIRLOCK_DBT_FRESH_H

#include "airlock/base/err.h"
#include "airlock/base/strv.h"
#include "airlock/dbt/project.h"

struct fresh_input {
	const struct project *project;
	const char *target;
	const struct strv *options; /* of every start: --vars, --profile, ... */
	const struct strv *environment;
	const char *dbt; /* its path; NULL: whichever it was */
};

struct fresh;

struct fresh *fresh_take(const struct fresh_input *input);
void fresh_free(struct fresh *fresh);

/*
 * NULL when the manifest.json in `directory` is of this picture; *ret_invocation_id is then the
 * one that it must have (free() it). Else the reason in words, free() it.
 */
char *fresh_compare(const struct fresh *now, const char *directory, char **ret_invocation_id);

/* Keeps the content as well, as it is now: before fresh_written(). */
void fresh_read(struct fresh *fresh);

/* Of two pictures of one project: NULL when nothing was written between them, else what, free()
 * it. With the content of `before` a file that was only touched, or written as it was, was not.
 * *ret_doubt: that cannot be told, and why; borrowed from one of them. */
char *fresh_written(const struct fresh *before, const struct fresh *after, const char **ret_doubt);

/* Before a parse: what is kept of an earlier one no longer counts. */
void fresh_forget(const char *directory);
/* After a parse that wrote manifest.json into `directory`: keeps the picture, unless something
 * changed since it was taken. */
int fresh_keep(const struct fresh *before, const char *directory, const char *invocation_id,
	       struct err *err);

#endif
