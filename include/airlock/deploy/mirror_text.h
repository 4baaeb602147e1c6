/*
 * mirror_text: what `airlock mirror generate` writes: the raw model of a source, the schema file,
 * and as a unified diff what a model above would change from source() to ref(). Pure.
 */
#ifndef AIRLOCK_DEPLOY_MIRROR_TEXT_H
#define AIRLOCK_DEPLOY_MIRROR_TEXT_H

#include <stddef.h>

#include "airlock/base/buf.h"
#include "airlock/dbt/manifest.h"

/* A source and the model that copies it. */
struct mirror_pair {
	const struct manifest_node *source;
	const char *model; /* its name */
};

/* "raw_<source>__<table>", other characters than letters, digits and _ as _; free() it. */
char *mirror_model_name(const struct manifest_node *source);
void mirror_write_model(const struct manifest_node *source, struct buf *out);
void mirror_write_schema(const struct mirror_pair *pairs, size_t n, struct buf *out);

/*
 * The hunks for one file, with its two header lines; nothing where nothing changes. Returns how
 * many calls of source() are replaced; one that goes over several lines is not.
 */
size_t mirror_write_diff(const char *path, const char *text, const struct mirror_pair *pairs,
			 size_t n, struct buf *out);

#endif
