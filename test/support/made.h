/*
 * made: manifests, configurations and pictures of the warehouse, made in a test.
 *
 * Ownership: what is returned is the caller's.
 */
#ifndef AIRLOCK_TEST_MADE_H
#define AIRLOCK_TEST_MADE_H

#include <stdbool.h>
#include <stddef.h>

#include "airlock/dbt/manifest.h"
#include "airlock/deploy/config.h"
#include "airlock/deploy/observed.h"

/* A node of the project `shop`. Lists are words with a comma between; what is NULL has a default:
 * a model, a table, of the database `db`, with its name as alias. */
struct made_node {
	const char *name;
	const char *type; /* resource_type */
	const char *database;
	const char *schema;
	const char *alias;
	const char *materialized;
	const char *tags;
	const char *parents; /* unique_ids */
	const char *hooks;   /* post-hooks, or the SQL of an operation; one */
	const char *compiled_path;
	const char *grants;       /* privilege=grantee,... */
	const char *full_refresh; /* "true" or "false" */
	bool has_no_schema;       /* config.schema is null */
};

struct manifest *made_manifest(const char *adapter, const struct made_node *nodes, size_t n);

/* Of the options of a command line, with spaces between. Before them a strategy; without, wac. */
void made_config(struct config *config, const char *options);

/* Of JSON, in which ' stands for ". */
void made_picture(struct observed *observed, const char *text);

#endif
