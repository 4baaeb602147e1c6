/* The index of a manifest beside a reading of the whole document by jansson: what jansson accepts
 * gives the same nodes and fields; anything else an error, or what a lenient reader would say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "airlock/dbt/manifest.h"
#include "fuzz.h"
#include "manifest_oracle.h"

/* What is parsed on demand is valid JSON or an error. */
static void ask_for_everything(const struct manifest *manifest)
{
	for (size_t i = 0; i < manifest_count(manifest); i++) {
		const struct manifest_node *node = manifest_node(manifest, i);
		struct err err = ERR_INIT;

		json_decref(manifest_json(manifest, node->json, &err));
		err_release(&err);
		if (!node->config.at)
			continue;
		json_decref(manifest_json(manifest, node->config, &err));
		err_release(&err);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct manifest *manifest = NULL;
	struct oracle *oracle = NULL;
	struct err refused = ERR_INIT;
	struct err err = ERR_INIT;

	if (oracle_parse(text, size, "m.json", &oracle, &refused) < 0)
		oracle = NULL;
	if (manifest_parse(text, size, "m.json", &manifest, &err) < 0) {
		if (oracle) {
			fprintf(stderr, "refused: %s\n", err.message);
			abort();
		}
		if (err.code != ERR_MANIFEST_INVALID || strncmp(err.message, "m.json:", 7) != 0)
			abort();
	} else {
		char *difference = oracle ? oracle_compare(oracle, manifest) : NULL;

		if (difference) {
			fprintf(stderr, "%s\n", difference);
			abort();
		}
		ask_for_everything(manifest);
	}
	manifest_free(manifest);
	oracle_free(oracle);
	err_release(&refused);
	err_release(&err);
	return 0;
}
