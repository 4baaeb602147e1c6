/*
 * manifest_oracle: the same manifest read the slow and obvious way, with one jansson tree of the
 * whole document. What the index of src/dbt says is compared with it, field by field.
 *
 * Life cycle: oracle_parse(), oracle_free().
 */
#ifndef TEST_SUPPORT_MANIFEST_ORACLE_H
#define TEST_SUPPORT_MANIFEST_ORACLE_H

#include "airlock/base/err.h"
#include "airlock/dbt/manifest.h"

struct oracle;

int oracle_parse(const char *text, size_t len, const char *name, struct oracle **ret_oracle,
		 struct err *err);
void oracle_free(struct oracle *oracle);

/* The first difference in words, free() it; NULL when there is none. */
char *oracle_compare(const struct oracle *oracle, const struct manifest *manifest);

#endif
