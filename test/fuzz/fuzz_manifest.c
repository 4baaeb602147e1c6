/* The index of a manifest beside a reading of the whole document by jansson: what jansson accepts
 * gives the same nodes and fields; anything else an error, or what a lenient reader would say. The
 * same through a small window on a file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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
		if (node->freshness.at)
			json_decref(manifest_json(manifest, node->freshness, &err));
		err_release(&err);
		if (node->config.at)
			json_decref(manifest_json(manifest, node->config, &err));
		err_release(&err);
	}
}

static void read_through_window(const char *text, size_t size, const struct manifest *parsed)
{
	static char path[64];
	static int fd = -1;
	struct manifest *manifest = NULL;
	struct err err = ERR_INIT;

	if (fd < 0) {
		fd = memfd_create("manifest", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	if (fd < 0 || ftruncate(fd, 0) || pwrite(fd, text, size, 0) != (ssize_t)size)
		abort();
	manifest_window = 1 + size % 61;
	if ((manifest_read(path, &manifest, &err) == 0) != (parsed != NULL) ||
	    (parsed && manifest_count(parsed) != manifest_count(manifest)))
		abort();
	manifest_free(manifest);
	err_release(&err);
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
	read_through_window(text, size, manifest);
	manifest_free(manifest);
	oracle_free(oracle);
	err_release(&refused);
	err_release(&err);
	return 0;
}
